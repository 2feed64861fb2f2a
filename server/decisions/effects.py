"""How a target differs where a factor is there: as it is, and beside all other factors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from server.decisions.features import Feature, Level

RIDGE = 1.0  # as one more row in which nothing differs: keeps what cannot be told apart finite
DRAWS = 999
FEWER_DRAWS = 499
MANY_PRODUCTS = 2_000_000_000
TOLD = 0.95  # of the rows that the commonest level does not account for
FEWEST_SAME = 50  # rows of a level in which the target is always the same
SEED = 20_261_125


@dataclass(frozen=True)
class Effect:
    """Mean of the target where a level is, less that elsewhere: raw, and beside the others.

    lo, hi: the 95 % interval of `beside`. raw_p, p: adjusted for all factors that were looked at.
    """

    feature: Feature
    level: Level
    rows: int
    mean: float
    others: float
    raw: float
    beside: float
    lo: float
    hi: float
    raw_p: float
    p: float


class Design:
    """The levels of all features as columns, and the target; the commonest level is left out."""

    def __init__(self, features: Sequence[Feature], target: np.ndarray) -> None:
        self._target = target
        columns = list[np.ndarray]()
        self._place = dict[tuple[int, int], int]()
        for number, feature in enumerate(features):
            sizes = [int(level.rows.sum()) for level in feature.levels]
            base = int(np.argmax(sizes))
            for place, level in enumerate(feature.levels):
                if place != base:
                    self._place[number, place] = len(columns)
                    columns.append(level.rows.astype(float))
        self._features = features
        x = np.column_stack(columns) if columns else np.zeros((len(target), 0))
        self._x = x - x.mean(axis=0)
        gram = self._x.T @ self._x + RIDGE * np.eye(x.shape[1])
        self._inverse = np.linalg.inv(gram)
        self._coefficients = self._inverse @ (self._x.T @ (target - target.mean()))
        residuals = target - target.mean() - self._x @ self._coefficients
        leverage = np.sum(self._x @ self._inverse * self._x, axis=1) + 1 / len(target)
        self._residuals = residuals
        # HC3 (MacKinnon and White 1985): each residual as if its row had not been fitted.
        self._honest = residuals / np.maximum(1 - leverage, 0.05)

    def contrast(self, feature: int, level: int) -> np.ndarray:
        """What each row's target counts for a level less the other levels of its feature."""
        levels = self._features[feature].levels
        sizes = np.array([other.rows.sum() for other in levels], dtype=float)
        weights = -sizes / (sizes.sum() - sizes[level])
        weights[level] = 1.0
        of_column = np.zeros(self._x.shape[1])
        for place, weight in enumerate(weights):
            column = self._place.get((feature, place))
            if column is not None:
                of_column[column] = weight
        row: np.ndarray = self._x @ (self._inverse @ of_column)
        return row

    def estimate(self, row: np.ndarray) -> tuple[float, float, float]:
        """Value of a contrast, its standard error, its size beside noise."""
        value = float(row @ self._target)
        error = float(np.sqrt(np.sum((row * self._honest) ** 2)))
        freedom = max(1, len(row) - self._x.shape[1] - 1)
        noise = float(np.sqrt(np.sum(self._residuals**2) / freedom))
        length = float(np.linalg.norm(row))
        return value, error, value / (noise * length) if noise * length > 0 else 0.0


def effects(features: Sequence[Feature], target: np.ndarray, fewest: int) -> list[Effect]:
    """The effect of each level of which there are enough rows.

    p-values are those of a family: the target is dealt out anew among the rows, and p is how often
    the largest of all effects, raw or beside the others, is as large as this one.
    Source: maxT, Westfall and Young 1993.
    """
    design = Design(features, target)
    found: list[tuple[Feature, Level, np.ndarray, np.ndarray]] = []
    for number, feature in enumerate(features):
        for level in feature.candidates:
            inside = int(level.rows.sum())
            if level.joined or min(inside, len(target) - inside) < fewest:
                continue
            raw = np.where(level.rows, 1 / inside, -1 / (len(target) - inside))
            place = next(n for n, own in enumerate(feature.levels) if own is level)
            found.append((feature, level, raw, design.contrast(number, place)))
    if not found:
        return []
    spread = float(target.std(ddof=1))
    highest = _highest_by_chance([row for _, _, *rows in found for row in rows], target)
    reach = float(stats.norm.ppf(0.975))
    answers = []
    for feature, level, raw, beside in found:
        difference = float(raw @ target)
        size = difference / (spread * float(np.linalg.norm(raw)))
        value, error, own_size = design.estimate(beside)
        answers.append(
            Effect(
                feature, level, int(level.rows.sum()),
                float(target[level.rows].mean()), float(target[~level.rows].mean()),
                difference, value, value - reach * error, value + reach * error,
                _as_high(highest, size), _as_high(highest, own_size),
            )
        )  # fmt: skip
    return answers


