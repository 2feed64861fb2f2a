"""The headless refresher on whole workbooks, over HTTP with a small server that answers capitals.

`tests/wire_server.py`: the label of a text is the text in capitals, its score is its length.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter

from tests import wire_server
from tests.wire_server import Handler, WireServer
from tests.workbooks import (
    MAIN,
    assert_only_changed,
    raw_members,
    sheet_xml,
    texts,
    values,
    write_workbook,
)
from udfs.client import Client
from udfs.errors import BadInput, NotReady
from udfs.refresh import Report, refresh

SHEET1 = "xl/worksheets/sheet1.xml"


@pytest.fixture(scope="module")
def wire() -> Iterator[WireServer]:
    with wire_server.running() as server:
        yield server


@pytest.fixture
def calls(wire: WireServer) -> Iterator[Client]:
    wire.requests.clear()
    wire.script.clear()
    with Client(wire.url, token="t", timeout_s=20) as client:
        yield client


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return tmp_path / "book.xlsx"


def cell(ref: str, formula: str, value: str = "<v>0</v>", attributes: str = "") -> str:
    """A row with one formula cell, as a file holds it."""
    row = re.sub(r"\D", "", ref)
    formula = formula.replace("&", "&amp;").replace("<", "&lt;")
    return f'<row r="{row}"><c r="{ref}"{attributes}><f>{formula}</f>{value}</c></row>'


def causes(report: Report) -> dict[str, str]:
    return {f"{change.sheet}!{change.cell}": change.cause for change in report.changes}


def kept(report: Report) -> dict[str, str]:
    return {f"{note.sheet}!{note.cell}": note.text for note in report.not_recomputed}


# Spellings


@pytest.mark.parametrize(
    "name",
    [
        "_xldudf_SHOP_SENTIMENT",
        "_xldudf_SHOP.SENTIMENT",
        "SHOP.SENTIMENT",
        "SHOP_SENTIMENT",
        "shop.sentiment",
        "_xll.SHOP_SENTIMENT",
        "_xll.SHOP.SENTIMENT",
        "_xludf.SHOP.SENTIMENT",
        "_xlfn.SHOP.SENTIMENT",
        "[1]!SHOP_SENTIMENT",
        "[1]!SHOP.SENTIMENT",
        "shop.xlam!SHOP_SENTIMENT",
        "'C:\\Add Ins\\shop.xlam'!SHOP_SENTIMENT",
    ],
)
def test_every_spelling_of_a_file_is_computed(book: Path, calls: Client, name: str) -> None:
    write_workbook(book, {"S": texts("good") + cell("B2", f"{name}(A1)")})
    report = refresh(book, calls)
    assert values(book, "S")["B2"] == "GOOD"
    assert report.formulas == 1
    assert f"<f>{name}(A1)</f>" in sheet_xml(book)


def test_a_text_that_looks_like_a_call_is_left_alone(book: Path, calls: Client) -> None:
    write_workbook(book, {"S": texts("good") + cell("B2", '"SHOP.SENTIMENT(A1)"')})
    before = book.read_bytes()
    report = refresh(book, calls)
    assert (report.formulas, report.written) == (0, None)
    assert book.read_bytes() == before


def test_function_of_a_later_version_keeps_its_value(book: Path, calls: Client) -> None:
    write_workbook(
        book,
        {"S": texts("good") + cell("B2", "SHOP.NOT_YET(A1)", "<v>7</v>") + cell("B3", "B2+1")},
    )
    report = refresh(book, calls)
    assert "SHOP.NOT_YET" in kept(report)["S!B2"]
    assert kept(report)["S!B3"] == "it depends on S!B2, which was not recomputed"
    assert values(book, "S")["B2"] == 7
    assert '<f ca="1">B2+1</f>' in sheet_xml(book)


# Nesting and order


def test_nested_dependent_and_ordinary_formulas_in_one_request_per_level(
    book: Path, calls: Client, wire: WireServer
) -> None:
    rows = (
        '<row r="2"><c r="A2" t="inlineStr"><is><t>bad</t></is></c>'
        '<c r="B2" t="str"><f>SHOP.SENTIMENT(A2)</f><v>old</v></c>'
        '<c r="C2"><f>IF(_xldudf_SHOP_SENTIMENT(A2)="BAD","call","")</f><v>0</v></c>'
        '<c r="D2"><f>SHOP.SENTIMENT(B2&amp;" again")</f><v>0</v></c>'
        '<c r="E2"><f>SHOP.SENTIMENT(SHOP.SENTIMENT("x"),"score")</f><v>0</v></c></row>'
        '<row r="3"><c r="F3"><f>COUNTIF(B:B,"BAD")</f><v>0</v></c>'
        '<c r="G3"><f>F3*10+LEN(D2)</f><v>0</v></c></row>'
    )
    write_workbook(book, {"S": rows})
    report = refresh(book, calls)
    found = values(book, "S")
    assert found["B2"] == "BAD"
    assert found["C2"] == "call"
    assert found["D2"] == "BAD AGAIN"
    assert found["E2"] == 1
    assert found["F3"] == 1
    assert found["G3"] == 19
    assert len(wire.requests) == report.requests == 2
    assert (report.formulas, report.dependents) == (4, 2)


def test_lazy_branches_ask_nothing(book: Path, calls: Client, wire: WireServer) -> None:
    write_workbook(book, {"S": cell("B2", 'IF(A2="","none",SHOP.SENTIMENT(A2))')})
    refresh(book, calls)
    assert values(book, "S")["B2"] == "none"
    assert wire.requests == []


def test_the_same_call_is_asked_once(book: Path, calls: Client, wire: WireServer) -> None:
    rows = "".join(
        f'<row r="{row}"><c r="A{row}" t="inlineStr"><is><t>same</t></is></c>'
        f'<c r="B{row}"><f>SHOP.SENTIMENT(A{row})</f></c></row>'
        for row in range(1, 9)
    )
    write_workbook(book, {"S": rows})
    refresh(book, calls)
    assert [len(request["calls"]) for request in wire.requests] == [1]
    assert values(book, "S")["B8"] == "SAME"


def test_across_sheets_names_quotes_and_whole_columns(book: Path, calls: Client) -> None:
    write_workbook(
        book,
        {
            "Raw 数据": texts("one", "two", "three"),
            "It's": cell("A1", "SHOP.SENTIMENT('Raw 数据'!A2)")
            + cell("A2", "SHOP.SENTIMENT(reviews,,0.2)")
            + cell("A3", "SHOP.SENTIMENT(here)")
            + cell("A4", "COUNTA('Raw 数据'!A:A)&SHOP.SENTIMENT(\"x\")"),
            "Out": '<row r="1"><c r="A1" cm="1"><f t="array" ref="A1">'
            "SHOP.SENTIMENT('Raw 数据'!A:A)</f><v>0</v></c>"
            '<c r="E1" cm="1"><f t="array" ref="E1">'
            "SHOP.SENTIMENT('Raw 数据'!A2:A1048576)</f><v>0</v></c>"
            "<c r=\"C1\"><f>'It''s'!A1&amp;\"!\"</f><v>0</v></c></row>",
        },
        names="<definedName name=\"reviews\">'Raw 数据'!$A$1:$A$3</definedName>"
        '<definedName name="here" localSheetId="0">"wrong sheet"</definedName>'
        "<definedName name=\"here\">'Raw 数据'!$A1</definedName>",
    )
    report = refresh(book, calls)
    assert not report.not_recomputed
    found = values(book, "It's")
    assert found["A1"] == "TWO"
    assert found["A2"] == "ONE"  # a range in a formula of one cell: the first of the answers
    assert found["A3"] == "THREE"  # the name's row is relative
    assert found["A4"] == "3X"
    out = values(book, "Out")
    assert [out["A1"], out["A2"], out["A3"]] == ["ONE", "TWO", "THREE"]
    assert [out["E1"], out["E2"], out.get("E3")] == ["TWO", "THREE", None]
    assert out["C1"] == "TWO!"
    assert 'ref="A1:A3"' in sheet_xml(book, 3)


def test_shared_formulas_move_with_their_cell(book: Path, calls: Client) -> None:
    rows = "".join(
        f'<row r="{row}"><c r="A{row}" t="inlineStr"><is><t>t{row}</t></is></c>'
        f'<c r="B{row}" t="str">{formula}<v/></c></row>'
        for row, formula in [
            (2, '<f t="shared" ref="B2:B4" si="0">SHOP.SENTIMENT($A2)&amp;A$2</f>'),
            (3, '<f t="shared" si="0"/>'),
            (4, '<f t="shared" si="0"></f>'),
        ]
    )
    write_workbook(book, {"S": rows})
    refresh(book, calls)
    found = values(book, "S")
    assert [found[f"B{row}"] for row in (2, 3, 4)] == ["T2t2", "T3t2", "T4t2"]
    assert '<f t="shared" si="0"/><v>T3t2</v>' in sheet_xml(book)


def test_formulas_that_were_never_computed_feed_ours(book: Path, calls: Client) -> None:
    """openpyxl writes formulas without values: what we read must be computed first."""
    source = openpyxl.Workbook()
    sheet = source.active
    sheet["A1"] = "  padded  "
    sheet["B1"] = "=TRIM(A1)"
    sheet["C1"] = "=SHOP.SENTIMENT(B1)"
    sheet["D1"] = "=1+1"  # neither read by ours nor reading ours
    source.save(book)
    refresh(book, calls)
    found = values(book, sheet.title)
    assert (found["B1"], found["C1"], found.get("D1")) == ("padded", "PADDED", None)


def test_circular_formulas_are_reported_and_keep_their_values(book: Path, calls: Client) -> None:
    write_workbook(
        book,
        {
            "S": cell("A1", 'B2&SHOP.SENTIMENT("x")', "<v>1</v>")
            + cell("B2", "A1", "<v>2</v>")
            + cell("A3", "SHOP.SENTIMENT(A:A)", "<v>3</v>")
        },
    )
    report = refresh(book, calls)
    assert set(kept(report)) == {"S!A1", "S!B2", "S!A3"}
    assert "refers to itself" in kept(report)["S!A1"]
    assert [values(book, "S")[at] for at in ("A1", "B2", "A3")] == [1, 2, 3]


# Arrays


def dynamic(ref: str, formula: str, area: str | None = None, value: str = "<v>0</v>") -> str:
    """A dynamic array formula as Excel saves it."""
    formula = formula.replace("&", "&amp;")
    return f'<c r="{ref}" cm="1"><f t="array" ref="{area or ref}">{formula}</f>{value}</c>'


def test_a_spill_grows_and_shrinks(book: Path, calls: Client) -> None:
    rows = (
        '<row r="1" spans="1:2"><c r="A1" t="inlineStr"><is><t>a</t></is></c>'
        + dynamic("C1", 'SHOP.SENTIMENT(A1:A3,"all")')
        + dynamic("G1", "SHOP.SENTIMENT(A1:A1)", "G1:G4")
        + "</row>"
        '<row r="2"><c r="A2" t="inlineStr"><is><t>bb</t></is></c>'
        '<c r="G2" s="0" t="str"><v>stale</v></c></row>'
        '<row r="4"><c r="G4" t="str"><v>stale</v></c><c r="H4"><f>G4&amp;"."</f><v>0</v></c></row>'
    )
    write_workbook(book, {"S": rows}, before='<dimension ref="A1:H4"/>')
    refresh(book, calls)
    found = values(book, "S")
    assert [found[at] for at in ("C1", "D1", "E1")] == ["A", 1, 0.9]
    assert [found[at] for at in ("C2", "D2", "E2")] == ["BB", 2, 0.9]
    assert found["G1"] == "A"
    assert not {"G2", "G4"} & set(found)
    assert found["H4"] == "."
    xml = sheet_xml(book)
    assert 'ref="C1:E3"' in xml
    assert '<f t="array" ref="G1">' in xml
    assert '<row r="1" spans="1:7">' in xml
    assert '<row r="3"><c r="C3" t="str"><v></v></c>' in xml
    assert '<c r="G2" s="0"/>' in xml  # the cell's format stays, its value is gone
    assert '<c r="G4"' not in xml


def test_a_blocked_spill_loses_nothing(book: Path, calls: Client) -> None:
    rows = (
        '<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c>'
        + dynamic("C1", "SHOP.SENTIMENT(A1:A3)", "C1:C2", "<v>9</v>")
        + "</row>"
        '<row r="2"><c r="C2" t="str"><v>spilled before</v></c></row>'
        '<row r="3"><c r="C3" t="inlineStr"><is><t>the user\'s own</t></is></c></row>'
    )
    write_workbook(book, {"S": rows})
    report = refresh(book, calls)
    found = values(book, "S")
    assert found == {"A1": "a", "C1": "#VALUE!", "C3": "the user's own"}
    assert [note.text for note in report.errors] == ["#SPILL! cell C3 is not empty"]
    again = book.read_bytes()
    assert refresh(book, calls).changes == []
    assert book.read_bytes() == again


@pytest.mark.parametrize(
    ("after", "why"),
    [
        ('<mergeCells count="1"><mergeCell ref="C2:D2"/></mergeCells>', "C2:D2 are merged"),
    ],
)
def test_merged_cells_block_a_spill(book: Path, calls: Client, after: str, why: str) -> None:
    row = '<row r="1">' + dynamic("C1", 'SHOP.SENTIMENT({"a";"b"})') + "</row>"
    write_workbook(book, {"S": row}, after=after)
    assert why in refresh(book, calls).errors[0].text


def test_readers_of_newly_spilled_cells_are_recomputed(book: Path, calls: Client) -> None:
    """B5 read an empty cell when it was last computed; now a spill reaches what it reads."""
    rows = (
        '<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c>'
        '<c r="B1"><f>COUNTA(D2:D90)</f><v>0</v></c>'
        + dynamic("D1", "SHOP.SENTIMENT(A1:A3)")
        + dynamic("F1", "SHOP.SENTIMENT(_xlfn.ANCHORARRAY(D1))")
        + '<c r="H1"><f>D2&amp;B1</f><v>0</v></c></row>'
        '<row r="2"><c r="A2" t="inlineStr"><is><t>b</t></is></c></row>'
    )
    write_workbook(book, {"S": rows})
    refresh(book, calls)
    found = values(book, "S")
    assert found["B1"] == 2
    assert found["H1"] == "B2"
    assert [found["F1"], found["F2"]] == ["A", "B"]


def test_array_formula_of_a_fixed_area(book: Path, calls: Client) -> None:
    """As LibreOffice saves a matrix formula: too large an area shows #N/A, too small one cuts."""
    rows = (
        '<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c>'
        '<c r="C1"><f t="array" ref="C1:C3" aca="false">SHOP.SENTIMENT(A1:A2)</f><v>0</v></c>'
        '<c r="E1"><f t="array" ref="E1:F1" aca="false">SHOP.SENTIMENT(A1:A2,"all")</f>'
        "<v>0</v></c></row>"
        '<row r="2"><c r="A2" t="inlineStr"><is><t>b</t></is></c><c r="C2"><v>0</v></c></row>'
    )
    write_workbook(book, {"S": rows})
    refresh(book, calls)
    found = values(book, "S")
    assert [found["C1"], found["C2"], found["C3"]] == ["A", "B", "#N/A"]
    assert [found["E1"], found["F1"]] == ["A", 1]
    assert "G1" not in found


