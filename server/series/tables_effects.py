"""The answers of ANOMALY and LIFT about one series, as cells of the sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from server.series.anomaly import expect
from server.series.lift import Lift, lift
from server.series.tables import DECIMALS, rounding
from server.series.timeline import DAY_S, Series, fill, read_series
from udfs.errors import OutOfRange

PLACEBO_LIMIT = 0.1  # share of placebo campaigns with such an effect, from which it is doubtful


def anomaly_rows(item: Mapping[str, Any]) -> list[list[Any]]:
    """Flag, expected, lo and hi of each row, blank where it has no time.

    Raises: OutOfRange if the series is too short or has no constant step.
    """
    series = read_series(item["times"], item["values"])
    band = expect(series.values, series.calendar.seasons, item["level"])
    digits = rounding(series.values)
    rows: list[list[Any]] = []
    for step, value in zip(series.rows.tolist(), item["values"], strict=True):
        if not 0 <= step < len(series.values):
            rows.append(["", "", "", ""])
            continue
        lo, hi = float(band.lo[step]), float(band.hi[step])
        flag = ""
        if value is not None:
            flag = "high" if value > hi + 1e-9 else "low" if value < lo - 1e-9 else ""
        numbers = (float(band.mean[step]), lo, hi)
        rows.append([flag, *(round(number, digits) + 0.0 for number in numbers)])
    return rows


def lift_rows(item: Mapping[str, Any]) -> list[list[Any]]:
    """The one row of LIFT.

    Raises: OutOfRange if too little is known before or after the start.
    """
    finish = item["finish"]
    times = [
        time
        if time is not None and (finish is None or time < finish + 1e-6 + _rest(finish))
        else None
        for time in item["times"]
    ]
    series = read_series(times, item["values"])
    # Times may differ from the sheet's by a rounding of the second.
    start = int(np.searchsorted(series.times, item["start"] - 0.5 / DAY_S))
    controls = _controls(series, item["controls"])
    found = lift(
        series.values, series.known, start, controls, series.calendar.seasons, item["level"]
    )
    digits = rounding(series.values)
    share = found.effect / abs(found.expected) if found.expected else None
    return [
        [
            round(found.actual, digits) + 0.0,
            round(found.expected, digits) + 0.0,
            round(found.effect, digits) + 0.0,
            round(found.lo, digits) + 0.0,
            round(found.hi, digits) + 0.0,
            "" if share is None else round(share, DECIMALS),
            round(found.probability, DECIMALS),
            "" if found.placebo is None else round(found.placebo, DECIMALS),
            round(found.error_before, DECIMALS),
            verdict(found, item["level"]),
        ]
    ]


def _rest(finish: float) -> float:
    """What is left of the last day, where no time of day was given."""
    return 1 - 1e-4 if float(finish).is_integer() else 0.0


def _controls(series: Series, cells: Sequence[Sequence[Any]] | None) -> np.ndarray:
    """Control values per step, gaps filled. Shape: (steps, columns)."""
    count = len(series.values)
    if not cells:
        return np.zeros((count, 0))
    table = np.full((count, len(cells[0])), np.nan)
    for step, row in zip(series.rows.tolist(), cells, strict=True):
        if 0 <= step < count:
            table[step] = [np.nan if cell is None else float(cell) for cell in row]
    empty = np.flatnonzero(np.isnan(table).mean(axis=0) > 0.3)
    if len(empty):
        raise OutOfRange(
            f"Column {empty[0] + 1} of controls has no number in more than 30 % of the rows; leave "
            "it out, or fill it."
        )
    return np.column_stack([fill(column, 1) for column in table.T])


def verdict(found: Lift, level: float) -> str:
    """What to make of the effect, in words."""
    change = found.effect / abs(found.expected) if found.expected else 0.0
    seen = "rise" if found.effect > 0 else "fall"
    size = f"{abs(change):.0%}" if abs(change) >= 0.01 else f"{abs(change):.1%}"
    if found.lo <= 0 <= found.hi:
        return (
            f"no clear effect: a {seen} of {size}, which chance alone explains at level {level:g}"
        )
    text = f"clear effect: a {seen} of {size} that chance does not explain at level {level:g}"
    if found.placebo is None:
        return f"{text}; the time before is too short for placebo campaigns"
    if found.placebo > PLACEBO_LIMIT:
        return (
            f"doubtful effect: a {seen} of {size}, but {found.placebo:.0%} of placebo campaigns "
            "before it show as much"
        )
    return text
