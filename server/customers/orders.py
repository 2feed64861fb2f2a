"""Order lines to purchases per customer and day, and from those one summary per customer.

What counts, decided once for every function that reads orders:

- All lines of a customer on one day are one occasion; its amount is their sum.
- An occasion above zero is a purchase. One of zero or less (a refund, an exchange, a sample) is
  none: it moves no date and no count, but its amount stays in the customer's total.
- A refund does not undo the purchase that it pays back: which one is not known without order
  numbers. It lowers the total, and the mean order value in the same proportion.
- A line without id, date or amount is left out and counted; so is a customer who never bought.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from udfs.errors import BadInput, OutOfRange, short

DAYS_PER_WEEK = 7.0
# Sums of cents differ in their last bits with the order of the rows; rounded, they are equal.
AMOUNT_DECIMALS = 6


@dataclass(frozen=True)
class LeftOut:
    """Order lines that could not be used, by reason; each line is counted once."""

    missing_id: int = 0
    missing_date: int = 0
    missing_amount: int = 0

    @property
    def total(self) -> int:
        """All lines that were left out."""
        return self.missing_id + self.missing_date + self.missing_amount


@dataclass(frozen=True)
class OrderDays:
    """Net amount of each customer on each day with an order line, by customer, then by day.

    Shapes: ids (customers,), in order of first appearance; customer, day, amount (days,), where
    `customer` is a position in `ids`.
    """

    ids: tuple[str, ...]
    customer: np.ndarray  # int64
    day: np.ndarray  # datetime64[D]
    amount: np.ndarray  # float64, in the currency of the lines; may be zero or negative
    left_out: LeftOut = LeftOut()


@dataclass(frozen=True)
class CustomerSummary:
    """What is known of each customer who bought, up to and including `as_of`.

    Shapes: every array is (customers,), in the order of `ids`. `frequency`, `recency_weeks` and
    `age_weeks` are x, t_x and T of Fader, Hardie & Lee 2005 (see bgnbd.py); `repeat_value` is the
    mean value of the repeat purchases, as Fader & Hardie 2013 take it (see gamma_gamma.py).
    """

    as_of: np.datetime64
    ids: tuple[str, ...]
    first: np.ndarray  # datetime64[D], first purchase
    last: np.ndarray  # datetime64[D], last purchase
    frequency: np.ndarray  # purchases after the first
    recency_weeks: np.ndarray  # first to last purchase; 0 for a single one
    age_weeks: np.ndarray  # first purchase to as_of
    repeat_value: np.ndarray  # per repeat purchase, less refunds; 0 where there is none
    total: np.ndarray  # all purchases less all refunds; may be negative
    without_purchase: tuple[str, ...] = ()  # customers with order lines but no purchase by as_of

    @property
    def purchases(self) -> np.ndarray:
        """Days with a purchase, per customer; at least 1."""
        return np.asarray(self.frequency + 1)

    @property
    def days_since_last(self) -> np.ndarray:
        """Whole days from the last purchase to `as_of`, per customer; 0 is the day itself."""
        return np.asarray((self.as_of - self.last).astype(np.int64))


def clean_orders(
    ids: Sequence[str | None], dates: Sequence[object] | np.ndarray, amounts: Sequence[float]
) -> OrderDays:
    """The order lines with one row per customer and day.

    `dates` are datetime64[D] or datetime.date, NaT or None where missing; a missing amount is NaN.
    Ids are compared without the spaces around them; a blank one is missing.
    Raises: BadInput if the columns differ in length, are empty, or hold something of another kind.
    """
    names = [_clean_id(name, row) for row, name in enumerate(ids, start=1)]
    day, amount = _read_dates(dates), _read_amounts(amounts)
    if not len(names) == len(day) == len(amount):
        raise BadInput(
            f"Found {len(names):,} ids, {len(day):,} dates and {len(amount):,} amounts; expected "
            "as many of each. Select the same rows in all three columns."
        )
    if not names:
        raise BadInput("Found no order lines; select at least one row of id, date and amount.")
    no_id = np.array([name is None for name in names])
    no_date, no_amount = np.isnat(day), np.isnan(amount)
    keep = ~(no_id | no_date | no_amount)
    left_out = LeftOut(
        int(no_id.sum()), int((no_date & ~no_id).sum()), int((no_amount & ~no_id & ~no_date).sum())
    )
    position: dict[str, int] = {}
    customer = np.array(
        [
            position.setdefault(name, len(position))
            for name, kept in zip(names, keep.tolist(), strict=True)
            if kept and name
        ],
        dtype=np.int64,
    )
    customer, day, amount = _sum_by_day(customer, day[keep], amount[keep])
    return OrderDays(tuple(position), customer, day, amount, left_out)


def _clean_id(name: object, row: int) -> str | None:
    if name is None:
        return None
    if not isinstance(name, str):
        raise BadInput(f"Id {row} is {short(name)}; expected a text. Pass numbers as texts.")
    return name.strip() or None


def _read_dates(dates: Sequence[object] | np.ndarray) -> np.ndarray:
    try:
        days = np.asarray(dates, dtype="datetime64[D]")
    except (TypeError, ValueError) as error:
        raise BadInput(
            f"The dates cannot be read ({error}); expected a column of calendar days, "
            "empty where one is missing."
        ) from None
    return days.reshape(-1)


def _read_amounts(amounts: Sequence[float]) -> np.ndarray:
    try:
        values = np.asarray(amounts, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError) as error:
        raise BadInput(
            f"The amounts cannot be read ({error}); expected a column of numbers, "
            "empty where one is missing."
        ) from None
    if np.isinf(values).any():
        row = int(np.flatnonzero(np.isinf(values))[0]) + 1
        raise BadInput(f"Amount {row} is infinite; expected a number of money. Correct that cell.")
    return values


def _sum_by_day(
    customer: np.ndarray, day: np.ndarray, amount: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Customer, day and summed amount of each different pair of customer and day, sorted."""
    order = np.lexsort((day, customer))
    customer, day, amount = customer[order], day[order], amount[order]
    starts = _starts(customer) | np.concatenate(([True], day[1:] != day[:-1]))[: len(day)]
    first = np.flatnonzero(starts)
    sums = np.add.reduceat(amount, first) if len(first) else amount
    return customer[first], day[first], np.round(sums, AMOUNT_DECIMALS)


