"""Rows of an answer about one series: from cells of the sheet to cells of the sheet."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from server.series.driver_columns import encode, holiday_columns
from server.series.drivers import Drivers
from server.series.forecast import accuracy, check_length, forecast
from server.series.timeline import DAY_S, NOWHERE, Calendar, Series, read_series
from udfs.errors import BadInput
from udfs.kinds import DAY_ZERO

DIGITS = 6  # that a number keeps, as seen from the size of its series
DECIMALS = 4


def forecast_rows(item: Mapping[str, Any]) -> list[list[Any]]:
    """Date, forecast, lo and hi of each step ahead; or the one row of the accuracy.

    Raises: BadInput or OutOfRange.
    """
    series = read_series(item["times"], item["values"])
    check_length(series.values, f"{series.calendar.unit}s")
    count = len(series.values)
    horizon = item["horizon"] or _horizon(item, series)
    drivers = _drivers(item, series, horizon)
    seasons = series.calendar.seasons
    if item["output"] == "accuracy":
        return [_accuracy_row(series, horizon, item["level"], drivers)]
    ahead = forecast(series.values, seasons, horizon, item["level"], drivers)
    size = rounding(series.values)
    dates = shown_times(series.calendar, np.arange(count, count + horizon), item["written"])
    columns = (ahead.mean, ahead.lo, ahead.hi)
    return [
        [date, *(round(float(column[step]), size) + 0.0 for column in columns)]
        for step, date in enumerate(dates)
    ]


def _accuracy_row(series: Series, horizon: int, level: float, drivers: Drivers | None) -> list[Any]:
    found = accuracy(series.values, series.calendar.seasons, horizon, level, drivers)
    size = rounding(series.values)
    return [
        found.windows,
        found.distance,
        round(found.error, size),
        round(found.naive_error, size),
        round(found.percent, DECIMALS),
        round(found.naive_percent, DECIMALS),
        "" if found.scaled is None else round(found.scaled, DECIMALS),
        "" if found.naive_scaled is None else round(found.naive_scaled, DECIMALS),
        round(found.coverage, DECIMALS),
        found.verdict,
    ]


def _horizon(item: Mapping[str, Any], series: Series) -> int:
    """Unless somebody says: as many steps as are known of the future, else the calendar's own."""
    if item["future"]:
        return len(item["future"])
    return int(max(_blank_steps(item, series), default=0)) or series.calendar.horizon


def _blank_steps(item: Mapping[str, Any], series: Series) -> list[int]:
    """How far ahead each row lies that has a time and an empty value after the last value."""
    count = len(series.values)
    steps = (int(series.rows[row]) - count + 1 for row in item["blank"])
    return [step for step in steps if step > 0]


def _drivers(item: Mapping[str, Any], series: Series, horizon: int) -> Drivers | None:
    seasons = series.calendar.seasons
    season = seasons[0] if seasons else 1
    total = len(series.values) + horizon
    if item["country"]:
        return Drivers(holiday_columns(item["country"], series.calendar, total), season)
    if not item["drivers"]:
        return None
    cells: list[list[Any] | None] = [None] * total
    for row, driver in zip(series.rows.tolist(), item["drivers"], strict=True):
        if row != NOWHERE and 0 <= row < total and cells[row] is None:
            cells[row] = driver
    for step, driver in enumerate(item["future"] or []):
        if len(series.values) + step < total:
            cells[len(series.values) + step] = driver
    missing = sum(driver is None for driver in cells[len(series.values) :])
    if missing:
        raise BadInput(
            f"The drivers of {missing} of the {horizon} steps ahead are not known; give them as "
            "future_drivers, a row for each step, or as rows with a date and no value."
        )
    blank = [None] * len(item["drivers"][0])
    return Drivers(encode([driver or blank for driver in cells]), season)


def shown_times(calendar: Calendar, steps: np.ndarray, written: bool) -> list[Any]:
    """The times of these steps as the sheet holds its own: day numbers, or text where text was."""
    times = calendar.at(steps)
    if not written:
        return [int(time) if float(time).is_integer() else float(time) for time in times]
    day_zero = datetime.datetime.combine(DAY_ZERO, datetime.time())
    moments = [day_zero + datetime.timedelta(seconds=round(time * DAY_S)) for time in times]
    form = "%Y-%m-%d" if all(time == int(time) for time in times) else "%Y-%m-%d %H:%M:%S"
    return [moment.strftime(form) for moment in moments]


def rounding(values: np.ndarray) -> int:
    """To how many decimals numbers of this series are rounded, so that none shows noise."""
    size = float(np.abs(values).max())
    return 0 if size <= 0 else max(0, DIGITS - 1 - math.floor(math.log10(size)))