def test_functions_of_one_value_are_put_through_arrays(book: Path, calls: Client) -> None:
    """The engine takes the first cell only; a sheet takes them all."""
    rows = (
        '<row r="1"><c r="A1" t="inlineStr"><is><t> a </t></is></c>'
        + dynamic("C1", "SHOP.SENTIMENT(TRIM(A1:A3))")
        + dynamic("D1", 'SUM(--ISNUMBER(SEARCH("B",SHOP.SENTIMENT(A1:A3))))')
        + dynamic("E1", 'COUNTIF(A1:A3,_xlfn.UNIQUE(A2:A3))&SHOP.SENTIMENT("q")')
        + dynamic("F1", "_xlfn.LET(_xlpm.t,TRIM(A1:A3),LEN(SHOP.SENTIMENT(_xlpm.t)))")
        + "</row>"
        '<row r="2"><c r="A2" t="inlineStr"><is><t>b  b</t></is></c></row>'
        '<row r="3"><c r="A3" t="inlineStr"><is><t>b  b</t></is></c></row>'
    )
    write_workbook(book, {"S": rows})
    report = refresh(book, calls)
    assert not report.not_recomputed
    found = values(book, "S")
    assert [found[f"C{row}"] for row in (1, 2, 3)] == ["A", "B B", "B B"]
    assert found["D1"] == 2
    assert found["E1"] == "2Q"
    assert [found[f"F{row}"] for row in (1, 2, 3)] == [1, 3, 3]


