// Talks to the Shopsheet server: gathers calls into one request, shares and remembers answers.
(function () {
  "use strict";

  const { text } = globalThis.Shopsheet;

  const LIMITS = {
    gatherMs: 75, // calls of this window travel together; Excel starts the cells of a column within it
    cellsPerRequest: 20_000,
    charsPerRequest: 8_000_000,
    timeoutMs: 120_000, // of one request ...
    timeoutPerCellMs: 20, // ... and longer for long columns
    longestTimeoutMs: 960_000,
    longestRetryMs: 10_000, // a busy server is asked once more after its Retry-After, at most this
    memoChars: 16_000_000,
    modelCheckMs: 30_000, // remembered answers count without asking for the model's version this long
  };

  // A failed call: the worksheet error and why.
  class CallError extends Error {
    constructor(code, message) {
      super(message);
      this.name = "CallError";
      this.code = code;
    }
  }

  // Answers by call, least recently used dropped first, bounded by characters.
  class Memo {
    constructor(maxChars) {
      this.maxChars = maxChars;
      this.clear();
    }
    clear() {
      this.answers = new Map();
      this.chars = 0;
    }
    get(key) {
      const kept = this.answers.get(key);
      if (!kept) return undefined;
      this.answers.delete(key);
      this.answers.set(key, kept);
      return kept.value;
    }
    set(key, value) {
      const chars = key.length + JSON.stringify(value).length;
      this.drop(key);
      if (chars > this.maxChars) return;
      this.answers.set(key, { value, chars });
      this.chars += chars;
      while (this.chars > this.maxChars) this.drop(this.answers.keys().next().value);
    }
    drop(key) {
      const kept = this.answers.get(key);
      if (kept && this.answers.delete(key)) this.chars -= kept.chars;
    }
  }

  const isRange = (value) => Array.isArray(value);
  const isCellError = (value) => value !== null && typeof value === "object" && "error" in value;
  const hasCellError = (value) => (isRange(value) ? value.some(hasCellError) : isCellError(value));
  const cellCount = (value) => (isRange(value) ? value.reduce((sum, item) => sum + cellCount(item), 0) : 1);

  // Arguments as the server reads them: errors as JSON, nothing as null, no trailing nulls.
  function toWire(args) {
    const cell = (value) => {
      if (isRange(value)) return value.map(cell);
      if (value === undefined || value === null) return null;
      if (typeof value === "object") return { error: { code: String(value.code || "#VALUE!"), message: "" } };
      return value;
    };
    const wire = args.map(cell);
    while (wire.length && wire[wire.length - 1] === null) wire.pop();
    return wire;
  }

  class Client {
    // baseUrl: where /v1/calls is; getToken: async () => token or null; onChange: called after each request.
    constructor({ baseUrl = "", getToken = async () => null, onChange = () => {}, ...limits } = {}) {
      this.baseUrl = baseUrl;
      this.getToken = getToken;
      this.onChange = onChange;
      this.limits = { ...LIMITS, ...limits };
      this.memo = new Memo(this.limits.memoChars);
      this.stats = { calls: 0, requests: 0, remembered: 0, shared: 0 };
      this.entries = new Map(); // key -> entry that waits or is under way
      this.waiting = []; // entries of the open window
      this.timer = null;
      this.models = new Map(); // function -> Map: "encoder" -> "encoder@version" of its last answer
      this.own = "[{},[]]"; // versions of the user's own models and knowledge, as the server told them
      this.modelsCheckedAt = -Infinity;
    }

    // {promise, cancel}: the promise always settles: with a value (cell or rows), or a CallError.
    call(name, args) {
      this.stats.calls += 1;
      const wire = toWire(args);
      const key = JSON.stringify([name, ...wire]);
      const fresh = performance.now() - this.modelsCheckedAt < this.limits.modelCheckMs;
      const remembered = this.memo.get(key);
      if (remembered !== undefined && fresh) {
        this.stats.remembered += 1;
        return { promise: Promise.resolve(remembered), cancel: () => {} };
      }
      let entry = this.entries.get(key);
      if (entry) {
        this.stats.shared += 1;
      } else {
        entry = { key, name, args: wire, waiters: new Set(), request: null };
        this.entries.set(key, entry);
        this.waiting.push(entry);
        this.timer ??= setTimeout(() => this.flush(), this.limits.gatherMs);
      }
      return this.join(entry);
    }

    // The remembered answer of a call, or undefined; asks nobody.
    peek(name, args) {
      return this.memo.get(JSON.stringify([name, ...toWire(args)]));
    }

    // The version of a model changed, or may have: every remembered answer is dropped.
    forget() {
      this.memo.clear();
    }

    // GET of a path as {status, body}; body is null where the answer is no JSON.
    async get(path, timeoutMs = 10_000) {
      const abort = new AbortController();
      const timer = setTimeout(() => abort.abort(), timeoutMs);
      try {
        const response = await fetch(this.baseUrl + path, {
          headers: await this.headers(),
          signal: abort.signal,
        });
        return { status: response.status, body: await response.json().catch(() => null) };
      } finally {
        clearTimeout(timer);
      }
    }

    // Compares the models that are loaded now with those that gave the remembered answers.
    async checkModels() {
      if (!this.models.size) return;
      const { status, body } = await this.get("/v1/models");
      if (status !== 200 || !isRange(body?.models)) return;
      // Heads of the user's own, and what the user tells of the shop, by function.
      const knowledge = Object.entries(body.knowledge?.functions ?? {}).filter(([, mark]) => mark);
      const own = JSON.stringify([body.own ?? {}, knowledge]);
      const isCurrent = (model) => {
        // "sentiment@3-ab12+encoder@version+knowledge-1a2b": one of the user's, on ours, with a file
        const base = model.split("+knowledge-")[0].split("+").pop();
        const now = body.models.find((one) => one.name === base.split("@")[0]);
        return now && (!now.model || now.model === base); // the same, or still loading
      };
      const models = [...this.models.values()].flatMap((heads) => [...heads.values()]);
      if (own !== this.own || !models.every(isCurrent)) {
        this.own = own;
        this.models.clear();
        this.forget();
      }
      this.modelsCheckedAt = performance.now();
    }

    join(entry) {
      let waiter;
      const promise = new Promise((resolve, reject) => {
        waiter = { resolve, reject };
      });
      entry.waiters.add(waiter);
      if (entry.request) entry.request.waiters += 1;
      return { promise, cancel: () => this.leave(entry, waiter) };
    }

    leave(entry, waiter) {
      if (!entry.waiters.delete(waiter)) return;
      waiter.reject(new CallError("#N/A", text("cancelled")));
      if (entry.request) {
        entry.request.waiters -= 1;
        if (!entry.request.waiters) this.abandon(entry.request);
      } else if (!entry.waiters.size) {
        this.entries.delete(entry.key);
        this.waiting = this.waiting.filter((other) => other !== entry);
      }
    }

    // Nobody waits for the request any more: it ends, and a later call starts a new one.
    abandon(request) {
      for (const entry of request.entries) this.release(entry);
      request.abort.abort();
    }

    // Ends the window: new calls are sent at once, remembered ones when their model is known to be current.
    flush() {
      this.timer = null;
      const entries = this.waiting;
      this.waiting = [];
      const isRemembered = (entry) => this.memo.answers.has(entry.key);
      const remembered = entries.filter(isRemembered);
      this.sendAll(entries.filter((entry) => !isRemembered(entry)));
      if (!remembered.length) return;
      this.checkModels()
        .catch(() => {}) // unreachable: what is remembered still holds
        .then(() => this.sendAll(remembered.filter((entry) => !this.answerFromMemo(entry))));
    }

    sendAll(entries) {
      for (const part of this.parts(entries.filter((entry) => entry.waiters.size))) this.send(part);
    }

    answerFromMemo(entry) {
      const value = this.memo.get(entry.key);
      if (value === undefined) return false;
      this.stats.remembered += entry.waiters.size;
      this.resolve(entry, value);
      return true;
    }

    // Entries in groups that each fit into one request.
    *parts(entries) {
      const { cellsPerRequest, charsPerRequest } = this.limits;
      let part = [];
      let cells = 0;
      let chars = 0;
      for (const entry of entries) {
        const entryCells = cellCount(entry.args);
        const full = cells + entryCells > cellsPerRequest || chars + entry.key.length > charsPerRequest;
        if (part.length && full) {
          yield part;
          part = [];
          cells = chars = 0;
        }
        part.push(entry);
        cells += entryCells;
        chars += entry.key.length;
      }
      if (part.length) yield part;
    }

    // One request for `entries`; every one of them is settled when it ends, whatever happens.
    async send(entries) {
      const request = { abort: new AbortController(), waiters: 0, entries };
      for (const entry of entries) {
        entry.request = request;
        request.waiters += entry.waiters.size;
      }
      const { timeoutMs, timeoutPerCellMs, longestTimeoutMs } = this.limits;
      const cells = cellCount(entries.map((entry) => entry.args));
      const limitMs = Math.min(timeoutMs + cells * timeoutPerCellMs, longestTimeoutMs);
      let timedOut = false;
      const timer = setTimeout(() => {
        timedOut = true;
        request.abort.abort();
      }, limitMs);
      try {
        const groups = merge(entries);
        const calls = groups.map((group, index) => ({ id: String(index + 1), function: group.name, args: group.args }));
        const results = await this.post(calls, request.abort.signal);
        groups.forEach((group, index) => this.distribute(group, results.get(String(index + 1))));
      } catch (error) {
        const failure = timedOut
          ? new CallError("#N/A", text("timedOut", { seconds: Math.round(limitMs / 1000) }))
          : error instanceof CallError
            ? error
            : new CallError("#N/A", text("failed", { detail: error.message }));
        entries.forEach((entry) => this.fail(entry, failure.code, failure.message));
      } finally {
        clearTimeout(timer);
        entries.forEach((entry) => this.fail(entry, "#N/A", text("badAnswer", { detail: "-" })));
        this.onChange();
      }
    }

    // The results of one request by call id.
    async post(calls, signal) {
      let response = await this.postOnce(calls, signal);
      if (response.status === 503) {
        const asked = Number(response.headers.get("Retry-After"));
        const waitMs = Number.isFinite(asked) && asked > 0 ? asked * 1000 : 1000;
        await pause(Math.min(waitMs, this.limits.longestRetryMs), signal);
        response = await this.postOnce(calls, signal);
      }
      const body = await response.json().catch(() => null);
      if (!response.ok) throw refusal(response.status, body);
      if (!isRange(body?.results)) throw new CallError("#N/A", text("badAnswer", { detail: `HTTP ${response.status}` }));
      return new Map(body.results.map((result) => [String(result?.id), result]));
    }

    async postOnce(calls, signal) {
      const headers = await this.headers();
      this.stats.requests += 1;
      try {
        return await fetch(`${this.baseUrl}/v1/calls`, {
          method: "POST",
          headers: { ...headers, "Content-Type": "application/json" },
          body: JSON.stringify({ calls }),
          signal,
        });
      } catch (error) {
        if (signal.aborted) throw new CallError("#N/A", text("cancelled"));
        const url = this.baseUrl || globalThis.location.origin;
        throw new CallError("#N/A", text("unreachable", { url }), { cause: error });
      }
    }

    async headers() {
      const token = await this.getToken();
      return token ? { Authorization: `Bearer ${token}` } : {};
    }

    // Gives each entry of a group its share of the group's result.
    distribute(group, result) {
      if (!result || (!("value" in result) && !result.error)) {
        group.entries.forEach((entry) => this.fail(entry, "#N/A", text("badAnswer", { detail: group.name })));
        return;
      }
      if (result.error) {
        const { code = "#N/A", message = "" } = result.error;
        group.entries.forEach((entry) => this.fail(entry, code, message));
        return;
      }
      this.noteModel(group.name, result.model);
      const values = group.merged ? result.value : [result.value];
      if (group.merged && !(isRange(values) && values.length === group.entries.length)) {
        group.entries.forEach((entry) => this.fail(entry, "#N/A", text("badAnswer", { detail: group.name })));
        return;
      }
      group.entries.forEach((entry, index) => {
        const value = group.merged ? [values[index]] : values[index];
        if (result.model && !hasCellError(value)) this.memo.set(entry.key, value);
        this.resolve(entry, value);
      });
    }

    noteModel(name, model) {
      if (!model) return;
      const heads = this.models.get(name) ?? new Map();
      const head = model.split("@")[0];
      if (heads.size && heads.get(head) !== model) this.forget();
      this.models.set(name, heads.set(head, model));
      // Where a function has two models, an answer of one tells nothing of the other.
      const plain = [...this.models.values()].every((one) => one.size === 1);
      if (plain) this.modelsCheckedAt = performance.now();
    }

    resolve(entry, value) {
      this.settle(entry, (waiter) => waiter.resolve(value));
    }

    fail(entry, code, message) {
      this.settle(entry, (waiter) => waiter.reject(new CallError(code, message)));
    }

    release(entry) {
      if (this.entries.get(entry.key) === entry) this.entries.delete(entry.key);
    }

    settle(entry, answer) {
      this.release(entry);
      entry.waiters.forEach(answer);
      entry.waiters.clear();
    }
  }

  // Calls of one function with one cell of data and the same options become one call with a column:
  // the catalogue's functions answer each row by itself.
  function merge(entries) {
    const groups = new Map();
    for (const entry of entries) {
      const [data, ...options] = entry.args;
      const oneCell = isRange(data) && data.length === 1 && isRange(data[0]) && data[0].length === 1;
      const key = oneCell ? JSON.stringify([entry.name, options]) : entry.key;
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(entry);
    }
    return [...groups.values()].map((group) => {
      const { name, args } = group[0];
      if (group.length === 1) return { name, args, entries: group, merged: false };
      const column = group.map((entry) => entry.args[0][0]);
      return { name, args: [column, ...args.slice(1)], entries: group, merged: true };
    });
  }

  // What an HTTP error means for the cells that asked.
  function refusal(status, body) {
    const said = typeof body?.error === "object" ? body.error : {};
    const detail = said.message || `HTTP ${status}`;
    if (status === 401) return new CallError("#N/A", text("tokenRefused"));
    if (status === 400 || status === 413 || status === 422) {
      return new CallError(said.code || "#VALUE!", text("refused", { detail }));
    }
    return new CallError("#N/A", said.message ? detail : text("badAnswer", { detail }));
  }

  // Waits `ms`; ends at once with an error when `signal` is aborted.
  function pause(ms, signal) {
    return new Promise((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer);
        reject(new CallError("#N/A", text("cancelled")));
      };
      const timer = setTimeout(() => {
        signal.removeEventListener("abort", stop);
        resolve();
      }, ms);
      signal.addEventListener("abort", stop, { once: true });
      if (signal.aborted) stop();
    });
  }

  Object.assign(globalThis.Shopsheet, { CallError, Client, LIMITS });
})();