def beside_one(
    features: Sequence[Feature], target: np.ndarray, feature: Feature, level: Level
) -> list[tuple[Feature, float]]:
    """What is left of an effect beside each other feature alone."""
    place = next(n for n, own in enumerate(feature.levels) if own is level)
    left = []
    for other in features:
        if other is not feature:
            design = Design([feature, other], target)
            left.append((other, design.estimate(design.contrast(0, place))[0]))
    return left


def _highest_by_chance(rows: Sequence[np.ndarray], target: np.ndarray) -> np.ndarray:
    """The largest size of any contrast, in each of many dealings of the target. Sorted."""
    units = np.stack([row / max(float(np.linalg.norm(row)), 1e-300) for row in rows])
    units = units.astype(np.float32)
    standard = ((target - target.mean()) / target.std(ddof=1)).astype(np.float32)
    draws = DRAWS if units.size * DRAWS < MANY_PRODUCTS else FEWER_DRAWS
    draw = np.random.default_rng(SEED)
    highest = np.empty(draws)
    step = max(1, 8_000_000 // len(target))
    for start in range(0, draws, step):
        size = min(step, draws - start)
        dealt = np.stack([draw.permutation(standard) for _ in range(size)], axis=1)
        highest[start : start + size] = np.abs(units @ dealt).max(axis=0)
    return np.sort(highest)


def _as_high(highest: np.ndarray, size: float) -> float:
    """Share of dealings whose highest is at least this, this one counted."""
    below = int(np.searchsorted(highest, abs(size) - 1e-6, side="left"))
    return (len(highest) - below + 1) / (len(highest) + 1)


def gives_away(feature: Feature, target: np.ndarray, binary: bool) -> float | None:
    """How well the feature alone tells the target, if that is suspiciously well; else None.

    Of a yes-or-no target the area under the curve from 0.97, of a number R squared from 0.9.
    """
    _, place = np.unique(feature.fine, return_inverse=True)
    rows = np.bincount(place)
    if len(rows) > len(target) / 5:
        return None
    means = (np.bincount(place, target) / rows)[place]
    if not binary:
        spread = float(np.sum((target - target.mean()) ** 2))
        told = float(np.sum((means - target.mean()) ** 2)) / spread
        return told if told >= 0.9 else None
    yes = target > 0.5
    ranks = stats.rankdata(means)
    count, other = int(yes.sum()), int((~yes).sum())
    area = (float(ranks[yes].sum()) - count * (count + 1) / 2) / (count * other)
    return area if area >= 0.97 else None


def never_differs(feature: Feature, target: np.ndarray, binary: bool) -> tuple[Level, bool] | None:
    """A level of at least 50 rows in which the target is always the same, though mostly it is not;
    or, and then the second is False, outside of which it is.

    Of a yes-or-no target: always yes, where yes is the rarer.
    """
    if binary and target.mean() > 0.5:
        return None
    for level in feature.candidates:
        for rows, inside in ((level.rows, True), (~level.rows, False)):
            values = target[rows]
            if len(values) >= FEWEST_SAME and (values.min() == 1 if binary else not np.ptp(values)):
                return level, inside
    return None


def tells(feature: Feature, other: Feature) -> bool:
    """Whether the level of `feature` tells that of `other` in nearly every row.

    Source: lambda, Goodman and Kruskal 1954.
    """
    size = len(feature.levels), len(other.levels)
    table = np.bincount(
        feature.level_of_row * size[1] + other.level_of_row, minlength=size[0] * size[1]
    )
    counts = table.reshape(size)
    most, total = counts.sum(axis=0).max(), counts.sum()
    return bool(most < total and (counts.max(axis=1).sum() - most) / (total - most) >= TOLD)
