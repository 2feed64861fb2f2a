"""Order lines become purchases and summaries: refunds, gaps and days decided as documented."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.customers.orders import CustomerSummary, LeftOut, clean_orders, summarise
from udfs.errors import BadInput, OutOfRange

Line = tuple[str | None, str | None, float]
JANUARY = dt.date(2024, 1, 1)


def summary_of(lines: list[Line], as_of: str | None = None) -> CustomerSummary:
    ids, dates, amounts = zip(*lines, strict=True)
    end = None if as_of is None else np.datetime64(as_of)
    return summarise(clean_orders(ids, dates, amounts), end)


def test_summary_worked_by_hand() -> None:
    summary = summary_of(
        [
            ("anna", "2024-01-01", 30),
            ("ben", "2024-01-08", 5),
            ("anna", "2024-01-15", 20),
            ("anna", "2024-01-29", 40),
        ],
        as_of="2024-02-05",
    )
    assert summary.ids == ("anna", "ben")
    assert summary.first.astype(str).tolist() == ["2024-01-01", "2024-01-08"]
    assert summary.last.astype(str).tolist() == ["2024-01-29", "2024-01-08"]
    assert summary.frequency.tolist() == [2, 0]
    assert summary.recency_weeks.tolist() == [4, 0]
    assert summary.age_weeks.tolist() == [5, 4]
    assert summary.repeat_value.tolist() == [30, 0]  # (20 + 40) / 2: the first is left out
    assert summary.total.tolist() == [90, 5]
    assert summary.purchases.tolist() == [3, 1]
    assert summary.days_since_last.tolist() == [7, 28]


def test_one_day_is_one_purchase() -> None:
    summary = summary_of([("a", "2024-01-01", 10), ("a", "2024-01-01", 2.5)])
    assert summary.purchases.tolist() == [1]
    assert summary.total.tolist() == [12.5]


def test_as_of_is_the_last_day_unless_given() -> None:
    assert summary_of([("a", "2024-01-01", 1), ("b", "2024-03-01", 1)]).as_of == np.datetime64(
        "2024-03-01"
    )


def test_what_came_after_as_of_is_not_looked_at() -> None:
    early: list[Line] = [("a", "2024-01-01", 10), ("b", "2024-01-02", 4)]
    late: list[Line] = [("a", "2024-02-01", 99), ("a", "2024-02-02", -5), ("c", "2024-02-03", 1)]
    now, then = summary_of(early, "2024-01-20"), summary_of(early + late, "2024-01-20")
    assert then.ids == now.ids
    assert then.total.tolist() == now.total.tolist()
    assert then.frequency.tolist() == now.frequency.tolist()


def test_a_refund_lowers_total_and_mean_value_but_moves_no_date() -> None:
    bought: list[Line] = [("a", "2024-01-01", 60), ("a", "2024-01-10", 40)]
    summary = summary_of([*bought, ("a", "2024-01-20", -25)])
    assert summary.last.astype(str).tolist() == ["2024-01-10"]
    assert summary.frequency.tolist() == [1]
    assert summary.total.tolist() == [75]
    assert summary.repeat_value.tolist() == [30]  # 40, less the quarter that was paid back


def test_a_day_of_zero_is_no_purchase() -> None:
    summary = summary_of(
        [("a", "2024-01-01", 9), ("a", "2024-01-05", 25), ("a", "2024-01-05", -25)]
    )
    assert summary.purchases.tolist() == [1]
    # 19.99 + 5.01 - 25 is not 0 in binary, and yet no purchase.
    cents = summary_of(
        [("a", "2024-01-01", 9)] + [("a", "2024-01-05", x) for x in (19.99, 5.01, -25.0)]
    )
    assert cents.purchases.tolist() == [1]


def test_more_refunded_than_bought_leaves_value_zero_and_a_negative_total() -> None:
    summary = summary_of([("a", "2024-01-01", 5), ("a", "2024-01-02", 5), ("a", "2024-01-09", -30)])
    assert summary.total.tolist() == [-20]
    assert summary.repeat_value.tolist() == [0]


def test_who_never_bought_is_listed_apart() -> None:
    summary = summary_of([("a", "2024-01-01", 5), ("b", "2024-01-02", -5), ("c", "2024-01-03", 0)])
    assert summary.ids == ("a",)
    assert summary.without_purchase == ("b", "c")


def test_incomplete_lines_are_left_out_and_counted() -> None:
    orders = clean_orders(
        [None, "  ", "a", "b", " a ", None],
        [JANUARY, JANUARY, None, JANUARY, dt.date(2024, 1, 3), None],
        [1, 1, 1, math.nan, 7, math.nan],
    )
    assert orders.left_out == LeftOut(missing_id=3, missing_date=1, missing_amount=1)
    assert orders.left_out.total == 5
    assert orders.ids == ("a",)  # spaces around an id do not make another customer
    assert orders.amount.tolist() == [7]


@given(
    st.lists(
        st.tuples(st.sampled_from("abcde"), st.integers(0, 60), st.integers(-500, 2000)),
        min_size=1,
        max_size=40,
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_the_rows_changes_no_number(
    lines: list[tuple[str, int, int]], chosen: object
) -> None:
    def table(rows: list[tuple[str, int, int]]) -> dict[str, tuple[object, ...]]:
        days = np.datetime64("2024-01-01") + np.array([row[1] for row in rows])
        orders = clean_orders([row[0] for row in rows], days, [row[2] / 100 for row in rows])
        try:
            s = summarise(orders)
        except OutOfRange:
            return {}
        assert (s.recency_weeks <= s.age_weeks).all()
        assert ((s.frequency > 0) == (s.recency_weeks > 0)).all()
        columns = (s.first, s.last, s.frequency, s.repeat_value, s.total)
        return dict(zip(s.ids, zip(*(c.tolist() for c in columns), strict=True), strict=True))

    shuffled = list(lines)
    chosen.shuffle(shuffled)  # type: ignore[attr-defined]
    assert table(shuffled) == table(lines)


@pytest.mark.parametrize(
    ("ids", "dates", "amounts", "message"),
    [
        (["a", "b"], ["2024-01-01"], [1.0, 2.0], "2 ids, 1 dates and 2 amounts"),
        ([], [], [], "no order lines"),
        ([7], ["2024-01-01"], [1.0], "Id 1 is 7; expected a text"),
        (["a"], ["soon"], [1.0], "dates cannot be read"),
        (["a"], ["2024-01-01"], ["much"], "amounts cannot be read"),
        (["a", "b"], ["2024-01-01"] * 2, [1.0, math.inf], "Amount 2 is infinite"),
    ],
)
def test_bad_columns_are_refused_with_a_reason(
    ids: list[str], dates: list[str], amounts: list[float], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        clean_orders(ids, dates, amounts)


def test_nothing_to_summarise_says_what_to_do() -> None:
    with pytest.raises(OutOfRange, match="None of the 1 order lines has an id, a date and an amou"):
        summary_of([(None, "2024-01-01", 1)])
    with pytest.raises(OutOfRange, match=r"no purchase up to 2023-12-31.*run from 2024-01-01"):
        summary_of([("a", "2024-01-01", 1)], as_of="2023-12-31")
    with pytest.raises(OutOfRange, match="no purchase"):
        summary_of([("a", "2024-01-01", -1)])
    with pytest.raises(BadInput, match="as_of is no day"):
        summary_of([("a", "2024-01-01", 1)], as_of="NaT")
