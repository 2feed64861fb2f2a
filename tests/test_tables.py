"""Tables in files: what is read is what was written, and what is wrong is said."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server import tables_out
from server.tables import Row, Table, open_table
from server.tables_out import check_writable, free_names, is_risky, write_table
from udfs.errors import BadInput, CellError


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def read(path: Path, **options: Any) -> tuple[list[str], list[Row]]:
    table = open_table(path, **options)
    return table.columns, list(table.rows())


def copy(table: Table, target: Path, **options: Any) -> list[str]:
    """The table with one more column, the row number."""

    def numbers() -> Iterator[Row]:
        return ([number] for number, _ in enumerate(table.rows(), start=1))

    return write_table(target, table, ["n"], numbers, **options)


# csv and tsv


def test_quotes_newlines_and_blank_lines_are_read_as_spreadsheets_do(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'id,text\r\n1,"two\r\nlines"\r\n\r\n2,"a ""quote"""\r\n3,\r\n')
    columns, rows = read(path)
    assert columns == ["id", "text"]
    assert rows == [["1", "two\r\nlines"], ["2", 'a "quote"'], ["3", None]]
    assert open_table(path).total == 3


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_chinese_files_are_read_in_the_encodings_they_come_in(
    tmp_path: Path, encoding: str
) -> None:
    path = write(tmp_path / "a.csv", "编号,评论\n1,物流太慢了，包装也破了\n", encoding)
    assert read(path) == (["编号", "评论"], [["1", "物流太慢了，包装也破了"]])


def test_a_western_file_is_not_taken_for_chinese(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,text\n1,tr\u00e8s bon caf\u00e9\n", "cp1252")
    with pytest.raises(BadInput, match=r"neither UTF-8 nor Chinese GB18030.*--encoding cp1252"):
        open_table(path)
    assert read(path, encoding="cp1252")[1] == [["1", "très bon café"]]


def test_a_big5_file_is_not_taken_for_gb18030(tmp_path: Path) -> None:
    text = "編號,評論\n1,物流太慢了，包裝也破了，客服態度很差，我不會再買這個東西\n"
    path = write(tmp_path / "a.csv", text, "big5")
    with pytest.raises(BadInput, match="--encoding big5"):
        open_table(path)
    assert "包裝也破了" in read(path, encoding="big5")[1][0][1]


def test_a_wrong_encoding_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,text\n1,很好\n", "gb18030")
    with pytest.raises(BadInput, match=r"not utf-8-sig text: byte 0x"):
        open_table(path, encoding="utf-8")
    with pytest.raises(BadInput, match="no encoding 'klingon'"):
        open_table(path, encoding="klingon")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    text = f'"id, or so"{delimiter}text\n1{delimiter}"good, really; yes"\n'
    assert read(write(tmp_path / "a.csv", text))[1] == [["1", "good, really; yes"]]


def test_a_quote_that_is_never_closed_does_not_swallow_the_file(tmp_path: Path) -> None:
    rows = "".join(f"{i},fine\n" for i in range(50))
    path = write(tmp_path / "a.csv", f'id,text\n1,ok\n2,"oh no\n{rows}')
    with pytest.raises(BadInput, match=r'quote \("\) in line 3 that is never closed'):
        open_table(path)


def test_sloppy_quoting_is_read_leniently(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'id,text\n1,"5" screen" is fine\n2,ok\n')
    assert [row[0] for row in read(path)[1]] == ["1", "2"]


def test_rows_of_another_length_lose_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,text\n1\n2,well, not quoted\n")
    table = open_table(path)
    assert table.columns == ["id", "text", "column 3"]
    assert list(table.rows()) == [["1", None, None], ["2", "well", " not quoted"]]
    assert "1 rows have more cells" in table.notes[0]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_an_empty_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="is empty; expected a header row"):
        open_table(write(tmp_path / name, "\n\n"))


def test_a_missing_column_lists_the_columns(tmp_path: Path) -> None:
    table = open_table(write(tmp_path / "a.csv", "id, Text ,text2\n1,a,b\n"))
    assert table.index_of("text") == 1
    with pytest.raises(BadInput, match=r"no column 'review'.*'id', ' Text ', 'text2'"):
        table.index_of("review")
    twice = open_table(write(tmp_path / "b.csv", "text,text\n1,a\n"))
    with pytest.raises(BadInput, match=r"2 columns named 'text' \(columns 1, 2\)"):
        twice.index_of("text")


# Formulas in texts


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        '=HYPERLINK("http://x","y")',
        "+cmd|' /C calc'!A0",
        "-2+3+cmd|'!A0",
        "@SUM(A1)",
        "\t=1",
        "- great value",
        "＝1+1",
        "+86-138-0013",
    ],
)
def test_texts_that_a_spreadsheet_would_run_are_risky(text: str) -> None:
    assert is_risky(text)


