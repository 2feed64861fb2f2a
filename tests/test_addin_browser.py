"""The Excel add-in in headless Chromium: genuine custom functions runtime, real server."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import LiveServer
from udfs.client import Client

pytestmark = pytest.mark.browser

BROWSER = Path(__file__).parent / "browser"
RUNTIME = BROWSER / "node_modules" / "@microsoft" / "office-js" / "dist"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CALLS = re.compile(r"/v1/calls$")
MODELS = re.compile(r"/v1/models$")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = os.environ.get("CHROMIUM") or next(
        filter(None, map(shutil.which, CHROMIUM_NAMES)), ""
    )
    if not chromium:
        pytest.skip("Chromium is not installed; install it, or name it in CHROMIUM.")
    if not (RUNTIME / "custom-functions-runtime.js").is_file():
        pytest.skip("Microsoft's runtime is not installed; run `npm ci` in tests/browser.")
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


class Sheet:
    """A page that runs the add-in as Excel does, and what its requests were."""

    def __init__(self, page: Any, server: LiveServer) -> None:
        self.page = page
        self.server = server
        self.posted: list[dict[str, Any]] = []  # bodies of POST /v1/calls, in order
        self.urls: list[str] = []
        self.errors: list[str] = []
        page.on("request", self._on_request)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _on_request(self, request: Any) -> None:
        self.urls.append(request.url)
        if CALLS.search(request.url):
            self.posted.append(json.loads(request.post_data))

    def open(self, *, token: bool = True, language: str = "en") -> None:
        """The task pane, with Microsoft's runtime from npm where Excel loads office.js."""
        self.page.add_init_script(path=BROWSER / "excel_host.js")
        self.page.route(re.compile(r"^https://"), _from_npm)
        self.page.route(re.compile(r"/addin/taskpane\.html"), _with_runtime)
        self.page.goto(f"{self.server.url}/addin/taskpane.html")
        self.page.evaluate("(language) => Shopsheet.setLanguage(language)", language)
        if token:
            self.page.evaluate("(token) => Shopsheet.token.set(token)", self.server.token)

    def calculate(self, *arg_lists: list[Any]) -> list[dict[str, Any]]:
        """What each call gives: {"value": rows} or {"error": code, "message": text}."""
        results: list[dict[str, Any]] = self.page.evaluate(
            "(argLists) => excel.calculate(argLists)", list(arg_lists)
        )
        return results

    def values(self, *arg_lists: list[Any]) -> list[Any]:
        """The rows of each call; fails if a call failed."""
        results = self.calculate(*arg_lists)
        assert all("value" in result for result in results), results
        return [result["value"] for result in results]

    def limit(self, **limits: float) -> None:
        """Other limits of the client: shorter waits, smaller requests."""
        self.page.evaluate("(limits) => Object.assign(Shopsheet.client.limits, limits)", limits)

    def on_calls(self, handler: Callable[[Any], None]) -> None:
        self.page.route(CALLS, handler)


def _from_npm(route: Any) -> None:
    name = route.request.url.split("/hosted/")[-1].split("?")[0]
    if (RUNTIME / name).is_file():
        route.fulfill(path=RUNTIME / name)
    else:
        route.abort()


def _with_runtime(route: Any) -> None:
    # The npm package's runtime insists on its file name; office.js would load the same code.
    response = route.fetch()
    page = response.text()
    assert page.count("hosted/office.js") == 1
    route.fulfill(
        response=response,
        body=page.replace("hosted/office.js", "hosted/custom-functions-runtime.js"),
    )


@pytest.fixture
def blank_sheet(browser: Any, live_server: LiveServer) -> Iterator[Sheet]:
    """A page that has not been opened yet."""
    context = browser.new_context(viewport={"width": 350, "height": 900})
    sheet = Sheet(context.new_page(), live_server)
    sheet.page.set_default_timeout(20_000)
    yield sheet
    context.close()
    # Microsoft's telemetry frame, which has no network here, complains about its own storage.
    assert [error for error in sheet.errors if "localStorage" not in error] == []


