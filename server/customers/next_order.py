"""When a customer is likely to order next: the last order plus the gap that is expected of him.

The gap comes from BG/NBD fitted to the whole table: of a customer who still buys, the rate of
buying given x repeat orders in T weeks is Gamma(r + x, alpha + T), so a gap of (alpha + T) /
(r + x) weeks. It leans on what is usual in the shop where his own orders are few, and grows while
he is silent. In tables that are too small to fit it is the median of his own gaps.

Measured by bench/next_order.py on seven cuts of two shops, over customers who ordered again and
got a date by both rules: mean error in days 14.5 to 26.2, by the median gap 16.7 to 32.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from server.customers.bgnbd import fit_bgnbd
from server.customers.orders import DAYS_PER_WEEK, OrderDays, summarise
from udfs.errors import OutOfRange

MIN_ORDER_DAYS: Final = 4  # so three gaps
LEAST_ACTIVE: Final = 0.5  # probability of still buying below which there is no date


@dataclass(frozen=True)
class Rhythm:
    """What is expected of a customer: days between orders, and whether he still buys."""

    gap_days: float
    probability_active: float


def fit_rhythms(orders: OrderDays, as_of: np.datetime64) -> dict[str, Rhythm]:
    """The rhythm of each customer by his id; none where the table is too small for the model."""
    try:
        known = summarise(orders, as_of)
        history = known.frequency, known.recency_weeks, known.age_weeks
        model = fit_bgnbd(*history)
    except OutOfRange:
        return {}
    gaps = DAYS_PER_WEEK * (model.alpha + known.age_weeks) / (model.r + known.frequency)
    active = model.probability_active(*history)
    return {
        customer: Rhythm(gap, share)
        for customer, gap, share in zip(known.ids, gaps.tolist(), active.tolist(), strict=True)
    }


def next_order(
    days: Sequence[np.datetime64], as_of: np.datetime64 | None, rhythm: Rhythm | None = None
) -> str:
    """The day of the next order, as a date; blank where the evidence is thin.

    It may have passed already: the order is overdue. Who has been silent for two gaps, or has
    probably left, gets none.
    """
    if len(days) < MIN_ORDER_DAYS:
        return ""
    ordered = np.sort(np.array(days, dtype="datetime64[D]"))
    if rhythm is None:
        gap_days = float(np.median(np.diff(ordered).astype(np.int64)))
    elif rhythm.probability_active < LEAST_ACTIVE:
        return ""
    else:
        gap_days = rhythm.gap_days
    gap = np.timedelta64(round(gap_days), "D")
    due = ordered[-1] + gap
    if as_of is not None and as_of > due + gap:
        return ""
    return str(due)
