"""Intervals from a rolling backtest: how far forecasts were off, at each distance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

ORIGINS = 6
STEEPEST = 0.8  # power of the distance with which errors may grow; a random walk has 0.5
TAIL_FREEDOM = 6.0  # of Student's t: errors of real series have heavier tails than the normal
# Errors of so few origins understate what will come. By how much was measured on the ends of
# training series (see bench/forecast_m4.py).
WIDEN = 1.0


@dataclass(frozen=True)
class Backtest:
    """Errors of forecasts made earlier. Shape of errors: (origins, distances), nan beyond the end.

    first: the first step of each forecast.
    """

    errors: np.ndarray
    first: np.ndarray

    def growth(self, horizon: int) -> np.ndarray:
        """The root mean square error at each distance, smoothed. Shape: (horizon,)."""
        squares = np.nanmean(self.errors**2, axis=0)
        size = np.sqrt(np.maximum(squares, 1e-300))
        distance = np.arange(1, len(size) + 1)
        overall = float(np.sqrt(np.nanmean(self.errors**2)))
        if overall <= 0:
            return np.zeros(horizon)
        power = 0.0
        if len(size) >= 3:
            x = np.log(distance) - np.log(distance).mean()
            weights = 1 / distance
            x = np.log(distance) - np.average(np.log(distance), weights=weights)
            y = np.log(np.maximum(size, 0.05 * overall))
            power = float(np.clip((weights * x) @ y / ((weights * x) @ x), 0.0, STEEPEST))
        elif horizon > len(size):
            power = 0.5
        shape = distance**power
        level = float(np.sqrt(np.mean(squares / shape**2)))
        return np.asarray(level * np.arange(1, horizon + 1) ** power)

    def half_width(self, horizon: int, level: float) -> np.ndarray:
        """Half the width of the interval at each distance. Shape: (horizon,)."""
        growth = self.growth(horizon)
        if not growth.any():
            return growth
        ratio = np.abs(self.errors / growth[: self.errors.shape[1]])
        found = ratio[np.isfinite(ratio)]
        empirical = float(np.quantile(found, level / 100))
        tail = float(stdtrit(TAIL_FREEDOM, 0.5 + level / 200)) / np.sqrt(
            TAIL_FREEDOM / (TAIL_FREEDOM - 2)
        )
        factor = max(tail, 0.5 * (tail + empirical))
        return np.asarray(WIDEN * factor * growth)


def backtest(
    values: np.ndarray,
    horizon: int,
    least: int,
    predict: Callable[[int, int], np.ndarray],
    origins: int = ORIGINS,
) -> Backtest:
    """Errors of `predict(count, distance)`, which sees the first `count` values only.

    least: how many values the first forecast must see.
    """
    count = len(values)
    distance = min(horizon, max(1, (count - least) // 2))
    first = last = count - distance
    if origins > 1:
        stride = max(1, min(distance, (last - least) // (origins - 1)))
        first = max(least, last - stride * (origins - 1))
        places = np.arange(last, first - 1, -stride)[:origins][::-1]
    else:
        places = np.array([last])
    errors = np.full((len(places), distance), np.nan)
    for row, place in enumerate(places):
        errors[row] = values[place : place + distance] - predict(int(place), distance)
    return Backtest(errors, places)