@pytest.fixture
def sheet(blank_sheet: Sheet) -> Sheet:
    blank_sheet.open()
    return blank_sheet


@pytest.fixture
def python_client(live_server: LiveServer) -> Iterator[Client]:
    client = Client(live_server.url, token=live_server.token)
    yield client
    client.close()


def one_cell(text: object, *options: object) -> list[Any]:
    """The arguments as Excel passes them for a formula on one cell."""
    return [[[text]], *options, *[None] * (2 - len(options))]


REVIEWS = [f"Review {number}: arrived late, 包装也破了" for number in range(300)]


# ---- requests


def test_a_filled_down_column_is_one_request_with_one_call(
    sheet: Sheet, python_client: Client
) -> None:
    answers = sheet.values(*[one_cell(review) for review in REVIEWS])
    assert len(sheet.posted) == 1
    [call] = sheet.posted[0]["calls"]
    assert [row[0] for row in call["args"][0]] == REVIEWS
    assert answers == [[[python_client.call("SENTIMENT", review)]] for review in REVIEWS]


def test_a_range_gives_what_the_python_client_gives(sheet: Sheet, python_client: Client) -> None:
    column = [["很好，下次还来"], [""], ["late and broken"], [12.5], [True]]
    for options in ([], ["score"], ["all"], [None, 0.2]):
        [rows] = sheet.values([column, *options, *[None] * (2 - len(options))])
        expected = python_client.call("SENTIMENT", column, *options)
        assert rows == json.loads(json.dumps(_as_excel(expected)))


def _as_excel(rows: list[list[Any]]) -> list[list[Any]]:
    return [
        [cell if not hasattr(cell, "code") else _excel_error(cell) for cell in row] for row in rows
    ]


def _excel_error(cell: Any) -> dict[str, Any]:
    kind = {"#N/A": "NotAvailable", "#VALUE!": "Value"}[cell.code]
    return {
        "valueType": "CustomFunctionError",
        "type": "Error",
        "basicType": "Error",
        "code": cell.code,
        "basicValue": cell.code,
        "message": cell.message,
        "errorType": kind,
    }


def test_calls_with_different_options_are_one_request_and_not_mixed_up(sheet: Sheet) -> None:
    label, score, other_label, row = sheet.values(
        one_cell("great"), one_cell("great", "score"), one_cell("poor"), one_cell("great", "all")
    )
    assert len(sheet.posted) == 1
    assert len(sheet.posted[0]["calls"]) == 3  # the two labels travel as one column
    assert row[0][:2] == [label[0][0], score[0][0]]
    assert [len(answer[0]) for answer in (label, score, other_label, row)] == [1, 1, 1, 3]


def test_single_cells_that_spill_keep_their_columns_when_merged(
    sheet: Sheet, python_client: Client
) -> None:
    answers = sheet.values(*[one_cell(review, "all") for review in REVIEWS[:5]])
    assert len(sheet.posted[0]["calls"]) == 1
    assert answers == [python_client.call("SENTIMENT", [[r]], "all") for r in REVIEWS[:5]]


def test_the_same_call_in_flight_is_asked_once(sheet: Sheet) -> None:
    answers = sheet.values(*[one_cell("just the same")] * 20)
    assert len(answers) == 20
    assert all(answer == answers[0] for answer in answers)
    assert [call["args"] for call in sheet.posted[0]["calls"]] == [[[["just the same"]]]]


def test_more_cells_than_fit_go_in_several_requests(sheet: Sheet) -> None:
    sheet.limit(cellsPerRequest=100)
    answers = sheet.values(*[one_cell(review) for review in REVIEWS])
    assert len(answers) == 300
    assert len(sheet.posted) == 3


def test_options_left_out_arrive_as_null_and_are_not_sent(sheet: Sheet) -> None:
    sheet.values([[["fine"]], None, None])
    assert sheet.posted[0]["calls"][0]["args"] == [[["fine"]]]
    sheet.values([[["fine"]], None, 0.1])
    assert sheet.posted[1]["calls"][0]["args"] == [[["fine"]], None, 0.1]


