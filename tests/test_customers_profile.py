"""What is known of each customer, by hand-made histories; blank where the evidence is thin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from server.customers.orders import OrderDays, clean_orders
from server.customers.profile import (
    MIN_CHANNEL_TEXTS,
    MIN_PRICE_TEXTS,
    MIN_TREND_TEXTS,
    SaidText,
    last_day,
    most_said,
    profiles,
    score_trend,
)


def days(*dates: str) -> list[np.datetime64]:
    return [np.datetime64(date) for date in dates]


def field(name: str, texts: list[SaidText], orders: OrderDays | None = None) -> Any:
    return profiles(["a"], texts, orders, last_day(texts, orders), [name])[0][0]


def test_a_trend_needs_texts_days_and_a_clear_line() -> None:
    when = days(*(f"2024-01-{n:02}" for n in range(1, 13)))
    assert score_trend(when, np.linspace(-0.9, 0.9, 12).tolist()) == "rising"
    assert score_trend(when, np.linspace(0.9, -0.9, 12).tolist()) == "falling"
    assert score_trend(when, [0.8] * 12) == "steady"
    assert score_trend(when, [0.9, -0.9] * 6) == ""
    few = MIN_TREND_TEXTS - 1
    assert score_trend(when[:few], np.linspace(-1, 1, few).tolist()) == ""
    assert (
        score_trend(days("2024-01-01") * 6 + days("2024-01-02") * 6, [-1.0] * 6 + [1.0] * 6) == ""
    )


@pytest.mark.parametrize(
    ("channels", "preferred"),
    [
        (["shop"] * MIN_CHANNEL_TEXTS, "shop"),
        (["shop"] * (MIN_CHANNEL_TEXTS - 1), ""),
        (["shop", "shop", "social", "social"], ""),
        (["shop", "shop", "social", None], "shop"),
        ([None, None, None, None], ""),
    ],
)
def test_a_channel_is_preferred_by_more_than_half(
    channels: list[str | None], preferred: str
) -> None:
    assert field("channel", [SaidText("a", 0, channel=name) for name in channels]) == preferred


def test_price_sensitivity_is_a_share_of_enough_texts() -> None:
    texts = [SaidText("a", 0, judges_price=n < 2) for n in range(MIN_PRICE_TEXTS)]
    assert field("price sensitivity", texts) == 0.4
    assert field("price sensitivity", texts[1:]) == ""


def test_the_most_frequent_comes_first_in_its_usual_words() -> None:
    said = [("x", "X"), ("y", "why"), ("y", "Y"), ("y", "Y"), ("z", "Z")]
    assert most_said(said, 2) == "Y; X"
    assert most_said([], 5) == ""


def test_orders_count_as_everywhere() -> None:
    orders = clean_orders(
        ["a", "a", "a", "b"],
        days("2024-01-01", "2024-01-01", "2024-01-09", "2024-01-10"),
        [10.0, 5.0, -3.0, 7.0],
    )
    fields = ["id", "days since last", "purchases", "total", "last seen"]
    rows = profiles(["c"], [], orders, np.datetime64("2024-01-10"), fields)
    assert rows == [
        ["c", "", "", "", ""],
        ["a", 9, 1, 12.0, "2024-01-09"],
        ["b", 0, 1, 7.0, "2024-01-10"],
    ]
