"""The difference of two means whose interval holds its level for revenue: mostly 0, long tail."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

SEED = 20_261_125  # the same data give the same interval
DRAWS = 4_000
MOST_DRAWN = 12_000_000  # values drawn in all; beyond, the normal law holds anyway
FEWEST_DRAWS = 1_000
EQUAL = 1e-9


@dataclass(frozen=True)
class Difference:
    """Mean of the first less that of the second, its 95 % interval and its two-sided p."""

    value: float
    lo: float
    hi: float
    p: float


def compare_means(first: np.ndarray, second: np.ndarray) -> Difference:
    """How far two means differ.

    The rows are dealt out anew to the two groups, thousands of times, and each time the difference
    is measured in standard errors: what the middle 95 % of these say makes the interval, how often
    chance goes as far makes p. Where there are too many values other than 0 for that, Student's
    distribution takes the place (Welch 1947); the two then agree.
    Source: studentised permutation test, Janssen 1997; Chung and Romano 2013.
    """
    value = float(first.mean() - second.mean())
    error = _standard_error(first, second)
    if error == 0:
        return Difference(value, value, value, 1.0 if value == 0 else 0.0)
    t = value / error
    filled = np.concatenate([first[first != 0], second[second != 0]])
    draws = min(DRAWS, MOST_DRAWN // max(1, len(filled)))
    if draws < FEWEST_DRAWS:
        degrees = _degrees(first, second)
        reach = float(stats.t.ppf(0.975, degrees)) * error
        p = float(2 * stats.t.sf(abs(t), degrees))
        return Difference(value, value - reach, value + reach, p)
    dealt = _dealt(filled, len(first), len(second), draws)
    # Dealings that come out alike differ in their last digits: they count as equal.
    below = float(np.quantile(dealt, 0.025, method="lower")) - EQUAL
    above = float(np.quantile(dealt, 0.975, method="higher")) + EQUAL
    as_far = 2 * min(np.sum(dealt >= t - EQUAL), np.sum(dealt <= t + EQUAL))
    p = min(1.0, float(as_far + 1) / (draws + 1))
    return Difference(value, value - above * error, value - below * error, p)


def _standard_error(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.sqrt(first.var(ddof=1) / len(first) + second.var(ddof=1) / len(second)))


def _degrees(first: np.ndarray, second: np.ndarray) -> float:
    parts = [group.var(ddof=1) / len(group) for group in (first, second)]
    freedom = sum(part**2 / (len(g) - 1) for part, g in zip(parts, (first, second), strict=True))
    return float(sum(parts) ** 2 / freedom)


def _dealt(filled: np.ndarray, first: int, second: int, draws: int) -> np.ndarray:
    """t of the difference for rows dealt out by chance; `filled` are the values other than 0.

    Shape: (draws,). How many of them fall to the first group is hypergeometric.
    """
    draw = np.random.default_rng(SEED)
    own = draw.hypergeometric(len(filled), first + second - len(filled), first, size=draws)
    sums, squares = np.empty(draws), np.empty(draws)
    step = max(1, 2_000_000 // max(1, len(filled)))
    for start in range(0, draws, step):
        counts = own[start : start + step]
        order = draw.random((len(counts), len(filled))).argsort(axis=1)
        taken = np.where(order < counts[:, None], 1.0, 0.0)
        sums[start : start + step] = taken @ filled
        squares[start : start + step] = taken @ filled**2
    parts = []
    for n, total, square in (
        (first, sums, squares),
        (second, filled.sum() - sums, (filled**2).sum() - squares),
    ):
        parts.append((total / n, np.maximum(square - total**2 / n, 0) / (n - 1) / n))
    (mean, variance), (other, its) = parts
    error = np.sqrt(variance + its)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(error > 0, (mean - other) / error, 0.0)
