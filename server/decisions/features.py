"""Columns as factors: numbers in bins, dates by weekday and month, rare values joined."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from server.decisions.columns import (
    MOSTLY,
    Column,
    as_date,
    is_filled,
    key_of,
    name_of,
    value_of,
    yes_or_no,
)
from server.decisions.words import plain
from udfs.kinds import DAY_ZERO, Cell

MOST_LEVELS = 20
FEW_NUMBERS = 6  # different numbers that stay as they are
MANY_ZEROS = 0.3
LEAK_BINS = 20
FEWEST_ROWS = 20
FEWEST_OF_FEW = 8  # where there are fewer than 400 rows
_DATE_NAME = re.compile(r"date|day|time|month|日期|时间|日$", re.I)
_SERIALS = (20_000, 80_000)  # 1954 to 2119
_TEXT_CHARS, _TEXT_WORDS = 15, 2.5
_HAN = re.compile("[\u4e00-\u9fff]")
_WEEKDAYS = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "zh": ("星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"),
}
_MONTHS = {
    "en": ("January", "February", "March", "April", "May", "June", "July", "August", "September",
           "October", "November", "December"),
    "zh": tuple(f"{month}月" for month in range(1, 13)),
}  # fmt: skip
_SAYS = {
    "en": {"is": "{name} is {value}", "to": "{name} up to {hi}", "over": "{name} over {lo}",
           "between": "{name} over {lo} up to {hi}", "zero": "{name} is 0",
           "some": "{name} above 0",
           "some to": "{name} above 0 up to {hi}", "blank": "{name} is blank",
           "other": "{name} is anything else", "on": "{name} on a {value}",
           "in": "{name} in {value}"},
    "zh": {"is": "{name}为{value}", "to": "{name}不超过 {hi}", "over": "{name}高于 {lo}",
           "between": "{name}高于 {lo} 至 {hi}", "zero": "{name}为 0", "some": "{name}大于 0",
           "some to": "{name}大于 0 至 {hi}", "blank": "{name}为空", "other": "{name}为其他值",
           "on": "{name}在{value}", "in": "{name}在{value}"},
}  # fmt: skip


@dataclass(frozen=True)
class Level:
    """The rows of one value or bin of a feature. `joined`: put together of rare ones, or blank."""

    words: str
    rows: np.ndarray
    joined: bool = False


@dataclass(frozen=True)
class Feature:
    """A column, or what a text mentions: levels of which each row has one.

    fine: per row a finer level, by which one sees whether the column gives the target away.
    """

    name: str
    levels: tuple[Level, ...]
    fine: np.ndarray

    @cached_property
    def level_of_row(self) -> np.ndarray:
        """The number of each row's level."""
        place: np.ndarray = np.argmax([level.rows for level in self.levels], axis=0)
        return place

    @property
    def candidates(self) -> tuple[Level, ...]:
        """The levels to speak of: of two the second alone, for the first is its opposite."""
        return self.levels[1:] if len(self.levels) == 2 else self.levels