def test_implicit_intersection(book: Path, calls: Client) -> None:
    rows = (
        '<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c></row>'
        '<row r="2"><c r="A2" t="inlineStr"><is><t>b</t></is></c>'
        '<c r="C2"><f>SHOP.SENTIMENT(_xlfn.SINGLE(A1:A3))</f><v>0</v></c>'
        '<c r="D2"><f>_xlfn.SINGLE(SHOP.SENTIMENT(A1:A3))</f><v>0</v></c>'
        '<c r="E2"><f>SHOP.SENTIMENT(UPPER(A1:A3)&amp;A$1:A$3)</f><v>0</v></c></row>'
        '<row r="3"><c r="A3" t="inlineStr"><is><t>c</t></is></c></row>'
    )
    write_workbook(book, {"S": rows})
    refresh(book, calls)
    found = values(book, "S")
    assert (found["C2"], found["D2"], found["E2"]) == ("B", "A", "BB")


# Tables


def test_structured_references(book: Path, calls: Client) -> None:
    source = xlsxwriter.Workbook(book)
    sheet = source.add_worksheet("S")
    sheet.write_row(0, 0, ["review", "label", "re'view]"])
    for row, text in enumerate(["one", "two", "three"], start=1):
        sheet.write(row, 0, text)
        sheet.write(row, 2, text * 2)
    sheet.add_table(
        "A1:C5",
        {
            "name": "Reviews",
            "total_row": True,
            "columns": [
                {"header": "review", "total_string": "all"},
                {"header": "label", "formula": "=SHOP.SENTIMENT([@review])"},
                {"header": "re'view]"},
            ],
        },
    )
    sheet.write_dynamic_array_formula("E1", "=SHOP.SENTIMENT(Reviews[review])", None, "")
    sheet.write_formula(
        "F1", "=SHOP.SENTIMENT(INDEX(Reviews[[re''view']]:[re''view']]],2))", None, ""
    )
    sheet.write_formula("G1", '=COUNTIF(Reviews[label],"TWO")', None, 0)
    sheet.write_formula("H1", "=SHOP.SENTIMENT(Reviews[[#Headers],[review]])", None, "")
    sheet.write_formula("I1", "=SHOP.SENTIMENT(Reviews[[#Totals],[review]])", None, "")
    source.close()
    report = refresh(book, calls)
    assert not report.not_recomputed
    found = values(book, "S")
    assert [found[f"B{row}"] for row in (2, 3, 4)] == ["ONE", "TWO", "THREE"]
    assert [found[f"E{row}"] for row in (1, 2, 3)] == ["ONE", "TWO", "THREE"]
    assert found["F1"] == "TWOTWO"
    assert found["G1"] == 1
    assert (found["H1"], found["I1"]) == ("REVIEW", "ALL")


