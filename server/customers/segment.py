"""The tables of SEGMENT: the header, then a row per customer who bought, in the data's order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from server.customers.clv import fit_clv, predict_clv
from server.customers.orders import CustomerSummary, clean_orders, summarise
from server.customers.rfm import RfmScheme, fit_scheme, score_customers
from udfs.catalogue import SEGMENT
from udfs.kinds import DAY_ZERO

HORIZON_WEEKS = 52
DECIMALS = 4
_DAY_ZERO = np.datetime64(DAY_ZERO, "D")


def segment(
    ids: Sequence[str | None],
    days: Sequence[int | None],
    amounts: Sequence[float | None],
    method: str,
    bins: int,
    as_of: int | None,
    cuts: Mapping[str, Any] | None = None,
) -> list[list[Any]]:
    """The table of SEGMENT.

    `days` and `as_of` are day numbers of the sheet; None is a cell that holds nothing usable, and
    its line is left out. `cuts` are saved cut-points; without them they are fitted.
    Raises: BadInput or OutOfRange.
    """
    dates = [None if day is None else _DAY_ZERO + day for day in days]
    money = [np.nan if amount is None else amount for amount in amounts]
    end = None if as_of is None else _DAY_ZERO + as_of
    summary = summarise(clean_orders(ids, dates, money), end)
    scheme = RfmScheme.from_json(cuts) if cuts else None
    if method == "RFM":
        columns = _rfm(summary, scheme or fit_scheme(summary, bins))
    else:
        columns = _clv(summary)
    header = list(SEGMENT.columns({"method": method}))
    return [header, *(list(row) for row in zip(*columns, strict=True))]


def _rfm(summary: CustomerSummary, scheme: RfmScheme) -> list[Sequence[Any]]:
    table = score_customers(summary, scheme)
    return [
        table.ids,
        table.recency.tolist(),
        table.frequency.tolist(),
        table.monetary.tolist(),
        table.segments,
        table.rules,
        summary.days_since_last.tolist(),
        summary.purchases.tolist(),
        summary.total.tolist(),
    ]


def _clv(summary: CustomerSummary) -> list[Sequence[Any]]:
    forecast = predict_clv(fit_clv(summary), summary, HORIZON_WEEKS, discount_per_year=0.0)
    return [
        forecast.ids,
        forecast.expected_purchases.round(DECIMALS).tolist(),
        forecast.value.round(DECIMALS).tolist(),
        forecast.probability_active.round(DECIMALS).tolist(),
        summary.days_since_last.tolist(),
        summary.purchases.tolist(),
        summary.total.tolist(),
    ]
