"""Values out of line: each beside what the season and the values before it lead one to expect.

The season is taken out by a decomposition that outliers do not bend (robust STL). What is left is
followed by exponential smoothing that learns little from a surprise: a spike leaves it where it
was, a new level is learned within a few steps. How far ordinary values lie off is measured by the
inner half of all errors, so that anomalies do not widen the band that they are judged by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from server.series.quiet import quiet
from udfs.errors import OutOfRange

LEAST_STEPS = 8
RATES = np.array([0.0, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0])  # of which the series chooses one
SURPRISE = 2.5  # usual errors, beyond which no more is learned from a value
WARM_UP = 10  # steps at the start that are judged by the steps after them
FREEDOMS = (3.0, 4.0, 5.0, 7.0, 10.0, 20.0, 100.0)  # of Student's t, for tails
INNER, OUTER = 0.5, 0.9  # shares of all errors; anomalies lie beyond the outer
MOST_CYCLES_FOR_ROBUST = 60


@dataclass(frozen=True)
class Expected:
    """What was to be expected at each step, and its interval. Shape of each: (steps,)."""

    mean: np.ndarray
    lo: np.ndarray
    hi: np.ndarray


def expect(values: np.ndarray, seasons: Sequence[int], level: float) -> Expected:
    """The band in which `level` per cent of ordinary values lie. Nothing below 0 where none is.

    Raises: OutOfRange if the series is too short.
    """
    count = len(values)
    if count < LEAST_STEPS:
        raise OutOfRange(
            f"The series has {count} steps; at least {LEAST_STEPS} are needed to tell what is "
            f"usual: {LEAST_STEPS - count} more."
        )
    season = _season(values, seasons)
    left = values - season
    mean, rate = _follow(left)
    errors = left - mean
    half = _half_width(errors, level) * _more_at_start(count, rate)
    mean = mean + season
    lo, hi = mean - half, mean + half
    if values.min() >= 0:
        mean, lo, hi = np.maximum(mean, 0), np.maximum(lo, 0), np.maximum(hi, 0)
    return Expected(mean, lo, hi)


def _season(values: np.ndarray, seasons: Sequence[int]) -> np.ndarray:
    """The seasonal part, zero where there are too few cycles or it explains nothing."""
    from statsmodels.tsa.seasonal import STL

    total = np.zeros(len(values))
    for season in seasons:
        if len(values) < 3 * season + 2:
            continue
        width = 2 * (len(values) // season) + 1 if season > 24 else 11
        with quiet():
            fitted = STL(
                values - total,
                period=season,
                seasonal=max(7, width | 1),
                robust=len(values) // season <= MOST_CYCLES_FOR_ROBUST,
                seasonal_deg=0,
            ).fit(outer_iter=5)
        found = np.asarray(fitted.seasonal)
        rest = np.abs(fitted.resid)
        # A season that was fitted to noise widens nothing and explains little: leave it.
        apart = np.abs(values - total - fitted.trend)
        if np.median(rest) < 0.8 * np.median(apart):
            total = total + found
    return total


def _follow(left: np.ndarray) -> tuple[np.ndarray, float]:
    """What is expected at each step from those before it, and the learning rate that served best.

    The first steps are expected from those after them.
    """
    ahead, losses = _smooth(left)
    best = int(np.argmin(losses))
    back, _ = _smooth(left[::-1])
    mean = ahead[:, best].copy()
    warm = min(WARM_UP, len(left) // 3)
    mean[:warm] = back[::-1][:warm, best]
    return mean, float(RATES[best])


def _smooth(left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per step and rate what is expected; per rate the mean error, with surprises cut off."""
    warm = min(WARM_UP, max(3, len(left) // 3))
    slope = float(np.median(np.diff(left)))
    apart = np.abs(np.diff(left) - slope)
    usual = max(float(np.median(apart)) * 1.05, 1e-12)
    level = np.full(len(RATES), float(np.median(left[:warm] - slope * np.arange(warm))) - slope)
    scale = np.full(len(RATES), usual)
    expected = np.empty((len(left), len(RATES)))
    cut = np.empty_like(expected)
    for step, value in enumerate(left):
        expected[step] = level + slope
        error = value - expected[step]
        most = SURPRISE * scale
        cut[step] = np.clip(error, -most, most)
        level = expected[step] + np.maximum(RATES, 1 / (step + 1 + warm)) * cut[step]
        scale = np.maximum(0.95 * scale + 0.05 * 1.25 * np.abs(cut[step]), 0.2 * usual)
    return expected, np.mean(np.minimum(np.abs(left[:, None] - expected), 4 * usual), axis=0)


def _half_width(errors: np.ndarray, level: float) -> float:
    """Half the width of the band, from the inner errors and the weight of their tails."""
    size = np.abs(errors)
    inner, outer = np.quantile(size, (INNER, OUTER))
    if inner <= 0:
        inner = float(size.mean()) * 0.8
    if inner <= 0:
        return 0.0
    found = float(outer) / float(inner)
    # Few errors say little about tails: between what they show and the normal curve.
    freedom = min(
        FREEDOMS,
        key=lambda nu: abs(stdtrit(nu, 0.5 + OUTER / 2) / stdtrit(nu, 0.5 + INNER / 2) - found),
    )
    few = 1 + 3 / len(errors)
    return (
        float(inner / stdtrit(freedom, 0.5 + INNER / 2) * stdtrit(freedom, 0.5 + level / 200)) * few
    )


def _more_at_start(count: int, rate: float) -> np.ndarray:
    """Wider where little has been seen yet."""
    seen = np.arange(count) + WARM_UP
    return np.sqrt(1 + 1 / seen) if rate < 0.5 else np.ones(count)