@pytest.mark.parametrize(
    "text",
    ["", "-5", "+5", "-1,234.50", "-0.5", "+86 138 0013", "-5%", "1e-5", "a=b", "-1e5", "好"],
)
def test_numbers_and_plain_texts_are_not_risky(text: str) -> None:
    assert not is_risky(text)


def test_csv_defuses_formulas_and_leaves_numbers(tmp_path: Path) -> None:
    source = write(tmp_path / "a.csv", '"=head",n\n"=1+1",-5\n"@x",+7\n-ok,3\n')
    notes = copy(open_table(source), tmp_path / "b.csv")
    with (tmp_path / "b.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows == [
        ["'=head", "n", "n"],
        ["'=1+1", "-5", "1"],
        ["'@x", "+7", "2"],
        ["'-ok", "3", "3"],
    ]
    assert "4 cells begin like a formula" in notes[0]
    assert copy(open_table(source), tmp_path / "c.csv", keep_formulas=True) == []
    assert read(tmp_path / "c.csv")[1][0][0] == "=1+1"


def test_xlsx_holds_formula_texts_as_texts(tmp_path: Path) -> None:
    source = write(tmp_path / "a.csv", 'text\n"=1+1"\n"{=1}"\nhttp://x\n')
    copy(open_table(source), tmp_path / "b.xlsx")
    ws = openpyxl.load_workbook(tmp_path / "b.xlsx").active
    assert ws is not None
    assert [(ws.cell(r, 1).value, ws.cell(r, 1).data_type) for r in (2, 3, 4)] == [
        ("=1+1", "s"),
        ("{=1}", "s"),
        ("http://x", "s"),
    ]
    assert ws.cell(2, 1).quotePrefix


# Between the formats


def workbook(path: Path, rows: list[Row], title: str = "Data") -> Path:
    book = openpyxl.Workbook()
    ws = book.active
    assert ws is not None
    ws.title = title
    for row in rows:
        ws.append(row)
    book.save(path)
    return path


def test_a_worksheet_is_read_below_its_header(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "a.xlsx",
        [[], ["id", "text", None], [1, "good"], [], [2, "#N/A"], [3.5, date(2026, 3, 1)], []],
    )
    columns, rows = read(path)
    assert columns == ["id", "text"]
    assert rows[:2] == [[1, "good"], [None, None]]
    assert rows[2][0] == 2
    assert isinstance(rows[2][1], CellError)
    assert rows[3] == [3.5, datetime(2026, 3, 1)]
    assert len(rows) == 4


def test_sheets_are_chosen_by_name(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", [["text"], ["good"]])
    with pytest.raises(BadInput, match=r"no sheet 'Other'. Its sheets are: Data"):
        open_table(path, sheet="Other")
    assert read(path, sheet="Data")[0] == ["text"]
    with pytest.raises(BadInput, match="--sheet is for xlsx"):
        open_table(write(tmp_path / "a.csv", "x\n"), sheet="Data")


def test_a_range_of_a_worksheet_is_a_table_of_its_own(tmp_path: Path) -> None:
    rows: list[Row] = [
        ["title", None, None],
        [None, "text", "label"],
        [None, "good", 1],
        [2, "b", 3],
    ]
    path = workbook(tmp_path / "a.xlsx", rows, "My data")
    for area in ("B2:C3", "$B$2:$C$3", "'My data'!b2:c3"):
        table = open_table(path, area=area)
        assert table.columns == ["text", "label"]
        assert list(table.rows()) == [["good", 1]]
    assert list(open_table(path, area="B:C").rows()) == [["good", 1], ["b", 3]]
    for area, sheet, message in (
        ("here", None, "expected a range such as A1:B500"),
        ("Other!A1:B2", None, "no sheet 'Other'"),
        ("Other!A1:B2", "My data", "give one of them"),
        ("F9:G12", None, "is empty"),
    ):
        with pytest.raises(BadInput, match=message):
            open_table(path, sheet, area=area)


def test_a_broken_workbook_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"\xd0\xcf\x11\xe0 not a zip")
    with pytest.raises(BadInput, match="not a workbook that can be read"):
        open_table(tmp_path / "a.xlsx")
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(BadInput, match="not a parquet file"):
        open_table(tmp_path / "a.parquet")
    with pytest.raises(BadInput, match=r"ends in '.xls'.*save it as .xlsx"):
        open_table(write(tmp_path / "a.xls", ""))
    with pytest.raises(BadInput, match="There is no file"):
        open_table(tmp_path / "none.csv")


