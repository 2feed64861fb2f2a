"""BG/NBD: how often a customer buys again, and whether he still does.

While active, a customer buys at the rate lambda ~ Gamma(r, alpha) per week; after each purchase he
becomes inactive with probability p ~ Beta(a, b). Here x is the number of repeat purchases, t_x the
weeks from the first purchase to the last, T the weeks from the first purchase to now.
Source: Fader, Hardie & Lee 2005, "Counting Your Customers" the Easy Way, Marketing Science 24(2);
equation numbers below are from there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, expit, gammaln, psi

from server.customers.fitting import maximise
from udfs.errors import BadInput, OutOfRange

# Measured on 60 simulated shops each, forecast over purchases of the next half year, all customers
# together: with 100 repeat buyers nine in ten lie within 0.7 to 1.4 and one in 25 fits ends at a
# limit; with 200, 0.8 to 1.2; with 50, 0.65 to 1.5 and one in six ends at a limit.
MIN_REPEAT_BUYERS = 100
PARAMETERS = ("r", "alpha", "a", "b")


@dataclass(frozen=True)
class BgNbd:
    """A fitted model; `alpha` in weeks. `at_limit` names parameters without a finite best value.

    A model at a limit still predicts: it is the simpler one that the limit stands for, such as
    one in which nobody leaves (a) or in which all buy at one rate (r and alpha).
    """

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float = np.nan
    customers: int = 0
    at_limit: tuple[str, ...] = ()

    def probability_active(
        self, frequency: np.ndarray, recency_weeks: np.ndarray, age_weeks: np.ndarray
    ) -> np.ndarray:
        """Probability that each customer still buys; 1 where nobody bought again.

        Shape: (customers,). The model lets a customer leave only after a repeat purchase.
        Source: Fader, Hardie & Lee 2008, "Computing P(alive) Using the BG/NBD Model".
        """
        x, t_x, age = check_history(frequency, recency_weeks, age_weeks)
        return np.asarray(expit(-self._log_odds_left(x, t_x, age)))

    def _log_odds_left(self, x: np.ndarray, t_x: np.ndarray, age: np.ndarray) -> np.ndarray:
        """Log odds that a customer has left; minus infinity where x is 0."""
        again = x > 0
        odds = np.log(self.a / np.where(again, self.b + x - 1, 1.0))
        odds = odds + (self.r + x) * np.log((self.alpha + age) / (self.alpha + t_x))
        return np.where(again, odds, -np.inf)

    def expected_purchases(
        self,
        frequency: np.ndarray,
        recency_weeks: np.ndarray,
        age_weeks: np.ndarray,
        horizon_weeks: float,
    ) -> np.ndarray:
        """Purchases expected of each customer in the next `horizon_weeks`.

        Shape: (customers,). Raises: OutOfRange if the horizon is negative or not finite.
        Source: equation 10, left as the mean over p that its 2F1 stands for. The 2F1 itself
        overflows for large x, a or b, and is 0/0 at a = 1. Nine digits are right while the horizon
        is at most 100 times alpha + T.
        """
        history = frequency, recency_weeks, age_weeks
        return self.weighted_purchases(*history, np.array([horizon_weeks]), np.ones(1))

    def weighted_purchases(
        self,
        frequency: np.ndarray,
        recency_weeks: np.ndarray,
        age_weeks: np.ndarray,
        horizons_weeks: np.ndarray,
        weights: np.ndarray,
    ) -> np.ndarray:
        """Weighted sum of `expected_purchases` over several horizons, at the cost of about one.

        Shapes: (customers,), from horizons and weights of one shape.
        """
        x, t_x, age = check_history(frequency, recency_weeks, age_weeks)
        for weeks in horizons_weeks:
            if not 0 <= weeks < np.inf:
                raise OutOfRange(f"The horizon is {weeks:g} weeks; expected 0 or more weeks.")
        active = expit(-self._log_odds_left(x, t_x, age))
        # An active customer's future depends on x and T only; few pairs of them differ.
        pairs, pair_of = np.unique(np.stack([x, age]), axis=1, return_inverse=True)
        values, value_of = np.unique(pairs[0], return_inverse=True)
        points, shares = beta_quadrature(self.a, self.b + values)  # p of an active customer
        p, share = points[value_of], shares[value_of]
        if_active = np.zeros(pairs.shape[1])
        for weeks, weight in zip(horizons_weeks, weights, strict=True):
            growth = np.log1p(p * weeks / (self.alpha + pairs[1][:, None]))
            reached = -np.expm1(-(self.r + pairs[0][:, None]) * growth) / p
            if_active += weight * (share * reached).sum(axis=1)
        return np.asarray(active * if_active[pair_of.reshape(-1)])


def beta_quadrature(a: float, b: np.ndarray, nodes: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Points p and weights whose weighted sum of f(p) is the mean of f under Beta(a, b).

    Shapes: b (rows,); points and weights (rows, nodes). Exact for polynomials up to degree
    2 nodes - 1; any positive a and b, however large.
    Source: Golub & Welsch 1969; the recurrence of the Jacobi polynomials, NIST DLMF 18.9.
    """
    low, high = a - 1, b[:, None] - 1  # exponents of p and of 1 - p
    n = np.arange(nodes, dtype=np.float64)[None, :]
    both = low + high
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = (low**2 - high**2) / ((2 * n + both) * (2 * n + both + 2))
        spread = (n * (n + low) * (n + high) * (n + both)) / (
            (2 * n + both) ** 2 * (2 * n + both + 1) * (2 * n + both - 1)
        )
    # The first of each is 0/0 for some a and b; its factors cancel.
    centre[:, :1] = (low - high) / (both + 2)
    spread[:, 1:2] = (1 + low) * (1 + high) / ((2 + both) ** 2 * (3 + both))
    matrix = np.zeros((len(b), nodes, nodes))
    row = np.arange(nodes)
    matrix[:, row, row] = (centre + 1) / 2
    matrix[:, row[1:], row[:-1]] = np.sqrt(spread[:, 1:])
    points, vectors = np.linalg.eigh(matrix)  # reads the lower triangle
    # Rounding may leave a point just outside (0, 1).
    return np.clip(points, 1e-18, 1.0), vectors[:, 0, :] ** 2


