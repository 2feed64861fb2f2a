"""What is known in advance (prices, promotions, holidays): its effect, taken out and put back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEAST_T = 2.2  # of an effect that is kept; below it a column does more harm than good
MOST_ROUNDS = 6
RIDGE = 1e-3


@dataclass(frozen=True)
class Effects:
    """Fitted effects of the columns. Multiplicative where they were found in logarithms."""

    columns: np.ndarray  # (steps and horizon, columns)
    weights: np.ndarray  # (columns,)
    logarithm: bool

    def taken_out(self, values: np.ndarray) -> np.ndarray:
        """The values as they would be with every column at its mean of the past."""
        moved = self.columns[: len(values)] @ self.weights
        return np.asarray(values / np.exp(moved) if self.logarithm else values - moved)

    def put_back(self, base: np.ndarray, start: int) -> np.ndarray:
        """The forecasts of steps from `start` on, with the columns as they will be."""
        moved = self.columns[start : start + len(base)] @ self.weights
        return np.asarray(base * np.exp(np.clip(moved, -3, 3)) if self.logarithm else base + moved)


@dataclass(frozen=True)
class Drivers:
    """Columns of drivers over the past and the future. Shape: (steps and horizon, columns)."""

    columns: np.ndarray
    season: int

    def fit(self, values: np.ndarray) -> Effects:
        """Their effects on these values, the first steps of the columns.

        Generalised least squares with errors that follow an autoregression of order 1 (Prais and
        Winsten), beside a trend and a season; columns that tell nothing get no weight. In
        logarithms where all values are above 0 and that fits better.
        """
        past = self.columns[: len(values)]
        spread = past.std(axis=0)
        usable = np.flatnonzero(spread > 1e-12)
        centred = self.columns - past.mean(axis=0)
        # A forecast must not lean on values that the past never had.
        lo, hi = centred[: len(values)].min(axis=0), centred[: len(values)].max(axis=0)
        room = 0.25 * (hi - lo)
        centred = np.clip(centred, lo - room, hi + room)
        weights, loss = _effects(values, centred, usable, self.season)
        if values.min() <= 0:
            return Effects(centred, weights, False)
        logs = np.log(values)
        in_logs, log_loss = _effects(logs, centred, usable, self.season)
        # The loss of logarithms on the scale of the values (Box and Cox).
        if log_loss + 2 * logs.mean() < loss:
            return Effects(centred, in_logs, True)
        return Effects(centred, weights, False)


def _effects(
    values: np.ndarray, columns: np.ndarray, usable: Sequence[int] | np.ndarray, season: int
) -> tuple[np.ndarray, float]:
    """Weight of each column, and the logarithm of the mean squared error."""
    count = len(values)
    around = _trend_and_season(count, season)
    kept = list(usable)
    while True:
        design = np.column_stack((around, columns[:count, kept]))
        beta, errors, loss = _fit_autoregressive(values, design)
        ratio = np.abs(beta[around.shape[1] :]) / np.maximum(errors[around.shape[1] :], 1e-300)
        if not kept or ratio.min() >= LEAST_T:
            break
        kept.pop(int(np.argmin(ratio)))
    weights = np.zeros(columns.shape[1])
    weights[kept] = beta[around.shape[1] :]
    return weights, loss


def _fit_autoregressive(
    values: np.ndarray, design: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Weights, their standard errors, logarithm of the mean squared innovation."""
    rho = 0.5
    for _ in range(MOST_ROUNDS):
        y, x = _whiten(values, rho), _whiten(design, rho)
        square = x.T @ x
        square[np.diag_indices_from(square)] *= 1 + RIDGE
        inverse = np.linalg.pinv(square)
        beta = inverse @ (x.T @ y)
        left = values - design @ beta
        under = float(left[:-1] @ left[:-1])
        found = float(np.clip(left[1:] @ left[:-1] / under, 0.0, 0.98)) if under > 0 else 0.0
        if abs(found - rho) < 1e-3:
            break
        rho = found
    noise = y - x @ beta
    variance = float(noise @ noise) / max(len(y) - x.shape[1], 1)
    errors = np.sqrt(np.maximum(variance * np.diag(inverse), 0))
    return beta, errors, float(np.log(max(variance, 1e-300)))


def _whiten(values: np.ndarray, rho: float) -> np.ndarray:
    first = values[:1] * np.sqrt(1 - rho**2)
    return np.concatenate((first, values[1:] - rho * values[:-1]))


def _trend_and_season(count: int, season: int) -> np.ndarray:
    """Columns of a constant, a line and the season's waves, as many as the length bears."""
    steps = np.arange(count)
    columns = [np.ones(count), steps / count - 0.5]
    most = min(season // 2, 6, max(0, (count - 12) // 6)) if count >= 2 * season else 0
    for wave in range(1, most + 1):
        angle = 2 * np.pi * wave * steps / season
        columns.append(np.cos(angle))
        if 2 * wave < season:
            columns.append(np.sin(angle))
    return np.column_stack(columns)
