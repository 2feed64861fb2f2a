"""RFM scores, saved cut-points, segments, and rules in words that are true."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.customers.orders import CustomerSummary, clean_orders, summarise
from server.customers.rfm import (
    LEVELS,
    SEGMENTS,
    RfmScheme,
    fit_scheme,
    score_customers,
    segment_rules,
)
from udfs.errors import BadInput, OutOfRange

AS_OF = np.datetime64("2024-12-31")


def customers(history: list[tuple[int, int, float]]) -> CustomerSummary:
    """Customers c0, c1 ... who bought `times` times, last `days` before AS_OF, `total` in all."""
    lines = [
        (f"c{number}", AS_OF - days - 400 * step, total / times)
        for number, (days, times, total) in enumerate(history)
        for step in range(times)
    ]
    ids, dates, amounts = zip(*lines, strict=True)
    return summarise(clean_orders(ids, np.array(dates), amounts), AS_OF)


# Recency falls, frequency and money rise together, from the best to the worst.
TEN = [(10 * i, 11 - i, 100.0 * (11 - i)) for i in range(1, 11)]


def test_ten_customers_in_five_bins_by_hand() -> None:
    summary = customers(TEN)
    scheme = fit_scheme(summary)
    assert scheme.recency.at == (20, 40, 60, 80)
    assert scheme.recency.scores == (5, 4, 3, 2, 1)
    assert scheme.frequency.at == (2, 4, 6, 8)
    assert scheme.monetary.at == (200, 400, 600, 800)
    table = score_customers(summary, scheme)
    assert table.recency.tolist() == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]
    assert table.frequency.tolist() == table.monetary.tolist() == table.recency.tolist()
    assert table.segments[0] == "Champions"
    assert table.rules[0] == "bought in the last 20 days, 9 or more times, more than 800 in all"
    assert table.segments[4] == "Needs attention"
    assert table.rules[4] == (
        "last bought 41 to 60 days ago, 5 to 6 times, more than 400 and up to 600 in all"
    )
    assert table.segments[9] == "Lost"
    assert table.rules[9] == "last bought more than 80 days ago, 1 to 2 times, up to 200 in all"


def test_next_month_falls_into_the_same_bins() -> None:
    scheme = fit_scheme(customers(TEN))
    read = RfmScheme.from_json(json.loads(json.dumps(scheme.to_json())))
    assert read == scheme
    later = score_customers(customers([(500, 1, 1.0), (0, 40, 9e6), (41, 5, 401.0)]), read)
    assert later.recency.tolist() == [1, 5, 3]
    assert later.frequency.tolist() == [1, 5, 3]
    assert later.monetary.tolist() == [1, 5, 3]


def test_most_bought_once() -> None:
    """Six of ten bought once: they score 1, the most frequent 5, equals alike."""
    summary = customers([(i, times, 10.0) for i, times in enumerate([1] * 6 + [2, 2, 3, 7])])
    scheme = fit_scheme(summary)
    assert scheme.frequency.at == (1, 2)
    assert scheme.frequency.scores == (1, 3, 5)
    assert score_customers(summary, scheme).frequency.tolist() == [1] * 6 + [3, 3, 5, 5]


def test_all_alike_score_low_on_count_and_money_and_high_on_recency() -> None:
    summary = customers([(3, 1, 10.0)] * 4)
    table = score_customers(summary, fit_scheme(summary))
    assert set(table.recency.tolist()) == {5}
    assert set(table.frequency.tolist()) == set(table.monetary.tolist()) == {1}
    assert set(table.segments) == {"New"}
    assert table.rules[0] == "bought at any time, any number of times, any amount in all"


def test_every_pair_of_levels_is_in_exactly_one_segment() -> None:
    cells = [
        (r, f)
        for r_lo, r_hi, f_lo, f_hi in SEGMENTS.values()
        for r in range(r_lo, r_hi + 1)
        for f in range(f_lo, f_hi + 1)
    ]
    assert sorted(cells) == [(r, f) for r in range(1, LEVELS + 1) for f in range(1, LEVELS + 1)]


def holds(rule: str, days: float, times: float, total: float) -> bool:
    """Whether a rule in words is true of a customer, read as a person would read it."""
    rule = rule.replace("in the last day", "in the last 1 days").replace("1 day ago", "1 days ago")
    rule = rule.replace("on the last day", "in the last 0 days").replace("once", "1 times")
    number = r"(-?[\d.e+-]+)"
    readings: list[tuple[str, Callable[..., bool]]] = [
        (rf"in the last {number} days", lambda x: days <= x),
        (rf"last bought more than {number} days ago", lambda x: days > x),
        (rf"last bought {number} days ago", lambda x: days == x),
        (rf"last bought {number} to {number} days ago", lambda x, y: x <= days <= y),
        (rf", {number} or more times", lambda x: times >= x),
        (rf", {number} times", lambda x: times == x),
        (rf", {number} to {number} times", lambda x, y: x <= times <= y),
        (rf", up to {number} in all", lambda x: total <= x),
        (rf"more than {number} in all", lambda x: total > x),
        (rf"more than {number} and up to {number} in all", lambda x, y: x < total <= y),
    ]
    found = [
        test(*map(float, match.groups()))
        for pattern, test in readings
        if (match := re.search(pattern, rule))
    ]
    vague = sum(words in rule for words in ("any time", "any number", "any amount"))
    assert len(found) + vague == rule.count(",") + 1, rule
    return all(found)


shops = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 6), st.integers(1, 9000).map(lambda c: c / 8)),
    min_size=1,
    max_size=30,
)


@given(shops, st.integers(2, 10))
def test_scores_keep_order_and_ties_and_rules_are_true(
    history: list[tuple[int, int, float]], bins: int
) -> None:
    summary = customers(history)
    scheme = fit_scheme(summary, bins)
    assert RfmScheme.from_json(scheme.to_json()) == scheme
    table = score_customers(summary, scheme)
    days, times, total = summary.days_since_last, summary.purchases, summary.total
    for values, scores in (
        (-days, table.recency),
        (times, table.frequency),
        (total, table.monetary),
    ):
        ordered = scores[np.argsort(values, kind="stable")]
        assert (np.diff(ordered) >= 0).all()
        assert all(len(set(scores[values == value].tolist())) == 1 for value in values)
        assert scores.min() >= 1
        assert scores.max() <= bins
        if len(set(values.tolist())) > 1 and len(set(scores.tolist())) > 1:
            assert {1, bins} <= set(scores.tolist())
    rules = segment_rules(scheme)
    for number, segment in enumerate(table.segments):
        facts = float(days[number]), float(times[number]), float(total[number])
        assert holds(table.rules[number], *facts)
        assert [name for name, rule in rules.items() if holds(rule, *facts)] == [segment]


def test_segment_rules_speak_of_recency_and_frequency_only() -> None:
    rules = segment_rules(fit_scheme(customers(TEN)))
    assert list(rules) == list(SEGMENTS)
    assert rules["Champions"] == "bought in the last 20 days, 7 or more times"
    assert rules["Loyal"] == "last bought 21 to 60 days ago, 7 or more times"
    assert rules["Cannot lose them"] == "last bought more than 60 days ago, 9 or more times"


def test_more_or_fewer_bins_reach_the_same_segments() -> None:
    for bins in (3, 5, 10):
        segments = score_customers(customers(TEN), fit_scheme(customers(TEN), bins)).segments
        assert (segments[0], segments[-1]) == ("Champions", "Lost")


def test_bins_are_checked() -> None:
    summary = customers(TEN)
    with pytest.raises(OutOfRange, match="bins is 1; expected 2 to 10"):
        fit_scheme(summary, 1)
    with pytest.raises(OutOfRange, match="bins is 11"):
        fit_scheme(summary, 11)
    with pytest.raises(BadInput, match="bins is True"):
        fit_scheme(summary, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format_version", 99),
        ("bins", "five"),
        ("recency", None),
        ("recency", {"at": [1, 2], "scores": [1, 2, 3]}),  # recency scores fall
        ("frequency", {"at": [2, 1], "scores": [1, 3, 5]}),
        ("monetary", {"at": [1], "scores": [1, 3, 5]}),
        ("monetary", {"at": [1], "scores": [1, 6]}),
        ("monetary", {"at": ["x"], "scores": [1, 5]}),
    ],
)
def test_damaged_cut_points_are_refused(name: str, value: Any) -> None:
    data = fit_scheme(customers(TEN)).to_json() | {name: value}
    with pytest.raises(BadInput):
        RfmScheme.from_json(data)
