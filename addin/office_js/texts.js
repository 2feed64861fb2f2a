// Everything the add-in says, in English and Chinese; {name} is filled in.
(function () {
  "use strict";

  const TEXTS = {
    // In cells
    unreachable: {
      en: "The Shopsheet server does not answer at {url}. Start it with `shopsheet serve`; the Shopsheet pane shows what to check.",
      zh: "Shopsheet 服务在 {url} 没有响应。请用 `shopsheet serve` 启动；Shopsheet 窗格会告诉您检查什么。",
    },
    timedOut: {
      en: "The Shopsheet server gave no answer within {seconds} seconds. Recalculate, or ask for fewer rows at once.",
      zh: "Shopsheet 服务在 {seconds} 秒内没有给出结果。请重新计算，或减少一次请求的行数。",
    },
    tokenRefused: {
      en: "The Shopsheet server wants its access token. Open the Shopsheet pane and paste it once.",
      zh: "Shopsheet 服务需要访问令牌。请打开 Shopsheet 窗格粘贴一次。",
    },
    badAnswer: {
      en: "The Shopsheet server answered something else than a result ({detail}). Is another program using its port?",
      zh: "Shopsheet 服务返回的不是结果（{detail}）。它的端口是否被其他程序占用？",
    },
    refused: { en: "The Shopsheet server refused the request: {detail}", zh: "Shopsheet 服务拒绝了请求：{detail}" },
    cancelled: { en: "The calculation was cancelled.", zh: "计算已取消。" },
    holdsError: { en: "The cell holds the error {code}.", zh: "该单元格含有错误 {code}。" },
    failed: { en: "The Shopsheet add-in failed: {detail}", zh: "Shopsheet 加载项出错：{detail}" },

    // Pane: status
    title: { en: "Shopsheet", zh: "Shopsheet" },
    tagline: { en: "Formulas that read your customers' words", zh: "读懂顾客文字的公式" },
    checking: { en: "Checking the server…", zh: "正在检查服务…" },
    ready: { en: "Ready", zh: "就绪" },
    readyDetail: { en: "Formulas are computed on this computer.", zh: "公式在本机计算，数据不会离开电脑。" },
    loading: { en: "The server is starting", zh: "服务正在启动" },
    loadingDetail: { en: "It answers, but its model is not loaded yet. This takes a few seconds.", zh: "服务已响应，模型尚在加载，通常只需几秒。" },
    needToken: { en: "Access token needed", zh: "需要访问令牌" },
    needTokenDetail: { en: "The server runs. Paste its access token below, once.", zh: "服务已运行。请在下方粘贴一次访问令牌。" },
    wrongToken: { en: "Access token not accepted", zh: "访问令牌不正确" },
    wrongTokenDetail: { en: "The server has another token than the one stored here. Paste the current one.", zh: "此处保存的令牌与服务的令牌不一致。请粘贴当前的令牌。" },
    offline: { en: "Server not reachable", zh: "无法连接服务" },
    offlineDetail: { en: "Nothing answers at {url}.", zh: "{url} 没有响应。" },
    model: { en: "Model", zh: "模型" },
    address: { en: "Address", zh: "地址" },
    session: { en: "This session", zh: "本次会话" },
    sessionDetail: { en: "Calls: {calls} · requests: {requests} · remembered: {remembered}", zh: "调用 {calls} 次 · 请求 {requests} 个 · 取自缓存 {remembered} 次" },
    retry: { en: "Check again", zh: "重新检查" },
    recalculate: { en: "Recalculate workbook", zh: "重新计算工作簿" },
    recalculated: { en: "Recalculation started.", zh: "已开始重新计算。" },

    // Pane: what to do
    todo: { en: "What to do", zh: "怎么办" },
    todoStart: { en: "Open a terminal and start the server:", zh: "打开终端，启动服务：" },
    todoDoctor: { en: "If it does not start, this names the cause:", zh: "如果无法启动，下面的命令会指出原因：" },
    todoPermission: {
      en: "First time in Chrome or Edge (Excel on the web included)? The browser asks whether this page may reach apps on this device. Choose Allow: the server is such an app. If you chose Block, change it through the icon at the left of the address bar.",
      zh: "首次在 Chrome 或 Edge（包括网页版 Excel）中使用时，浏览器会询问是否允许此页面访问本设备上的应用。请选择“允许”：服务就在本设备上。如果选了“阻止”，请点击地址栏左侧的图标修改。",
    },
    todoCertificate: {
      en: "Excel loads add-ins over HTTPS only. If the certificate is missing or has expired, install the add-in again:",
      zh: "Excel 只通过 HTTPS 加载加载项。如果证书缺失或过期，请重新安装加载项：",
    },

    // Pane: token
    token: { en: "Access token", zh: "访问令牌" },
    tokenWhy: {
      en: "It proves that a formula comes from you and not from some web page. It stays on this computer.",
      zh: "它证明公式来自您本人，而不是某个网页。它只保存在本机。",
    },
    tokenWhere: { en: "The server keeps it in this file:", zh: "服务把它写在这个文件里：" },
    tokenPlaceholder: { en: "Paste the token here", zh: "在此粘贴令牌" },
    save: { en: "Save", zh: "保存" },
    forget: { en: "Forget", zh: "清除" },
    tokenSaved: { en: "Saved. Cells that showed #N/A need a recalculation.", zh: "已保存。显示 #N/A 的单元格需要重新计算。" },
    tokenForgotten: { en: "Forgotten.", zh: "已清除。" },
    tokenNotKept: {
      en: "This browser does not let the page store anything: the token is kept until the page is closed.",
      zh: "浏览器不允许此页面存储数据：令牌只保留到页面关闭。",
    },

    // Pane: functions
    functions: { en: "Functions", zh: "函数" },
    optional: { en: "optional", zh: "可省略" },
    example: { en: "Example", zh: "示例" },
    copy: { en: "Copy", zh: "复制" },
    copied: { en: "Copied.", zh: "已复制。" },
    copyFailed: { en: "The browser does not allow copying; select the text instead.", zh: "浏览器不允许复制，请手动选择文字。" },
    insert: { en: "Insert", zh: "插入" },
    insertHelp: { en: "Writes the example into the active cell", zh: "将示例写入当前单元格" },
    inserted: { en: "Written into {address}.", zh: "已写入 {address}。" },
    notEmpty: { en: "{address} is not empty. Choose an empty cell.", zh: "{address} 不是空单元格。请选择空单元格。" },
    tryIt: { en: "Try it", zh: "试一试" },
    run: { en: "Run", zh: "运行" },
    running: { en: "Running…", zh: "运行中…" },
    linesHelp: { en: "One line per row; paste a column from a sheet.", zh: "每行一个单元格，可从表格粘贴一列。" },
    rowsDone: { en: "Rows: {rows} · {ms} ms", zh: "共 {rows} 行 · {ms} 毫秒" },
    copyTable: { en: "Copy answers", zh: "复制结果" },
    nothingToRun: { en: "Type or paste at least one text first.", zh: "请先输入或粘贴至少一条文本。" },
    byDefault: { en: "(default)", zh: "（默认）" },
    reference: { en: "The answer", zh: "返回" },
  };

  const KEY = "shopsheet.language";
  let chosen = null;

  function stored() {
    try {
      return globalThis.localStorage.getItem(KEY);
    } catch {
      return null; // storage is switched off
    }
  }

  // "en" or "zh": what the user chose, else the language of Excel, else of the browser.
  function language() {
    const wanted =
      chosen || stored() || globalThis.Office?.context?.displayLanguage || globalThis.navigator?.language || "en";
    return wanted.toLowerCase().startsWith("zh") ? "zh" : "en";
  }

  function setLanguage(value) {
    chosen = value;
    try {
      globalThis.localStorage.setItem(KEY, value);
    } catch {
      // kept until the page is closed
    }
  }

  // The text `name` in the current language, its {placeholders} filled from `values`.
  function text(name, values = {}) {
    return TEXTS[name][language()].replace(/\{(\w+)\}/g, (_, key) => String(values[key]));
  }

  globalThis.Shopsheet = Object.assign(globalThis.Shopsheet || {}, { TEXTS, language, setLanguage, text });
})();
