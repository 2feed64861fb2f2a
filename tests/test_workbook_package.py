"""The zip layer: unchanged members keep their bytes, and what is no xlsx is named as what it is."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.workbooks import raw_members
from udfs.errors import BadInput
from udfs.workbook.package import Package

TYPES = b"<Types/>"


class Unseekable(io.RawIOBase):
    """A file that cannot go back: zipfile then writes sizes after the data (descriptors)."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        return self._file.write(data)  # type: ignore[arg-type]

    def close(self) -> None:
        self._file.close()
        super().close()


def pack(target: Path | Unseekable, force_zip64: bool = False) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
        package.comment = b"a comment"
        for name, data in {
            "[Content_Types].xml": TYPES,
            "xl/sheet.xml": b"<old/>" * 500,
            "xl/文字.bin": os.urandom(5000),
        }.items():
            info = zipfile.ZipInfo(name, (2001, 2, 3, 4, 5, 6))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.extra = b"\xfe\xca\x04\x00abcd"
            info.comment = b"member"
            with package.open(info, "w", force_zip64=force_zip64) as member:
                member.write(data)
        package.writestr(zipfile.ZipInfo("stored.txt"), b"not compressed")


@pytest.mark.parametrize("form", ["plain", "descriptors", "zip64"])
def test_only_the_changed_member_differs(tmp_path: Path, form: str) -> None:
    source, target = tmp_path / "a.xlsx", tmp_path / "b.xlsx"
    if form == "descriptors":
        with Unseekable(source) as stream:
            pack(stream)
    else:
        pack(source, force_zip64=form == "zip64")
    with Package(source) as package, target.open("wb") as file:
        package.write_copy(file, {"xl/sheet.xml": b"<new/>", "stored.txt": b"new"})
    old, new = raw_members(source), raw_members(target)
    assert list(old) == list(new)
    for name in ("[Content_Types].xml", "xl/文字.bin"):
        assert old[name] == new[name]
    with zipfile.ZipFile(target) as written:
        assert written.testzip() is None
        assert written.comment == b"a comment"
        info = written.getinfo("xl/sheet.xml")
        assert (info.date_time, info.comment) == ((2001, 2, 3, 4, 5, 6), b"member")
        assert b"abcd" in info.extra
        assert written.read("xl/sheet.xml") == b"<new/>"
        assert written.getinfo("stored.txt").compress_type == zipfile.ZIP_STORED


def test_a_copy_without_changes_is_the_same_file(tmp_path: Path) -> None:
    source, target = tmp_path / "a.xlsx", tmp_path / "b.xlsx"
    pack(source)
    with Package(source) as package, target.open("wb") as file:
        package.write_copy(file, {})
    assert source.read_bytes() == target.read_bytes()


def test_other_programs_read_the_copy(tmp_path: Path) -> None:
    """Python's own zip reader in a fresh process, from the command line."""
    source, target = tmp_path / "a.xlsx", tmp_path / "b.xlsx"
    pack(source)
    with Package(source) as package, target.open("wb") as file:
        package.write_copy(file, {"xl/sheet.xml": b"<new/>" * 9999})
    done = subprocess.run(
        [sys.executable, "-m", "zipfile", "-t", str(target)], capture_output=True, check=True
    )
    assert b"Done testing" in done.stdout


def written(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as package:
        for name, data in members.items():
            package.writestr(name, data)
    return path


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "password or an old .xls"),
        (b"review,label\ngood,positive\n", "is no xlsx workbook"),
        ({"xl/workbook.bin": b"x", "[Content_Types].xml": TYPES}, "binary workbook"),
        ({"mimetype": b"x", "content.xml": b"<x/>"}, "OpenDocument"),
        ({"readme.txt": b"x"}, "no workbook"),
    ],
)
def test_what_is_no_xlsx_is_named(
    tmp_path: Path, content: bytes | dict[str, bytes], says: str
) -> None:
    path = tmp_path / "book.xlsx"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        written(path, content)
    with pytest.raises(BadInput, match=says):
        Package(path)


def test_missing_file_and_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no file"):
        Package(tmp_path / "none.xlsx")
    with pytest.raises(BadInput, match="is a folder"):
        Package(tmp_path)


def test_a_damaged_member_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    pack(path)
    data = bytearray(path.read_bytes())
    at = data.index(b"stored.txtnot") + len("stored.txt")
    data[at] ^= 0xFF
    path.write_bytes(bytes(data))
    with Package(path) as package, pytest.raises(BadInput, match="damaged"):
        package.read("stored.txt")
    with Package(path) as package, pytest.raises(BadInput, match="incomplete"):
        package.read("xl/none.xml")


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.xlsx", {"[Content_Types].xml": TYPES})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(bytes(data))
    with pytest.raises(BadInput, match="encrypted"):
        Package(path)


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("[Content_Types].xml", TYPES)
        package.writestr("x1", b"")
        package.writestr("x2", b"")
    path.write_bytes(path.read_bytes().replace(b"x2", b"x1"))
    with pytest.raises(BadInput, match="two parts of one name"):
        Package(path)