def _starts(customer: np.ndarray) -> np.ndarray:
    """Whether each row of a sorted column is the first of its customer."""
    return np.concatenate(([True], customer[1:] != customer[:-1]))[: len(customer)]


def summarise(orders: OrderDays, as_of: np.datetime64 | None = None) -> CustomerSummary:
    """One summary per customer who bought by `as_of`; what came later is not looked at.

    `as_of` is the last day of the order lines unless given.
    Raises: OutOfRange if there is no purchase by then.
    """
    if not len(orders.day):
        raise OutOfRange(
            f"None of the {orders.left_out.total:,} order lines has an id, a date and an amount; "
            "expected at least one that has all three. Check which columns were selected."
        )
    end: np.datetime64 = orders.day.max() if as_of is None else as_of.astype("datetime64[D]")
    if np.isnat(end):
        raise BadInput("as_of is no day; give a calendar day, or leave it out for the last order.")
    known = orders.day <= end
    customer, day, amount = orders.customer[known], orders.day[known], orders.amount[known]
    bought = amount > 0
    if not bought.any():
        raise OutOfRange(
            f"Found no purchase up to {end}; expected at least one day with an amount above 0. "
            f"The order lines run from {orders.day.min()} to {orders.day.max()}: check as_of."
        )
    buyers, starts, counts = np.unique(customer[bought], return_index=True, return_counts=True)
    ends = starts + counts - 1
    days, paid = day[bought], amount[bought]
    gross = np.add.reduceat(paid, starts)
    total = np.bincount(customer, weights=amount, minlength=len(orders.ids))[buyers]
    repeats = counts - 1
    # What is left of each 1 paid, after refunds.
    kept = np.clip(total / gross, 0, 1)
    repeat_value = kept * (gross - paid[starts]) / np.maximum(repeats, 1)
    names = np.array(orders.ids, dtype=object)
    idle = np.setdiff1d(np.unique(customer), buyers)
    return CustomerSummary(
        as_of=end,
        ids=tuple(names[buyers]),
        first=days[starts],
        last=days[ends],
        frequency=repeats,
        recency_weeks=_weeks(days[ends] - days[starts]),
        age_weeks=_weeks(end - days[starts]),
        # gross less the first purchase leaves dust where there is no repeat purchase.
        repeat_value=np.where(repeats > 0, np.round(repeat_value, AMOUNT_DECIMALS), 0.0),
        total=np.round(total, AMOUNT_DECIMALS),
        without_purchase=tuple(names[idle]),
    )


def _weeks(days: np.ndarray) -> np.ndarray:
    return np.asarray(days.astype("timedelta64[D]").astype(np.float64) / DAYS_PER_WEEK)