# What the engine cannot do


def test_what_cannot_be_evaluated_keeps_its_value_and_is_marked(book: Path, calls: Client) -> None:
    write_workbook(
        book,
        {
            "S": texts("a")
            + cell("B2", "SHOP.SENTIMENT(A1)", "<v>0</v>")
            + cell("B3", "MACRO_OF_THE_USER(B2)", "<v>33</v>")
            + cell("B4", "B3*2", "<v>66</v>")
            + cell("B5", "[2]Other!A1+LEN(B2)", "<v>5</v>")
            + cell("B6", 'CELL("address",B2)', "<v>x</v>", ' t="str"')
            + cell("B7", "SHOP.SENTIMENT(B4)", "<v>77</v>")
            + cell("B8", "NOT_READING_OURS(A1)", "<v>8</v>")
        },
    )
    report = refresh(book, calls)
    notes = kept(report)
    assert set(notes) == {"S!B3", "S!B4", "S!B5", "S!B6", "S!B7"}
    assert "function" in notes["S!B3"]
    assert "S!B3" in notes["S!B4"]
    assert "another workbook" in notes["S!B5"]
    assert "CELL" in notes["S!B6"]
    xml = sheet_xml(book)
    assert '<f ca="1">MACRO_OF_THE_USER(B2)</f><v>33</v>' in xml
    assert '<c r="B7"><f>SHOP.SENTIMENT(B4)</f><v>77</v></c>' in xml
    assert '<c r="B8"><f>NOT_READING_OURS(A1)</f><v>8</v></c>' in xml
    again = book.read_bytes()
    assert refresh(book, calls).written is None
    assert book.read_bytes() == again