# ---- errors


def test_a_bad_cell_fails_alone(sheet: Sheet) -> None:
    error = {"type": "CustomFunctionError", "code": "#DIV/0!"}
    [rows] = sheet.values([[["good"], [error], ["x" * 32_768], ["fine"]], None, None])
    assert [isinstance(cell, str) for [cell] in rows] == [True, False, False, True]
    assert rows[1][0]["code"] == "#DIV/0!"
    assert rows[2][0]["code"] == "#VALUE!"
    assert "32,767" in rows[2][0]["message"]


def test_an_error_that_excel_takes_no_answer_of_becomes_value_with_its_name(sheet: Sheet) -> None:
    error = {"type": "CustomFunctionError", "code": "#REF!"}
    [rows] = sheet.values([[[error], ["fine"]], None, None])
    assert rows[0][0]["code"] == "#VALUE!"
    assert "#REF!" in rows[0][0]["message"]
    [alone] = sheet.calculate(one_cell(error))
    assert alone == {"error": "#VALUE!", "message": rows[0][0]["message"]}


def test_the_servers_reason_stands_beside_value_and_na_and_num_has_none(sheet: Sheet) -> None:
    wrong_word, too_high, undecided = sheet.calculate(
        one_cell("x", "emoji"), one_cell("x", "label", 7), one_cell("so la la", "label", 1)
    )
    assert wrong_word["error"] == "#VALUE!"
    assert "emoji" in wrong_word["message"]
    assert '"score"' in wrong_word["message"]
    assert too_high == {"error": "#NUM!", "message": ""}
    assert undecided["error"] == "#N/A"
    assert "min_confidence" in undecided["message"]


def test_every_cell_fails_when_the_server_cannot_be_reached(sheet: Sheet) -> None:
    sheet.on_calls(lambda route: route.abort("connectionrefused"))
    results = sheet.calculate(
        *[one_cell(review) for review in REVIEWS], [[["a"], ["b"]], "all", None]
    )
    assert {result["error"] for result in results} == {"#N/A"}
    assert all(sheet.server.url in result["message"] for result in results)
    assert all("shopsheet serve" in result["message"] for result in results)


@pytest.mark.parametrize(
    ("status", "body", "error", "message"),
    [
        (
            500,
            {"error": {"code": "#N/A", "message": "Something went wrong."}},
            "#N/A",
            "went wrong",
        ),
        (503, {"error": {"code": "#N/A", "message": "The server is busy."}}, "#N/A", "busy"),
        (413, {"error": {"code": "#VALUE!", "message": "Split the range."}}, "#VALUE!", "Split"),
        (
            403,
            {"error": {"code": "#N/A", "message": "Pages may not call."}},
            "#N/A",
            "may not call",
        ),
        (
            401,
            {"error": {"code": "#N/A", "message": "The token is wrong."}},
            "#N/A",
            "Shopsheet pane",
        ),
        (502, None, "#N/A", "HTTP 502"),
        (200, None, "#N/A", "HTTP 200"),
        (200, {"results": "none"}, "#N/A", "HTTP 200"),
        (200, {"results": []}, "#N/A", "SENTIMENT"),
        (200, {"results": [{"id": "1"}]}, "#N/A", "SENTIMENT"),
        (200, {"results": [{"id": "1", "value": [["positive"]]}]}, "#N/A", "SENTIMENT"),
        (200, {"results": [{"id": "1", "value": "positive"}]}, "#N/A", "SENTIMENT"),
    ],
)
def test_every_cell_fails_when_the_request_fails(
    sheet: Sheet, status: int, body: object, error: str, message: str
) -> None:
    text = "<html>no</html>" if body is None else json.dumps(body)
    sheet.limit(longestRetryMs=10)
    sheet.on_calls(lambda route: route.fulfill(status=status, body=text))
    results = sheet.calculate(*[one_cell(review) for review in REVIEWS[:30]])
    assert {result["error"] for result in results} == {error}
    assert all(message in result["message"] for result in results)


