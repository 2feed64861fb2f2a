"""Next-order dates: by the customer's own gaps, or by a model of all customers; blank in doubt."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from server.customers.bgnbd import MIN_REPEAT_BUYERS, fit_bgnbd
from server.customers.next_order import (
    LEAST_ACTIVE,
    MIN_ORDER_DAYS,
    Rhythm,
    fit_rhythms,
    next_order,
)
from server.customers.orders import OrderDays, clean_orders, summarise
from server.customers.profile import profiles

DATA = Path(os.environ.get("SHOPSHEET_DATA") or Path(__file__).parents[2] / "shared" / "data")
START = np.datetime64("2024-01-01")


def days(*dates: str) -> list[np.datetime64]:
    return [np.datetime64(date) for date in dates]


def shop(customers: int, seed: int = 1, length: int = 500) -> OrderDays:
    """Orders of customers who buy at random, each at a rate of his own, until he leaves."""
    draw = np.random.default_rng(seed)
    ids, when = [], []
    for customer in range(customers):
        gap = 1 / draw.gamma(2.0, 1 / 40)  # days; every second customer has more than 24
        day = draw.integers(0, 60)
        while day < length:
            ids.append(str(customer))
            when.append(START + int(day))
            if draw.random() < 0.03:
                break
            day += max(1, draw.exponential(gap))
    return clean_orders(ids, when, [10.0] * len(ids))


def test_without_a_model_the_date_follows_the_own_gaps() -> None:
    rhythm = days("2024-01-01", "2024-01-11", "2024-01-21", "2024-02-04")
    assert next_order(rhythm, np.datetime64("2024-02-05")) == "2024-02-14"
    assert next_order(rhythm[::-1], np.datetime64("2024-02-20")) == "2024-02-14"  # overdue
    assert next_order(rhythm, np.datetime64("2024-02-25")) == ""  # silent for two gaps
    assert next_order(rhythm[: MIN_ORDER_DAYS - 1], np.datetime64("2024-01-22")) == ""


def test_with_a_model_it_follows_the_expected_gap() -> None:
    rhythm = days("2024-01-01", "2024-01-11", "2024-01-21", "2024-02-04")
    today = np.datetime64("2024-02-05")
    assert next_order(rhythm, today, Rhythm(20.4, 0.9)) == "2024-02-24"
    assert next_order(rhythm, today, Rhythm(20.4, LEAST_ACTIVE - 0.01)) == ""
    assert next_order(rhythm, np.datetime64("2024-03-16"), Rhythm(20.4, 0.9)) == ""
    assert next_order(rhythm[:3], today, Rhythm(20.4, 0.9)) == ""


def test_the_gap_is_the_one_of_the_fitted_rate() -> None:
    orders = shop(400)
    as_of = orders.day.max()
    known = summarise(orders, as_of)
    model = fit_bgnbd(known.frequency, known.recency_weeks, known.age_weeks)
    found = fit_rhythms(orders, as_of)
    assert list(found) == list(known.ids)
    often = int(known.frequency.argmax())
    orders_so_far, days_known = known.frequency[often], 7 * known.age_weeks[often]
    rate = (model.r + orders_so_far) / (7 * model.alpha + days_known)  # a day
    assert found[known.ids[often]].gap_days == pytest.approx(1 / rate)
    # Nobody leaves before a repeat purchase, as the model has it.
    once = [name for name, x in zip(known.ids, known.frequency, strict=True) if x == 0]
    assert once
    assert {found[name].probability_active for name in once} == {1.0}


def test_small_tables_have_no_model_and_keep_the_own_gaps() -> None:
    orders = shop(MIN_REPEAT_BUYERS // 2)
    assert fit_rhythms(orders, orders.day.max()) == {}
    assert fit_rhythms(orders, START - 1) == {}  # nobody has bought yet
    place = int(np.bincount(orders.customer).argmax())
    bought = list(orders.day[orders.customer == place])
    name = orders.ids[place]
    rows = profiles([name], [], orders, max(bought), ["id", "next order"])
    assert dict(rows)[name] == next_order(bought, max(bought))


def errors(orders: OrderDays, as_of: np.datetime64) -> tuple[float, float]:
    """Mean error in days of the median gap and of the fitted one, where both give a date."""
    rhythms = fit_rhythms(orders, as_of)
    found = []
    for customer, name in enumerate(orders.ids):
        bought = orders.day[(orders.customer == customer) & (orders.amount > 0)]
        before, after = bought[bought <= as_of], bought[bought > as_of]
        both = next_order(before, as_of), next_order(before, as_of, rhythms.get(name))
        if all(both) and len(after):
            found.append([abs(int((np.datetime64(d) - after[0]).astype(int))) for d in both])
    assert len(found) > 50
    own, fitted = np.mean(found, axis=0)
    return float(own), float(fitted)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_model_errs_less_than_the_median_gap_where_orders_are_random(seed: int) -> None:
    own, fitted = errors(shop(500, seed), START + 250)
    assert fitted < own


@pytest.mark.skipif(not DATA.is_dir(), reason="the public data sets are not on this machine")
@pytest.mark.parametrize(
    ("name", "cut"), [("cdnow", "1997-06-30"), ("online_retail", "2011-06-30")]
)
def test_the_model_errs_less_on_orders_of_real_shops(name: str, cut: str) -> None:
    pytest.importorskip("pandas", reason="reads the data sets; comes with the extra `train`")
    from bench.next_order import load, measure

    found = measure(load(name, DATA / "tabular"), cut)
    assert found["fitted gap"]["mean error"] < found["median gap"]["mean error"]
    within = "mean error within horizon, all"
    assert found["fitted gap"][within] < found["median gap"][within]