def test_subtotals_over_hidden_rows_are_left_to_the_program(book: Path, calls: Client) -> None:
    rows = (
        '<row r="1"><c r="B1"><f>SHOP.SENTIMENT("ab","score")</f><v>0</v></c></row>'
        '<row r="2" hidden="1"><c r="B2"><f>SHOP.SENTIMENT("abc","score")</f><v>0</v></c></row>'
        '<row r="3"><c r="B3"><f>SUBTOTAL(109,B1:B2)</f><v>1</v></c>'
        '<c r="C3"><f>SUBTOTAL(9,B1:B1)</f><v>1</v></c></row>'
    )
    write_workbook(book, {"S": rows})
    report = refresh(book, calls)
    assert "hidden" in kept(report)["S!B3"]
    assert values(book, "S")["C3"] == 2


def test_indirect_reads_what_it_names(book: Path, calls: Client) -> None:
    write_workbook(
        book,
        {
            "S": texts("a")
            + cell("B2", "SHOP.SENTIMENT(A1)")
            + cell("B3", 'INDIRECT("B2")&"?"')
            + cell("B4", "B3&OFFSET(B2,0,0)")
            + cell("B5", 'UNKNOWN_TO_ALL(INDIRECT("A1"))', "<v>5</v>")
        },
    )
    report = refresh(book, calls)
    found = values(book, "S")
    assert (found["B3"], found["B4"], found["B5"]) == ("A?", "A?A", 5)
    assert not report.not_recomputed


# Values


def test_every_kind_of_value_is_written_as_excel_stores_it(book: Path, calls: Client) -> None:
    rows = (
        cell("A1", 'SHOP.SENTIMENT(" &<>\n_x000D_ ")')
        + cell("A2", 'SHOP.SENTIMENT("abc","score")', "<v>1</v>", ' t="b"')
        + cell("A3", 'SHOP.SENTIMENT("unsure")', "<v>1</v>", ' vm="1"')
        + cell("A4", "SHOP.SENTIMENT(Z9)")
        + cell("A5", 'SHOP.SENTIMENT("x")="X"')
        + cell("A6", '1/(LEN(SHOP.SENTIMENT("x"))-1)')
        + cell("A7", 'SHOP.SENTIMENT("x","loud")')
        + cell("A8", "SHOP.SENTIMENT(1/0)")
        + cell("A9", "SHOP.SENTIMENT(12.50)")
        + cell("A10", "SHOP.SENTIMENT(TRUE)")
    )
    write_workbook(book, {"S": rows})
    report = refresh(book, calls)
    xml = sheet_xml(book)
    assert "<v> &amp;&lt;&gt;\n_x000D_ </v>" in xml
    assert '<c r="A2"><f>SHOP.SENTIMENT("abc","score")</f><v>3</v></c>' in xml
    assert '<c r="A3" t="e"><f>SHOP.SENTIMENT("unsure")</f><v>#N/A</v></c>' in xml
    assert '<c r="A4" t="str"><f>SHOP.SENTIMENT(Z9)</f><v></v></c>' in xml
    assert '<c r="A5" t="b"><f>SHOP.SENTIMENT("x")="X"</f><v>1</v></c>' in xml
    assert '<c r="A6" t="e">' in xml
    assert "<v>#DIV/0!</v>" in xml
    found = values(book, "S")
    assert found["A7"] == "#VALUE!"
    assert found["A8"] == "#DIV/0!"
    assert (found["A9"], found["A10"]) == ("12.5", "TRUE")
    told = {note.cell: note.text for note in report.errors}
    assert "0.55 is below" in told["A3"]
    assert '"label", "score"' in told["A7"]