def test_a_busy_server_is_asked_once_more(sheet: Sheet) -> None:
    answers = iter([503])

    def busy_once(route: Any) -> None:
        status = next(answers, None)
        if status is None:
            route.continue_()
        else:
            route.fulfill(status=status, headers={"Retry-After": "1"}, body="{}")

    sheet.on_calls(busy_once)
    [rows] = sheet.values(one_cell("good"))
    assert len(sheet.posted) == 2
    assert sheet.posted[0] == sheet.posted[1]
    assert rows[0][0]


def test_a_server_that_never_answers_is_given_up(sheet: Sheet) -> None:
    sheet.limit(timeoutMs=300, timeoutPerCellMs=0)
    sheet.on_calls(lambda route: None)
    results = sheet.calculate(one_cell("a"), one_cell("b", "score"))
    assert {result["error"] for result in results} == {"#N/A"}
    assert all("no answer within" in result["message"] for result in results)


def test_errors_are_said_in_the_language_of_the_pane(blank_sheet: Sheet) -> None:
    blank_sheet.open(language="zh")
    blank_sheet.on_calls(lambda route: route.abort("connectionrefused"))
    [result] = blank_sheet.calculate(one_cell("很好"))
    assert "没有响应" in result["message"]


# ---- memo


def test_an_answer_is_remembered(sheet: Sheet) -> None:
    first = sheet.values(one_cell("remember me"))
    assert sheet.values(one_cell("remember me")) == first
    assert len(sheet.posted) == 1
    sheet.values(one_cell("remember me", "score"))  # another call
    assert len(sheet.posted) == 2


def test_a_failed_answer_is_not_remembered(sheet: Sheet) -> None:
    for _ in range(2):
        sheet.calculate(
            one_cell("x", "emoji"),
            [[["a"], [{"type": "CustomFunctionError", "code": "#N/A"}]], None, None],
        )
    assert len(sheet.posted) == 2
    assert len(sheet.posted[1]["calls"]) == 2


def test_what_is_remembered_is_dropped_when_the_model_changes(sheet: Sheet) -> None:
    sheet.values(one_cell("first"))

    def newer(route: Any) -> None:
        response = route.fetch()
        body = response.json()
        for result in body["results"]:
            result["model"] = "encoder@newer"
        route.fulfill(response=response, json=body)

    sheet.on_calls(newer)
    sheet.values(one_cell("second"))
    sheet.values(one_cell("first"))
    assert len(sheet.posted) == 3


def test_an_old_answer_counts_only_while_its_model_is_loaded(sheet: Sheet) -> None:
    sheet.values(one_cell("first"))
    sheet.limit(modelCheckMs=0)
    asked = len([url for url in sheet.urls if MODELS.search(url)])
    sheet.values(one_cell("first"))
    assert len([url for url in sheet.urls if MODELS.search(url)]) == asked + 1
    assert len(sheet.posted) == 1

    newer = {"models": [{"name": "encoder", "model": "encoder@newer"}]}
    sheet.page.route(MODELS, lambda route: route.fulfill(json=newer))
    sheet.values(one_cell("first"))
    assert len(sheet.posted) == 2


def test_an_old_answer_counts_only_with_the_knowledge_file_that_it_came_from(sheet: Sheet) -> None:
    sheet.values(one_cell("first"))
    sheet.limit(modelCheckMs=0)
    file = {"functions": {}}

    def models(route: Any) -> None:
        response = route.fetch()
        route.fulfill(response=response, json={**response.json(), "knowledge": file})

    sheet.page.route(MODELS, models)
    sheet.values(one_cell("first"))
    assert len(sheet.posted) == 1
    file["functions"] = {"SENTIMENT": "+knowledge-1a2b3c4d"}
    sheet.values(one_cell("first"))
    assert len(sheet.posted) == 2


