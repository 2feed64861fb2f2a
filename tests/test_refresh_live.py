"""Refreshed equals live: the real server and a real (tiny) model, through file and client."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter

from server import cli
from tests.conftest import LiveServer
from tests.workbooks import texts, values, write_workbook
from udfs.client import Client
from udfs.errors import CellError
from udfs.refresh import refresh

REVIEWS = [
    "Great value, arrived early and works well.",
    "物流太慢了，包装也破了",
    "",
    "It broke after two days. Never again!",
    "一般般吧，能用",
    "OK",
    "🙂🙂 很喜欢 & recommend <it>",
    "   ",
]


def as_cell(value: Any) -> Any:
    """A client's value as openpyxl shows the cached one."""
    if isinstance(value, CellError):
        return value.code
    return None if value == "" else value


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """All shapes of our formula beside the reviews."""
    path = tmp_path / "reviews.xlsx"
    source = xlsxwriter.Workbook(path)
    source.calc_on_load = False
    sheet = source.add_worksheet("Reviews")
    last = len(REVIEWS)
    for row, text in enumerate(REVIEWS):
        sheet.write_string(row, 0, text)
        sheet.write_formula(row, 1, f"=SHOP.SENTIMENT(A{row + 1})", None, "")
        sheet.write_formula(row, 2, f'=_xldudf_SHOP_SENTIMENT(A{row + 1},"score")', None, 0)
        sheet.write_formula(row, 3, f'=SHOP_SENTIMENT(A{row + 1},"label",0.6)', None, 0)
    sheet.write_dynamic_array_formula("F1", f'=SHOP.SENTIMENT(A1:A{last},"all")', None, "")
    sheet.write_array_formula(f"J1:J{last}", f"=SHOP.SENTIMENT(A1:A{last})", None, "")
    sheet.write_formula("L1", f'=COUNTIF(B1:B{last},"negative")', None, 0)
    sheet.write_formula("L2", f"=AVERAGE(C1:C{last})", None, 0)
    sheet.write_formula("L3", f'=SUMPRODUCT(--(G1:G{last}<>""))', None, 0)
    source.close()
    return path


def test_refreshed_equals_live(book: Path, live_server: LiveServer) -> None:
    column = [[text or None] for text in REVIEWS]
    with Client.from_environment() as client:
        report = refresh(book, client)
        single = [client.call("SENTIMENT", text or None) for text in REVIEWS]
        scores = [client.call("SENTIMENT", text or None, "score") for text in REVIEWS]
        sure = client.call_many([("SENTIMENT", [column, "label", 0.6])])[0]
        everything = client.call("SENTIMENT", column, "all")
    found = values(book, "Reviews")
    rows = range(1, len(REVIEWS) + 1)
    assert [found.get(f"B{row}") for row in rows] == [as_cell(value) for value in single]
    assert [found.get(f"C{row}") for row in rows] == [as_cell(value) for value in scores]
    assert [found.get(f"D{row}") for row in rows] == [as_cell(line[0]) for line in sure]
    assert [[found.get(f"{col}{row}") for col in "FGH"] for row in rows] == [
        [as_cell(value) for value in line] for line in everything
    ]
    assert [found.get(f"J{row}") for row in rows] == [as_cell(value) for value in single]
    numbers = [score for score in scores if isinstance(score, float)]
    assert found["L1"] == single.count("negative")
    assert found["L2"] == pytest.approx(sum(numbers) / len(numbers), abs=1e-12)
    assert found["L3"] == len(numbers)
    assert report.models
    assert report.models[0].startswith("encoder@")
    assert not report.not_recomputed


def test_a_second_refresh_makes_no_model_call_and_leaves_the_file(
    book: Path, live_server: LiveServer
) -> None:
    with Client.from_environment() as client:
        refresh(book, client)
        before = book.read_bytes()
        report = refresh(book, client)
    assert (report.changes, report.written) == ([], None)
    assert book.read_bytes() == before


# The command


def run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    status = cli.main(["refresh", *arguments])
    out, err = capsys.readouterr()
    return status, out, err