def test_an_unchanged_refresh_leaves_the_file_alone(book: Path, calls: Client) -> None:
    write_workbook(book, {"S": texts("a") + cell("B2", "SHOP.SENTIMENT(A1)")})
    assert refresh(book, calls).written == book.resolve()
    before, stat = book.read_bytes(), book.stat().st_mtime_ns
    report = refresh(book, calls)
    assert (report.written, report.changes) == (None, [])
    assert (book.read_bytes(), book.stat().st_mtime_ns) == (before, stat)


# Nothing else changes


def test_a_rich_workbook_keeps_every_other_byte(tmp_path: Path, calls: Client) -> None:
    path = tmp_path / "rich.xlsm"
    (tmp_path / "pic.png").write_bytes(
        bytes.fromhex(
            "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
            "0000000d49444154789c6360f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
        )
    )
    (tmp_path / "vbaProject.bin").write_bytes(bytes(range(256)) * 8)
    source = xlsxwriter.Workbook(path)
    source.calc_on_load = False
    bold = source.add_format({"bold": True, "bg_color": "#FFEEAA"})
    sheet = source.add_worksheet("Reviews")
    other = source.add_worksheet("Other")
    sheet.write_row(0, 0, ["review", "label", "score"], bold)
    reviews = ["good & <fine>", "物流太慢了", "", "🙂 ok", "late"]
    for row, text in enumerate(reviews, start=1):
        sheet.write(row, 0, text)
    sheet.write_dynamic_array_formula("B2:B6", "=SHOP.SENTIMENT(A2:A6)", bold, "old")
    for row in range(2, 7):
        sheet.write_formula(row - 1, 2, f'=SHOP.SENTIMENT(A{row},"score")', bold, 0)
    sheet.write_formula("F1", '=COUNTIF(B2:B6,"LATE")', None, 0)
    sheet.set_column("H:H", 30, bold)
    sheet.data_validation("D2:D6", {"validate": "list", "source": ["yes", "no"]})
    sheet.conditional_format("C2:C6", {"type": "3_color_scale"})
    sheet.write_comment("A2", "a comment")
    sheet.insert_image("J2", str(tmp_path / "pic.png"))
    chart = source.add_chart({"type": "column"})
    chart.add_series({"values": "=Reviews!$C$2:$C$6"})
    sheet.insert_chart("J10", chart)
    source.define_name("scores", "=Reviews!$C$2:$C$6")
    other.write_formula("A1", "=1+1", None, 2)
    other.write_formula("A2", "=AVERAGE(scores)", None, 0)
    other.write_url("A3", "https://example.com")
    other.add_table("C1:D3", {"name": "T"})
    third = source.add_worksheet("Untouched")
    third.write_formula("A1", "=NOW()", None, 45000)
    source.add_vba_project(str(tmp_path / "vbaProject.bin"))
    source.close()
    before = tmp_path / "before.xlsm"
    shutil.copy2(path, before)

    report = refresh(path, calls)

    assert_only_changed(before, path, SHEET1, "xl/worksheets/sheet2.xml")
    assert not report.not_recomputed
    found = values(path, "Reviews")
    assert found["B3"] == "物流太慢了"
    assert found["C5"] == 4.0
    assert found["F1"] == 1
    assert values(path, "Other")["A2"] == pytest.approx((13 + 5 + 4 + 4) / 4)
    # Take the values out of both: what is left is the same text.
    for number in (1, 2):
        bare = [
            re.sub(r"<v>[^<]*</v>|<v/>| t=\"(str|s|e|b)\"", "", sheet_xml(file, number))
            for file in (before, path)
        ]
        assert bare[0] == bare[1]
    assert openpyxl.load_workbook(path, keep_vba=True).vba_archive is not None


def test_prefixed_xml_cells_without_addresses_and_other_encodings(
    book: Path, calls: Client
) -> None:
    """The Open XML SDK writes prefixes; small writers leave addresses out; UTF-16 is allowed."""
    xml = (
        '<?xml version="1.0" encoding="UTF-16"?>'
        f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData><x:row>'
        '<x:c t="inlineStr"><x:is><x:t>café</x:t></x:is></x:c>'
        "<x:c><x:f>SHOP.SENTIMENT(A1)</x:f></x:c></x:row>"
        '<x:row/><x:row><x:c cm="1"><x:f t="array" ref="A3">SHOP.SENTIMENT({"é";"f"})</x:f></x:c>'
        "</x:row></x:sheetData></x:worksheet>"
    )
    write_workbook(book, {"S": ""})
    with zipfile.ZipFile(book) as package:
        members = {name: package.read(name) for name in package.namelist()}
    members[SHEET1] = b"\xff\xfe" + xml.encode("utf-16-le")
    with zipfile.ZipFile(book, "w") as package:
        for name, data in members.items():
            package.writestr(name, data)
    refresh(book, calls)
    found = values(book, "S")
    assert (found["B1"], found["A3"], found["A4"]) == ("CAFÉ", "É", "F")
    patched = zipfile.ZipFile(book).read(SHEET1)
    assert patched.startswith(b"\xff\xfe")
    assert '<x:row r="4"><x:c r="A4" t="str"><x:v>F</x:v></x:c></x:row>' in patched.decode("utf-16")