def test_answers_are_dropped_when_a_model_of_the_users_own_comes_or_goes(sheet: Sheet) -> None:
    """Answers of "classify/a@1+encoder@..." hold beside those of the encoder alone."""
    sheet.values(one_cell("first"))
    sheet.limit(modelCheckMs=0)
    own: dict[str, Any] = {}

    def answered(route: Any) -> None:
        response = route.fetch()
        route.fulfill(response=response, json={**response.json(), "own": own})

    def by_own(route: Any) -> None:
        response = route.fetch()
        body = response.json()
        for result in body["results"]:
            result["model"] = "classify/a@1-ab12cd34+" + result["model"]
        route.fulfill(response=response, json=body)

    sheet.page.route(MODELS, answered)
    sheet.values(one_cell("first"))
    assert len(sheet.posted) == 1
    own["classify/a"] = "1-ab12cd34"
    sheet.on_calls(by_own)
    sheet.values(one_cell("first"))
    sheet.values(one_cell("first"))
    assert len(sheet.posted) == 2
    own["classify/a"] = "2-ab12cd34"
    sheet.values(one_cell("first"))
    assert len(sheet.posted) == 3


def test_an_old_answer_holds_when_the_server_is_gone(sheet: Sheet) -> None:
    first = sheet.values(one_cell("first"))
    sheet.limit(modelCheckMs=0)
    sheet.page.route(re.compile("/v1/"), lambda route: route.abort("connectionrefused"))
    assert sheet.values(one_cell("first")) == first


def test_the_memo_is_bounded_and_drops_the_oldest(sheet: Sheet) -> None:
    kept = sheet.page.evaluate(
        """() => {
          const { memo } = Shopsheet.client;
          memo.maxChars = 1000;
          for (let i = 0; i < 50; i++) {
            memo.set("key" + i, [["x".repeat(80)]]);
            memo.get("key0");
          }
          memo.set("too large", "y".repeat(2000));
          return { chars: memo.chars, keys: [...memo.answers.keys()] };
        }"""
    )
    assert kept["chars"] <= 1000
    assert set(kept["keys"]) == {
        "key0",
        *(f"key{i}" for i in range(50 - len(kept["keys"]) + 1, 50)),
    }
    assert len(kept["keys"]) == 11  # 90 + 10 * 91 characters


# ---- cancelling and preview


def test_a_call_cancelled_within_the_window_is_never_sent(sheet: Sheet) -> None:
    [cancelled, other] = sheet.page.evaluate(
        """async (argLists) => {
          const { ids, results } = excel.start(argLists);
          excel.cancel([ids[0]]);
          return Promise.all(results);
        }""",
        [one_cell("cancelled"), one_cell("stays")],
    )
    assert cancelled["error"] == "#N/A"
    assert other["value"][0][0]
    assert [call["args"] for call in sheet.posted[0]["calls"]] == [[[["stays"]]]]


def test_a_request_that_nobody_waits_for_is_aborted(sheet: Sheet) -> None:
    sheet.on_calls(lambda route: None)
    ended: list[str] = []
    sheet.page.on("requestfailed", lambda request: ended.append(request.failure))
    results = sheet.page.evaluate(
        """async (argLists) => {
          const { ids, results } = excel.start(argLists);
          await new Promise((resolve) => setTimeout(resolve, 300));
          excel.cancel(ids);
          return Promise.all(results);
        }""",
        [one_cell("one"), one_cell("two", "score")],
    )
    assert [result["error"] for result in results] == ["#N/A", "#N/A"]
    sheet.page.wait_for_function("() => Shopsheet.client.entries.size === 0")
    assert ended == ["net::ERR_ABORTED"]
    sheet.page.unroute(CALLS)
    assert sheet.values(one_cell("one"))  # starts a new request


def test_a_shared_call_goes_on_while_one_still_waits(sheet: Sheet) -> None:
    held: list[Any] = []
    sheet.on_calls(lambda route: held.append(route))
    sheet.page.evaluate(
        """(args) => {
          const { ids, results } = excel.start([args, args]);
          globalThis.pending = results;
          setTimeout(() => excel.cancel([ids[0]]), 200);
        }""",
        one_cell("shared"),
    )
    cancelled = sheet.page.evaluate("() => pending[0]")
    assert cancelled["error"] == "#N/A"
    held[0].continue_()
    assert sheet.page.evaluate("() => pending[1]")["value"][0][0]


