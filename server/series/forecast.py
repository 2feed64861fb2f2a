"""One series ahead: the mean of several methods, with intervals from a rolling backtest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from server.series.drivers import Drivers
from server.series.intervals import Backtest, backtest
from server.series.members import Members, choose, is_intermittent, seasonal_naive
from udfs.errors import OutOfRange

LEAST_STEPS = 8


@dataclass(frozen=True)
class Forecast:
    """What is expected at each step ahead, and its interval. Shape of each: (horizon,)."""

    mean: np.ndarray
    lo: np.ndarray
    hi: np.ndarray


def check_length(values: np.ndarray, what: str = "steps") -> None:
    """Nothing. Raises: OutOfRange if the series is too short, saying how much is missing."""
    if len(values) < LEAST_STEPS:
        raise OutOfRange(
            f"The series has {len(values)} {what}; at least {LEAST_STEPS} are needed: "
            f"{LEAST_STEPS - len(values)} more."
        )


def forecast(
    values: np.ndarray,
    seasons: Sequence[int],
    horizon: int,
    level: float,
    drivers: Drivers | None = None,
) -> Forecast:
    """The next `horizon` values. The same values give the same bits.

    Nothing below 0 is expected of a series that never was; a series that never changed stays.
    Drivers are left out where earlier forecasts would have been better without them.
    Raises: OutOfRange if the series is too short.
    """
    check_length(values)
    if np.ptp(values) == 0:
        same = np.full(horizon, values[0])
        return Forecast(same, same, same)
    members = choose(values, seasons)
    tested = _test(members, values, seasons, horizon, drivers)
    if drivers is not None:
        without = _test(members, values, seasons, horizon, None)
        if without.size <= tested.size:  # they would not have helped
            drivers, tested = None, without
    mean = _expect(members, values, horizon, drivers, quick=False)
    half = tested.half_width(horizon, level)
    lo, hi = mean - half, mean + half
    if values.min() >= 0:
        mean, lo = np.maximum(mean, 0.0), np.maximum(lo, 0.0)
        if is_intermittent(values):
            hi = np.maximum(mean, _upper(values, mean, half, level))
    return Forecast(mean, lo, hi)


def _expect(
    members: Members, values: np.ndarray, horizon: int, drivers: Drivers | None, quick: bool
) -> np.ndarray:
    run = members.forecast_quickly if quick else members.forecast
    if drivers is None:
        return run(values, horizon)
    effects = drivers.fit(values)
    base = run(effects.taken_out(values), horizon)
    return effects.put_back(base, len(values))


def _test(
    members: Members,
    values: np.ndarray,
    seasons: Sequence[int],
    horizon: int,
    drivers: Drivers | None,
) -> Backtest:
    def predict(count: int, distance: int) -> np.ndarray:
        return _expect(members, values[:count], distance, drivers, quick=True)

    return backtest(values, horizon, least_seen(len(values), seasons), predict)


def least_seen(count: int, seasons: Sequence[int]) -> int:
    """How many values a forecast of the backtest must see at least."""
    fitting = [season for season in seasons if count >= 3 * season + 4]
    return max(min(5, count - 2), 2 * fitting[-1] + 4 if fitting else count // 2)


def _upper(values: np.ndarray, mean: np.ndarray, half: np.ndarray, level: float) -> np.ndarray:
    """The upper end where much is zero: nothing falls below, so all that is outside is above."""
    recent = values[-104:]
    return np.asarray(np.maximum(mean + 0.5 * half, np.quantile(recent, level / 100)))


@dataclass(frozen=True)
class Accuracy:
    """How a rolling backtest went, beside the seasonal naive forecast.

    Errors: mean absolute error; `scaled` by that of the naive forecast within the series (MASE);
    `percent` the symmetric percentage (sMAPE). coverage: share of values inside the interval.
    """

    windows: int
    distance: int
    error: float
    naive_error: float
    percent: float
    naive_percent: float
    scaled: float | None
    naive_scaled: float | None
    coverage: float

    @property
    def verdict(self) -> str:
        """Whether the forecast is worth having, in words."""
        if self.naive_error == 0:
            return "the naive forecast is exact: take what stood a season before"
        better = 1 - self.error / self.naive_error
        if better < 0.02:
            return "no better than the seasonal naive forecast: take what stood a season before"
        return f"better than the seasonal naive forecast: errors {better:.0%} smaller"


def accuracy(
    values: np.ndarray,
    seasons: Sequence[int],
    horizon: int,
    level: float,
    drivers: Drivers | None = None,
    windows: int = 4,
) -> Accuracy:
    """How forecasts made at earlier times went, each from what was known then.

    Raises: OutOfRange if the series is too short to hold some of it back.
    """
    check_length(values)
    count = len(values)
    distance = max(1, min(horizon, count // 4))
    least = max(LEAST_STEPS, min(least_seen(count, seasons), count - 2 * distance))
    places = [
        place
        for place in (count - distance * number for number in range(windows, 0, -1))
        if place >= least
    ]
    if not places:
        raise OutOfRange(
            f"The series has {count} steps; to test forecasts of {distance} steps at least "
            f"{least + distance} are needed: {least + distance - count} more."
        )
    season = next((one for one in reversed(seasons) if count >= 2 * one + distance), 1)
    season = seasons[0] if len(seasons) > 1 and count >= 2 * seasons[0] else season
    found, naive, truth, inside = [], [], [], []
    for place in places:
        ahead = forecast(values[:place], seasons, distance, level, drivers)
        actual = values[place : place + distance]
        found.append(ahead.mean)
        naive.append(seasonal_naive(values[:place], distance, season))
        truth.append(actual)
        inside.append((ahead.lo - 1e-9 <= actual) & (actual <= ahead.hi + 1e-9))
    scale = float(np.mean(np.abs(values[season:] - values[:-season])))
    actual, ours, theirs = map(np.concatenate, (truth, found, naive))
    return Accuracy(
        windows=len(places),
        distance=distance,
        error=_error(actual, ours),
        naive_error=_error(actual, theirs),
        percent=smape(actual, ours),
        naive_percent=smape(actual, theirs),
        scaled=_error(actual, ours) / scale if scale else None,
        naive_scaled=_error(actual, theirs) / scale if scale else None,
        coverage=float(np.concatenate(inside).mean()),
    )


def smape(actual: np.ndarray, found: np.ndarray) -> float:
    """Symmetric mean absolute percentage error, 0 to 200, as the M4 competition has it."""
    size = np.abs(actual) + np.abs(found)
    apart = np.abs(actual - found)
    return float(200 * np.mean(np.divide(apart, size, out=np.zeros_like(apart), where=size > 0)))


def _error(actual: np.ndarray, found: np.ndarray) -> float:
    return float(np.mean(np.abs(actual - found)))