# Causes


def test_diff_names_the_cause_of_each_change(book: Path, calls: Client, wire: WireServer) -> None:
    def write(text: str, option: str, cached: str) -> None:
        write_workbook(
            book,
            {
                "S": texts(text)
                + cell("B2", f"SHOP.SENTIMENT(A1{option})", f"<v>{cached}</v>", ' t="str"')
                + cell("B3", 'B2&"!"', f"<v>{cached}!</v>", ' t="str"')
            },
        )

    def refreshed() -> dict[str, str]:
        return causes(refresh(book, calls))

    write("a", "", "x")
    assert refreshed() == {
        "S!B2": "first computation",
        "S!B3": "depends on changed cells: S!B2",
    }
    write("b", "", "A")
    assert refreshed()["S!B2"] == "input changed"
    write("b", ',"score"', "B")
    assert refreshed()["S!B2"] == "option changed"
    write("c", ',"label"', "1")
    assert refreshed()["S!B2"] == "input changed, option changed"
    write("c", ',"label"', "overtyped")
    assert refreshed()["S!B2"] == "the file held another value than the last refresh wrote"

    def newer(handler: Handler) -> bool:
        handler.send_json(200, {"results": [{"id": "1", "value": "better", "model": "encoder@2"}]})
        return False

    write("c", ',"label"', "C")
    wire.script.append(newer)
    report = refresh(book, calls)
    assert causes(report)["S!B2"] == "model version changed (encoder@1 -> encoder@2)"
    assert (report.changes[0].old, report.changes[0].new) == ("C", "better")
    assert report.models == ["encoder@2"]


def test_each_workbook_has_its_own_record_and_a_broken_record_is_no_obstacle(
    tmp_path: Path, book: Path, calls: Client, own_home: Path
) -> None:
    write_workbook(book, {"S": texts("a") + cell("B2", "SHOP.SENTIMENT(A1)")})
    output = tmp_path / "out.xlsx"
    for _ in range(2):  # the record belongs to the file that was written
        report = refresh(book, calls, output=output)
        assert set(causes(report).values()) == {"first computation"}
    assert refresh(output, calls).changes == []
    (own_home / "refresh.sqlite3").write_bytes(b"this is no database" * 100)
    report = refresh(book, calls)
    assert values(book, "S")["B2"] == "A"
    assert "record" in report.warnings[0]


def test_a_dry_run_writes_nothing_and_remembers_nothing(
    book: Path, calls: Client, own_home: Path
) -> None:
    write_workbook(book, {"S": texts("a") + cell("B2", "SHOP.SENTIMENT(A1)")})
    before = book.read_bytes()
    report = refresh(book, calls, dry_run=True)
    assert [change.new for change in report.changes] == ["A"]
    assert report.written is None
    assert book.read_bytes() == before
    assert not (own_home / "refresh.sqlite3").exists()
    assert list(book.parent.glob(".shopsheet*")) == []


# What may go wrong


def test_an_unreachable_server_leaves_the_file_as_it_was(book: Path) -> None:
    write_workbook(book, {"S": texts("a") + cell("B2", "SHOP.SENTIMENT(A1)", "<v>7</v>")})
    before = book.read_bytes()
    with Client("http://127.0.0.1:9", token="t", timeout_s=5) as client, pytest.raises(NotReady):
        refresh(book, client)
    assert book.read_bytes() == before
    assert sorted(file.name for file in book.parent.iterdir()) == ["book.xlsx"]


def test_a_server_that_fails_midway_leaves_the_file_as_it_was(
    book: Path, calls: Client, wire: WireServer
) -> None:
    write_workbook(
        book,
        {
            "S": texts("a")
            + cell("B2", "SHOP.SENTIMENT(A1)", "<v>7</v>")
            + cell("B3", "SHOP.SENTIMENT(B2)", "<v>8</v>")
        },
    )
    before = book.read_bytes()

    def busy(handler: Handler) -> bool:
        handler.send_json(503, {"error": {"code": "#N/A", "message": "loading"}})
        return False

    wire.script += [lambda handler: True, busy, busy]
    with pytest.raises(NotReady):
        refresh(book, calls)
    assert book.read_bytes() == before


def test_a_busy_server_is_asked_again(book: Path, calls: Client, wire: WireServer) -> None:
    write_workbook(book, {"S": texts("a") + cell("B2", "SHOP.SENTIMENT(A1)")})

    def busy(handler: Handler) -> bool:
        error = {"error": {"code": "#N/A", "message": "busy"}}
        handler.send_json(503, error, {"Retry-After": "0"})
        return False

    wire.script += [busy] * 5
    refresh(book, calls)
    assert values(book, "S")["B2"] == "A"