def test_a_preview_asks_nobody_and_shows_what_is_known(sheet: Sheet) -> None:
    preview = """(text) => CustomFunctions._association.mappings.SENTIMENT(
        [[text]], null, null, { isInValuePreview: true })"""
    assert sheet.page.evaluate(preview, "lovely") == [["…"]]
    assert sheet.posted == []
    [known] = sheet.values(one_cell("lovely"))
    assert sheet.page.evaluate(preview, "lovely") == known


# ---- the pane


def test_the_pane_asks_for_the_token_once(blank_sheet: Sheet) -> None:
    sheet, page = blank_sheet, blank_sheet.page
    sheet.open(token=False)
    page.wait_for_selector('#status[data-state="needToken"]')
    [refused] = sheet.calculate(one_cell("good"))
    assert refused["error"] == "#N/A"
    assert "token" in refused["message"]

    page.fill("#token", "not-the-token")
    page.click("#token-form [type=submit]")
    page.wait_for_selector('#status[data-state="wrongToken"]')

    page.fill("#token", sheet.server.token)
    page.click("#token-form [type=submit]")
    page.wait_for_selector('#status[data-state="ready"]')
    assert sheet.values(one_cell("good"))
    page.reload()
    page.wait_for_selector('#status[data-state="ready"]')
    assert not page.locator("#token").is_visible()
    assert sheet.server.token not in page.content()

    page.click("#token-card summary")
    page.click("#forget")
    page.wait_for_selector('#status[data-state="needToken"]')


@pytest.mark.parametrize(
    ("language", "title", "permission", "model"),
    [("en", "Server not reachable", "Allow", "Model"), ("zh", "无法连接服务", "允许", "模型")],
)
def test_the_pane_says_what_to_do_when_the_server_is_gone(
    sheet: Sheet, language: str, title: str, permission: str, model: str
) -> None:
    page = sheet.page
    assert not page.locator("#todo").is_visible()
    page.click(f"[data-language={language}]")
    page.route(re.compile("/health|/v1/"), lambda route: route.abort("connectionrefused"))
    page.click("#retry")
    page.wait_for_selector('#status[data-state="offline"]')
    assert page.inner_text("#state-title") == title
    advice = page.inner_text("#todo")
    assert "shopsheet serve" in advice
    assert permission in advice
    assert page.inner_text("#status dt >> nth=0") == model
    page.unroute(re.compile("/health|/v1/"))
    page.click("#retry")
    page.wait_for_selector('#status[data-state="ready"]')
    assert not page.locator("#todo").is_visible()


def test_the_pane_tells_a_starting_server_from_a_missing_one(sheet: Sheet) -> None:
    sheet.page.route(re.compile("/health"), lambda route: route.fulfill(status=503, body="{}"))
    sheet.page.click("#retry")
    sheet.page.wait_for_selector('#status[data-state="loading"]')


def test_every_text_stands_in_both_languages_with_the_same_places(sheet: Sheet) -> None:
    texts: dict[str, dict[str, str]] = sheet.page.evaluate("() => Shopsheet.TEXTS")
    for name, both in texts.items():
        english, chinese = (sorted(re.findall(r"\{\w+\}", both[lang])) for lang in ("en", "zh"))
        assert english == chinese, name
        assert name == "title" or both["en"] != both["zh"], name


def test_no_text_is_missing_on_the_page_in_either_language(sheet: Sheet) -> None:
    for language in ("en", "zh"):
        sheet.page.click(f"[data-language={language}]")
        empty = sheet.page.evaluate(
            """() => [...document.querySelectorAll('[data-text]')]
                .filter((node) => !node.textContent).length"""
        )
        assert empty == 0
        assert sheet.page.evaluate("() => document.documentElement.lang") == language
    assert "判断每条评论" in sheet.page.inner_text("#SENTIMENT .summary")


