"""Sheet XML: any set of cells can be patched, and only these change."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workbooks import MAIN
from udfs.errors import BadInput, CellError
from udfs.workbook.cells import (
    Area,
    Value,
    address,
    cell_of,
    col_letters,
    col_number,
    key_of,
    read_text,
    read_value,
    write_text,
    write_value,
)
from udfs.workbook.sheet import Patch, patch_cells, read_cells

TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"), max_size=8
)
VALUES: st.SearchStrategy[Value] = st.one_of(
    TEXTS,
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([CellError("#N/A"), CellError("#VALUE!"), CellError("#DIV/0!")]),
)
CELLS = st.dictionaries(
    st.tuples(st.integers(1, 6), st.integers(1, 5)), st.one_of(st.none(), VALUES), max_size=12
)


def cell_xml(row: int, col: int, value: Value, style: int, spelled: bool) -> str:
    kind, content = write_value(value)
    attributes = f" r={quoteattr(address(row, col))}" + f' s="{style}"' * (style > 0)
    if value is None:
        return f"<c{attributes}/>" if spelled else f"<c{attributes}></c>"
    attributes += f' t="{kind}"' if kind else ""
    return f"<c{attributes}><v>{content}</v></c>"


def build(cells: dict[tuple[int, int], Value], styles: int, spelled: bool) -> bytes:
    rows: dict[int, list[str]] = {row: [] for row in range(1, 1 + len(cells) % 4)}
    for at, ((row, col), value) in enumerate(sorted(cells.items())):
        rows.setdefault(row, []).append(cell_xml(row, col, value, (at * styles) % 3, spelled))
    data = "".join(
        f'<row r="{row}" spans="1:2">{"".join(inside)}</row>' if inside else f'<row r="{row}"/>'
        for row, inside in sorted(rows.items())
    )
    body = f"<sheetData>{data}</sheetData>" if data else "<sheetData/>"
    return (
        f'<?xml version="1.0"?><!-- <c r="A1"> --><worksheet xmlns="{MAIN}">'
        f"<dimension ref=\"A1\"/>{body}<pageMargins left='0.7>'/></worksheet>"
    ).encode()


def held(xml: bytes) -> dict[tuple[int, int], Value]:
    return {cell_of(key): value for key, value in read_cells(xml, "sheet", []).values.items()}


@given(CELLS, CELLS, st.integers(0, 2), st.booleans())
@settings(max_examples=300, deadline=None)
def test_patched_cells_change_and_all_others_stay(
    cells: dict[tuple[int, int], Value],
    patches: dict[tuple[int, int], Value],
    styles: int,
    spelled: bool,
) -> None:
    source = build(cells, styles, spelled)
    patched = patch_cells(
        source,
        "sheet",
        {
            key_of(*at): Patch(clear=True) if value is None else Patch(value=value)
            for at, value in patches.items()
        },
    )
    expected = {at: value for at, value in (cells | patches).items() if value is not None}
    assert held(patched) == expected
    rows = list(ElementTree.fromstring(patched).iter(f"{{{MAIN}}}row"))
    order = [int(row.get("r", "")) for row in rows]
    assert order == sorted(set(order))
    for row in rows:
        cols = [Area.parse(cell.get("r", "")).col for cell in row]
        assert cols == sorted(set(cols))
    tail = source[source.index(b"<pageMargins") :]
    assert patched.endswith(tail)
    assert patch_cells(source, "sheet", {}) == source


@given(TEXTS)
def test_texts_survive_xml(text: str) -> None:
    content = write_text(text)
    raw = ElementTree.fromstring(f"<v>{content}</v>").text or ""
    assert read_text(raw) == text


def test_texts_that_xml_cannot_hold_are_escaped() -> None:
    assert write_text("a\r\x00_x0041_<&") == "a_x000D__x0000__x005F_x0041_&lt;&amp;"
    assert write_text("half \ud83d emoji") == "half \ufffd emoji"
    assert read_text("_x000D_A_x005F_x0041_") == "\rA_x0041_"


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (1.0, (None, "1")),
        (-0.0, (None, "0")),
        (0.1, (None, "0.1")),
        (1e21, (None, "1e+21")),
        (float("nan"), ("e", "#NUM!")),
        (True, ("b", "1")),
        (None, ("str", "")),
        (CellError("#SPILL!"), ("e", "#VALUE!")),
        ("", ("str", "")),
    ],
)
def test_values_as_stored(value: Value, stored: tuple[str | None, str]) -> None:
    assert write_value(value) == stored


def test_values_as_read() -> None:
    assert read_value("n", "1E3") == 1000.0
    assert read_value("b", "1") is True
    assert read_value("e", "#REF!") == CellError("#REF!")
    assert read_value("d", "2024-01-02T12:00:00") == 45293.5
    assert read_value("n", "") is None


def test_addresses() -> None:
    assert [col_letters(number) for number in (1, 26, 27, 702, 703, 16384)] == [
        "A", "Z", "AA", "ZZ", "AAA", "XFD",
    ]  # fmt: skip
    assert all(col_number(col_letters(number)) == number for number in range(1, 16385, 7))
    assert str(Area.parse("$B$3:A1")) == "A1:B3"
    assert cell_of(key_of(1048576, 16384)) == (1048576, 16384)


def test_a_formula_cell_keeps_its_attributes_and_loses_its_stale_ones() -> None:
    source = (
        f'<worksheet xmlns="{MAIN}"><sheetData><row r="1">'
        '<c r=\'A1\' s="4" t="e" cm="1" vm="7" ><f t="array" aca="1" ref="A1">X()</f>'
        '<v>#VALUE!</v><extLst><ext uri="q"/></extLst></c></row></sheetData></worksheet>'
    ).encode()
    patch = Patch(value="yes", area=Area(1, 1, 2, 2))
    patched = patch_cells(source, "s", {key_of(1, 1): patch}).decode()
    assert (
        '<c r=\'A1\' s="4" cm="1" t="str"><f t="array" aca="1" ref="A1:B2">X()</f>'
        '<v>yes</v><extLst><ext uri="q"/></extLst></c>'
    ) in patched


def test_new_cells_take_the_format_of_their_row_or_column() -> None:
    source = (
        f'<worksheet xmlns="{MAIN}"><cols><col min="2" max="3" width="9" style="5"/></cols>'
        '<sheetData><row r="2" s="8" customFormat="1"/></sheetData></worksheet>'
    ).encode()
    patches = {key_of(row, col): Patch(value=1.0) for row in (1, 2) for col in (2, 4)}
    patched = patch_cells(source, "s", patches).decode()
    assert (
        '<sheetData><row r="1"><c r="B1" s="5"><v>1</v></c><c r="D1"><v>1</v></c></row>'
        '<row r="2" s="8" customFormat="1"><c r="B2" s="8"><v>1</v></c><c r="D2" s="8"><v>1</v>'
        "</c></row></sheetData>"
    ) in patched


def test_entities_are_refused() -> None:
    bomb = (
        '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
        f'<worksheet xmlns="{MAIN}"><sheetData><row><c><v>&b;</v></c></row></sheetData></worksheet>'
    ).encode()
    with pytest.raises(BadInput, match="document type"):
        read_cells(bomb, "sheet", [])


def test_broken_xml_and_missing_strings_are_reported() -> None:
    with pytest.raises(BadInput, match="not well-formed"):
        read_cells(b"<worksheet><sheetData>", "sheet", [])
    with pytest.raises(BadInput, match="shared string '3'"):
        read_cells(
            b'<worksheet><sheetData><row><c t="s"><v>3</v></c></row></sheetData></worksheet>',
            "sheet",
            ["only one"],
        )


def test_phonetic_guides_are_not_text() -> None:
    xml = (
        '<worksheet><sheetData><row><c t="inlineStr"><is><r><t>東</t></r><r><t>京</t></r>'
        "<rPh sb='0' eb='2'><t>トウキョウ</t></rPh></is></c></row></sheetData></worksheet>"
    )
    assert held(xml.encode()) == {(1, 1): "東京"}
