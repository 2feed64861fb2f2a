"""Workbooks that LibreOffice saved are refreshed, and LibreOffice opens what was refreshed."""

from __future__ import annotations

import csv
import subprocess
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
