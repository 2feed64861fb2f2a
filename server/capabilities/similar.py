"""SIMILAR: a lookup by meaning, exact matches first."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from server.capabilities.base import Outcome, column_of, knowledge_in
from server.capabilities.naming import NAMING
from server.capabilities.reading import ReadingCapability, read_texts, texts_of
from server.models.scale import scale_of
from server.semantics.nearest import Lookup
from server.semantics.recent import Recent
from server.settings import Settings
from udfs.errors import BadInput, CellError, NotReady, ShopsheetError, short
from udfs.kinds import number_text

MOST_COORDINATES = 60_000_000  # of the lookups in memory: 240 MB
DECIMALS = 4
COLUMN = "column"  # what `resolve` adds to the arguments


@dataclass(frozen=True)
class Column:
    """lookup_array as one column: its cells, the text of each and what stands beside it.

    `read`: the texts as they are compared, the shop's names put for their synonyms.
    """

    cells: list[Any]
    texts: tuple[str | None, ...]
    read: tuple[str | None, ...]
    values: list[Any]


class Similar(ReadingCapability):
    """Values beside the texts nearest in meaning.

    Columns that were looked up in lately stay in memory as one matrix; without it the answers
    would be the same.
    """

    name = "similar"
    knows = NAMING

    def __init__(self) -> None:
        self._lookups: Recent[Lookup] = Recent(MOST_COORDINATES, lambda lookup: lookup.size)

    def resolve(self, args: Mapping[str, Any], settings: Settings) -> Mapping[str, Any]:
        """The arguments, with the column that they name: it is long, so it is made once a call."""
        cells = column_of(args["lookup_array"], "lookup_array")
        texts = tuple(texts_of([cells]))
        column = Column(cells, texts, tuple(_read_as(args, texts)), _values(args, cells))
        return {**args, COLUMN: column}

    def prepare(self, args: Mapping[str, Any]) -> list[str | None]:
        return _read_as(args, texts_of(args["lookup_text"]))

    def further(
        self, model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome]
    ) -> Sequence[str]:
        column = args[COLUMN]
        if _key(model, args, column) in self._lookups:
            return ()
        return [text for text in column.read if text is not None]

    def answer(
        self, model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome]
    ) -> list[list[Any]]:
        column, count = args[COLUMN], args["top_n"]
        grid = args["lookup_text"]
        cells = list(chain.from_iterable(grid))
        asked = len(cells)
        lookup = self._lookup(model, args, outcomes[asked:])
        readings, places = read_texts(model, outcomes[:asked])
        own = [cells[place].strip() for place in places]
        found = lookup.find(_read_as(args, own), readings.vectors, count, own)
        scale = scale_of(model)
        answers: list[list[Any]] = []
        for cell, outcome in zip(cells, outcomes[:asked], strict=True):
            if isinstance(outcome, bytes):
                near = next(found)
                scores = scale.score([cosine for _, cosine in near], cell).tolist()
                scored = [(row, score) for (row, _), score in zip(near, scores, strict=True)]
                shown = _show(scored, column, args)
            elif isinstance(outcome, ShopsheetError):
                shown = [outcome.to_cell()] * count
            else:
                shown = [cell if isinstance(cell, CellError) else ""] * count
            answers.append(shown)
        if count > 1:
            return answers
        width = len(grid[0])
        flat = [row[0] for row in answers]
        return [flat[start : start + width] for start in range(0, len(flat), width)]

    def _lookup(self, model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome]) -> Lookup:
        """The column as a matrix: from memory, or from what was read of its texts."""
        column = args[COLUMN]

        def make() -> Lookup:
            rows = [row for row, text in enumerate(column.texts) if text is not None]
            if len(outcomes) != len(rows):  # it went from memory since `further` saw it there
                raise NotReady("Too many columns are looked up in at once. Try again.")
            readings, places = read_texts(model, outcomes)
            read = [rows[place] for place in places]
            return Lookup(column.read, read, readings.vectors, column.texts)

        if any(isinstance(outcome, ShopsheetError) for outcome in outcomes):
            return make()  # a text that could not be read may be readable the next time
        return self._lookups.get(_key(model, args, column), make)


def _read_as(args: Mapping[str, Any], texts: Sequence[str | None]) -> list[Any]:
    """The texts as they are compared: the shop's names put for their synonyms."""
    names = knowledge_in(args).names
    return [text and names.replace(text) for text in texts] if names else list(texts)


def _key(model: Any, args: Mapping[str, Any], column: Column) -> Hashable:
    return model.version, model.backend, knowledge_in(args).names.version, column.texts


def _values(args: Mapping[str, Any], column: Sequence[Any]) -> list[Any]:
    """What to answer with, per row of the column."""
    if args["return_array"] is None:
        return list(column)
    values = column_of(args["return_array"], "return_array")
    if len(values) != len(column):
        raise BadInput(
            f"return_array has {len(values):,} cells and lookup_array {len(column):,}; expected as "
            "many of each. Select the same rows in both."
        )
    return values


def _show(found: Sequence[tuple[int, float]], column: Column, args: Mapping[str, Any]) -> list[Any]:
    least, count = args["min_score"], args["top_n"]
    near = [column.values[row] for row, score in found if round(score, DECIMALS) >= least]
    if not near:
        near = [_not_found(found, column.cells, least, args["if_not_found"])]
    shown = ["" if value is None else value for value in near]
    return shown + [""] * (count - len(shown))


def _not_found(
    found: Sequence[tuple[int, float]], column: Sequence[Any], least: float, instead: Any
) -> Any:
    if instead is not None:
        return instead
    if not found:
        return CellError("#N/A", "lookup_array holds no text")
    row, score = found[0]
    return CellError(
        "#N/A",
        f"the nearest is {short(column[row])}, whose score {number_text(round(score, DECIMALS))} "
        f"is below min_score {number_text(least)}",
    )
