"""Labelled rows of a worksheet: which can be learnt from, and which are held out to measure."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from server.models.normalise import normalise
from udfs.errors import BadInput, CellError, short
from udfs.kinds import Texts, number_text

HELD_OUT = 0.2  # of the rows
LEAST_ROWS = 20  # different texts of each label
LEAST_HELD_OUT = 3  # of each label: they come from the front of its order by hash
MOST_ROWS = 20_000  # more teach a small head little and take minutes
SHOWN = 8  # labels that a message names


@dataclass(frozen=True)
class LabelledRow:
    """A text and what its owner says of it: {"": label}, or a polarity for each aspect.

    A polarity is None where the owner says only that the aspect is mentioned.
    """

    text: str
    answers: Mapping[str, str | None]

    @property
    def labels(self) -> tuple[str, ...]:
        """What must occur often enough to be learnt: the label, or the aspects."""
        if "" in self.answers:
            return (str(self.answers[""]),)
        return tuple(sorted(self.answers))


@dataclass(frozen=True)
class Labelled:
    """Rows to learn from, in an order that is not the file's, and notes for a person."""

    rows: tuple[LabelledRow, ...]
    notes: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Hash of the rows: the same rows in any order have the same."""
        lines = json.dumps([[row.text, sorted(row.answers.items())] for row in self.rows])
        return hashlib.sha256(lines.encode("utf-8")).hexdigest()[:16]

    def counts(self) -> Counter[str]:
        """Rows of each label, or that mention each aspect."""
        return Counter(label for row in self.rows for label in row.labels)


def text_of(cell: Any) -> str | None:
    """The text of a cell without spaces around it; None where it holds none or is too long."""
    plain = isinstance(cell, str) or cell is None
    [[parsed]] = Texts().parse([[cell if plain else label_of(cell)]], "text")
    return parsed.strip() or None if isinstance(parsed, str) else None


def label_of(cell: Any) -> str | None:
    """A label as the sheet shows it; None where the cell is empty or holds an error."""
    if cell is None or isinstance(cell, CellError):
        return None
    if isinstance(cell, float) and cell != cell:
        return None
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return number_text(cell)
    return str(cell).strip() or None


def gather(pairs: Sequence[tuple[str, Mapping[str, str | None]]]) -> Labelled:
    """One row per text. Texts that are labelled in two ways teach nothing and are left out.

    `pairs` are (text, answers); the same text with more aspects adds to its answers, and an aspect
    that is judged both ways is mixed.
    """
    found: dict[str, tuple[str, dict[str, str | None]]] = {}
    doubted: set[str] = set()
    for text, answers in pairs:
        key = key_of(text)
        first, known = found.setdefault(key, (text, {}))
        found[key] = (min(first, text), known)
        for aspect, label in answers.items():
            before = known.get(aspect) or label
            if before != label is not None:
                doubted |= {key} if aspect == "" else set()
                label = "mixed"
            known[aspect] = label or before
    kept = [LabelledRow(*found[key]) for key in sorted(found) if key not in doubted]
    notes = []
    if doubted:
        notes.append(f"{len(doubted):,} texts that have two different labels were left out.")
    if len(kept) > MOST_ROWS:
        notes.append(f"{MOST_ROWS:,} of {len(kept):,} different texts were taken.")
        kept = kept[:MOST_ROWS]  # they are in order of their hashes, so this is a sample
    return Labelled(tuple(kept), tuple(notes))


def key_of(text: str) -> str:
    """Hash of what a text says: spaces, capitals and signs of formatting do not count."""
    plain = " ".join(normalise(text).casefold().split())
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()


def check_enough(data: Labelled, what: str, least: int = LEAST_ROWS) -> None:
    """Nothing. Raises: BadInput telling how many more rows of which labels are needed."""
    counts = data.counts()
    if not counts:
        raise BadInput(f"No row has both a text and {what}.")
    lacking = sorted((one for one in counts.items() if one[1] < least), key=lambda one: -one[1])
    if lacking:
        wanted = [f"{least - count} more rows of {short(label)}" for label, count in lacking]
        more = f" (and of {len(wanted) - SHOWN} others)" if len(wanted) > SHOWN else ""
        raise BadInput(
            f"{', '.join(wanted[:SHOWN])}{more} are needed: each {what} must stand beside at least "
            f"{least} different texts. Add rows, or leave the rare ones out with --skip-rare."
        )


def without_rare(data: Labelled, least: int = LEAST_ROWS) -> Labelled:
    """The rows without labels that too few of them have."""
    rare = {label for label, count in data.counts().items() if count < least}
    if not rare:
        return data
    rows = []
    for row in data.rows:
        if "" in row.answers:
            rows += [] if row.answers[""] in rare else [row]
        else:
            left = {name: label for name, label in row.answers.items() if name not in rare}
            rows.append(LabelledRow(row.text, left))
    names = sorted(rare)
    listed = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
    return Labelled(tuple(rows), (*data.notes, f"Left out as too rare: {listed}."))


def held_out(rows: Sequence[LabelledRow]) -> np.ndarray:
    """Which rows are held out, shape (rows,) bool: decided by their texts alone.

    A text that is held out once is held out of every longer file too, so that a new version and
    the one before are measured on rows that neither has learnt.
    """
    # Not the front of the hash, by which the rows are in order and cut.
    keys = [key_of(row.text)[16:] for row in rows]
    chosen = np.array([int(key[:8], 16) < HELD_OUT * 16**8 for key in keys], dtype=bool)
    for label in {label for row in rows for label in row.labels}:
        of_label = [place for place, row in enumerate(rows) if label in row.labels]
        first = sorted(of_label, key=lambda place: keys[place])[:LEAST_HELD_OUT]
        chosen[first] = True
    return chosen


def to_lines(rows: Sequence[LabelledRow]) -> str:
    """The rows as JSON lines, to be kept beside the model that learnt them."""
    return "".join(
        json.dumps({"text": row.text, "answers": dict(row.answers)}, ensure_ascii=False) + "\n"
        for row in rows
    )


def from_lines(lines: str) -> Labelled:
    """The rows that `to_lines` wrote."""
    read = (json.loads(line) for line in lines.split("\n") if line)
    return Labelled(tuple(LabelledRow(one["text"], one["answers"]) for one in read))