def test_a_failed_cell_shows_its_error_and_spoils_nothing_else(book: Path, calls: Client) -> None:
    write_workbook(
        book,
        {
            "S": texts("fine")
            + cell("B2", 'SHOP.SENTIMENT("call fails")', "<v>7</v>")
            + cell("B3", "SHOP.SENTIMENT(A1)")
        },
    )
    report = refresh(book, calls)
    found = values(book, "S")
    assert (found["B2"], found["B3"]) == ("#VALUE!", "FINE")
    assert [note.text for note in report.errors] == ["#VALUE! the server's own text"]


@pytest.mark.parametrize("lock", ["~$book.xlsx", "~$ok.xlsx", ".~lock.book.xlsx#"])
def test_an_open_workbook_is_refused(book: Path, calls: Client, lock: str) -> None:
    write_workbook(book, {"S": texts("a") + cell("B2", "SHOP.SENTIMENT(A1)")})
    before = book.read_bytes()
    book.with_name(lock).touch()
    with pytest.raises(BadInput, match="open in another program"):
        refresh(book, calls)
    assert book.read_bytes() == before
    report = refresh(book, calls, output=book.with_name("out.xlsx"))
    assert "last saved state" in report.warnings[0]


def test_a_workbook_that_is_saved_meanwhile_is_not_overwritten(
    book: Path, calls: Client, wire: WireServer
) -> None:
    write_workbook(book, {"S": texts("a") + cell("B2", "SHOP.SENTIMENT(A1)")})

    def saved_by_the_user(handler: Handler) -> bool:
        os.utime(book, ns=(1, 1))
        return True

    wire.script.append(saved_by_the_user)
    before = book.read_bytes()
    with pytest.raises(BadInput, match="changed by another program"):
        refresh(book, calls)
    assert book.read_bytes() == before
    assert sorted(file.name for file in book.parent.iterdir()) == ["book.xlsx"]


def test_backups_are_numbered_and_hold_the_old_file(book: Path, calls: Client) -> None:
    for number, name in enumerate(["book.backup.xlsx", "book.backup-2.xlsx"]):
        write_workbook(book, {"S": texts(f"a{number}") + cell("B2", "SHOP.SENTIMENT(A1)")})
        old = book.read_bytes()
        report = refresh(book, calls, backup=True)
        assert report.backup == book.with_name(name).resolve()
        assert report.backup.read_bytes() == old


def test_large_passes_are_cut_into_requests(
    book: Path, calls: Client, wire: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("udfs.refresh.MAX_CELLS_PER_REQUEST", 10)
    rows = "".join(
        f'<row r="{row}"><c r="A{row}"><f>SHOP.SENTIMENT("t{row}")</f></c></row>'
        for row in range(1, 26)
    )
    write_workbook(book, {"S": rows})
    seen: list[tuple[int, int]] = []
    refresh(book, calls, progress=lambda p: seen.append((p.cells_answered, p.cells_asked)))
    assert [len(request["calls"]) for request in wire.requests] == [10, 10, 5]
    assert seen[-1] == (25, 25)
    assert all(a <= b for a, b in itertools.pairwise(seen))


def test_a_signed_workbook_is_warned_about(book: Path, calls: Client) -> None:
    write_workbook(
        book,
        {"S": cell("B2", 'SHOP.SENTIMENT("a")')},
        extra={"_xmlsignatures/sig1.xml": b"<Signature/>"},
    )
    assert "signature" in refresh(book, calls).warnings[0]


def test_a_workbook_that_recalculates_itself_is_computed_through_and_warned_about(
    book: Path, calls: Client
) -> None:
    """XlsxWriter stores 0 as every value and asks for recalculation: 0 must not be read."""
    source = xlsxwriter.Workbook(book)
    sheet = source.add_worksheet("S")
    sheet.write("A1", "x")
    sheet.write_formula("B1", '=A1&"y"')
    sheet.write_formula("C1", "=SHOP.SENTIMENT(B1)")
    source.close()
    report = refresh(book, calls)
    assert values(book, "S")["C1"] == "XY"
    assert "fullCalcOnLoad" in report.warnings[0]


def test_two_refreshes_at_once_leave_a_whole_file(book: Path, calls: Client) -> None:
    write_workbook(book, {"S": texts("a") + cell("B2", "SHOP.SENTIMENT(A1)")})
    failures: list[BaseException] = []

    def once() -> None:
        try:
            refresh(book, calls)
        except BadInput:
            pass  # the other one was first
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=once) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert values(book, "S")["B2"] == "A"
    assert raw_members(book)


def test_report_is_plain_json(book: Path, calls: Client) -> None:
    write_workbook(book, {"S": cell("B2", 'SHOP.SENTIMENT("unsure")') + cell("B3", "NO_SUCH(B2)")})
    data = json.loads(json.dumps(refresh(book, calls).to_json()))
    assert data["changes"] == [
        {"sheet": "S", "cell": "B2", "old": 0.0, "new": "#N/A", "cause": "first computation"}
    ]
    assert data["not_recomputed"][0]["cell"] == "B3"
