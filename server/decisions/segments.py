"""Rows in segments: named groups, or fifths of a score; and whether they rank the uplift (Qini)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from server.decisions.columns import Column, is_filled, key_of, name_of, value_of
from server.decisions.words import figure
from udfs.kinds import Cell

MOST_VALUES = 12  # different numbers, above which they are a score
FIFTHS = 5
MOST_SEGMENTS = 30
FEWEST_ROWS = 20  # of a segment; smaller ones are joined
SEED = 20_261_125


@dataclass(frozen=True)
class Segments:
    """Names and, per row, the number of its segment. `ranked`: by a score, the highest first."""

    names: tuple[str, ...]
    of_row: np.ndarray
    ranked: bool


@dataclass(frozen=True)
class Qini:
    """Area between the uplift gained in order of the ranking and that gained in any order.

    In units of the uplift, per row. half: share of the whole uplift that the best half of the rows
    brings, None if there is none.
    """

    value: float
    lo: float
    hi: float
    p: float
    half: float | None


def read_segments(column: Column, lang: str) -> Segments:
    """The segments of a column; many different numbers are cut into five equal groups.

    A number or TRUE says little by itself: the heading stands before it.
    """
    found = _segments(column.cells, lang)
    alone = all(value_of(cell) is not None for cell in column.cells if is_filled(cell))
    if not (alone and column.name):
        return found
    names = tuple(f"{column.name} {name}" for name in found.names)
    return Segments(names, found.of_row, found.ranked)


def _segments(cells: Sequence[Cell], lang: str) -> Segments:
    numbers = [value_of(cell) for cell in cells]
    filled = [number for cell, number in zip(cells, numbers, strict=True) if is_filled(cell)]
    known = [number for number in filled if number is not None]
    if len(known) == len(filled) and len(set(known)) > MOST_VALUES:
        return _fifths(np.array([np.nan if n is None else n for n in numbers]), lang)
    blank, other = {"en": ("(blank)", "(other)"), "zh": ("（空）", "（其他）")}[lang]
    keys = [key_of(cell) if is_filled(cell) else "" for cell in cells]
    shown = {"": blank}
    for cell, key in zip(cells, keys, strict=True):
        if key:
            shown.setdefault(key, name_of(cell))
    counts = Counter(keys)
    kept = [key for key, rows in counts.most_common(MOST_SEGMENTS - 1) if rows >= FEWEST_ROWS]
    left = [key for key in counts if key not in kept]
    if len(left) == 1:
        kept, left = [*kept, *left], []
    place = {key: number for number, key in enumerate(kept)}
    names = [shown[key] for key in kept] + ([other] if left else [])
    return Segments(tuple(names), np.array([place.get(key, len(kept)) for key in keys]), False)


def _fifths(scores: np.ndarray, lang: str) -> Segments:
    known = np.isfinite(scores)
    cuts = np.unique(np.quantile(scores[known], np.arange(1, FIFTHS) / FIFTHS))
    group = np.searchsorted(cuts, scores, side="left")
    names, of_row = list[str](), np.full(len(scores), -1)
    for number in range(len(cuts), -1, -1):
        rows = known & (group == number)
        if rows.any():
            of_row[rows] = len(names)
            ends = figure(float(scores[rows].min()), 3), figure(float(scores[rows].max()), 3)
            names.append({"en": "{} to {}", "zh": "{} 至 {}"}[lang].format(*ends))
    if not known.all():
        of_row[~known] = len(names)
        names.append({"en": "(blank)", "zh": "（空）"}[lang])
    return Segments(tuple(names), of_row, True)


def qini(
    segments: Segments, own: np.ndarray, control: np.ndarray, values: np.ndarray
) -> Qini | None:
    """How well the segments rank the uplift of the rows `own` over the rows `control`; both bool.

    A score ranks as it is. Other segments are ranked by their uplift in one half of the rows and
    measured in the other half, and the other way round: their own luck cannot flatter them.
    None if a half has too few rows. Source: Radcliffe 2007.
    """
    rows = own | control
    if segments.ranked:
        order = np.arange(len(segments.names))
        return _joined([_area(segments, own, control, values, order)], values, own, control)
    draw = np.random.default_rng(SEED)
    first = draw.random(len(rows)) < 0.5
    areas = []
    for half in (first, ~first):
        ranks = _uplifts(segments, own & ~half, control & ~half, values)[0]
        if not np.isfinite(ranks).any():
            return None
        order = np.argsort(-np.nan_to_num(ranks, nan=-np.inf), kind="stable")
        areas.append(_area(segments, own & half, control & half, values, order))
    return _joined(areas, values, own, control)


# Area, its variance, and the uplift per row of the best half.
_Area = tuple[float, float, float]


def _joined(
    areas: Sequence[_Area | None], values: np.ndarray, own: np.ndarray, control: np.ndarray
) -> Qini | None:
    known = [area for area in areas if area is not None]
    if len(known) < len(areas):
        return None
    value = float(np.mean([area for area, _, _ in known]))
    error = float(np.sqrt(np.sum([variance for _, variance, _ in known]))) / len(known)
    if error == 0:
        return None
    p = float(2 * stats.norm.sf(abs(value) / error))
    reach = 1.959964 * error
    whole = float(values[own].mean() - values[control].mean())
    half = float(np.mean([best for _, _, best in known])) / whole if whole > 0 else None
    return Qini(value, value - reach, value + reach, p, half)


def _uplifts(
    segments: Segments, own: np.ndarray, control: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Uplift of each segment and its variance; nan where an arm has fewer than two rows."""
    size = len(segments.names)
    found = []
    for rows in (own, control):
        where = segments.of_row[rows]
        n = np.bincount(where, minlength=size).astype(float)
        total = np.bincount(where, values[rows], size)
        square = np.bincount(where, values[rows] ** 2, size)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = np.where(n > 1, total / n, np.nan)
            variance = np.maximum(square - total**2 / n, 0) / (n - 1) / n
        found.append((mean, variance))
    (mean, variance), (base, its) = found
    return mean - base, variance + its


def _area(
    segments: Segments, own: np.ndarray, control: np.ndarray, values: np.ndarray, order: np.ndarray
) -> _Area | None:
    uplift, variance = _uplifts(segments, own, control, values)
    order = order[np.isfinite(uplift[order])]
    if len(order) < 2:
        return None
    share = np.bincount(segments.of_row[own | control], minlength=len(segments.names))[order]
    share = share / share.sum()
    # Each segment's uplift counts from where it stands: under a curve of straight pieces it adds
    # share * (1 - share before it - half its own), and any order gives share / 2.
    before = np.cumsum(share) - share
    weight = share * (1 - before - share / 2) - share / 2
    own_uplift = uplift[order]
    best = float(np.sum(own_uplift * np.clip(0.5 - before, 0, share)))
    return (
        float(weight @ own_uplift),
        float(weight**2 @ variance[order]),
        best,
    )
