// The pane beside the sheet, and the same page in a browser: status, token, functions with examples.
(function () {
  "use strict";

  const { catalogue, client, language, setLanguage, text, token } = globalThis.Shopsheet;
  const CHECK_MS = 15_000;
  const SHOWN_ROWS = 500;
  const $ = (id) => document.getElementById(id);
  const state = { name: "checking", models: [] };

  // The state of the server: ready, loading, needToken, wrongToken or offline.
  async function look() {
    try {
      const health = await client.get("/health");
      const models = await client.get("/v1/models");
      if (models.status === 401) return { name: (await token.get()) ? "wrongToken" : "needToken", models: [] };
      const list = Array.isArray(models.body?.models) ? models.body.models : [];
      if (models.status !== 200 && health.status !== 503) return { name: "offline", models: [] };
      return { name: health.status === 200 ? "ready" : "loading", models: list };
    } catch {
      return { name: "offline", models: [] };
    }
  }

  async function check() {
    const before = state.name;
    Object.assign(state, await look());
    if (state.name === "ready") await client.checkModels().catch(() => {});
    if (state.name !== before) $("token-card").open = ["needToken", "wrongToken"].includes(state.name);
    showState();
  }

  function showState() {
    const url = location.origin;
    $("status").dataset.state = state.name;
    $("state-title").textContent = text(state.name);
    $("state-detail").textContent = state.name === "checking" ? "" : text(`${state.name}Detail`, { url });
    $("model").textContent = state.models.map((model) => model.model || `${model.name} (${model.state})`).join(", ") || "–";
    $("address").textContent = url;
    const { calls, requests, remembered, shared } = client.stats;
    $("session").textContent = text("sessionDetail", { calls, requests, remembered: remembered + shared });
    $("forget").hidden = state.name === "needToken";
    $("todo").hidden = state.name !== "offline";
    $("recalculate").hidden = !(inExcel() && state.name === "ready");
    $("token-state").textContent = { ready: "✓", loading: "✓", needToken: "", wrongToken: "✗" }[state.name] ?? "";
  }

  const inExcel = () => document.documentElement.dataset.host === "excel" && "Excel" in globalThis;

  // ---- texts

  function fillTexts(root) {
    for (const node of root.querySelectorAll("[data-text]")) node.textContent = text(node.dataset.text);
    for (const node of root.querySelectorAll("[data-placeholder]")) node.placeholder = text(node.dataset.placeholder);
    for (const node of root.querySelectorAll("[data-label]")) node.setAttribute("aria-label", text(node.dataset.label));
  }

  function showAll() {
    document.documentElement.lang = language();
    fillTexts(document);
    for (const button of document.querySelectorAll("[data-language]")) {
      button.setAttribute("aria-pressed", String(button.dataset.language === language()));
    }
    $("function-list").replaceChildren(...catalogue.functions.map(functionCard));
    showState();
  }

  let toastTimer = null;
  function toast(message) {
    $("toast").textContent = message;
    $("toast").hidden = false;
    clearTimeout(toastTimer);
    toastTimer = setTimeout(() => ($("toast").hidden = true), 4000);
  }

  async function copy(value) {
    try {
      await navigator.clipboard.writeText(value);
      toast(text("copied"));
    } catch {
      toast(text("copyFailed"));
    }
  }

  // ---- functions

  function functionCard(declared) {
    const card = $("function-card").content.cloneNode(true).firstElementChild;
    const say = (both) => both[language()];
    const part = (selector) => card.querySelector(selector);
    fillTexts(card);
    card.id = declared.name;
    part("h3").textContent = declared.formula;
    part(".signature").textContent = `=${declared.signature}`;
    part(".summary").textContent = say(declared.summary);
    for (const arg of declared.args) {
      const term = document.createElement("dt");
      term.textContent = arg.name;
      if (!arg.required) {
        const optional = document.createElement("span");
        optional.textContent = ` ${text("optional")}`;
        term.append(optional);
      }
      const help = document.createElement("dd");
      help.textContent = say(arg.help);
      part(".args").append(term, help);
    }
    part(".returns").textContent = `${text("reference")}${language() === "zh" ? "：" : ": "}${say(declared.returns)}`;
    part(".formula").textContent = declared.example.formula;
    part(".answer").textContent = asLines(declared.example.answer);
    part(".copy").addEventListener("click", () => copy(declared.example.formula));
    part(".insert").title = text("insertHelp");
    part(".insert").addEventListener("click", () => insert(declared.example.formula));
    part(".try form").replaceChildren(...tryFields(declared));
    part(".try form").addEventListener("submit", (event) => {
      event.preventDefault();
      tryIt(declared, card);
    });
    return card;
  }

  const asRows = (value) => (Array.isArray(value) ? value : [[value]]);
  const asLines = (value) => asRows(value).map((row) => row.join("\t")).join("\n");

  function tryFields(declared) {
    const fields = declared.args.map((arg, index) => {
      const label = document.createElement("label");
      label.textContent = arg.range ? `${arg.name} · ${text("linesHelp")}` : arg.name;
      label.classList.toggle("wide", arg.range);
      const field = document.createElement(arg.range ? "textarea" : arg.choices.length ? "select" : "input");
      field.name = arg.name;
      if (arg.range) field.value = asLines(declared.example.args[index] ?? "");
      if (arg.choices.length) {
        field.append(...["", ...arg.choices].map((choice) => new Option(choice || text("byDefault"), choice)));
      } else if (arg.type === "number") {
        field.inputMode = "decimal";
        field.placeholder = text("byDefault");
      }
      label.append(field);
      return label;
    });
    const run = document.createElement("button");
    run.className = "primary";
    run.textContent = text("run");
    return [...fields, run];
  }

  // What the user typed, as Excel would pass it.
  function readArg(arg, value) {
    if (arg.range) {
      const lines = value.replace(/\r\n?/g, "\n").replace(/\n+$/, "").split("\n");
      const rows = lines.map((line) => line.split("\t"));
      const width = Math.max(...rows.map((row) => row.length));
      return rows.map((row) => [...row, ...Array(width - row.length).fill("")]);
    }
    if (!value.trim()) return null;
    return arg.type === "number" && Number.isFinite(Number(value)) ? Number(value) : value;
  }

  async function tryIt(declared, card) {
    const form = card.querySelector(".try form");
    const outcome = card.querySelector(".outcome");
    const button = form.querySelector("button");
    const args = declared.args.map((arg) => readArg(arg, form.elements[arg.name].value));
    if (asRows(args[0]).flat().every((cell) => !String(cell).trim())) {
      outcome.replaceChildren(paragraph(text("nothingToRun"), "problem"));
      return;
    }
    button.disabled = true;
    outcome.replaceChildren(paragraph(text("running")));
    const started = performance.now();
    try {
      const answer = asRows(await client.call(declared.name, args).promise);
      const ms = Math.round(performance.now() - started);
      outcome.replaceChildren(...answerTable(asRows(args[0]), answer, ms));
    } catch (error) {
      outcome.replaceChildren(paragraph(`${error.code} ${error.message}`, "problem"));
    } finally {
      button.disabled = false;
    }
  }

  function answerTable(given, answer, ms) {
    const table = document.createElement("table");
    answer.slice(0, SHOWN_ROWS).forEach((row, index) => {
      const tr = table.insertRow();
      for (const cell of given[index] ?? []) tr.insertCell().append(String(cell));
      [...tr.cells].forEach((cell) => cell.classList.add("given"));
      for (const cell of row) {
        const td = tr.insertCell();
        td.textContent = cellText(cell);
        if (isError(cell)) Object.assign(td, { className: "error", title: cell.error.message });
      }
    });
    const scroll = document.createElement("div");
    scroll.className = "scroll";
    scroll.append(table);
    const copyAll = document.createElement("button");
    Object.assign(copyAll, { type: "button", className: "quiet", textContent: text("copyTable") });
    const tsv = answer.map((row) => row.map(cellText).map(tsvCell).join("\t")).join("\n");
    copyAll.addEventListener("click", () => copy(tsv));
    const foot = document.createElement("div");
    foot.className = "row";
    foot.append(copyAll, paragraph(text("rowsDone", { rows: answer.length, ms })));
    return [scroll, foot];
  }

  const isError = (cell) => cell !== null && typeof cell === "object";
  const tsvCell = (value) => (/[\t\n"]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);

  function cellText(cell) {
    if (isError(cell)) return cell.error.code;
    if (typeof cell === "number") return String(Math.round(cell * 10_000) / 10_000);
    return cell === null ? "" : String(cell);
  }

  function paragraph(content, className = "") {
    return Object.assign(document.createElement("p"), { textContent: content, className });
  }

  // ---- Excel

  async function insert(formula) {
    try {
      await globalThis.Excel.run(async (context) => {
        const cell = context.workbook.getActiveCell();
        cell.load("address, formulas");
        await context.sync();
        const address = cell.address;
        if (cell.formulas[0][0] !== "") {
          toast(text("notEmpty", { address }));
          return;
        }
        cell.formulas = [[formula]];
        await context.sync();
        toast(text("inserted", { address }));
      });
    } catch (error) {
      toast(text("failed", { detail: error.message }));
    }
  }

  async function recalculate() {
    try {
      await globalThis.Excel.run(async (context) => {
        context.workbook.application.calculate(globalThis.Excel.CalculationType.full);
        await context.sync();
      });
      toast(text("recalculated"));
    } catch (error) {
      toast(text("failed", { detail: error.message }));
    }
  }

  // ---- token

  async function keepToken(value) {
    await token.set(value);
    $("token").value = "";
    const note = value ? "tokenSaved" : "tokenForgotten";
    toast(text(token.kept ? note : "tokenNotKept"));
    await check();
  }

  // ---- start

  $("retry").addEventListener("click", () => {
    state.name = "checking";
    showState();
    check();
  });
  $("recalculate").addEventListener("click", recalculate);
  $("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const value = $("token").value.trim();
    if (value) keepToken(value);
  });
  $("forget").addEventListener("click", () => keepToken(""));
  for (const button of document.querySelectorAll("[data-language]")) {
    button.addEventListener("click", () => {
      setLanguage(button.dataset.language);
      showAll();
    });
  }
  globalThis.addEventListener("shopsheet-request", showState);
  setInterval(() => document.visibilityState === "visible" && check(), CHECK_MS);

  // Excel's display language is known once Office is ready; the pane does not wait for it.
  showAll();
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
  check();
  globalThis.Office?.onReady?.(showAll);
})();
