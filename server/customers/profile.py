"""What is known of each customer, from texts and orders; blank where the evidence is thin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from scipy.special import stdtrit

from server.customers.next_order import Rhythm, fit_rhythms, next_order
from server.customers.orders import OrderDays

MOST_INTERESTS: Final = 5
MOST_NEEDS: Final = 3
JOINED_BY: Final = "; "
MIN_TREND_TEXTS: Final = 6  # dated, on at least MIN_TREND_DAYS days
MIN_TREND_DAYS: Final = 3
MIN_PRICE_TEXTS: Final = 5
MIN_CHANNEL_TEXTS: Final = 3  # with a channel; one channel must hold more than half of them
TREND_CHANGE: Final = 0.1  # least change of the score, -1 to 1, that is one
STEADY_CHANGE: Final = 0.5  # what the change over the whole time surely stays below
DECIMALS: Final = 4


@dataclass(frozen=True)
class SaidText:
    """What was read in a text of a customer. Interests and needs are (key, phrase): one thing in
    several wordings has one key."""

    customer: str
    score: float  # -1 negative to 1 positive
    day: np.datetime64 | None = None
    channel: str | None = None
    judges_price: bool = False
    interests: tuple[tuple[str, str], ...] = ()
    need: tuple[str, str] | None = None


@dataclass
class _Customer:
    texts: list[SaidText] = field(default_factory=list)
    order_days: list[np.datetime64] = field(default_factory=list)
    purchase_days: list[np.datetime64] = field(default_factory=list)
    total: float = 0.0
    rhythm: Rhythm | None = None


def last_day(texts: Iterable[SaidText], orders: OrderDays | None) -> np.datetime64 | None:
    """The last day of the data; None where there is no date."""
    days = [text.day for text in texts if text.day is not None]
    if orders is not None and len(orders.day):
        days.append(orders.day.max())
    return max(days, default=None)


def profiles(
    ids: Sequence[str],
    texts: Sequence[SaidText],
    orders: OrderDays | None,
    as_of: np.datetime64 | None,
    fields: Sequence[str],
) -> list[list[Any]]:
    """A row of these fields per customer: those of `ids`, then those who have orders alone.

    What is dated after `as_of` is not looked at.
    """
    customers: dict[str, _Customer] = {name: _Customer() for name in ids}
    for text in texts:
        if as_of is None or text.day is None or text.day <= as_of:
            customers[text.customer].texts.append(text)
    if orders is not None:
        for place, day, amount in zip(
            orders.customer.tolist(), orders.day, orders.amount.tolist(), strict=True
        ):
            one = customers.setdefault(orders.ids[place], _Customer())
            if as_of is None or day <= as_of:
                one.total += amount
                one.order_days.append(day)
                if amount > 0:
                    one.purchase_days.append(day)
        if as_of is not None and "next order" in fields:
            for customer, rhythm in fit_rhythms(orders, as_of).items():
                customers[customer].rhythm = rhythm
    return [
        [customer if name == "id" else _FIELDS[name](one, as_of) for name in fields]
        for customer, one in customers.items()
    ]


def most_said(phrases: Iterable[tuple[str, str]], most: int) -> str:
    """The phrases that most texts hold, each in its most frequent wording, the first first."""
    wordings: dict[str, Counter[str]] = {}
    for key, phrase in phrases:
        wordings.setdefault(key, Counter())[phrase] += 1
    ranked = sorted(wordings.values(), key=lambda counts: -counts.total())
    return JOINED_BY.join(counts.most_common(1)[0][0] for counts in ranked[:most])


def score_trend(days: Sequence[np.datetime64], scores: Sequence[float]) -> str:
    """rising, falling, steady, or blank where the texts do not tell.

    A line is fitted to the scores over time. rising or falling: the 95 % interval of its change
    from the first day to the last excludes 0. steady: the 90 % interval lies within STEADY_CHANGE.
    """
    when = np.array(days, dtype="datetime64[D]").astype(np.float64)
    count = len(when)
    if count < MIN_TREND_TEXTS or len(np.unique(when)) < MIN_TREND_DAYS:
        return ""
    x = (when - when.mean()) / (when.max() - when.min())
    y = np.asarray(scores, dtype=np.float64)
    squares = float(x @ x)
    change = float(x @ y) / squares
    left = y - y.mean() - change * x
    error = float(np.sqrt(left @ left / (count - 2) / squares))
    if abs(change) >= TREND_CHANGE and abs(change) > stdtrit(count - 2, 0.975) * error:
        return "rising" if change > 0 else "falling"
    return "steady" if abs(change) + stdtrit(count - 2, 0.95) * error <= STEADY_CHANGE else ""


def _interests(one: _Customer, as_of: Any) -> str:
    return most_said((pair for text in one.texts for pair in text.interests), MOST_INTERESTS)


def _needs(one: _Customer, as_of: Any) -> str:
    return most_said((text.need for text in one.texts if text.need), MOST_NEEDS)


def _sentiment(one: _Customer, as_of: Any) -> Any:
    if not one.texts:
        return ""
    return round(float(np.mean([text.score for text in one.texts])), DECIMALS) + 0.0


def _sentiment_trend(one: _Customer, as_of: Any) -> str:
    dated = [(text.day, text.score) for text in one.texts if text.day is not None]
    return score_trend([day for day, _ in dated], [score for _, score in dated])


def _price_sensitivity(one: _Customer, as_of: Any) -> Any:
    if len(one.texts) < MIN_PRICE_TEXTS:
        return ""
    return round(sum(text.judges_price for text in one.texts) / len(one.texts), DECIMALS)


def _channel(one: _Customer, as_of: Any) -> str:
    counts = Counter(text.channel for text in one.texts if text.channel)
    if counts.total() < MIN_CHANNEL_TEXTS:
        return ""
    channel, count = counts.most_common(1)[0]
    return str(channel) if 2 * count > counts.total() else ""


def _days_since_last(one: _Customer, as_of: np.datetime64 | None) -> Any:
    if not one.purchase_days or as_of is None:
        return ""
    return int((as_of - max(one.purchase_days)).astype(np.int64))


def _purchases(one: _Customer, as_of: Any) -> Any:
    return len(one.purchase_days) if one.order_days else ""


def _total(one: _Customer, as_of: Any) -> Any:
    return round(one.total, 6) if one.order_days else ""


def _next_order(one: _Customer, as_of: np.datetime64 | None) -> str:
    return next_order(one.purchase_days, as_of, one.rhythm)


def _last_seen(one: _Customer, as_of: Any) -> str:
    days = [*(text.day for text in one.texts if text.day is not None), *one.order_days]
    return str(max(days)) if days else ""


def _texts(one: _Customer, as_of: Any) -> int:
    return len(one.texts)


_FIELDS: Final[Mapping[str, Any]] = {
    "interests": _interests,
    "needs": _needs,
    "sentiment": _sentiment,
    "sentiment trend": _sentiment_trend,
    "price sensitivity": _price_sensitivity,
    "channel": _channel,
    "days since last": _days_since_last,
    "purchases": _purchases,
    "total": _total,
    "next order": _next_order,
    "last seen": _last_seen,
    "texts": _texts,
}
