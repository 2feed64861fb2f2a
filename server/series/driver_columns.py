"""Driver cells and public holidays to columns of numbers, one row per step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from server.series.timeline import Calendar
from udfs.errors import BadInput
from udfs.kinds import DAY_ZERO

MOST_CATEGORIES = 20
MOSTLY_BLANK = 0.3  # of a column of numbers: a blank means 0 there, else the value before
_DAY_ZERO = np.datetime64(DAY_ZERO, "D")


def encode(rows: Sequence[Sequence[Any]]) -> np.ndarray:
    """The cells as numbers: a column per number, per TRUE/FALSE, and per word but the most usual.

    Raises: BadInput if a column of texts holds too many different ones.
    """
    columns: list[np.ndarray] = []
    for place, cells in enumerate(zip(*rows, strict=True), start=1):
        words = [cell for cell in cells if isinstance(cell, str)]
        if not words:
            columns.append(_numbers(cells))
            continue
        usual = max(dict.fromkeys(words), key=words.count)
        others = [word for word in dict.fromkeys(words) if word != usual]
        if len(others) >= MOST_CATEGORIES:
            raise BadInput(
                f"Column {place} of drivers holds {len(others) + 1} different texts; at most "
                f"{MOST_CATEGORIES} can be told apart. Give a number or fewer categories."
            )
        columns += [np.array([float(cell == word) for cell in cells]) for word in others]
        if not others:  # a mark that is there or not
            columns.append(np.array([float(cell == usual) for cell in cells]))
    return np.column_stack(columns)


def _numbers(cells: Sequence[Any]) -> np.ndarray:
    column = np.array([np.nan if cell is None else float(cell) for cell in cells])
    blank = np.isnan(column)
    if blank.mean() >= MOSTLY_BLANK:
        return np.where(blank, 0.0, column)
    if blank.any():
        before = np.maximum.accumulate(np.where(blank, -1, np.arange(len(column))))
        first = column[~blank][0]
        column = np.where(before < 0, first, column[np.maximum(before, 0)])
    return column


def holiday_columns(country: str, calendar: Calendar, steps: int) -> np.ndarray:
    """How many days of each public holiday lie in each step, and in the step before it.

    Raises: BadInput if the country is not known or the steps are longer than a week.
    """
    import holidays

    days_per_step = {"day": 1, "weekday": 1, "week": 7}.get(calendar.unit)
    if days_per_step is None:
        raise BadInput(
            f"Holidays need days or weeks; the times are {calendar.unit}s. Leave drivers out, or "
            "give columns of your own."
        )
    starts = _DAY_ZERO + calendar.at(np.arange(steps + 1)).astype(np.int64)
    years = range(int(str(starts[0])[:4]), int(str(starts[-1])[:4]) + 2)
    try:
        known = holidays.country_holidays(country, years=years)
    except (NotImplementedError, ValueError) as error:
        raise BadInput(
            f"drivers is {country!r}, for which no holidays are known; expected a country code "
            'such as "US", "CN" or "DE", or columns as long as values.'
        ) from error
    found: dict[str, np.ndarray] = {}
    for day, name in known.items():
        at = np.datetime64(day, "D")
        place = int(np.searchsorted(starts, at, side="right")) - 1
        for shift, label in ((0, name), (-1, f"before {name}")):
            step = place + shift
            if 0 <= step < steps and (at - starts[place]).astype(int) < days_per_step:
                found.setdefault(label, np.zeros(steps))[step] += 1
    return (
        np.column_stack([*found.values(), np.sum(list(found.values()), axis=0)])
        if found
        else (np.zeros((steps, 1)))
    )
