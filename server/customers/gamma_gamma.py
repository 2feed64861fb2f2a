"""Gamma-Gamma: what a customer's next order is worth, from the orders so far.

A customer's order values are Gamma(p, nu) with nu ~ Gamma(q, gamma) over customers; x is the number
of repeat purchases and m their mean value.
Source: Fader & Hardie 2013, "The Gamma-Gamma Model of Monetary Value" (brucehardie.com/notes/025);
equation numbers below are from there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, psi

from server.customers.bgnbd import need_repeat_buyers
from server.customers.fitting import maximise
from udfs.errors import BadInput, OutOfRange

PARAMETERS = ("p", "q", "gamma")
# The model takes value and frequency as independent. The paper finds 0.11 in CDNOW small enough;
# where to stop is ours.
MAX_CORRELATION = 0.3


@dataclass(frozen=True)
class GammaGamma:
    """A fitted model; `gamma` in the currency of the orders.

    `correlation` is that of value and frequency; `at_limit` is as in BgNbd: a model in which all
    orders are worth the same runs to it, and still predicts.
    """

    p: float
    q: float
    gamma: float
    log_likelihood: float = np.nan
    repeat_buyers: int = 0
    correlation: float = np.nan
    at_limit: tuple[str, ...] = ()

    @property
    def mean_value(self) -> float:
        """Mean order value over all customers. Source: equation 3."""
        return self.p * self.gamma / (self.q - 1)

    def order_value(self, frequency: np.ndarray, repeat_value: np.ndarray) -> np.ndarray:
        """Expected value of an order of each customer; the overall mean where there is no repeat.

        Shape: (customers,). A weighted mean of the customer's own and the overall value.
        Source: equation 5.
        """
        x, m = _check_values(frequency, repeat_value)
        return np.asarray(self.p * (self.gamma + x * m) / (self.p * x + self.q - 1))


def fit_gamma_gamma(
    frequency: np.ndarray, repeat_value: np.ndarray, max_correlation: float = MAX_CORRELATION
) -> GammaGamma:
    """The model of greatest likelihood for the customers with a repeat purchase of value above 0.

    Shapes: (customers,).
    Raises: BadInput if a value is impossible; OutOfRange if too few bought again, if value goes
    with frequency more closely than `max_correlation`, if the fit does not converge, or if order
    values vary so much that they have no mean (q <= 1).
    """
    x, m = _check_values(frequency, repeat_value)
    used = (x > 0) & (m > 0)
    need_repeat_buyers(int(used.sum()), len(x))
    x, m = x[used], m[used]
    correlation = check_independent(x, m, max_correlation)
    scale = float(m.mean())

    def objective(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        terms, slopes = log_likelihood_terms(parameters, x, m)
        return float(terms.mean()), slopes.mean(axis=1)

    starts = [(5.0, 4.0, 0.5 * scale), (1.0, 2.0, scale), (20.0, 10.0, 0.5 * scale)]
    best = maximise(objective, PARAMETERS, starts, "Gamma-Gamma")
    p, q, gamma = (float(value) for value in best.parameters)
    if q <= 1:
        raise OutOfRange(
            f"The order values have no mean to forecast (q is {q:.3g}, expected above 1): a few "
            "orders are worth far more than the rest. Leave out the largest, such as wholesale."
        )
    total = best.mean_log_likelihood * len(x)
    return GammaGamma(p, q, gamma, total, len(x), correlation, best.at_limit)


def check_independent(
    frequency: np.ndarray, repeat_value: np.ndarray, max_correlation: float = MAX_CORRELATION
) -> float:
    """Pearson correlation of frequency and value among repeat buyers; 0 where one is constant.

    Raises: OutOfRange if it is further from 0 than `max_correlation`.
    Source: the check that the paper makes before it fits.
    """
    if np.ptp(frequency) == 0 or np.ptp(repeat_value) == 0:
        return 0.0
    correlation = float(np.corrcoef(frequency, repeat_value)[0, 1])
    if abs(correlation) > max_correlation:
        raise OutOfRange(
            f"Frequent buyers {'spend more' if correlation > 0 else 'spend less'} per order: the "
            f"correlation is {correlation:.2f}, expected at most {max_correlation:g} either way. "
            "Split the customers, such as into wholesale and retail, and value each part."
        )
    return correlation


def log_likelihood_terms(
    parameters: np.ndarray, x: np.ndarray, m: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Log-likelihood of each customer with x > 0 and m > 0, and its gradient by p, q, gamma.

    Shapes: (customers,) and (3, customers). Source: equation 1a, in logarithms.
    """
    p, q, gamma = parameters
    # The gamma functions depend on x alone, which takes few values.
    counts, position = np.unique(x, return_inverse=True)
    px = p * counts
    gammas = (gammaln(px + q) - gammaln(px) - gammaln(q))[position]
    both = psi(px + q)
    more_psi, rest_psi = (both - psi(px))[position], (both - psi(q))[position]

    spent = x * m
    log_sum = np.log(gamma + spent)
    log_share = np.log(spent) - log_sum
    log_rest = np.log(gamma) - log_sum
    terms = gammas + q * log_rest + p * x * log_share - np.log(m)
    slopes = np.stack(
        [
            x * (more_psi + log_share),
            rest_psi + log_rest,
            q / gamma - (p * x + q) / (gamma + spent),
        ]
    )
    return terms, slopes


def _check_values(frequency: np.ndarray, repeat_value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, m = np.asarray(frequency, dtype=np.float64), np.asarray(repeat_value, dtype=np.float64)
    if not (x.shape == m.shape and x.ndim == 1):
        raise BadInput(
            f"Found frequency and value of shapes {x.shape} and {m.shape}; expected two columns "
            "with one number per customer."
        )
    right = (x >= 0) & (m >= 0) & np.isfinite(x + m)
    if not right.all():
        row = int(np.flatnonzero(~right)[0])
        raise BadInput(
            f"Customer {row + 1} has {x[row]:g} repeat purchases of {m[row]:g} on average; "
            "expected both to be 0 or more. Summarise the orders anew."
        )
    return x, m
