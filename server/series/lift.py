"""What a campaign did: the series beside what it would have been, by a structural model.

The model: a level that wanders, plus a regression on control series and, where the time before
bears them out, a trend and a season. Its variances are the most probable ones under the priors of
CausalImpact and bsts (Brodersen et al. 2015): the level wanders by about 0.01 standard deviations
a step, as sure as 32 observations; controls explain 0.8 of the variance, as sure as 50. Then
placebo campaigns are started at every step before the real one; where their effects spread wider
than the model says, its intervals are widened to match.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import stdtr, stdtrit

from server.series.quiet import quiet
from udfs.errors import OutOfRange

LEVEL_GUESS = 0.01  # standard deviations that the level wanders in a step
LEVEL_SURENESS = 32.0  # observations that this guess is worth
UNEXPLAINED_GUESS = 0.2  # of the variance, by the controls
UNEXPLAINED_SURENESS = 50.0
LEAST_BEFORE = 10
MOST_WAVES = 6
# Measured by bench/lift_placebo.py, so that false alarms are as rare as the level says.
LEAST_SPREAD = 1.1  # of placebo effects, in the model's standard deviations
UNKNOWN_SEASON = 1.8  # where the time before is too short to show a season that may be there
LONG_PLACEBO = 0.5  # of the time before: a placebo campaign is at most so long


@dataclass(frozen=True)
class Lift:
    """The sums over the campaign, and how sure they are.

    probability: that the effect has the sign it shows. placebo: share of placebo campaigns with at
    least as large an effect for their uncertainty; None where the time before is too short for
    any. error_before: mean error of one step ahead before the campaign, as a share of the mean.
    """

    actual: float
    expected: float
    lo: float
    hi: float
    probability: float
    placebo: float | None
    placebos: int
    error_before: float
    steps: int

    @property
    def effect(self) -> float:
        return self.actual - self.expected


@dataclass(frozen=True)
class _Filtered:
    """The state before each step, in standard units. Shapes: (steps + 1, states ...)."""

    state: np.ndarray
    covariance: np.ndarray
    level: float  # variance of a step of the level
    noise: float
    criterion: float  # the lower, the better the model


def lift(
    values: np.ndarray,
    known: np.ndarray,
    start: int,
    controls: np.ndarray,
    seasons: Sequence[int],
    level: float,
) -> Lift:
    """The effect from step `start` on. `known`: the steps that count; controls: (steps, columns).

    Raises: OutOfRange if too little is known before or after the start.
    """
    before, after = int(known[:start].sum()), int(known[start:].sum())
    if before < LEAST_BEFORE + 2 * controls.shape[1]:
        need = LEAST_BEFORE + 2 * controls.shape[1]
        raise OutOfRange(
            f"There are {before} values before start; at least {need} are needed to know what "
            f"would have been: {need - before} more."
        )
    if not after:
        raise OutOfRange("There is no value from start to finish; check the two dates.")
    past = np.where(known, values, np.nan)[:start]
    mean, spread = float(np.nanmean(past)), float(np.nanstd(past))
    if spread == 0:
        raise OutOfRange(
            "All values before start are equal, so there is nothing to measure an effect against. "
            "Check values and start."
        )
    scaled = (values - mean) / spread
    design, filtered = _best(scaled, known, start, controls, seasons)
    steps = np.flatnonzero(known[start:]) + start
    gap, variance = _gap(scaled, design, filtered, start, steps)
    ratios, length = _placebos(scaled, known, design, filtered, start, len(steps))
    unknown = any(start < 2 * season for season in seasons[:1])
    widen, freedom = _widening(ratios, length, unknown)
    size = float(np.sqrt(variance)) * widen
    half = float(stdtrit(freedom, 0.5 + level / 200)) * size
    actual = float(values[steps].sum())
    effect = gap * spread
    found = None
    if len(ratios):
        found = float((np.abs(ratios) >= abs(gap) / np.sqrt(variance)).mean())
    return Lift(
        actual=actual,
        expected=actual - effect,
        lo=(gap - half) * spread,
        hi=(gap + half) * spread,
        probability=float(stdtr(freedom, abs(gap) / size)),
        placebo=found,
        placebos=len(ratios),
        error_before=_error_before(scaled, known, design, filtered, start)
        * spread
        / max(abs(mean), 1e-12),
        steps=len(steps),
    )


def _best(
    scaled: np.ndarray,
    known: np.ndarray,
    start: int,
    controls: np.ndarray,
    seasons: Sequence[int],
) -> tuple[np.ndarray, _Filtered]:
    """The design and the filtered model that tell most about the time before the start."""
    count = len(scaled)
    steps = np.arange(count)
    columns = _standard(controls, start)
    line = ((steps - start / 2) / start)[:, None]
    additions = [np.zeros((count, 0)), line]
    for season in seasons[:1]:
        waves = min(season // 2, MOST_WAVES, (start - 6) // 6)
        if start >= 2 * season and waves > 0:
            angles = 2 * np.pi * np.outer(steps, np.arange(1, waves + 1)) / season
            season_columns = np.hstack((np.cos(angles), np.sin(angles)))
            additions += [season_columns, np.hstack((line, season_columns))]
    best: tuple[np.ndarray, _Filtered] | None = None
    for added in additions:
        design = np.hstack((columns, added))
        filtered = _filter(scaled, known, start, design, columns.shape[1])
        if best is None or filtered.criterion < best[1].criterion:
            best = design, filtered
    assert best is not None
    return best


def _standard(controls: np.ndarray, start: int) -> np.ndarray:
    past = controls[:start]
    spread = past.std(axis=0)
    used = spread > 1e-12 * np.maximum(np.abs(past.mean(axis=0)), 1)
    return np.asarray((controls[:, used] - past[:, used].mean(axis=0)) / spread[used])


def _filter(
    scaled: np.ndarray, known: np.ndarray, start: int, design: np.ndarray, controls: int
) -> _Filtered:
    """The model with its most probable variances, filtered through the time before the start."""
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    past = np.where(known, scaled, np.nan)[:start]
    options: dict[str, Any] = {"level": "llevel"}
    if design.shape[1]:
        options |= {"exog": design[:start], "mle_regression": False}
    with quiet():
        model = UnobservedComponents(past, **options)

        def loss(logs: np.ndarray) -> float:
            noise, level = np.exp(logs)
            prior = _log_prior(level, LEVEL_GUESS**2, LEVEL_SURENESS if controls else 1.0)
            if controls:
                prior += _log_prior(noise, UNEXPLAINED_GUESS, UNEXPLAINED_SURENESS)
            return -float(model.loglike(np.array([noise, level]))) - prior

        bounds = [(-14.0, 2.0), (-14.0, 2.0)]
        tried = [
            minimize(loss, np.log(at), method="L-BFGS-B", bounds=bounds)
            for at in ((0.5, LEVEL_GUESS**2), (0.2, 0.1))
        ]
        found = min(tried, key=lambda one: float(one.fun))
        noise, level = np.exp(found.x)
        result = model.filter(np.array([noise, level]))
    criterion = 2 * float(found.fun) + np.log(np.isfinite(past).sum()) * design.shape[1]
    return _Filtered(
        result.filter_results.predicted_state.T,
        np.moveaxis(result.filter_results.predicted_state_cov, -1, 0),
        float(level),
        float(noise),
        criterion,
    )


def _log_prior(variance: float, guess: float, sureness: float) -> float:
    """Inverse gamma, as bsts' SdPrior: `sureness` observations of variance `guess`."""
    half = sureness / 2
    return float(-half * np.log(variance) - half * guess / variance)