def test_csv_to_xlsx_gives_numbers_and_days_where_nothing_is_lost(tmp_path: Path) -> None:
    source = write(
        tmp_path / "a.csv",
        "order,sku,price,day,note\n"
        "202611230000000001,007,12.50,2026-01-31,5\n"
        "202611230000000002,012,3,2026-02-01,n/a\n",
    )
    copy(open_table(source), tmp_path / "b.xlsx")
    ws = openpyxl.load_workbook(tmp_path / "b.xlsx").active
    assert ws is not None
    assert [cell.value for cell in ws[2]] == [
        "202611230000000001",
        "007",
        12.5,
        datetime(2026, 1, 31),
        "5",
        1,
    ]


def test_parquet_keeps_its_types_beside_the_new_column(tmp_path: Path) -> None:
    schema = pa.schema(
        [
            ("text", pa.dictionary(pa.int32(), pa.string())),
            ("price", pa.decimal128(9, 2)),
            ("at", pa.timestamp("ns", tz="Asia/Shanghai")),
            ("tags", pa.list_(pa.string())),
        ]
    )
    table = pa.table(
        {
            "text": pa.array(["good", None, "good"]).dictionary_encode(),
            "price": pa.array([Decimal("1.10"), None, Decimal("2.00")], pa.decimal128(9, 2)),
            "at": pa.array([1_700_000_000_123_456_789] * 3, pa.timestamp("ns", tz="Asia/Shanghai")),
            "tags": pa.array([["a"], [], None], pa.list_(pa.string())),
        },
        schema=schema,
    )
    pq.write_table(table, tmp_path / "a.parquet")
    copy(open_table(tmp_path / "a.parquet"), tmp_path / "b.parquet")
    result = pq.read_table(tmp_path / "b.parquet")
    assert result.drop(["n"]).equals(pq.read_table(tmp_path / "a.parquet"))
    assert result["n"].to_pylist() == [1, 2, 3]
    copy(open_table(tmp_path / "a.parquet"), tmp_path / "b.csv")
    assert read(tmp_path / "b.csv")[1][0][:2] == ["good", "1.10"]
    copy(open_table(tmp_path / "a.parquet"), tmp_path / "b.xlsx")
    assert [row[4] for row in read(tmp_path / "b.xlsx")[1]] == [1, 2, 3]


def test_csv_to_parquet_is_typed_and_names_are_unique(tmp_path: Path) -> None:
    source = write(tmp_path / "a.csv", "n,N,,zip\n1,2.5,x,01\n2,3,,02\n")
    copy(open_table(source), tmp_path / "b.parquet")
    result = pq.read_table(tmp_path / "b.parquet")
    assert result.column_names == ["n", "N 2", "column 3", "zip", "n 3"]
    assert result.to_pylist()[0] == {"n": 1, "N 2": 2.5, "column 3": "x", "zip": "01", "n 3": 1}


TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r"), min_size=1, max_size=20
).filter(lambda text: bool(text.strip()))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cells=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5))
@pytest.mark.parametrize("name", ["b.csv", "b.tsv", "b.parquet"])
def test_any_text_survives_every_format(
    tmp_path: Path, name: str, cells: list[tuple[str, str]]
) -> None:
    source = tmp_path / "a.parquet"
    columns = {"x": [a for a, _ in cells], "y": [b for _, b in cells]}
    pq.write_table(pa.table(columns), source)
    copy(open_table(source), tmp_path / name, keep_formulas=True)
    rows = read(tmp_path / name)[1]
    assert [(row[0], row[1]) for row in rows] == cells


# The file as a whole


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    table = open_table(write(tmp_path / "a.csv", "text\na\nb\n"))
    target = write(tmp_path / "b.csv", "before")

    def broken() -> Iterator[Row]:
        yield [1]
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        write_table(target, table, ["n"], broken)
    assert target.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.csv"]


def test_too_many_rows_for_a_sheet_are_refused_first(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"a worksheet holds 1,048,575.*\.csv or \.parquet"):
        check_writable(tmp_path / "b.xlsx", 1_048_576, 3)
    check_writable(tmp_path / "b.csv", 1_048_576, 3)
    with pytest.raises(BadInput, match="There is no folder"):
        check_writable(tmp_path / "none" / "b.csv", 1, 1)
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(BadInput, match="is a folder"):
        check_writable(tmp_path / "d.csv", 1, 1)
    with pytest.raises(BadInput, match=r"ends in '\.docx'"):
        check_writable(tmp_path / "b.docx", 1, 1)


def test_a_text_too_long_for_a_sheet_is_cut_and_told(tmp_path: Path) -> None:
    table = open_table(write(tmp_path / "a.csv", f"text\n{'x' * 40_000}\n"))
    notes = copy(table, tmp_path / "b.xlsx")
    assert "1 texts are longer" in notes[0]
    assert len(read(tmp_path / "b.xlsx")[1][0][0]) == tables_out.XLSX_CHARS


def test_new_columns_do_not_take_the_name_of_old_ones() -> None:
    assert free_names(["sentiment", "error"], ["Sentiment", "x"]) == ["sentiment 2", "error"]
