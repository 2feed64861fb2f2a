"""Maximum likelihood for models whose parameters are all positive: L-BFGS-B on their logarithms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from udfs.errors import OutOfRange

# A parameter that runs past these has no finite best value: the data do not determine it.
LOG_LO, LOG_HI = np.log(1e-4), np.log(1e5)
GRADIENT_TOLERANCE = 1e-5  # of the mean log-likelihood per customer, by the log of a parameter

# Mean log-likelihood of parameters, and its gradient by them.
Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]


@dataclass(frozen=True)
class Optimum:
    """The best parameters found; `at_limit` names those that ran to the end of their range."""

    parameters: np.ndarray  # (parameters,)
    mean_log_likelihood: float
    at_limit: tuple[str, ...]


def maximise(
    objective: Objective, names: Sequence[str], starts: Sequence[Sequence[float]], subject: str
) -> Optimum:
    """The best of the optima reached from `starts`; the same data give the same bits.

    `objective` is the mean log-likelihood, so that tolerances do not depend on the customers.
    Raises: OutOfRange, naming `subject`, if no start leads to an optimum.
    """

    def loss(logs: np.ndarray) -> tuple[float, np.ndarray]:
        parameters = np.exp(logs)
        value, gradient = objective(parameters)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return 1e10, np.zeros_like(logs)
        return -value, -gradient * parameters

    best_logs, best_loss = None, np.inf
    for start in starts:
        result = minimize(
            loss,
            np.clip(np.log(start), LOG_LO, LOG_HI),
            jac=True,
            method="L-BFGS-B",
            bounds=[(LOG_LO, LOG_HI)] * len(start),
            options={"maxiter": 1000, "ftol": 1e-14, "gtol": 1e-8},
        )
        if result.fun < best_loss and _is_flat(result.x, loss(result.x)[1]):
            best_logs, best_loss = result.x, float(result.fun)
    if best_logs is None or best_loss >= 1e9:
        raise OutOfRange(
            f"The {subject} model does not converge on these customers; expected a history in "
            "which some bought again and some stopped. Check dates and amounts, take a longer "
            'history, or use method "RFM".'
        )
    at_end = (best_logs <= LOG_LO) | (best_logs >= LOG_HI)
    return Optimum(
        np.exp(best_logs),
        -best_loss,
        tuple(name for name, ended in zip(names, at_end, strict=True) if ended),
    )


def _is_flat(logs: np.ndarray, gradient: np.ndarray) -> bool:
    """Whether the loss cannot fall further within the limits, as far as its gradient tells."""
    outward = ((logs <= LOG_LO) & (gradient > 0)) | ((logs >= LOG_HI) & (gradient < 0))
    return bool(np.abs(np.where(outward, 0.0, gradient)).max() <= GRADIENT_TOLERANCE)
