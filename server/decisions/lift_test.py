"""LIFT_TEST: what a campaign, or a version, changed beside its control; by segment; in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from server.decisions.arms import (
    SUSPICIOUS,
    Arms,
    balance_check,
    read_arms,
    split_check,
    treated_name,
)
from server.decisions.columns import (
    Sheet,
    is_chinese,
    is_filled,
    key_of,
    name_of,
    read_sheet,
    unique,
    value_of,
    yes_or_no,
)
from server.decisions.comparing import Comparison, adjusted, compare, family_weights
from server.decisions.lift_words import CLAIM, LiftWords
from server.decisions.segments import Qini, Segments, qini, read_segments
from server.decisions.words import language
from udfs.catalogue_deciding import LIFT_COLUMNS
from udfs.errors import BadInput, OutOfRange, short
from udfs.kinds import Cell, from_wire

DIGITS = 6
_NAMES = {
    "en": {"all": "all", "ranking": "ranking", "check": "check"},
    "zh": {"all": "全部", "ranking": "排序", "check": "检查"},
}


@dataclass(frozen=True)
class _Test:
    """The rows that can be used: the outcome's value, the arm's number, the segment.

    left: rows without outcome, rows without arm.
    """

    values: np.ndarray
    arm: np.ndarray
    segments: Segments | None
    arms: tuple[str, ...]
    binary: bool
    lang: str
    left: tuple[int, int]

    @property
    def sizes(self) -> list[int]:
        return [int(n) for n in np.bincount(self.arm, minlength=len(self.arms))]


@dataclass(frozen=True)
class _Line:
    """Something that is claimed or not: of which segment ("" of all), which arm, what was found."""

    segment: str
    arm: str
    found: Comparison | Qini


def lift_test(outcome: Any, treated: Any, segment: Any = None) -> list[list[Any]]:
    """The table of LIFT_TEST, headings first; the arguments are grids as the wire holds them.

    Raises: BadInput if the columns cannot be read so, OutOfRange if there are too few rows.
    """
    given = {"outcome": outcome, "treated": treated, "segment": segment}
    grids = {name: from_wire(grid) for name, grid in given.items() if grid is not None}
    sheet = read_sheet(grids, one_column=grids)
    test = _read(sheet)
    whole = _compared(test, "", np.ones(len(test.values), dtype=bool))
    if not whole:
        sizes = ", ".join(f"{name} {n:,}" for name, n in zip(test.arms, test.sizes, strict=True))
        raise OutOfRange(f"Rows with an outcome: {sizes}. Expected two or more in every arm.")
    parts = _by_segment(test)
    lines = [*whole, *parts]
    weights = family_weights(len(whole), len(parts))
    honest = adjusted([line.found.p for line in lines], weights)
    words = LiftWords(test.lang, sheet.one("outcome").name, test.binary, len(lines))
    sound, checks = _checks(test, words, sheet.first_row == 2)
    worth = {
        line.arm: p < CLAIM and _size(line.found) > 0
        for line, p in zip(whole, honest, strict=False)
    }
    rows = []
    for line, p in zip(lines, honest, strict=True):
        arm = treated_name(line.arm, test.lang)
        if isinstance(line.found, Qini):
            assert test.segments is not None
            said = words.ranking(arm, line.found, p, test.segments.ranked, worth[line.arm])
        else:
            said = words.verdict(arm, line.found, p, sound)
        rows.append(_row(line, p, said, test.lang))
    check = _NAMES[test.lang]["check"]
    rows += [[check, *[""] * 11, said] for said in checks]
    return [list(LIFT_COLUMNS), *rows]


def _read(sheet: Sheet) -> _Test:
    outcome, treated = sheet.one("outcome"), sheet.one("treated")
    arms: Arms = read_arms(treated.cells)
    lang = language(is_chinese([*arms.names, outcome.name]))
    values, binary = _outcome(outcome.cells)
    known, dealt = np.isfinite(values), arms.of_row >= 0
    used = known & dealt
    segments = None
    if "segment" in sheet.columns:
        read = read_segments(sheet.one("segment"), lang)
        segments = Segments(read.names, read.of_row[used], read.ranked)
    left = int(np.sum(dealt & ~known)), int(np.sum(known & ~dealt))
    return _Test(values[used], arms.of_row[used], segments, arms.names, binary, lang, left)


def _outcome(cells: Sequence[Cell]) -> tuple[np.ndarray, bool]:
    """The values, nan where there is none, and whether they are 1 and 0 for yes and no.

    Raises: BadInput if they are neither numbers nor such a pair.
    """
    filled = [cell for cell in cells if is_filled(cell)]
    meaning = yes_or_no(filled) if filled else None
    if meaning is not None:
        values = [float(meaning[key_of(c)]) if is_filled(c) else np.nan for c in cells]
        return np.array(values), True
    numbers = [value_of(cell) if is_filled(cell) else np.nan for cell in cells]
    if not filled or any(number is None for number in numbers):
        strange = [name_of(c) for c in filled if value_of(c) is None]
        found = ", ".join(short(name) for name in unique(strange)[:3]) or "no value"
        raise BadInput(
            f"outcome holds {found}; expected amounts, or 1 and 0, TRUE and FALSE or yes and no."
        )
    return np.array(numbers, dtype=float), False


def _compared(test: _Test, segment: str, rows: np.ndarray) -> list[_Line]:
    """Each arm beside the control, among these rows; nothing of an arm that is hardly there."""
    control = test.values[rows & (test.arm == 0)]
    lines = []
    for number, name in enumerate(test.arms[1:], start=1):
        found = compare(test.values[rows & (test.arm == number)], control, test.binary)
        if found is not None:
            lines.append(_Line(segment, name, found))
    return lines


def _by_segment(test: _Test) -> list[_Line]:
    """Each arm in each segment, the largest uplift first (a score's fifths in its order); then how
    well the segments rank the uplift.
    """
    if test.segments is None:
        return []
    lines: list[_Line] = []
    for number, name in enumerate(test.segments.names):
        lines += _compared(test, name, test.segments.of_row == number)
    order = {name: place for place, name in enumerate(test.arms)}
    if not test.segments.ranked:
        lines.sort(key=lambda line: -_size(line.found))
    lines.sort(key=lambda line: order[line.arm])
    for number, name in enumerate(test.arms[1:], start=1):
        found = qini(test.segments, test.arm == number, test.arm == 0, test.values)
        if found is not None:
            lines.append(_Line(_NAMES[test.lang]["ranking"], name, found))
    return lines


def _size(found: Comparison | Qini) -> float:
    return found.value if isinstance(found, Qini) else found.uplift


def _checks(test: _Test, words: LiftWords, headed: bool) -> tuple[bool, list[str]]:
    """Whether the arms are as a random split makes them; and what was checked, in words."""
    p, plan = split_check(test.sizes)
    said = [words.split(test.sizes, p, plan, p >= SUSPICIOUS)]
    sound = p >= SUSPICIOUS
    if test.segments is not None:
        p = balance_check(test.arm, test.segments.of_row)
        said.append(words.balance(p, p >= SUSPICIOUS))
        sound = sound and p >= SUSPICIOUS
    return sound, [*said, words.left_out(*test.left, headed)]


def _row(line: _Line, p: float, said: str, lang: str) -> list[Any]:
    found, segment = line.found, line.segment or _NAMES[lang]["all"]
    if isinstance(found, Qini):
        middle: list[Any] = ["", "", "", "", found.value, found.lo, found.hi, ""]
    else:
        middle = [
            found.rows, found.mean, found.control_rows, found.control_mean,
            found.uplift, found.lo, found.hi, "" if found.relative is None else found.relative,
        ]  # fmt: skip
    return [segment, line.arm, *map(_rounded, [*middle, found.p, p]), said]


def _rounded(value: Any) -> Any:
    return round(value, DIGITS) + 0.0 if isinstance(value, float) else value
