"""Excel over COM: the functions as plain functions, under xlwings' own code, and their VBA."""

from __future__ import annotations

import datetime
import decimal
import inspect
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import LiveServer
from tests.wire_server import WireServer, running

pytest.importorskip("xlwings")

from udfs import excel
from udfs.catalogue import FUNCTIONS
from udfs.client import Client
from udfs.errors import CELL_ERRORS, CellError, ModelFailed

HERE = Path(__file__).parent
GOLDEN = HERE / "golden" / "xlwings_udfs.bas"


@pytest.fixture
def server() -> Iterator[WireServer]:
    with running() as server:
        yield server


@pytest.fixture
def connected(server: WireServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[WireServer]:
    with Client(server.url) as client:
        monkeypatch.setattr(excel, "_client", client)
        yield server


def run(*args: str, given: str = "", **environment: str) -> Any:
    """The JSON that tests/excel_on_linux.py prints."""
    done = subprocess.run(
        [sys.executable, str(HERE / "excel_on_linux.py"), *args],
        input=given,
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=HERE.parent,
        env={**os.environ, "PYTHONPATH": str(HERE.parent), "PYTHONUTF8": "1", **environment},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


# As plain functions


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=lambda function: function.name)
def test_every_function_of_the_catalogue_is_there_as_declared(function: Any) -> None:
    made = getattr(excel, function.underscored)
    parameters = inspect.signature(made).parameters
    assert list(parameters) == [arg.name for arg in function.args]
    assert made.__doc__ == function.help()


def test_answers_are_rows_of_cells(connected: WireServer) -> None:
    call = excel.SHOP_SENTIMENT  # type: ignore[attr-defined]
    assert call("abc") == [["ABC"]]
    assert call([["a"], ["b"]], output="score") == [[1.0], [1.0]]
    assert call([["ab"], [None], ["c"]], "all") == [["AB", 2.0, 0.9], ["", "", ""], ["C", 1.0, 0.9]]


def test_a_failed_cell_and_a_failed_call_are_error_cells(connected: WireServer) -> None:
    call = excel.SHOP_SENTIMENT  # type: ignore[attr-defined]
    unsure = CellError("#N/A", "confidence 0.55 is below 0.8")
    assert call([["unsure"], ["a"]]) == [[unsure], ["A"]]
    assert call("unsure") == [[unsure]]
    assert call("a", "label", 80)[0][0].code == "#NUM!"
    assert call("a", "wrong")[0][0].code == "#VALUE!"


def test_a_whole_column_sends_only_its_used_part(connected: WireServer) -> None:
    column = [["a"], [None], ["b"], *[[None]] * 5000]
    answer = excel.SHOP_SENTIMENT(column)  # type: ignore[attr-defined]
    assert answer == [["A"], [""], ["B"], *[[""]] * 5000]
    assert len(connected.requests[0]["calls"][0]["args"][0]) == 3
    assert excel.SHOP_SENTIMENT([[None], [None]]) == [[""], [""]]  # type: ignore[attr-defined]


def test_whole_columns_of_one_table_are_cut_alike(
    live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [["good phone"], [None], ["bad phone"], [None], *[[None]] * 3000]
    groups = [["a"], ["a"], ["a"], ["b"], *[[None]] * 3000]
    with Client.from_environment(timeout_s=60) as client:
        monkeypatch.setattr(excel, "_client", client)
        table = excel.SHOP_SUMMARIZE(texts, groups)  # type: ignore[attr-defined]
        assert table == client.call("SUMMARIZE", texts[:4], groups[:4])  # no blank rows behind it
        whole = excel.SHOP_SUMMARIZE(texts)  # type: ignore[attr-defined]
        assert whole == [[client.call("SUMMARIZE", texts[:4])]]
        found = excel.SHOP_SIMILAR("bad phone", texts, groups)  # type: ignore[attr-defined]
        assert found == [["a"]]


def test_an_unreachable_server_is_not_available(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Client("http://127.0.0.1:9", timeout_s=2) as client:
        monkeypatch.setattr(excel, "_client", client)
        answer = excel.SHOP_SENTIMENT("a")  # type: ignore[attr-defined]
    assert answer[0][0].code == "#N/A"
    assert "shopsheet serve" in caplog.text  # the cell cannot carry the reason, the log can


def test_a_bug_of_ours_becomes_an_error_cell_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excel, "_client", object())
    answer = excel.SHOP_SENTIMENT("a")  # type: ignore[attr-defined]
    assert answer[0][0].code == "#N/A"
    assert "AttributeError" in answer[0][0].message


def test_excel_gives_what_the_real_server_gives(
    live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    column = [["good value"], ["很好"], [None], ["too slow"], [None]]
    with Client.from_environment(timeout_s=60) as client:
        monkeypatch.setattr(excel, "_client", client)
        for options in ((), ("score",), ("all",), ("label", 1)):
            answer = excel.SHOP_SENTIMENT(column, *options)  # type: ignore[attr-defined]
            assert answer == client.call("SENTIMENT", column, *options)


# Cells between COM and Python


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text"),
        (None, None),
        (5.0, 5.0),
        (True, True),
        (7, 7),
        (-2146826246, CellError("#N/A", "Excel's error 2042 in a cell.")),
        (-2146826281, CellError("#DIV/0!", "Excel's error 2007 in a cell.")),
        (-2146826243, CellError("#VALUE!", "Excel's error 2045 in a cell.")),
        (decimal.Decimal("12.5"), 12.5),
        (datetime.datetime(2024, 1, 1, 12, tzinfo=datetime.UTC), 45292.5),
        ((("a", 1.0), (None, "b")), [["a", 1.0], [None, "b"]]),
        (("a", "b"), [["a", "b"]]),
        ((("a",),), [["a"]]),
    ],
)
def test_what_excel_passes(value: Any, expected: Any) -> None:
    assert excel.read_cells(value) == expected


def test_error_codes_are_those_of_excel() -> None:
    # Microsoft's table of XlCVError, as pywin32 shows the numbers.
    known = {
        "#DIV/0!": -2146826281,
        "#N/A": -2146826246,
        "#NAME?": -2146826259,
        "#NULL!": -2146826288,
        "#NUM!": -2146826252,
        "#REF!": -2146826265,
        "#VALUE!": -2146826273,
    }
    assert {code: excel.error_code(CellError(code)) for code in CELL_ERRORS} == known
    # What the VBA computes: CVErr(code And 65535)
    assert {code: number & 65535 for code, number in known.items()} == excel.ERROR_NUMBERS


# Under xlwings


def test_a_call_through_xlwings_as_from_a_cell(server: WireServer) -> None:
    text = {"range": [["good"], [5.0], [None], [-2146826246], ["unsure"]]}
    calls = [
        ["SHOP_SENTIMENT_CODES", [text, "missing", "missing"]],
        ["SHOP_SENTIMENT_CODES", ["fine", "score", 0.0]],
        ["SHOP_SENTIMENT_CODES", [{"range": "one cell"}, {"range": "label"}, {"range": None}]],
        ["SHOP_SENTIMENT_CODES", [["a", "b"], "label", 0.0]],
        ["SHOP_SENTIMENT_CODES", ["a", "wrong", 0.0]],
        ["SHOP_SENTIMENT", [text, "label", {"money": "0.5"}]],
    ]
    answers = run("call", given=json.dumps(calls), SHOPSHEET_URL=server.url, SHOPSHEET_TOKEN="t")
    assert answers == [
        [["GOOD"], ["5.0"], [""], [-2146826246], [-2146826246]],
        [[4.0]],
        [["ONE CELL"]],
        [["A", "B"]],
        [[-2146826273]],
        [["GOOD"], ["5.0"], [""], [None], [None]],
    ]


def test_the_vba_module_is_the_golden_one(tmp_path: Path) -> None:
    made = tmp_path / "made.bas"
    report = run("vba", str(made))
    assert report["names"] == [function.underscored for function in FUNCTIONS.values()]
    if "SHOPSHEET_WRITE_GOLDEN" in os.environ:
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_bytes(made.read_bytes())
    assert made.read_text(encoding="utf-8") == GOLDEN.read_text(encoding="utf-8"), (
        "The VBA module changed. Look at the difference; if it is meant, run this test once with "
        "SHOPSHEET_WRITE_GOLDEN=1."
    )


def test_the_function_wizard_shows_the_help_of_the_catalogue(tmp_path: Path) -> None:
    report = run("vba", str(tmp_path / "made.bas"))
    in_excel = sorted(FUNCTIONS.values(), key=lambda function: function.underscored)
    for function, options in zip(in_excel, report["options"], strict=True):
        assert options["macro"] == f"'Reviews.xlsm'!{function.underscored}"
        assert options["Description"] == function.help()
        assert options["ArgumentDescriptions"] == [arg.help for arg in function.args]
        assert options["Category"] == "Shopsheet"


def test_no_error_can_reach_a_cell_as_text() -> None:
    vba = GOLDEN.read_text(encoding="utf-8")
    assert "Err.Description" not in vba
    assert vba.count("CVErr(2042)") == len(FUNCTIONS)
    assert vba.count("= ShopsheetCells(XLPy.CallUDF(") == 2 * len(FUNCTIONS)


def _python_with_uno() -> str | None:
    system_python = "/usr/bin/python3"
    if not shutil.which("soffice", path="/usr/bin:/bin") or not Path(system_python).exists():
        return None
    found = subprocess.run([system_python, "-c", "import uno"], capture_output=True)
    return system_python if found.returncode == 0 else None


@pytest.mark.libreoffice
def test_the_vba_turns_codes_into_error_values(tmp_path: Path) -> None:
    # LibreOffice Basic in its VBA mode is the only VBA that runs here.
    python = _python_with_uno()
    if python is None:
        pytest.skip("LibreOffice with Python scripting is not installed")
    helper = tmp_path / "helper.bas"
    helper.write_text(excel.VBA_HELPER, encoding="utf-8")
    done = subprocess.run(
        [python, str(HERE / "vba_in_libreoffice.py"), str(helper)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    text, double, boolean = 8, 5, 11  # VarType
    assert done.stdout.strip().split(";") == [
        f"{text} x",
        f"{double} 0.5",
        "Error 2042",
        "Error 2015",
        f"{boolean} True",
        f"{text} ",
        "Error 2036",
        f"{text} t",
        "Error 2042",
        f"{text} one",
    ]


def test_vba_of_another_form_is_refused() -> None:
    with pytest.raises(ModelFailed, match=r"Install xlwings 0\.37"):
        excel.with_error_values("Function SHOP_SENTIMENT(text)\nEnd Function")


@pytest.mark.skipif(sys.platform == "win32", reason="says what to do off Windows")
def test_installing_off_windows_says_what_to_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert excel.main() == 1
    assert "Excel on Windows" in capsys.readouterr().out
