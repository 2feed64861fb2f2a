"""Scores of predictions: right answers, per label, ranking, calibration, distance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy import stats

DRAWS = 2_000
SEED = 20_261_125  # the same data give the same interval
BINS = 10
Ints: TypeAlias = Sequence[int] | np.ndarray


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; lo and hi are None where there is none."""

    value: float
    lo: float | None = None
    hi: float | None = None


@dataclass(frozen=True)
class Share(Estimate):
    """A share with its interval."""

    lo: float
    hi: float


@dataclass(frozen=True)
class Bin:
    """Predictions of about one probability: its ends, their mean, how many came true."""

    lo: float
    hi: float
    predicted: float
    hits: int
    rows: int


@dataclass(frozen=True)
class Calibration:
    """The bins that hold predictions, the calibration error, and that of chance alone.

    chance, chance_95: mean and 95 % point of the error of as many predictions that are perfectly
    calibrated. gap: mean probability less share that came true.
    """

    bins: tuple[Bin, ...]
    error: float
    chance: float
    chance_95: float
    gap: float


def share(hits: int, rows: int) -> Share:
    """A share with its 95 % interval (Wilson 1927); of no rows all are nan."""
    if rows == 0:
        return Share(math.nan, math.nan, math.nan)
    ends = stats.binomtest(hits, rows).proportion_ci(0.95, method="wilson")
    return Share(hits / rows, float(ends.low), float(ends.high))


def confusion(actual: Ints, predicted: Ints, labels: int) -> np.ndarray:
    """Rows of each actual label (down) under each predicted one (across)."""
    table = np.zeros((labels, labels), dtype=int)
    np.add.at(table, (np.asarray(actual, int), np.asarray(predicted, int)), 1)
    return table


def f1_of(table: np.ndarray) -> np.ndarray:
    """F1 per label of a confusion table; 0 of one that is never right."""
    scores: np.ndarray = 2 * np.diag(table) / np.maximum(table.sum(axis=0) + table.sum(axis=1), 1)
    return scores


def macro_f1(table: np.ndarray) -> Estimate:
    """Mean F1 of all labels, with a 95 % interval of drawing the rows again (percentile bootstrap).

    In a drawing, labels that do not occur are left out of its mean.
    """
    rows = int(table.sum())
    draw = np.random.default_rng(SEED)
    down, across = np.nonzero(table)
    filled = table[down, across]
    again = draw.multinomial(rows, filled / rows, size=DRAWS)
    labels = np.arange(len(table))
    both = again @ ((down[:, None] == labels).astype(int) + (across[:, None] == labels))
    right = again @ ((down[:, None] == labels) & (across[:, None] == labels)).astype(int)
    means = (2 * right / np.maximum(both, 1)).sum(axis=1) / (both > 0).sum(axis=1)
    lo, hi = np.quantile(means, [0.025, 0.975])
    return Estimate(float(f1_of(table).mean()), float(lo), float(hi))


def area_under_curve(probability: np.ndarray, true: np.ndarray) -> Estimate:
    """How probable it is that one that came true was given more than one that did not.

    Source: DeLong, DeLong and Clarke-Pearson 1988; ranks as Sun and Xu 2014.
    """
    yes, no = probability[true], probability[~true]
    together = stats.rankdata(np.concatenate([yes, no]))
    above_no = (together[: len(yes)] - stats.rankdata(yes)) / len(no)
    below_yes = 1 - (together[len(yes) :] - stats.rankdata(no)) / len(yes)
    area = float(above_no.mean())
    if min(len(yes), len(no)) < 2:
        return Estimate(area)
    error = np.sqrt(above_no.var(ddof=1) / len(yes) + below_yes.var(ddof=1) / len(no))
    reach = float(stats.norm.ppf(0.975) * error)
    return Estimate(area, max(0.0, area - reach), min(1.0, area + reach))


def calibration(probability: np.ndarray, true: np.ndarray) -> Calibration:
    """How far stated probabilities are from what came true, over ten bins of equal width.

    Source: expected calibration error, Guo et al. 2017, equation 3. Even perfect probabilities have
    an error above 0, the more so the fewer they are; it is found by drawing outcomes from them.
    """
    place = np.minimum((probability * BINS).astype(int), BINS - 1)
    rows = np.bincount(place, minlength=BINS)
    sums = np.bincount(place, probability, BINS)
    hits = np.bincount(place, true, BINS)
    error = float(np.abs(sums - hits).sum() / len(true))
    draw = np.random.default_rng(SEED)
    by_chance = np.empty(DRAWS // 4)
    for number in range(len(by_chance)):
        drawn = draw.random(len(probability)) < probability
        by_chance[number] = np.abs(sums - np.bincount(place, drawn, BINS)).sum() / len(true)
    found = tuple(
        Bin(n / BINS, (n + 1) / BINS, float(sums[n] / rows[n]), int(hits[n]), int(rows[n]))
        for n in range(BINS)
        if rows[n]
    )
    return Calibration(
        found,
        error,
        float(by_chance.mean()),
        float(np.quantile(by_chance, 0.95)),
        float(probability.mean() - true.mean()),
    )


def brier(probability: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Mean squared distance of probability and outcome; then that of always saying the mean."""
    mean = true.mean()
    return float(np.mean((probability - true) ** 2)), float(mean * (1 - mean))


def mean_of(values: np.ndarray) -> Estimate:
    """The mean with its 95 % interval (Student)."""
    if len(values) < 2:
        return Estimate(float(values.mean()))
    reach = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    mean = float(values.mean())
    return Estimate(mean, mean - reach, mean + reach)