def _gap(
    scaled: np.ndarray,
    design: np.ndarray,
    filtered: _Filtered,
    origin: int,
    steps: np.ndarray,
) -> tuple[float, float]:
    """Sum of actual less expected over these steps, as seen before step `origin`; its variance."""
    weights = np.concatenate(([len(steps)], design[steps].sum(axis=0)))
    gap = float(scaled[steps].sum()) - float(weights @ filtered.state[origin])
    variance = float(weights @ filtered.covariance[origin] @ weights)
    # The state before the first step already holds one step of the level; later ones add to it.
    remaining = len(steps) - np.searchsorted(steps, np.arange(origin + 1, steps[-1] + 1))
    variance += filtered.level * float(np.sum(remaining.astype(np.float64) ** 2))
    return gap, max(variance + filtered.noise * len(steps), 1e-12)


def _placebos(
    scaled: np.ndarray,
    known: np.ndarray,
    design: np.ndarray,
    filtered: _Filtered,
    start: int,
    length: int,
) -> tuple[np.ndarray, int]:
    """Effects of placebo campaigns over their standard deviations, and how long they were."""
    length = max(1, min(length, int(LONG_PLACEBO * start)))
    first = max(start // 4, 2 * (design.shape[1] + 1) + 4)
    ratios = []
    for origin in range(first, start - length + 1):
        steps = np.flatnonzero(known[origin : origin + length]) + origin
        if len(steps):
            gap, variance = _gap(scaled, design, filtered, origin, steps)
            ratios.append(gap / np.sqrt(variance))
    return np.array(ratios), length


def _widening(ratios: np.ndarray, length: int, season_unknown: bool) -> tuple[float, float]:
    """By how much the model's intervals are too narrow, and the degrees of freedom it is known by.

    Placebo campaigns overlap: those of one length are worth one.
    """
    if not len(ratios):
        return 2.0, 3.0
    worth = 1 + len(ratios) / length
    spread = max(LEAST_SPREAD, float(np.sqrt(np.mean(ratios**2)))) * np.sqrt(1 + 1 / worth)
    if season_unknown:
        spread *= UNKNOWN_SEASON
    return float(spread), min(2.0 + worth, 30.0)


def _error_before(
    scaled: np.ndarray, known: np.ndarray, design: np.ndarray, filtered: _Filtered, start: int
) -> float:
    first = min(start // 4, 2 * (design.shape[1] + 1))
    steps = np.flatnonzero(known[:start])
    steps = steps[steps >= first]
    with_level = np.column_stack((np.ones(len(scaled)), design))
    expected = np.einsum("ij,ij->i", with_level[steps], filtered.state[steps])
    return float(np.mean(np.abs(scaled[steps] - expected)))
