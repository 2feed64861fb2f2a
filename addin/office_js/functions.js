// The worksheet functions: what Excel calls for =SHOP.…, built from the catalogue.
(function () {
  "use strict";

  const { CallError, Client, text } = globalThis.Shopsheet;
  const TOKEN_KEY = "shopsheet.token";
  const STORAGE_MS = 2000;
  const PREVIEW = "…";

  // The token: in Office's storage, which outlives the browser's, and in the browser's.
  const token = {
    memory: null,
    kept: true, // false where nothing can be stored and the token lives as long as the page
    async get() {
      this.memory ??= (await fromOffice()) || fromBrowser();
      return this.memory;
    },
    async set(value) {
      this.memory = value;
      const inBrowser = storeInBrowser(value);
      this.kept = (await storeInOffice(value)) || inBrowser;
    },
  };

  // A storage that does not answer must not keep every cell at #BUSY!.
  function inTime(promise) {
    const silence = new Promise((resolve) => setTimeout(resolve, STORAGE_MS, null));
    return Promise.race([promise, silence]).catch(() => null);
  }

  function fromOffice() {
    return inTime(globalThis.OfficeRuntime?.storage?.getItem(TOKEN_KEY));
  }

  function storeInOffice(value) {
    const stored = globalThis.OfficeRuntime?.storage?.setItem(TOKEN_KEY, value);
    return stored ? inTime(stored.then(() => true)) : false;
  }

  function fromBrowser() {
    try {
      return globalThis.localStorage.getItem(TOKEN_KEY) || "";
    } catch {
      return ""; // storage is switched off
    }
  }

  function storeInBrowser(value) {
    try {
      globalThis.localStorage.setItem(TOKEN_KEY, value);
      return true;
    } catch {
      return false;
    }
  }

  // The page comes from the server, so the server is where the page comes from.
  const client = new Client({
    getToken: () => token.get(),
    onChange: () => globalThis.dispatchEvent(new Event("shopsheet-request")),
  });

  // Excel shows a message with #VALUE! and #N/A only, and takes no other errors than these as answers.
  const WITH_TEXT = ["#VALUE!", "#N/A"];
  const WITHOUT_TEXT = ["#NUM!", "#DIV/0!", "#NULL!"];

  function toExcelError({ code, message }) {
    if (WITH_TEXT.includes(code)) return new CustomFunctions.Error(code, message);
    if (WITHOUT_TEXT.includes(code)) return new CustomFunctions.Error(code);
    return new CustomFunctions.Error("#VALUE!", message || text("holdsError", { code }));
  }

  function toExcelCell(value) {
    if (value === null || value === undefined) return "";
    return typeof value === "object" ? toExcelError(value.error) : value;
  }

  // Every answer is a matrix, as the metadata says: one cell is a matrix of one row and column.
  function toExcelMatrix(value) {
    const rows = Array.isArray(value) ? value : [[value]];
    return rows.map((row) => row.map(toExcelCell));
  }

  // What Excel calls. It passes every declared argument, null where left out, then the invocation.
  function worksheetFunction({ name, args: declared }) {
    return async (...passed) => {
      const invocation = passed.length > declared.length ? passed[passed.length - 1] : {};
      const args = passed.slice(0, declared.length);
      if (invocation.isInValuePreview) {
        const known = client.peek(name, args);
        return known === undefined ? [[PREVIEW]] : toExcelMatrix(known);
      }
      const { promise, cancel } = client.call(name, args);
      invocation.onCanceled = cancel;
      let matrix;
      try {
        matrix = toExcelMatrix(await promise);
      } catch (error) {
        throw toExcelError(
          error instanceof CallError ? error : { code: "#N/A", message: text("failed", { detail: error.message }) },
        );
      }
      // One failed cell fails the call, as Excel then shows its message like that of any other.
      const single = matrix.length === 1 && matrix[0].length === 1 ? matrix[0][0] : null;
      if (single instanceof CustomFunctions.Error) throw single;
      return matrix;
    };
  }

  const catalogue = globalThis.SHOPSHEET_CATALOGUE;
  if (globalThis.CustomFunctions?.associate) {
    for (const declared of catalogue.functions) {
      globalThis.CustomFunctions.associate(declared.name, worksheetFunction(declared));
    }
  }

  Object.assign(globalThis.Shopsheet, { catalogue, client, token, toExcelMatrix });
})();