def fit_bgnbd(frequency: np.ndarray, recency_weeks: np.ndarray, age_weeks: np.ndarray) -> BgNbd:
    """The model of greatest likelihood for these customers, from several starts.

    Shapes: (customers,). Customers whose first purchase is today (T = 0) say nothing and may stay.
    Raises: BadInput if a history is impossible, OutOfRange if too few bought again or the fit
    does not converge.
    """
    x, t_x, age = check_history(frequency, recency_weeks, age_weeks)
    need_repeat_buyers(int((x > 0).sum()), len(x))
    scale = float(age.mean())  # alpha is a time: start it near the times at hand
    # Most customers bought once: many histories are equal and are worked out once.
    histories, counts = np.unique(np.stack([x, t_x, age]), axis=1, return_counts=True)
    shares = counts / len(x)

    def objective(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        terms, slopes = log_likelihood_terms(parameters, *histories)
        return float(terms @ shares), slopes @ shares

    starts = [
        (0.25, 0.15 * scale, 0.8, 2.5),
        (1.0, scale, 1.0, 1.0),
        (1.0, 0.3 * scale, 0.1, 2.0),
        (5.0, 2.0 * scale, 5.0, 20.0),
    ]
    best = maximise(objective, PARAMETERS, starts, "BG/NBD")
    r, alpha, a, b = (float(value) for value in best.parameters)
    total = best.mean_log_likelihood * len(x)
    return BgNbd(r, alpha, a, b, total, len(x), best.at_limit)


def log_likelihood_terms(
    parameters: np.ndarray, x: np.ndarray, t_x: np.ndarray, age: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Log-likelihood of each customer, and its gradient by r, alpha, a, b.

    Shapes: (customers,) and (4, customers). Source: equation 6, in logarithms.
    """
    r, alpha, a, b = parameters
    # The gamma functions depend on x alone, which takes few values.
    values, position = np.unique(x, return_inverse=True)
    gammas = gammaln(r + values) - gammaln(r) + betaln(a, b + values) - betaln(a, b)
    rate_psi = (psi(r + values) - psi(r))[position]
    all_psi = (psi(a + b) - psi(a + b + values))[position]
    stay_psi = (psi(b + values) - psi(b))[position]

    again = x > 0
    # b + x - 1 is only meant where x > 0; elsewhere the customer cannot have left.
    since = np.where(again, b + x - 1, 1.0)
    log_now, log_then = np.log(alpha + age), np.log(alpha + t_x)
    stayed = -(r + x) * log_now
    left = np.where(again, np.log(a / since) - (r + x) * log_then, -np.inf)
    either = np.logaddexp(stayed, left)
    share = np.exp(left - either)  # of the likelihood that comes from having left
    terms = gammas[position] + r * np.log(alpha) + either
    slopes = np.stack(
        [
            rate_psi + np.log(alpha) - (1 - share) * log_now - share * log_then,
            r / alpha - (r + x) * ((1 - share) / (alpha + age) + share / (alpha + t_x)),
            all_psi + share / a,
            all_psi + stay_psi - share / since,
        ]
    )
    return terms, slopes


def check_history(
    frequency: np.ndarray, recency_weeks: np.ndarray, age_weeks: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The three columns as float64.

    Raises: BadInput unless all are equally long with 0 <= recency <= age, whole frequency, and
    recency 0 exactly where frequency is 0.
    """
    x, t_x, age = (
        np.asarray(column, dtype=np.float64) for column in (frequency, recency_weeks, age_weeks)
    )
    if not (x.shape == t_x.shape == age.shape and x.ndim == 1 and len(x)):
        raise BadInput(
            f"Found frequency, recency and age of shapes {x.shape}, {t_x.shape}, {age.shape}; "
            "expected three columns with one number per customer."
        )
    right = (x >= 0) & (x == np.floor(x)) & (t_x >= 0) & (t_x <= age) & np.isfinite(x + age)
    right &= (x > 0) == (t_x > 0)
    if not right.all():
        row = int(np.flatnonzero(~right)[0])
        raise BadInput(
            f"Customer {row + 1} has {x[row]:g} repeat purchases, the last {t_x[row]:g} weeks "
            f"after the first, in {age[row]:g} weeks; expected a whole number of repeat purchases "
            "and 0 <= recency <= age, recency 0 only without any. Summarise the orders anew."
        )
    return x, t_x, age


def need_repeat_buyers(found: int, customers: int) -> None:
    """Raises: OutOfRange if fewer than MIN_REPEAT_BUYERS customers bought again."""
    if found < MIN_REPEAT_BUYERS:
        raise OutOfRange(
            f"{MIN_REPEAT_BUYERS - found:,} more repeat buyers are needed: {found:,} of "
            f"{customers:,} customers bought on more than one day, and the model needs at least "
            f'{MIN_REPEAT_BUYERS}. Take a longer history, or use method "RFM".'
        )
