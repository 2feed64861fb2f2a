"""Workbooks that LibreOffice saved are refreshed, and LibreOffice opens what was refreshed."""

from __future__ import annotations

import csv
import re
import subprocess
import zipfile
from pathlib import Path

import pytest
import xlsxwriter

from addin.libreoffice.office import clean_environment, find_office
from tests import wire_server
from tests.workbooks import assert_only_changed, sheet_xml, values
from udfs.client import Client
from udfs.errors import NotReady, ShopsheetError
from udfs.refresh import refresh

pytestmark = pytest.mark.libreoffice


@pytest.fixture(scope="module")
def soffice() -> Path:
    try:
        return find_office().soffice
    except (NotReady, ShopsheetError) as error:
        pytest.skip(str(error))


RECALCULATE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load">
<prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop></item>
</oor:items>"""


def convert(soffice: Path, source: Path, kind: str, folder: Path) -> Path:
    """The workbook as LibreOffice saves it; its exit status tells nothing."""
    profile = (folder / "profile").as_uri()
    subprocess.run(
        [
            str(soffice), f"-env:UserInstallation={profile}", "--headless", "--convert-to", kind,
            "--outdir", str(folder), str(source),
        ],
        env={**clean_environment(), "HOME": str(folder)},
        capture_output=True,
        timeout=180,
        check=False,
        start_new_session=True,
    )  # fmt: skip
    target = folder / f"{source.stem}.{kind.partition(':')[0]}"
    assert target.exists(), "LibreOffice wrote nothing"
    return target


def test_saved_by_libreoffice_refreshed_and_opened_again(soffice: Path, tmp_path: Path) -> None:
    original = tmp_path / "reviews.xlsx"
    source = xlsxwriter.Workbook(original)
    sheet = source.add_worksheet("Reviews")
    sheet.write_column("A1", ["good", "bad & <worse>", "物流"])
    sheet.write_formula("B1", "=SHOP.SENTIMENT(A1)", None, "old")
    sheet.write_formula("B2", '=IF(SHOP.SENTIMENT(A1)="GOOD","call","")', None, "old")
    sheet.write_array_formula("C1:C3", "=SHOP.SENTIMENT(A1:A3)", None, "old")
    sheet.write_formula("D1", '=COUNTIF(C1:C3,"GOOD")', None, 0)
    source.close()
    folder = tmp_path / "saved"
    folder.mkdir()
    saved = convert(soffice, original, "xlsx", folder)
    assert "aca=" in sheet_xml(saved)  # LibreOffice's own hand
    before = tmp_path / "before.xlsx"
    before.write_bytes(saved.read_bytes())

    with wire_server.running() as server, Client(server.url, token="t") as client:
        report = refresh(saved, client)

    assert not report.not_recomputed
    assert_only_changed(before, saved, "xl/worksheets/sheet1.xml")
    found = values(saved, "Reviews")
    assert (found["B1"], found["B2"], found["D1"]) == ("GOOD", "call", 1)
    opened = tmp_path / "opened"
    opened.mkdir()
    table = convert(soffice, saved, "csv:Text - txt - csv (StarCalc):44,34,76", opened)
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert [row[1] for row in rows[:2]] == ["GOOD", "call"]
    assert rows[0][3] == "1"


# Ordinary formulas over our columns, as people write them; B holds labels, C scores.
ORDINARY = [
    'COUNTIF(B1:B8,"GOOD")',
    'COUNTIFS(B1:B8,"GOOD",C1:C8,">3")',
    'SUMIFS(C1:C8,B1:B8,"<>GOOD")',
    'IFERROR(AVERAGEIFS(C1:C8,B1:B8,"NONE"),"none")',
    "AVERAGE(C1:C8)",
    "MEDIAN(C1:C8)",
    "STDEV(C1:C8)",
    "MAX(C1:C8)-MIN(C1:C8)",
    'SUMPRODUCT((B1:B8="GOOD")*C1:C8)',
    "SUMPRODUCT(--(LEN(B1:B8)>4))",
    'SUMPRODUCT(--ISNUMBER(SEARCH("ad",B1:B8)))',
    "INDEX(B1:B8,MATCH(MAX(C1:C8),C1:C8,0))",
    'VLOOKUP("BAD",B1:C8,2,FALSE)',
    'ROUND(AVERAGE(C1:C8),1)&" stars"',
    'TEXT(AVERAGE(C1:C8),"0.00")',
    'IF(AND(C1>2,OR(B1="GOOD",B1="BAD")),"keep","drop")',
    "COUNTA(B1:B8)",
    "COUNTBLANK(B1:B9)",
    "RANK(C2,C1:C8)",
    "LARGE(C1:C8,2)",
    "PERCENTILE(C1:C8,0.9)",
    "UPPER(LEFT(B2,2))&LOWER(RIGHT(B2,1))",
    "C1:C30",
    "C1:C8*2",
    "SUBTOTAL(9,C1:C8)",
    "CORREL(C1:C8,D1:D8)",
    'SUBSTITUTE(B1,"O","0")',
    "1/(C1-C1)",
    "YEAR(DATE(2026,C1+12,1))",
    "CHOOSE(2,B1,B2)",
    "OFFSET(B1,1,0)",
    'INDIRECT("B"&2)',
    'TRUE=(B1="GOOD")',
    "MOD(SUM(C1:C8),7)",
]


def test_ordinary_formulas_agree_with_libreoffice(soffice: Path, tmp_path: Path) -> None:
    """Another program recalculates the refreshed workbook and finds the same values."""
    path = tmp_path / "ordinary.xlsx"
    source = xlsxwriter.Workbook(path)
    sheet = source.add_worksheet("S")
    for row, text in enumerate(["good", "bad", "good", "fine", "bad", "ok then", "x", "y"]):
        sheet.write(row, 0, text)
        sheet.write_formula(row, 1, f"=SHOP.SENTIMENT(A{row + 1})", None, "")
        sheet.write_formula(row, 2, f'=SHOP.SENTIMENT(A{row + 1},"score")', None, 0)
        sheet.write(row, 3, row * row)
    for row, formula in enumerate(ORDINARY):
        sheet.write_formula(row, 5, f"={formula}", None, 0)
    source.close()
    with wire_server.running() as server, Client(server.url, token="t") as client:
        report = refresh(path, client)
    assert not report.not_recomputed
    ours = values(path, "S")

    # LibreOffice does not know our functions: leave it their values.
    plain = tmp_path / "plain.xlsx"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(plain, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("sheet1.xml"):
                data = re.sub(rb"<f>SHOP\.SENTIMENT[^<]*</f>", b"", data)
            new.writestr(name, data)
    folder = tmp_path / "recalculated"
    (folder / "profile" / "user").mkdir(parents=True)
    (folder / "profile" / "user" / "registrymodifications.xcu").write_text(
        RECALCULATE, encoding="utf-8"
    )
    theirs = values(convert(soffice, plain, "xlsx", folder), "S")
    for row, formula in enumerate(ORDINARY, start=1):
        mine, other = ours.get(f"F{row}"), theirs.get(f"F{row}")
        if isinstance(mine, float | int) and not isinstance(mine, bool):
            assert mine == pytest.approx(other, rel=1e-9), formula
        else:
            assert mine == other, formula