def test_a_function_can_be_tried_in_the_pane(sheet: Sheet, python_client: Client) -> None:
    page = sheet.page
    page.click("#SENTIMENT .try summary")
    page.fill("#SENTIMENT textarea", "很好，下次还来\nlate and broken\n")
    page.select_option("#SENTIMENT select", "score")
    page.click("#SENTIMENT .try button.primary")
    page.wait_for_selector("#SENTIMENT table")
    shown = [float(text) for text in page.locator("#SENTIMENT td:not(.given)").all_inner_texts()]
    expected = python_client.call("SENTIMENT", [["很好，下次还来"], ["late and broken"]], "score")
    assert shown == pytest.approx([score for [score] in expected], abs=0.0001)


def test_a_refused_try_says_why_and_markup_stays_text(sheet: Sheet) -> None:
    page = sheet.page
    page.click("#SENTIMENT .try summary")
    page.fill("#SENTIMENT [name=min_confidence]", "7")
    page.fill("#SENTIMENT textarea", "<img src=x onerror=alert(1)>")
    page.click("#SENTIMENT .try button.primary")
    page.wait_for_selector("#SENTIMENT .problem")
    assert "#NUM!" in page.inner_text("#SENTIMENT .problem")
    page.fill("#SENTIMENT [name=min_confidence]", "")
    page.click("#SENTIMENT .try button.primary")
    page.wait_for_selector("#SENTIMENT table")
    assert page.inner_text("#SENTIMENT td.given") == "<img src=x onerror=alert(1)>"
    assert page.locator("#SENTIMENT .outcome img").count() == 0


FAKE_EXCEL = """(formula) => {
  const cell = { address: "Sheet1!B2", formulas: [[formula]], load() {} };
  const calculated = [];
  const application = { calculate: (how) => calculated.push(how) };
  const context = { workbook: { getActiveCell: () => cell, application }, sync: async () => {} };
  globalThis.Excel = { run: (work) => work(context), CalculationType: { full: "Full" } };
  globalThis.fake = { cell, calculated };
}"""


def test_the_example_is_inserted_into_an_empty_cell_only(sheet: Sheet) -> None:
    page = sheet.page
    page.evaluate(FAKE_EXCEL, "")
    page.click("#SENTIMENT .insert")
    page.wait_for_function("() => fake.cell.formulas[0][0].startsWith('=SHOP.SENTIMENT(')")
    page.evaluate(FAKE_EXCEL, "=1+1")
    page.click("#SENTIMENT .insert")
    page.wait_for_function(
        "() => document.getElementById('toast').textContent.includes('not empty')"
    )
    assert page.evaluate("() => fake.cell.formulas") == [["=1+1"]]


def test_excel_can_be_told_to_recalculate(sheet: Sheet) -> None:
    sheet.page.evaluate(FAKE_EXCEL, "")
    sheet.page.click("#retry")
    sheet.page.click("#recalculate")
    sheet.page.wait_for_function("() => fake.calculated.join() === 'Full'")


def test_the_console_page_works_in_a_plain_browser_and_asks_our_server_only(
    blank_sheet: Sheet,
) -> None:
    sheet, page = blank_sheet, blank_sheet.page
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto(f"{sheet.server.url}/addin/console.html#SENTIMENT")
    page.wait_for_selector('#status[data-state="needToken"]')
    page.fill("#token", sheet.server.token)
    page.click("#token-form [type=submit]")
    page.wait_for_selector('#status[data-state="ready"]')
    page.click("#SENTIMENT .try summary")
    page.click("#SENTIMENT .try button.primary")
    page.wait_for_selector("#SENTIMENT table")
    assert not page.locator("#SENTIMENT .insert").is_visible()
    assert {url.split("/")[2] for url in sheet.urls} == {f"127.0.0.1:{sheet.server.port}"}
    assert not any("Content Security Policy" in text for text in refused), refused
