"""Rows of times and values become a regular series."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pytest

from server.series.timeline import find_calendar, read_series
from udfs.errors import OutOfRange
from udfs.kinds import DAY_ZERO


def serials(dates: list[str]) -> np.ndarray:
    days = [datetime.date.fromisoformat(date) for date in dates]
    return np.array([(day - DAY_ZERO).days for day in days], dtype=float)


def months(count: int, day: int = 1) -> list[str]:
    return [f"{2020 + n // 12}-{n % 12 + 1:02d}-{day:02d}" for n in range(count)]


@pytest.mark.parametrize(
    ("dates", "unit", "seasons", "following"),
    [
        (months(15), "month", (12,), "2021-04-01"),
        (["2023-11-30", "2023-12-31", "2024-01-31"], "month", (12,), "2024-02-29"),
        (["2023-11-15", "2023-12-15", "2024-01-15"], "month", (12,), "2024-02-15"),
        (["2023-01-01", "2023-04-01", "2023-07-01"], "quarter", (4,), "2023-10-01"),
        (["2021-12-31", "2022-12-31", "2023-12-31"], "year", (), "2024-12-31"),
        (["2024-05-03", "2024-05-10", "2024-05-17"], "week", (52,), "2024-05-24"),
        (["2024-05-03", "2024-05-04", "2024-05-05"], "day", (7, 365), "2024-05-06"),
        # The last business day of the month moves, and is still a month apart.
        (["2024-05-31", "2024-06-28", "2024-07-31", "2024-08-30"], "month", (12,), "2024-09-30"),
    ],
)
def test_the_step_is_found_and_goes_on_in_the_calendar(
    dates: list[str], unit: str, seasons: tuple[int, ...], following: str
) -> None:
    calendar = find_calendar(serials(dates))
    assert (calendar.unit, calendar.seasons) == (unit, seasons)
    assert calendar.step_of(serials(dates)).tolist() == list(range(len(dates)))
    assert calendar.at(np.array([len(dates)])).tolist() == serials([following]).tolist()


def test_weekdays_skip_the_weekend() -> None:
    dates = np.busday_offset("2024-05-01", np.arange(12)).astype(str).tolist()
    calendar = find_calendar(serials(dates))
    assert (calendar.unit, calendar.seasons) == ("weekday", (5, 261))
    assert calendar.at(np.array([3])).tolist() == serials(["2024-05-06"]).tolist()
    series = read_series([float(t) for t in serials(dates)], [1.0] * 12)
    assert len(series.values) == 12


def test_hours_repeat_by_day_and_week() -> None:
    times = 45000 + np.arange(60) / 24
    calendar = find_calendar(times)
    assert (calendar.unit, calendar.seasons) == ("hour", (24, 168))
    assert calendar.at(np.array([60]))[0] == pytest.approx(45000 + 60 / 24)
    assert find_calendar(45000 + np.arange(9) / 96).seasons == (96, 672)


def test_plain_numbers_are_no_dates() -> None:
    calendar = find_calendar(np.arange(1.0, 40))
    assert (calendar.unit, calendar.seasons) == ("step", ())
    assert find_calendar(np.arange(2000.0, 2020)).unit == "step"


def test_rows_in_any_order_are_averaged_per_time_and_gaps_are_filled() -> None:
    times = [45004.0, 45000, 45001, 45001, 45003, None, 45005, 45006]
    values = [4.0, 0.0, 0.5, 1.5, None, 99.0, 5.0, 6.0]
    series = read_series(times, values)
    assert series.values.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert series.known.tolist() == [True, True, False, False, True, True, True]
    assert series.rows[:5].tolist() == [4, 0, 1, 1, 3]


def test_a_gap_is_filled_with_its_season() -> None:
    week = [10.0, 20, 30, 40, 50, 60, 70] * 6
    values: list[Any] = list(week)
    values[20] = None
    series = read_series([45000.0 + n for n in range(42)], values)
    assert series.values[20] == pytest.approx(week[20], abs=8)


@pytest.mark.parametrize(
    ("times", "values", "message"),
    [
        ([None, 45000.0], [1.0, None], "None of the 2 rows"),
        ([45000.0, 45007, 45014, 45022, 45028], [1.0] * 5, "no constant step: most are 7 days"),
        ([45000.0, 45001, 45009, 45010], [1.0] * 4, r"steps \(days\) have no value"),
    ],
)
def test_what_is_no_series_says_why(
    times: list[float | None], values: list[float | None], message: str
) -> None:
    with pytest.raises(OutOfRange, match=message):
        read_series(times, values)
