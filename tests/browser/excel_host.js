// Plays Excel for the genuine custom functions runtime: starts calls through the runtime's native
// bridge, as Excel does, and hands out what the runtime sends back.
(function () {
  "use strict";
  const CANCELABLE = 1;
  const ERRORS_ALLOWED = 4;
  const ERRORS = { 1: "#N/A", 2: "thrown", 3: "rejected", 5: "#DIV/0!", 6: "#NUM!", 7: "#VALUE!", 8: "#NULL!" };
  const waiting = new Map();
  let lastId = 0;

  const toPage = (message) => globalThis._richApiNativeBridge.onMessageFromHost(JSON.stringify(message));
  const toRuntime = (type, message) =>
    toPage({ type: 3, message: { entries: (Array.isArray(message) ? message : [message]).map((one) => [1, type, "", one, 0]) } });

  globalThis._richApiNativeBridge = {
    sendMessageToHost(text) {
      const { id, type, message } = JSON.parse(text);
      if (type !== 1) return;
      for (const action of message.body.Actions) {
        if (action.Name !== "SetInvocationArrayResults") continue;
        for (const [call, ok, value, code] of action.ArgumentInfo.Arguments[0]) {
          waiting.get(call)?.(ok ? { value } : { error: ERRORS[code] ?? code, message: value });
        }
      }
      const body = JSON.stringify({ Results: [], TraceIds: [] });
      setTimeout(() => toPage({ type: 2, id, message: { statusCode: 200, headers: {}, body } }), 0);
    },
  };

  globalThis.excel = {
    // Starts one call per list of arguments, all at once; {ids, results} with a promise of each result.
    start(argLists, name = "SENTIMENT") {
      const ids = argLists.map(() => (lastId += 1));
      const results = ids.map((id) => new Promise((resolve) => waiting.set(id, resolve)));
      toRuntime(1000, argLists.map((args, i) => [ids[i], name, args, "Sheet1!A1", CANCELABLE | ERRORS_ALLOWED]));
      return { ids, results };
    },
    calculate(argLists, name) {
      return Promise.all(this.start(argLists, name).results);
    },
    cancel(ids) {
      toRuntime(1001, ids.map((invocationId) => ({ invocationId })));
    },
  };
})();
