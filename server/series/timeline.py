"""Rows of times and values to a regular series: its calendar, its seasons, its gaps filled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from udfs.errors import OutOfRange
from udfs.kinds import DAY_ZERO

DAY_S = 86_400
PLAIN_NUMBERS_BELOW = 10_000.0  # 1, 2, 3 ... or 2021, 2022: no dates before May 1927 are meant
MOST_MISSING = 0.3  # of the steps, as Excel's FORECAST.ETS
NOWHERE = np.iinfo(np.int64).min
_DAY_ZERO = np.datetime64(DAY_ZERO, "D")
_SEASONS = {"weekday": (5, 261), "day": (7, 365), "week": (52,)}
_HORIZONS = {"weekday": 20, "day": 28, "week": 13, "month": 12, "quarter": 8, "year": 4}


@dataclass(frozen=True)
class Calendar:
    """Equal steps in time. `at` gives the sheet's day number of a step, `step_of` the reverse.

    unit: what a step is called: minute, hour, day, weekday, week, month, quarter, year or step.
    Months count `every` months from `start` (months since 1970); weekdays count Monday to Friday;
    all others count `every` seconds from `start` (seconds since day 0).
    """

    unit: str
    start: int
    every: int
    month_day: int = 1  # 31: the last day of the month

    @property
    def counts_months(self) -> bool:
        return self.unit in ("month", "quarter", "year") and self.month_day > 0

    def step_of(self, times: np.ndarray) -> np.ndarray:
        """The step of each time, counted from the start; only for times on the calendar."""
        if self.counts_months:
            return np.asarray((_months(times) - self.start) // self.every)
        if self.unit == "weekday":
            start = _DAY_ZERO + self.start // DAY_S
            return np.asarray(np.busday_count(start, _DAY_ZERO + _seconds(times) // DAY_S))
        return (_seconds(times) - self.start) // self.every

    def at(self, steps: np.ndarray) -> np.ndarray:
        """The sheet's day number of each step, as float."""
        steps = np.asarray(steps, dtype=np.int64)
        if self.counts_months:
            months = (self.start + steps * self.every).astype("datetime64[M]")
            first = months.astype("datetime64[D]")
            length = ((months + 1).astype("datetime64[D]") - first).astype(np.int64)
            day = first + np.minimum(self.month_day, length) - 1
            return np.asarray((day - _DAY_ZERO).astype(np.float64))
        if self.unit == "weekday":
            start = _DAY_ZERO + self.start // DAY_S
            days = np.busday_offset(start, steps, roll="forward")
            return (days - _DAY_ZERO).astype(np.float64)
        seconds = self.start + steps * self.every
        return np.where(seconds % DAY_S == 0, seconds // DAY_S, seconds / DAY_S).astype(np.float64)

    @property
    def seasons(self) -> tuple[int, ...]:
        """Steps per cycle of each season that such a calendar may have, the shortest first."""
        if self.counts_months:
            return (12 // self.every,) if 12 % self.every == 0 and self.every < 12 else ()
        if self.unit in _SEASONS:
            return _SEASONS[self.unit]
        cycles = () if self.unit == "step" else (DAY_S, 7 * DAY_S)
        found = (cycle // self.every for cycle in cycles if cycle % self.every == 0)
        return tuple(length for length in found if length > 1)

    @property
    def horizon(self) -> int:
        """How many steps ahead are forecast unless somebody says."""
        return _HORIZONS.get(self.unit, 48 if self.unit in ("hour", "minute") else 12)


@dataclass(frozen=True)
class Series:
    """A regular series. values: (steps,), nan where there was none; known: whether it was given.

    rows: per row of the data the step it belongs to, NOWHERE where its time is missing; before 0
    and after the last where there is a time and no value.
    """

    calendar: Calendar
    values: np.ndarray
    known: np.ndarray
    rows: np.ndarray

    @property
    def times(self) -> np.ndarray:
        return self.calendar.at(np.arange(len(self.values)))


def read_series(times: Sequence[float | None], values: Sequence[float | None]) -> Series:
    """The series that these rows hold, in any order; rows of one time are averaged.

    Steps without a value are filled: from the line between their neighbours and the season.
    Raises: OutOfRange if there is no value, no constant step, or too much is missing.
    """
    when = np.array([math.nan if t is None else t for t in times], dtype=np.float64)
    value = np.array([math.nan if v is None else v for v in values], dtype=np.float64)
    used = np.isfinite(when) & np.isfinite(value)
    if not used.any():
        raise OutOfRange(
            f"None of the {len(when):,} rows has a time and a number; expected at least one that "
            "has both. Check which columns were selected."
        )
    timed = np.isfinite(when)
    calendar = find_calendar(np.unique(when[timed]))
    rows = np.full(len(when), NOWHERE, dtype=np.int64)
    rows[timed] = calendar.step_of(when[timed])
    steps = rows[used]
    first, last = int(steps.min()), int(steps.max())
    count = np.bincount(steps - first, minlength=last - first + 1)
    total = np.bincount(steps - first, weights=value[used], minlength=last - first + 1)
    known = count > 0
    missing = 1 - known.mean()
    if missing > MOST_MISSING:
        raise OutOfRange(
            f"{missing:.0%} of the {len(known):,} steps ({calendar.unit}s) have no value; at most "
            f"{MOST_MISSING:.0%} can be filled. Give every {calendar.unit}, with 0 where nothing "
            "was sold, or sum the data to longer steps."
        )
    shifted = Calendar(
        calendar.unit,
        calendar.start + _shift(calendar, first),
        calendar.every,
        calendar.month_day,
    )
    with np.errstate(invalid="ignore"):
        mean = np.where(known, total / np.maximum(count, 1), np.nan)
    rows[timed] -= first
    seasons = shifted.seasons
    return Series(shifted, fill(mean, seasons[0] if seasons else 1), known, rows)


def _shift(calendar: Calendar, first: int) -> int:
    """How far the start moves when `first` becomes step 0."""
    if calendar.unit == "weekday":
        start = _DAY_ZERO + calendar.start // DAY_S
        moved = np.busday_offset(start, first, roll="forward")
        return int((moved - start).astype(np.int64)) * DAY_S
    return first * calendar.every


def fill(values: np.ndarray, season: int) -> np.ndarray:
    """The values with gaps filled from the line between neighbours, and the season if it repeats.

    Counts stay what they are: where everything is above or at 0, nothing below is filled in.
    """
    known = np.isfinite(values)
    if known.all():
        return values
    steps = np.arange(len(values))
    filled = np.interp(steps, steps[known], values[known])
    if season > 1 and known.sum() >= 3 * season:
        smooth = _centred_mean(filled, season)
        apart = np.where(known, values - smooth, np.nan)
        profile = np.array(
            [
                np.nanmean(part) if np.isfinite(part).any() else 0.0
                for part in _phases(apart, season)
            ]
        )
        gaps = ~known
        filled[gaps] = smooth[gaps] + profile[steps[gaps] % season]
    return np.asarray(np.maximum(filled, 0.0)) if values[known].min() >= 0 else filled


def _phases(values: np.ndarray, season: int) -> list[np.ndarray]:
    return [values[phase::season] for phase in range(season)]


def _centred_mean(values: np.ndarray, width: int) -> np.ndarray:
    """The mean of the `width` values around each, fewer at the ends."""
    half = width // 2
    sums = np.concatenate(([0.0], np.cumsum(values)))
    lo = np.maximum(np.arange(len(values)) - half, 0)
    hi = np.minimum(np.arange(len(values)) + half + 1, len(values))
    return np.asarray((sums[hi] - sums[lo]) / (hi - lo))


def find_calendar(times: np.ndarray) -> Calendar:
    """The calendar on which these times lie; they are sorted and different.

    Raises: OutOfRange if they have no constant step.
    """
    seconds = _seconds(times)
    if len(times) == 1:
        return Calendar("day", int(seconds[0]), DAY_S)
    plain = bool((np.abs(times) < PLAIN_NUMBERS_BELOW).all())
    whole_days = bool((seconds % DAY_S == 0).all())
    if not plain and whole_days:
        found = _by_months(times) or _by_weekdays(seconds)
        if found:
            return found
    gaps = np.diff(seconds)
    step = _usual(gaps)
    off = np.flatnonzero((seconds - seconds[0]) % step != 0)
    if len(off):
        step = reduce(math.gcd, gaps.tolist())
    if (seconds[-1] - seconds[0]) // step + 1 > len(times) / (1 - MOST_MISSING) + 2 and len(off):
        raise OutOfRange(
            f"The times have no constant step: most are {_span(_usual(gaps), plain)} apart, but "
            f"{_shown(seconds[off[0]], plain)} is not. Expected every day, week, month or the like."
        )
    return Calendar("step" if plain else _unit(step), int(seconds[0]), int(step))


def _by_months(times: np.ndarray) -> Calendar | None:
    """The calendar of times that stand once a month, or every few months, on one day of it."""
    days = _DAY_ZERO + times.astype(np.int64)
    months = days.astype("datetime64[M]")
    number = months.astype(np.int64)
    gaps = np.diff(number)
    if (gaps < 1).any():
        return None
    first = months.astype("datetime64[D]")
    day = (days - first).astype(np.int64) + 1
    length = ((months + 1).astype("datetime64[D]") - first).astype(np.int64)
    anchor = 31 if (day == length).all() else int(day.max())
    same_day = bool((day == np.minimum(anchor, length)).all())
    # Month ends that fall on a weekend are often moved: still a month apart.
    monthly = bool((np.abs(np.diff(times.astype(np.int64)) / gaps - 30.44) < 4.5).all())
    if not same_day and not (monthly and len(times) >= 4):
        return None
    if not same_day:
        anchor = 31 if np.median(length - day) <= 3 else int(np.median(day))
    every = reduce(math.gcd, gaps.tolist())
    unit = {1: "month", 3: "quarter", 12: "year"}.get(every, "month")
    return Calendar(unit, int(number[0]), every, anchor)


def _by_weekdays(seconds: np.ndarray) -> Calendar | None:
    days = seconds // DAY_S
    weekend = (days - 2 + 7) % 7 >= 5  # day 2 of the sheet, 1 January 1900, was a Monday
    gaps = np.diff(days)
    if weekend.any() or len(days) < 10 or _usual(gaps) != 1:
        return None
    return Calendar("weekday", int(seconds[0]), DAY_S)


def _months(times: np.ndarray) -> np.ndarray:
    days = _DAY_ZERO + np.floor(times).astype(np.int64)
    return np.asarray(days.astype("datetime64[M]").astype(np.int64))


def _seconds(times: np.ndarray) -> np.ndarray:
    return np.rint(np.asarray(times, dtype=np.float64) * DAY_S).astype(np.int64)


def _usual(gaps: np.ndarray) -> int:
    """The most frequent gap, the shortest of equals."""
    sizes, counts = np.unique(gaps, return_counts=True)
    return int(sizes[np.argmax(counts)])


def _unit(step: int) -> str:
    if step % (7 * DAY_S) == 0:
        return "week" if step == 7 * DAY_S else "step"
    if step == DAY_S:
        return "day"
    if step == 3600:
        return "hour"
    return "minute" if step < DAY_S else "step"


def _span(seconds: int, plain: bool) -> str:
    if plain or seconds % DAY_S:
        return f"{seconds / DAY_S:g}" if plain else f"{seconds / 3600:g} hours"
    days = seconds // DAY_S
    return "1 day" if days == 1 else f"{days:,} days"


def _shown(seconds: int, plain: bool) -> str:
    if plain:
        return f"{seconds / DAY_S:g}"
    moment = _DAY_ZERO.astype("datetime64[s]") + np.timedelta64(int(seconds), "s")
    return str(moment).replace("T", " ").removesuffix(" 00:00:00")
