"""What customers are worth: expected orders times expected order value, discounted to today."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from server.customers.bgnbd import BgNbd, fit_bgnbd
from server.customers.gamma_gamma import MAX_CORRELATION, GammaGamma, fit_gamma_gamma
from server.customers.orders import CustomerSummary
from udfs.errors import OutOfRange

WEEKS_PER_YEAR = 365.25 / 7
# Nodes of the integral over the horizon; the integrand is smooth: 16 leave an error below 1e-9.
NODES = 16


@dataclass(frozen=True)
class ClvModel:
    """Both halves of the model, fitted to the same customers."""

    purchases: BgNbd
    value: GammaGamma


@dataclass(frozen=True)
class ClvTable:
    """The forecast of each customer; every field has one entry per id."""

    ids: tuple[str, ...]
    expected_purchases: np.ndarray  # within the horizon
    probability_active: np.ndarray
    order_value: np.ndarray  # expected value of one order
    value: np.ndarray  # of all orders within the horizon, discounted to today


def fit_clv(summary: CustomerSummary, max_correlation: float = MAX_CORRELATION) -> ClvModel:
    """Both models, fitted to these customers.

    Raises: OutOfRange as `fit_bgnbd` and `fit_gamma_gamma` do.
    """
    return ClvModel(
        fit_bgnbd(summary.frequency, summary.recency_weeks, summary.age_weeks),
        fit_gamma_gamma(summary.frequency, summary.repeat_value, max_correlation),
    )


def predict_clv(
    model: ClvModel,
    summary: CustomerSummary,
    horizon_weeks: float = 52.0,
    discount_per_year: float = 0.1,
) -> ClvTable:
    """The forecast of each customer from `as_of` on; 0.1 discounts by 10 % a year.

    Raises: OutOfRange if the horizon or the discount rate is negative or not finite.
    """
    history = summary.frequency, summary.recency_weeks, summary.age_weeks
    order_value = model.value.order_value(summary.frequency, summary.repeat_value)
    return ClvTable(
        ids=summary.ids,
        expected_purchases=model.purchases.expected_purchases(*history, horizon_weeks),
        probability_active=model.purchases.probability_active(*history),
        order_value=order_value,
        value=order_value
        * discounted_purchases(model.purchases, *history, horizon_weeks, discount_per_year),
    )


def discounted_purchases(
    model: BgNbd,
    frequency: np.ndarray,
    recency_weeks: np.ndarray,
    age_weeks: np.ndarray,
    horizon_weeks: float,
    discount_per_year: float,
) -> np.ndarray:
    """Expected purchases within the horizon, each discounted from its day to today.

    Shape: (customers,). Raises: OutOfRange if the discount rate is negative or not finite.
    Source: discounted expected transactions of Fader, Hardie & Lee 2005, "RFM and CLV", Journal of
    Marketing Research 42(4), over a finite horizon h. With E(t) purchases expected by t and the
    rate d, the integral of exp(-dt) E'(t) is, in parts, exp(-dh) E(h) + d times that of
    exp(-dt) E(t), which needs no derivative.
    """
    if not 0 <= discount_per_year < np.inf:
        raise OutOfRange(
            f"The discount rate is {discount_per_year}; expected 0 or more a year, such as 0.1."
        )
    history = frequency, recency_weeks, age_weeks
    rate = float(np.log1p(discount_per_year)) / WEEKS_PER_YEAR
    nodes, shares = np.polynomial.legendre.leggauss(NODES)
    weeks = np.append(horizon_weeks * (nodes + 1) / 2, horizon_weeks)
    weights = np.append(rate * horizon_weeks * shares / 2, 1.0) * np.exp(-rate * weeks)
    return model.weighted_purchases(*history, weeks, weights)
