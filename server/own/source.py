"""Labelled rows out of a table: one label per text, or the aspects that it mentions."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.own.heads import ASPECTS, SENTIMENT
from server.own.polarity_words import read_polarities
from server.own.rows import Labelled, gather, label_of, text_of
from server.tables import Row, Table
from udfs.errors import BadInput
from udfs.kinds import WordList

Pairs = list[tuple[str, Mapping[str, str | None]]]


@dataclass(frozen=True)
class Columns:
    """Names of the columns to read. Of aspects either `aspects` or `aspect` is given."""

    text: str
    label: str = ""
    aspects: tuple[str, ...] = ()
    aspect: str = ""
    polarity: str = ""

    @classmethod
    def of(cls, kind: str, given: Mapping[str, Any]) -> Columns:
        """The columns that these options name. Raises: BadInput if one is missing."""
        wanted = {
            name: str(given.get(name) or "") for name in ("text", "label", "aspect", "polarity")
        }
        aspects = WordList().parse(given.get("aspects"), "aspects") if given.get("aspects") else ()
        columns = cls(**wanted, aspects=aspects)
        if not columns.text:
            raise BadInput("text is missing: the name of the column that holds the texts.")
        if kind == ASPECTS:
            if bool(columns.aspects) == bool(columns.aspect):
                raise BadInput(
                    'Give either aspects (the names of the columns, such as "price;delivery") or '
                    "aspect (the column that names one aspect per row)."
                )
        elif not columns.label:
            raise BadInput("label is missing: the name of the column that holds the labels.")
        return columns


class SheetTable(Table):
    """Rows that came with a request, as a table: the header first."""

    def __init__(self, rows: Sequence[Sequence[Any]], name: str = "the range") -> None:
        self.path = Path(name)
        self.notes = []
        self.columns = [label_of(cell) or "" for cell in rows[0]]
        self._rows = rows[1:]
        self.total = len(self._rows)

    def rows(self) -> Generator[Row, None, None]:
        width = len(self.columns)
        yield from ([*row, *[None] * width][:width] for row in self._rows)


def rows_in(table: Table, kind: str, columns: Columns) -> Labelled:
    """The labelled rows of a table; what is not filled in is left out.

    Raises: BadInput if a column is not there or holds what cannot be read.
    """
    rows = list(table.rows())
    text = table.index_of(columns.text)
    if kind == ASPECTS:
        pairs, note, used = _aspect_pairs(table, rows, text, columns)
    else:
        label = table.index_of(columns.label)
        pairs, note, used = _label_pairs(rows, text, label, kind == SENTIMENT)
    data = gather(pairs)
    notes = [*table.notes, *([note] if note else []), *data.notes]
    empty = len(rows) - used
    if empty:
        notes.append(f"{empty:,} rows that are not filled in were left out.")
    return Labelled(data.rows, tuple(notes))


def _label_pairs(rows: Sequence[Row], text: int, label: int, polar: bool) -> tuple[Pairs, str, int]:
    found = []
    for row in rows:
        words, said = text_of(row[text]), label_of(row[label])
        if words is not None and said is not None:
            found.append((words, said))
    if not polar:
        return [(words, {"": said}) for words, said in found], "", len(found)
    meaning, note = read_polarities(said for _, said in found)
    return [(words, {"": meaning[said]}) for words, said in found], note, len(found)


def _aspect_pairs(
    table: Table, rows: Sequence[Row], text: int, columns: Columns
) -> tuple[Pairs, str, int]:
    """(text, polarity of each aspect); a text without aspects tells something too."""
    found: list[tuple[str, str | None, str | None]] = []
    used = 0
    if columns.aspects:
        places = {name: table.index_of(name) for name in columns.aspects}
        for row in rows:
            if (words := text_of(row[text])) is not None:
                used += 1
                found.append((words, None, None))
                found += [
                    (words, name, said)
                    for name, place in places.items()
                    if (said := label_of(row[place])) is not None
                ]
    else:
        aspect = table.index_of(columns.aspect)
        polarity = table.index_of(columns.polarity) if columns.polarity else None
        for row in rows:
            if (words := text_of(row[text])) is not None:
                used += 1
                said = None if polarity is None else label_of(row[polarity])
                found.append((words, label_of(row[aspect]), said))
    meaning, note = read_polarities(said for _, _, said in found if said is not None)
    pairs: Pairs = [
        (words, {} if aspect is None else {aspect: None if said is None else meaning[said]})
        for words, aspect, said in found
    ]
    return pairs, note, used
