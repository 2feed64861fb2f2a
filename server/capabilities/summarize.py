"""SUMMARIZE: what texts say, in sentences that stand in them, with the rows cited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from server.capabilities.base import Outcome, column_of
from server.capabilities.reading import ReadingCapability, read_texts
from server.models.scale import scale_of
from server.semantics.extract import Quotation, Sentence, summarise
from server.semantics.sentences import is_chinese, most_per_row, sentences
from server.settings import Settings
from server.text.words import words
from udfs.catalogue import SUMMARIZE
from udfs.errors import BadInput, CellError
from udfs.kinds import Cell

MOST_ROWS_CITED = 4
GROUPS, SENTENCES = "groups", "sentences"  # what `resolve` adds to the arguments


class Summarize(ReadingCapability):
    """Quotations of a column, or of each group of its rows. What the encoder reads is sentences.

    A sentence that could not be read is not quoted, and does not spoil the rest.
    """

    name = "summarize"

    def resolve(self, args: Mapping[str, Any], settings: Settings) -> Mapping[str, Any]:
        """The arguments, with the sentences of the texts: cutting takes a while, so once a call."""
        return {**args, GROUPS: _groups(args), SENTENCES: _sentences(args)}

    def prepare(self, args: Mapping[str, Any]) -> list[str | None]:
        return [sentence.text for sentence in args[SENTENCES]]

    def answer(
        self, model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome]
    ) -> list[list[Any]]:
        readings, read = read_texts(model, outcomes)
        positive, negative = model.labels.index("positive"), model.labels.index("negative")
        polarity = readings.probabilities[:, positive] - readings.probabilities[:, negative]
        every = args[SENTENCES]
        of_row: dict[int, list[int]] = {}
        for place, number in enumerate(read):
            of_row.setdefault(every[number].row, []).append(place)

        def summary(rows: Sequence[int]) -> str:
            places = [place for row in rows for place in of_row.get(row, ())]
            quotations = summarise(
                [every[read[place]] for place in places],
                readings.vectors_of(places),
                polarity[places],
                words,
                args["max_words"],
                scale_of(model),
            )
            return _show(quotations)

        groups = args[GROUPS]
        if args["group_by"] is None:
            return [[summary(groups.get("", ()))]]
        rows = [[group, len(rows), summary(rows)] for group, rows in groups.items()]
        return [list(SUMMARIZE.columns(args)), *rows]


def _texts(args: Mapping[str, Any]) -> list[Cell]:
    return column_of(args["texts"], "texts")


def _sentences(args: Mapping[str, Any]) -> list[Sentence]:
    """The sentences of all texts in order; of a very long column the first ones of each."""
    parts = [sentences(text) if isinstance(text, str) else [] for text in _texts(args)]
    most = most_per_row([len(own) for own in parts])
    return [Sentence(part, row) for row, own in enumerate(parts) for part in own[:most]]


def _groups(args: Mapping[str, Any]) -> dict[Cell, list[int]]:
    """Rows with a text, by group in order of first appearance; all in "" without group_by."""
    texts = _texts(args)
    names: list[Cell] = [""] * len(texts)
    if args["group_by"] is not None:
        names = column_of(args["group_by"], "group_by")
        if len(names) != len(texts):
            raise BadInput(
                f"group_by has {len(names):,} cells and texts {len(texts):,}; expected as many of "
                "each. Select the same rows in both."
            )
    groups: dict[Cell, list[int]] = {}
    for row, (text, name) in enumerate(zip(texts, names, strict=True)):
        if isinstance(text, str) and name is not None and not isinstance(name, CellError):
            groups.setdefault(name.strip() if isinstance(name, str) else name, []).append(row)
    return groups


def _show(quotations: Sequence[Quotation]) -> str:
    shown = [f"{quotation.text} [{_rows(quotation.rows)}]" for quotation in quotations]
    chinese = sum(is_chinese(quotation.text) for quotation in quotations)
    return ("；" if 2 * chinese > len(quotations) else "; ").join(shown)


def _rows(rows: Sequence[int]) -> str:
    """Row numbers from 1: the row quoted, then rows that say the same, then how many more."""
    cited = [str(row + 1) for row in rows[:MOST_ROWS_CITED]]
    more = len(rows) - len(cited)
    return ", ".join([*cited, f"+{more}"] if more else cited)
