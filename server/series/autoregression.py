"""Forecasts from a series' own past: a ridge regression on recent and seasonal lags."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MOST_SWING = 0.5  # a forecast stays within the recent range and half of it more on either side


def forecast_by_lags(
    values: np.ndarray,
    horizon: int,
    lags: Sequence[int],
    against: int,
    penalty: float,
    logarithm: bool = False,
) -> np.ndarray:
    """The next `horizon` values, each from the values before it, forecasts included.

    What is regressed is the difference from the value `against` steps before (0: from the mean).
    `penalty` is a share of the mean square of the regressors. In logarithms where all is above 0
    and `logarithm` is set. Shape: (horizon,).
    """
    logarithm = logarithm and bool(values.min() > 0)
    used = np.log(values) if logarithm else values
    mean, spread = float(used.mean()), float(used.std())
    if spread <= 1e-9 * max(abs(mean), 1.0):
        return np.full(horizon, values[-1])
    scaled = (used - mean) / spread
    places = np.array([lag for lag in lags if lag != against])
    weights = _fit(scaled, places, against, penalty)
    path = np.concatenate((scaled, np.zeros(horizon)))
    for step in range(len(scaled), len(path)):
        base = path[step - against] if against else 0.0
        path[step] = base + (path[step - places] - base) @ weights[:-1] + weights[-1]
    ahead = path[len(scaled) :] * spread + mean
    recent = used[-2 * max(int(places.max()), horizon) :]
    room = MOST_SWING * float(np.ptp(recent))
    ahead = np.clip(ahead, recent.min() - room, recent.max() + room)
    return np.asarray(np.exp(ahead) if logarithm else ahead)


def _fit(scaled: np.ndarray, places: np.ndarray, against: int, penalty: float) -> np.ndarray:
    """Weights of the lags, then the constant."""
    rows = np.arange(max(int(places.max()), against), len(scaled))
    past = scaled[rows[:, None] - places[None, :]]
    target = scaled[rows]
    if against:
        base = scaled[rows - against]
        past, target = past - base[:, None], target - base
    design = np.column_stack((past, np.ones(len(rows))))
    square = design.T @ design
    size = float(np.trace(square)) / len(square)
    square += (penalty * size + 1e-9) * np.eye(len(square))
    return np.asarray(np.linalg.solve(square, design.T @ target))
