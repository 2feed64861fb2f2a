"""The zip file around a workbook: members are copied as they are, only changed ones are written."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from udfs.errors import BadInput

MAX_MEMBER_BYTES = 2**31 - 1  # unpacked; Excel itself opens no larger sheet

_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LOCAL = struct.Struct("<4s5H3L2H")  # local file header, APPNOTE 4.3.7
_CENTRAL = struct.Struct("<4s6H3L5H2L")  # central directory header, APPNOTE 4.3.12
_END = struct.Struct("<4s4H2LH")  # end of central directory record, APPNOTE 4.3.16
_END64 = struct.Struct("<4sQ2H2L4Q")  # zip64 end record, APPNOTE 4.3.14
_LOCATOR64 = struct.Struct("<4sLQL")  # zip64 end locator, APPNOTE 4.3.15
_NO_32 = 0xFFFFFFFF
_HAS_DESCRIPTOR = 0x08
_ENCRYPTED = 0x01
_COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class _Entry:
    """One member: where it lies in the file and its raw central directory header."""

    info: zipfile.ZipInfo
    central: bytes
    end: int  # first byte after its local header, data and descriptor


class Package:
    """An xlsx or xlsm file. Close it, or use it in `with`.

    Raises: BadInput if the file is no xlsx, is encrypted or broken, saying what it is instead.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _open(path)
        try:
            self._zip = _as_zip(self._file, path)
            self._entries, self._tail = self._read_directory()
            self._check_content()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Nothing; the file is closed."""
        self._zip.close()
        self._file.close()

    @property
    def names(self) -> list[str]:
        """Names of all members, in file order."""
        return [entry.info.filename for entry in self._entries]

    def has(self, name: str) -> bool:
        """Whether there is a member of exactly this name."""
        return name in self._zip.NameToInfo

    def read(self, name: str) -> bytes:
        """The unpacked content of a member.

        Raises: BadInput if it is missing, too large, or its checksum is wrong.
        """
        try:
            info = self._zip.getinfo(name)
        except KeyError:
            raise BadInput(
                f"{self.path.name} has no part {name}: the workbook is incomplete. "
                "Open it in Excel or LibreOffice, let it repair the file, save it and try again."
            ) from None
        if info.file_size > MAX_MEMBER_BYTES:
            raise BadInput(
                f"{name} in {self.path.name} unpacks to {info.file_size:,} bytes; "
                f"at most {MAX_MEMBER_BYTES:,} are read."
            )
        try:
            return self._zip.read(info)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise BadInput(
                f"{name} in {self.path.name} cannot be unpacked ({error}): the file is damaged. "
                "Take a backup, or let Excel repair it."
            ) from error

    def write_copy(self, target: BinaryIO, changed: Mapping[str, bytes]) -> None:
        """Nothing; `target` holds this package with the content of the `changed` members replaced.

        All other members keep their compressed bytes, order, time stamps and flags.
        Raises: BadInput if the result would not fit a plain zip file (4 GiB).
        """
        centrals: list[bytes] = []
        position = 0
        for entry in sorted(self._entries, key=lambda e: e.info.header_offset):
            gap = entry.info.header_offset
            if not centrals and gap:
                position += self._copy(target, 0, gap)
            new_offset = position
            content = changed.get(entry.info.filename)
            if content is None:
                position += self._copy(target, entry.info.header_offset, entry.end)
                central = entry.central
            else:
                local, packed, central = self._pack(entry, content)
                target.write(local)
                target.write(packed)
                position += len(local) + len(packed)
            centrals.append(_with_offset(central, new_offset, self.path))
        order = {
            entry.info.filename: number
            for number, entry in enumerate(
                sorted(self._entries, key=lambda e: e.info.header_offset)
            )
        }
        directory = b"".join(centrals[order[entry.info.filename]] for entry in self._entries)
        target.write(directory)
        target.write(_moved_tail(self._tail, position, len(directory), self.path))

    def _pack(self, entry: _Entry, content: bytes) -> tuple[bytes, bytes, bytes]:
        """Local header, data and central header of a member with new content."""
        info = entry.info
        if info.compress_type == zipfile.ZIP_STORED:
            packed = content
        else:
            packer = zlib.compressobj(6, zlib.DEFLATED, -15)
            packed = packer.compress(content) + packer.flush()
        if max(len(content), len(packed)) >= _NO_32:
            raise BadInput(f"{info.filename} grows beyond 4 GiB, which an xlsx cannot hold.")
        method = info.compress_type if info.compress_type in (0, 8) else zipfile.ZIP_DEFLATED
        crc = zlib.crc32(content)
        head = list(_CENTRAL.unpack_from(entry.central))
        flags = head[3] & ~_HAS_DESCRIPTOR
        name_size, extra_size, comment_size = head[10], head[11], head[12]
        name = entry.central[_CENTRAL.size : _CENTRAL.size + name_size]
        extra_start = _CENTRAL.size + name_size
        extra = _without_zip64(entry.central[extra_start : extra_start + extra_size])
        comment = entry.central[extra_start + extra_size :][:comment_size]
        head[3], head[4] = flags, method
        head[7:10] = [crc, len(packed), len(content)]
        head[11] = len(extra)
        central = _CENTRAL.pack(*head) + name + extra + comment
        time, date, version = head[5], head[6], head[2]
        local = _LOCAL.pack(
            b"PK\3\4", version, flags, method, time, date, crc, len(packed), len(content),
            len(name), 0,
        )  # fmt: skip
        return local + name, packed, central

    def _copy(self, target: BinaryIO, start: int, end: int) -> int:
        self._file.seek(start)
        left = end - start
        while left:
            block = self._file.read(min(left, _COPY_BYTES))
            if not block:
                raise BadInput(f"{self.path.name} ends too early: the file is damaged.")
            target.write(block)
            left -= len(block)
        return end - start

    def _read_directory(self) -> tuple[list[_Entry], bytes]:
        """The members in directory order, and all bytes after the directory."""
        infos = self._zip.infolist()
        start = self._zip.start_dir
        self._file.seek(start)
        rest = self._file.read()
        offsets = sorted(info.header_offset for info in infos)
        following = dict(zip(offsets, [*offsets[1:], start], strict=True))
        if len(following) != len(infos) or len(self._zip.NameToInfo) != len(infos):
            raise BadInput(
                f"{self.path.name} holds two parts of one name or place; "
                "open and save it in Excel or LibreOffice, then try again."
            )
        entries: list[_Entry] = []
        at = 0
        for info in infos:
            head = _CENTRAL.unpack_from(rest, at)
            size = _CENTRAL.size + head[10] + head[11] + head[12]
            central = rest[at : at + size]
            if head[0] != b"PK\1\2" or _offset_of(central) != info.header_offset:
                raise BadInput(
                    f"{self.path.name} is a zip file of an unusual form (something stands before "
                    "it). Open and save it in Excel or LibreOffice, then try again."
                )
            entries.append(_Entry(info, central, following[info.header_offset]))
            at += size
        return entries, rest[at:]

    def _check_content(self) -> None:
        names = set(self._zip.NameToInfo)
        file = self.path.name
        if any(info.flag_bits & _ENCRYPTED for info in self._zip.infolist()):
            raise BadInput(f"{file} is an encrypted zip file. Save it without a password first.")
        if "xl/workbook.bin" in names:
            raise BadInput(
                f"{file} is a binary workbook (xlsb). Save it as .xlsx or .xlsm and refresh that."
            )
        if "[Content_Types].xml" in names:
            return
        if "mimetype" in names and "content.xml" in names:
            raise BadInput(
                f"{file} is an OpenDocument file. Save it as .xlsx, or recalculate it in "
                "LibreOffice with the Shopsheet add-in."
            )
        raise BadInput(f"{file} is a zip file, but no workbook. Give an .xlsx or .xlsm file.")


def _open(path: Path) -> BinaryIO:
    if not path.exists():
        raise BadInput(f"There is no file {path}. Check the name and the folder.")
    if path.is_dir():
        raise BadInput(f"{path} is a folder. Give an .xlsx or .xlsm file.")
    try:
        return path.open("rb")
    except PermissionError as error:
        raise BadInput(
            f"{path} cannot be read ({error.strerror}). If it is open in Excel, close it there; "
            "else check its permissions."
        ) from error


def _as_zip(file: BinaryIO, path: Path) -> zipfile.ZipFile:
    magic = file.read(8)
    file.seek(0)
    if magic == _OLE_MAGIC:
        raise BadInput(
            f"{path.name} is either protected by a password or an old .xls file. "
            "Save it as .xlsx without a password to open, then refresh it."
        )
    if not magic:
        raise BadInput(f"{path.name} is empty. Give an .xlsx or .xlsm file.")
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, io.UnsupportedOperation) as error:
        raise BadInput(
            f"{path.name} is no xlsx workbook ({error}). Give an .xlsx or .xlsm file."
        ) from error


def _extra_fields(extra: bytes) -> list[tuple[int, bytes]]:
    fields: list[tuple[int, bytes]] = []
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, at)
        fields.append((kind, extra[at : at + 4 + size]))
        at += 4 + size
    return fields


def _without_zip64(extra: bytes) -> bytes:
    return b"".join(raw for kind, raw in _extra_fields(extra) if kind != 1)


def _zip64_offset_at(central: bytes) -> int:
    """Where in a central header the 64-bit offset stands; only for headers that have one."""
    head = _CENTRAL.unpack_from(central)
    at = _CENTRAL.size + head[10]
    for kind, raw in _extra_fields(central[at : at + head[11]]):
        if kind == 1:
            # The field holds only those of size, packed size and offset that are all ones above.
            return int(at + 4 + 8 * ((head[9] == _NO_32) + (head[8] == _NO_32)))
        at += len(raw)
    raise BadInput("The zip directory names a 64-bit position and does not give it.")


def _offset_of(central: bytes) -> int:
    offset = int(_CENTRAL.unpack_from(central)[16])
    if offset == _NO_32:
        offset = int(struct.unpack_from("<Q", central, _zip64_offset_at(central))[0])
    return offset


def _with_offset(central: bytes, offset: int, path: Path) -> bytes:
    patched = bytearray(central)
    if _CENTRAL.unpack_from(central)[16] == _NO_32:
        struct.pack_into("<Q", patched, _zip64_offset_at(central), offset)
    else:
        _check_32(offset, path)
        struct.pack_into("<L", patched, 42, offset)
    return bytes(patched)


def _moved_tail(tail: bytes, start: int, size: int, path: Path) -> bytes:
    """The end records with the new place and size of the directory."""
    patched = bytearray(tail)
    at = 0
    if tail[:4] == b"PK\6\6":
        record = list(_END64.unpack_from(tail))
        record[8], record[9] = size, start
        _END64.pack_into(patched, 0, *record)
        at = 12 + record[1]
        locator = list(_LOCATOR64.unpack_from(tail, at))
        locator[2] = start + size
        _LOCATOR64.pack_into(patched, at, *locator)
        at += _LOCATOR64.size
    end = list(_END.unpack_from(tail, at))
    if end[0] != b"PK\5\6":
        raise BadInput(f"{path.name} has no proper end of its zip directory.")
    if end[5] != _NO_32:
        _check_32(size, path)
        end[5] = size
    if end[6] != _NO_32:
        _check_32(start, path)
        end[6] = start
    _END.pack_into(patched, at, *end)
    return bytes(patched)


def _check_32(value: int, path: Path) -> None:
    if value >= _NO_32:
        raise BadInput(f"{path.name} would grow beyond 4 GiB, which an xlsx cannot hold.")
