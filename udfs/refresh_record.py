"""What each of our formulas was last computed from, per workbook: the memory behind `--diff`."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from udfs.client import shopsheet_home

_SCHEMA = """
CREATE TABLE IF NOT EXISTS refreshed (
    workbook TEXT NOT NULL,
    sheet TEXT NOT NULL,
    cell TEXT NOT NULL,
    formula TEXT NOT NULL,
    inputs TEXT NOT NULL,
    options TEXT NOT NULL,
    model TEXT NOT NULL,
    value TEXT NOT NULL,
    refreshed_at TEXT NOT NULL,
    PRIMARY KEY (workbook, sheet, cell)
) WITHOUT ROWID
"""


@dataclass(frozen=True)
class Remembered:
    """One formula as it was last refreshed: hashes of formula, inputs, options and value."""

    sheet: str
    cell: str
    formula: str
    inputs: str
    options: str
    model: str
    value: str


class RefreshRecord:
    """A small SQLite file beside the token; nothing of it goes into the user's workbook."""

    def __init__(self, path: Path | None = None) -> None:
        """`path` defaults to refresh.sqlite3 in `shopsheet_home()`."""
        self._path = path

    @property
    def path(self) -> Path:
        return self._path or shopsheet_home() / "refresh.sqlite3"

    def read(self, workbook: Path) -> dict[tuple[str, str], Remembered]:
        """What is known of a workbook, by sheet and cell; empty if nothing is.

        Raises: sqlite3.Error if the file cannot be read.
        """
        if not self.path.exists():
            return {}
        with closing(self._open()) as connection:
            rows = connection.execute(
                "SELECT sheet, cell, formula, inputs, options, model, value FROM refreshed "
                "WHERE workbook = ?",
                (_key(workbook),),
            )
            found = [Remembered(*row) for row in rows]
        return {(item.sheet, item.cell): item for item in found}

    def write(self, workbook: Path, items: Iterable[Remembered]) -> None:
        """Nothing; all that is known of the workbook are these.

        Raises: sqlite3.Error or OSError if the file cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        key = _key(workbook)
        with closing(self._open()) as connection, connection:
            connection.execute("DELETE FROM refreshed WHERE workbook = ?", (key,))
            connection.executemany(
                "INSERT INTO refreshed VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (
                        key, item.sheet, item.cell, item.formula, item.inputs, item.options,
                        item.model, item.value, now,
                    )
                    for item in items
                ),
            )  # fmt: skip

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=10.0)
        connection.execute(_SCHEMA)
        return connection


def _key(workbook: Path) -> str:
    return os.path.normcase(workbook.resolve())