def fewest_rows(rows: int) -> int:
    """How many rows a level must have, of so many."""
    return max(FEWEST_OF_FEW, min(FEWEST_ROWS, rows // 20))


def is_text_column(column: Column) -> bool:
    """Whether these are texts to be read, rather than names of something."""
    texts = [cell.strip() for cell in column.cells if isinstance(cell, str) and cell.strip()]
    filled = sum(is_filled(cell) for cell in column.cells)
    if not texts or len(texts) < MOSTLY * filled or 2 * len(set(texts)) < len(texts):
        return False
    length = sum(len(text) + 2 * len(_HAN.findall(text)) for text in texts) / len(texts)
    words = sum(len(text.split()) + len(_HAN.findall(text)) / 2 for text in texts) / len(texts)
    return length >= _TEXT_CHARS and words >= _TEXT_WORDS


def features_of(column: Column, name: str, lang: str) -> list[Feature]:
    """What a column says of each row; nothing where it names each row or is the same in all."""
    filled = [cell for cell in column.cells if is_filled(cell)]
    days = _days(column)
    if days is not None:
        found = [_by_calendar(days, name, lang, part) for part in ("on", "in")]
        return [feature for feature in found if feature is not None]
    numbers = [value_of(cell) for cell in filled]
    whole = filled and not isinstance(filled[0], bool)
    if whole and all(n is not None for n in numbers) and len(set(numbers)) > FEW_NUMBERS:
        values = [value_of(cell) if is_filled(cell) else None for cell in column.cells]
        feature = _by_size(np.array([np.nan if v is None else v for v in values]), name, lang)
    else:
        feature = _by_name(column.cells, name, lang)
    return [] if feature is None else [feature]


def _days(column: Column) -> list[datetime.date | None] | None:
    """The dates of a column of dates, None if it is none; a sheet holds dates as numbers."""
    found: list[datetime.date | None] = []
    for cell in column.cells:
        day = as_date(cell)
        number = None if day else value_of(cell)
        if number is not None and _SERIALS[0] <= number <= _SERIALS[1]:
            if not _DATE_NAME.search(column.name):
                return None
            day = DAY_ZERO + datetime.timedelta(days=int(number))
        if day is None and is_filled(cell):
            return None
        found.append(day)
    return found if any(found) else None


def _by_calendar(
    days: Sequence[datetime.date | None], name: str, lang: str, part: str
) -> Feature | None:
    names = _WEEKDAYS[lang] if part == "on" else _MONTHS[lang]
    values: list[Cell] = [
        None if day is None else names[day.weekday() if part == "on" else day.month - 1]
        for day in days
    ]
    return _by_name(values, name, lang, part)


def _by_name(cells: Sequence[Cell], name: str, lang: str, say: str = "is") -> Feature | None:
    """A level for each value; rare ones together."""
    says = _SAYS[lang]
    keys = [key_of(cell) if is_filled(cell) else "" for cell in cells]
    counts = Counter(keys)
    least = fewest_rows(len(keys))
    kept = [key for key, rows in counts.most_common(MOST_LEVELS) if rows >= least and key]
    if len(counts) > 2 and not kept:
        return None  # it names each row
    shown = {key_of(cell): name_of(cell) for cell in reversed(cells) if is_filled(cell)}
    column = np.array(keys, dtype=object)
    levels = [Level(says[say].format(name=name, value=shown[key]), column == key) for key in kept]
    meaning = yes_or_no(kept) if len(kept) == 2 else None
    if meaning and meaning[kept[0]]:  # yes is the level to speak of
        levels.reverse()
    blank, rest = column == "", ~np.isin(column, [*kept, ""])
    if rest.any():
        levels.append(Level(says["other"].format(name=name), rest, joined=True))
    return _feature(
        name, levels, blank, says, np.unique(column.astype(str), return_inverse=True)[1]
    )


def _by_size(values: np.ndarray, name: str, lang: str) -> Feature | None:
    """Quarters between round numbers; 0 for itself where it is common."""
    says = _SAYS[lang]
    known = np.isfinite(values)
    zeros = bool(np.mean(values[known] == 0) > MANY_ZEROS and values[known].min() == 0)
    sized = known & (values != 0) if zeros else known
    cuts = _round_cuts(values[sized], 3 if zeros else 4)
    group = np.searchsorted(cuts, values, side="left")
    levels = [Level(says["zero"].format(name=name), values == 0)] if zeros else []
    for number in range(len(cuts) + 1):
        lo = plain(cuts[number - 1]) if number else ""
        hi = plain(cuts[number]) if number < len(cuts) else ""
        if not number:
            key = ("some to" if hi else "some") if zeros else "to"
        else:
            key = "between" if hi else "over"
        words = says[key].format(name=name, lo=lo, hi=hi)
        levels.append(Level(words, sized & (group == number)))
    levels = [level for level in levels if level.rows.any()]
    edges = np.unique(np.quantile(values[known], np.arange(1, LEAK_BINS) / LEAK_BINS))
    fine = np.where(known, np.searchsorted(edges, values, side="left"), len(edges) + 1)
    return _feature(name, levels, ~known, says, fine)


def _feature(
    name: str, levels: list[Level], blank: np.ndarray, says: dict[str, str], fine: np.ndarray
) -> Feature | None:
    if blank.any():
        levels.append(Level(says["blank"].format(name=name), blank, joined=True))
    return Feature(name, tuple(levels), fine) if len(levels) > 1 else None


def _round_cuts(values: np.ndarray, parts: int) -> np.ndarray:
    """The numbers that part the values about evenly, as round as the data allow."""
    cuts = []
    for cut in np.quantile(values, np.arange(1, parts) / parts):
        near = values[np.abs(values - cut) <= 0.05 * (values.max() - values.min())]
        digits = 1
        while digits < 4:
            rounded = _rounded(float(cut), digits)
            share = np.mean(values <= rounded)
            if abs(share - np.mean(values <= cut)) <= 0.08 and len(near):
                break
            digits += 1
        cuts.append(rounded if digits < 4 else float(cut))
    found = np.unique(cuts)
    inside: np.ndarray = found[(found >= values.min()) & (found < values.max())]
    return inside


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")
