"""Intervals from a rolling backtest: how far forecasts were off, at each distance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

ORIGINS = 6
USUAL_GROWTH = 0.3  # power of the distance with which errors grow; a random walk has 0.5
STEEPEST = 0.9
OWN_SHAPE = 0.2  # weight of each distance's own error, beside the smooth growth
TAIL_FREEDOM = 6.0  # of Student's t: errors of real series have heavier tails than the normal
# Measured with the three above on the ends of training series (bench/forecast_m4.py --holdout).
WIDEN = 1.04


@dataclass(frozen=True)
class Backtest:
    """Errors of forecasts made earlier. Shape of errors: (origins, distances), nan beyond the end.

    first: the first step of each forecast.
    """

    errors: np.ndarray
    first: np.ndarray

    @property
    def size(self) -> float:
        """The root mean square of all errors."""
        return float(np.sqrt(np.nanmean(self.errors**2)))

    def growth(self, horizon: int) -> np.ndarray:
        """The root mean square error at each distance, smoothed. Shape: (horizon,).

        The power of its growth lies halfway between what the errors show and what is usual.
        """
        squares = np.nanmean(self.errors**2, axis=0)
        overall = self.size
        if overall <= 0:
            return np.zeros(horizon)
        distance = np.arange(1, len(squares) + 1)
        power = USUAL_GROWTH
        if len(squares) >= 3:
            logs, weights = np.log(distance), 1 / distance
            apart = logs - np.average(logs, weights=weights)
            size = np.log(np.maximum(np.sqrt(squares), 0.05 * overall))
            seen = float((weights * apart) @ size / ((weights * apart) @ apart))
            power = 0.5 * (power + float(np.clip(seen, 0.0, STEEPEST)))
        level = float(np.sqrt(np.mean(squares / distance ** (2 * power))))
        smooth = level * np.arange(1, horizon + 1) ** power
        if horizon > len(squares):
            return np.asarray(smooth)
        return np.asarray(np.sqrt((1 - OWN_SHAPE) * smooth**2 + OWN_SHAPE * squares))

    def half_width(self, horizon: int, level: float) -> np.ndarray:
        """Half the width of the interval at each distance. Shape: (horizon,)."""
        growth = self.growth(horizon)
        if not growth.any():
            return growth
        ratio = np.abs(self.errors / growth[: self.errors.shape[1]])
        empirical = float(np.quantile(ratio[np.isfinite(ratio)], level / 100))
        spread = np.sqrt(TAIL_FREEDOM / (TAIL_FREEDOM - 2))
        tail = float(stdtrit(TAIL_FREEDOM, 0.5 + level / 200)) / spread
        few = 1 + 1 / ratio.size  # one error alone says little
        return np.asarray(WIDEN * few * 0.5 * (tail + empirical) * growth)


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
