"""Workbooks for the refresh tests: written by hand as Excel saves them, and helpers to compare."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import openpyxl

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE_REL = "http://schemas.openxmlformats.org/package/2006/relationships"

METADATA = f"""<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<metadata xmlns="{MAIN}" xmlns:xda="http://schemas.microsoft.com/office/spreadsheetml/2017/dynamicarray">\
<metadataTypes count="1"><metadataType name="XLDAPR" minSupportedVersion="120000" copy="1" \
pasteAll="1" pasteValues="1" merge="1" splitFirst="1" rowColShift="1" clearFormats="1" \
clearComments="1" assign="1" coerce="1" cellMeta="1"/></metadataTypes>\
<futureMetadata name="XLDAPR" count="1"><bk><extLst>\
<ext uri="{{bdbb8cdc-fa1e-496e-a857-3c3f30c029c3}}">\
<xda:dynamicArrayProperties fDynamic="1" fCollapsed="0"/></ext></extLst></bk></futureMetadata>\
<cellMetadata count="1"><bk><rc t="1" v="0"/></bk></cellMetadata></metadata>"""


def write_workbook(
    path: Path,
    sheets: Mapping[str, str],
    *,
    names: str = "",
    calc: str = '<calcPr calcId="191029"/>',
    before: str = "",
    after: str = "",
    extra: Mapping[str, bytes] | None = None,
) -> Path:
    """The workbook at `path`: each sheet's `<sheetData>` content is given as XML.

    `before` and `after` stand around `<sheetData>` of every sheet. Texts are inline or `t="str"`.
    """
    tabs, rels, types = "", "", ""
    parts: dict[str, str] = {}
    for number, (name, data) in enumerate(sheets.items(), start=1):
        tabs += f'<sheet name="{name}" sheetId="{number}" r:id="rId{number}"/>'
        rels += (
            f'<Relationship Id="rId{number}" Type="{REL}/worksheet" '
            f'Target="worksheets/sheet{number}.xml"/>'
        )
        types += (
            f'<Override PartName="/xl/worksheets/sheet{number}.xml" ContentType='
            '"application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
        )
        parts[f"xl/worksheets/sheet{number}.xml"] = (
            '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n'
            f'<worksheet xmlns="{MAIN}" xmlns:r="{REL}">{before}'
            f"<sheetData>{data}</sheetData>{after}</worksheet>"
        )
    rels += f'<Relationship Id="rId90" Type="{REL}/sheetMetadata" Target="metadata.xml"/>'
    content_types = (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType='
        '"application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        '<Override PartName="/xl/workbook.xml" ContentType='
        '"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
        f"{types}</Types>"
    )
    members = {
        "[Content_Types].xml": content_types,
        "_rels/.rels": (
            f'<Relationships xmlns="{PACKAGE_REL}"><Relationship Id="rId1" '
            f'Type="{REL}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
        ),
        "xl/workbook.xml": (
            f'<workbook xmlns="{MAIN}" xmlns:r="{REL}"><sheets>{tabs}</sheets>'
            f"<definedNames>{names}</definedNames>{calc}</workbook>"
        ),
        "xl/_rels/workbook.xml.rels": (
            f'<Relationships xmlns="{PACKAGE_REL}">{rels}</Relationships>'
        ),
        **parts,
        "xl/metadata.xml": METADATA,
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, text in members.items():
            target.writestr(name, text)
        for name, data in (extra or {}).items():
            target.writestr(name, data)
    return path


def texts(*column: str) -> str:
    """Rows 1, 2, ... with these texts in column A (for sheets without formulas)."""
    return "".join(
        f'<row r="{row}"><c r="A{row}" t="inlineStr"><is><t>{text}</t></is></c></row>'
        for row, text in enumerate(column, start=1)
    )


def values(path: Path, sheet: str) -> dict[str, object]:
    """Cached values as openpyxl reads them, by address; empty cells left out."""
    book = openpyxl.load_workbook(path, data_only=True)
    found = {
        cell.coordinate: cell.value
        for row in book[sheet].iter_rows()
        for cell in row
        if cell.value is not None
    }
    book.close()
    return found


def raw_members(path: Path) -> dict[str, tuple[bytes, bytes]]:
    """Local header with packed data, and central header without its offset, of each member."""
    data = path.read_bytes()
    found: dict[str, tuple[bytes, bytes]] = {}
    with zipfile.ZipFile(path) as source:
        start = source.start_dir
        infos = sorted(source.infolist(), key=lambda info: info.header_offset)
        ends = [info.header_offset for info in infos[1:]] + [start]
        locals_ = {
            info.filename: data[info.header_offset : end]
            for info, end in zip(infos, ends, strict=True)
        }
        at = start
        for info in source.infolist():
            sizes = struct.unpack_from("<3H", data, at + 28)
            size = 46 + sum(sizes)
            central = data[at : at + 42] + data[at + 46 : at + size]
            found[info.filename] = (locals_[info.filename], central)
            at += size
    return found


def assert_only_changed(before: Path, after: Path, *parts: str) -> None:
    """Fails unless all members but `parts` are the same bytes in the same order, and XML is well
    formed."""
    old, new = raw_members(before), raw_members(after)
    assert list(old) == list(new)
    for name in old:
        if name in parts:
            assert old[name] != new[name], f"{name} did not change"
        else:
            assert old[name] == new[name], f"{name} changed"
    with zipfile.ZipFile(after) as package:
        assert package.testzip() is None
        for name in parts:
            ElementTree.fromstring(package.read(name))


def sheet_xml(path: Path, number: int = 1) -> str:
    """XML of a worksheet."""
    with zipfile.ZipFile(path) as package:
        return package.read(f"xl/worksheets/sheet{number}.xml").decode("utf-8")
