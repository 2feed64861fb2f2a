"""An arm beside the control: difference, interval, p, the rows missing to see an effect."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from server.decisions.means import compare_means
from server.decisions.scores import share

FEWEST = 5  # events in each group below which nothing is claimed
RELATIVE = 0.1  # the change that the rows needed are counted for
POWER = 0.8
LEVEL_OF_WHOLE = 0.8  # of the 5 % that are spent on the whole, where there are segments too


@dataclass(frozen=True)
class Comparison:
    """An arm beside the control. `few`: too few events in one of the two for a claim.

    se: standard error of the difference. missing_rows: rows of both arms that are missing to see a
    change by a tenth of the control's mean four times out of five; missing_events: how many of them
    would be hits, or more than nothing.
    """

    rows: int
    mean: float
    control_rows: int
    control_mean: float
    uplift: float
    lo: float
    hi: float
    p: float
    se: float
    few: bool
    missing_rows: float
    missing_events: float

    @property
    def relative(self) -> float | None:
        """The uplift as a share of the control's mean; None where that is not above 0."""
        return self.uplift / self.control_mean if self.control_mean > 0 else None


def compare(own: np.ndarray, control: np.ndarray, binary: bool) -> Comparison | None:
    """How the values of an arm differ from the control's; None if either has fewer than two."""
    if min(len(own), len(control)) < 2:
        return None
    mean, base = float(own.mean()), float(control.mean())
    if binary:
        lo, hi, p, few = _shares(int(own.sum()), len(own), int(control.sum()), len(control))
    else:
        found = compare_means(own, control)
        lo, hi, p = found.lo, found.hi, found.p
        few = bool(min(np.count_nonzero(own), np.count_nonzero(control)) < FEWEST)
    se = float(np.sqrt(own.var(ddof=1) / len(own) + control.var(ddof=1) / len(control)))
    rows = _missing_rows(own, control, binary)
    events = rows * np.count_nonzero(np.concatenate([own, control])) / (len(own) + len(control))
    return Comparison(
        len(own), mean, len(control), base, mean - base, lo, hi, p, se, few, rows, events
    )  # fmt: skip


def _shares(hits: int, rows: int, its_hits: int, its_rows: int) -> tuple[float, float, float, bool]:
    """Interval and p of a difference of shares; whether there are few hits or few misses.

    Source: hybrid score interval, Newcombe 1998, method 10; score test, of few hits that of Fisher.
    """
    pooled = (hits + its_hits) / (rows + its_rows)
    few = min(rows, its_rows) * min(pooled, 1 - pooled) < FEWEST
    own, its = share(hits, rows), share(its_hits, its_rows)
    difference = own.value - its.value
    lo = difference - math.hypot(own.value - own.lo, its.hi - its.value)
    hi = difference + math.hypot(own.hi - own.value, its.value - its.lo)
    table = [[hits, rows - hits], [its_hits, its_rows - its_hits]]
    if few:
        p = stats.fisher_exact(table).pvalue
    else:
        p = stats.chi2_contingency(table, correction=False).pvalue
    return lo, hi, float(p), few


def _missing_rows(own: np.ndarray, control: np.ndarray, binary: bool) -> float:
    """Rows of both arms still missing, at the split there is, to see a change by RELATIVE."""
    base = float(control.mean())
    if binary and 0 < base < 1:
        other = base * (1 + RELATIVE) if base * (1 + RELATIVE) < 1 else base * (1 - RELATIVE)
        effect = 2 * abs(math.asin(math.sqrt(other)) - math.asin(math.sqrt(base)))
    else:
        spread = float(np.concatenate([own - own.mean(), control - base]).std())
        effect = abs(RELATIVE * base) / spread if spread > 0 else 0.0
    if effect == 0:
        return 0.0
    ratio = len(control) / len(own)
    reach = float(stats.norm.ppf(0.975) + stats.norm.ppf(POWER))
    needed = (reach / effect) ** 2 * (1 + 1 / ratio)  # in the arm; Cohen 1988, chapters 2 and 6
    return max(0.0, needed * (1 + ratio) - len(own) - len(control))


def adjusted(p: Sequence[float], weights: Sequence[float]) -> list[float]:
    """p-values of one family such that claims below 0.05 hold together with probability 95 %.

    weights: what share of the 5 % each is given first; what one does not need goes to the others.
    Source: weighted Holm procedure, Holm 1979, section 4.
    """
    order = sorted(range(len(p)), key=lambda n: p[n] / weights[n])
    left, highest = float(sum(weights)), 0.0
    found = [1.0] * len(p)
    for place in order:
        highest = max(highest, min(1.0, p[place] * left / weights[place]))
        found[place] = highest
        left -= weights[place]
    return found


def family_weights(whole: int, parts: int) -> list[float]:
    """Weights of the whole's comparisons, then of the segments'."""
    if not parts:
        return [1 / whole] * whole
    return [LEVEL_OF_WHOLE / whole] * whole + [(1 - LEVEL_OF_WHOLE) / parts] * parts