def test_command_refreshes_and_lists_changes(
    book: Path, live_server: LiveServer, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    output = tmp_path / "out.xlsx"
    status, out, _ = run(str(book), "-o", str(output), "--diff", capsys=capsys)
    assert status == 0
    assert "Reviews!L1: 0 -> " in out or "Reviews!L3: 0 -> " in out
    assert "(first computation)" in out
    assert f"Written: {output}" in out
    assert values(output, "Reviews")["F1"] in ("negative", "neutral", "positive", "mixed")
    assert values(book, "Reviews")["C1"] == 0

    status, out, _ = run(str(output), capsys=capsys)
    assert status == 0
    assert "up to date; the file was not touched" in out

    status, out, _ = run(str(book), "--dry-run", "--json", capsys=capsys)
    report = json.loads(out)
    assert report["written"] is None
    assert {"sheet", "cell", "old", "new", "cause"} == set(report["changes"][0])

    status, out, _ = run(str(book), "--backup", capsys=capsys)
    assert "The old file is " in out
    assert book.with_name("reviews.backup.xlsx").exists()


def test_command_says_what_was_not_recomputed(
    tmp_path: Path, live_server: LiveServer, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_workbook(
        tmp_path / "a.xlsx",
        {
            "S": texts("good") + '<row r="2"><c r="B2"><f>SHOP.SENTIMENT(A1)</f></c>'
            '<c r="C2"><f>MY_MACRO(B2)</f><v>1</v></c></row>'
        },
    )
    status, _, err = run(str(path), capsys=capsys)
    assert status == 0
    assert "S!C2 was not recomputed and keeps its value" in err


def test_command_without_a_server_fails_and_leaves_the_file(
    book: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOPSHEET_URL", "http://127.0.0.1:9")
    before = book.read_bytes()
    status, _, err = run(str(book), capsys=capsys)
    assert status == 1
    assert "error: " in err
    assert "shopsheet serve" in err
    assert book.read_bytes() == before


def test_command_names_what_is_no_workbook(
    tmp_path: Path, live_server: LiveServer, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text("text\ngood\n", encoding="utf-8")
    status, _, err = run(str(path), capsys=capsys)
    assert (status, "no xlsx workbook" in err) == (1, True)


def test_the_refresher_needs_neither_torch_nor_flask() -> None:
    code = (
        "import sys, udfs.refresh\n"
        "heavy = {'torch', 'flask', 'numpy', 'openvino', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the resource module is missing there")
def test_a_hundred_thousand_rows(tmp_path: Path) -> None:
    """Memory stays within 1.2 GB for 100,000 rows of single-cell formulas and dependents."""
    path = tmp_path / "large.xlsx"
    source = xlsxwriter.Workbook(path, {"constant_memory": True})
    source.calc_on_load = False
    sheet = source.add_worksheet("S")
    for row in range(100_000):
        sheet.write_string(row, 0, f"review number {row}, quite fine")
        sheet.write_formula(row, 1, f"=SHOP.SENTIMENT(A{row + 1})", None, "")
        sheet.write_formula(row, 2, f'=IF(B{row + 1}="x",1,0)', None, 1)
    sheet.write_formula(100_000, 4, "=SUM(C1:C100000)", None, 1)
    source.close()
    code = f"""
import resource, sys
from pathlib import Path
from tests import wire_server
from udfs.client import Client
from udfs.refresh import refresh
with wire_server.running() as server, Client(server.url, token="t", timeout_s=300) as client:
    server.requests = type("Nothing", (list,), {{"append": lambda self, item: None}})()
    report = refresh(Path({str(path)!r}), client)
assert report.formulas == 100_000 and report.dependents == 100_001, report
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=Path.cwd()
    )
    print(f"{time.monotonic() - started:.0f} s, {done.stdout.strip()} MB")
    assert int(done.stdout) < 1200
    book = openpyxl.load_workbook(path, data_only=True, read_only=True)
    sheet = book["S"]
    assert sheet["B100000"].value == "REVIEW NUMBER 99999, QUITE FINE"
    assert sheet["E100001"].value == 0
    book.close()
