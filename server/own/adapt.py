"""A small head that moves the logits of the model before it, as far as rows tell it to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from server.semantics.few_shot import (
    INTERCEPT_FREEDOM,
    Known,
    best_moves,
    fitted_temperature,
    folds_of,
    probabilities_of,
    surprise,
)

FREEDOMS = (10.0, 30.0, 100.0, 300.0, 1000.0)  # variance of each weight; which one, rows decide
OTHER_FREEDOM = 1.0  # of weights on inputs that are no coordinates of a vector
FEW = 500  # rows of which two folds are looked at, where one would tell too little


@dataclass(frozen=True)
class Adapted:
    """weights (labels, inputs), intercepts (labels,): what is added to the logits before."""

    weights: np.ndarray
    intercepts: np.ndarray
    temperature: float
    exclusive: bool

    def predict_proba(self, inputs: np.ndarray, prior_logits: np.ndarray) -> np.ndarray:
        """Probability of each label. Shape: (rows, labels); rows sum to 1 if exclusive."""
        moved = prior_logits + inputs @ self.weights.T + self.intercepts
        return probabilities_of(moved / self.temperature, self.exclusive)

    def tensors(self, prefix: str = "") -> dict[str, np.ndarray]:
        """What `from_tensors` reads."""
        return {
            f"{prefix}weights": self.weights.astype(np.float32),
            f"{prefix}intercepts": self.intercepts.astype(np.float32),
            f"{prefix}temperature": np.array([self.temperature], dtype=np.float32),
        }

    @classmethod
    def from_tensors(
        cls, tensors: Mapping[str, np.ndarray], exclusive: bool, prefix: str = ""
    ) -> Adapted:
        """The head. Raises: KeyError if a tensor is missing."""
        return cls(
            tensors[f"{prefix}weights"].astype(np.float64),
            tensors[f"{prefix}intercepts"].astype(np.float64),
            float(tensors[f"{prefix}temperature"][0]),
            exclusive,
        )


def adapt(
    inputs: np.ndarray,
    prior_logits: np.ndarray,
    targets: np.ndarray,
    width: int,
    exclusive: bool = True,
    tick: Callable[[], None] = lambda: None,
) -> Adapted:
    """The most probable head, with no move at all as the middle of its prior.

    inputs (rows, `width` coordinates of vectors and then others), prior_logits and targets (rows,
    labels). How far it may move is chosen on folds of the rows, by log loss. `tick` is called now
    and then, and may raise.
    """
    known = Known(
        np.hstack([inputs, np.ones((len(inputs), 1))]),
        np.asarray(prior_logits, dtype=np.float64),
        np.asarray(targets, dtype=np.float64),
        exclusive,
    )
    precision = _chosen(known, width, tick)
    tick()
    moves = best_moves(known, precision, np.zeros((targets.shape[1], len(precision))))
    tick()
    temperature = fitted_temperature(known, precision, moves)
    return Adapted(moves[:, :-1], moves[:, -1], temperature, exclusive)


def _chosen(known: Known, width: int, tick: Callable[[], None]) -> np.ndarray:
    """One over the variance of each input's weight."""
    fold_of = folds_of(known.right)
    judged = range(2 if len(known.right) < FEW else 1)
    best, least = FREEDOMS[0], np.inf
    guess = [np.zeros((known.right.shape[1], known.inputs.shape[1])) for _ in judged]
    for freedom in FREEDOMS:
        precision = _precision(known.inputs.shape[1], width, freedom)
        loss = 0.0
        for fold in judged:
            tick()
            unseen = known.rows(fold_of == fold)
            guess[fold] = best_moves(known.rows(fold_of != fold), precision, guess[fold])
            loss += surprise(unseen.logits(guess[fold]), unseen.right, known.exclusive)
        if loss < least:
            best, least = freedom, loss
    return _precision(known.inputs.shape[1], width, best)


def _precision(inputs: int, width: int, freedom: float) -> np.ndarray:
    precision = np.full(inputs, 1 / OTHER_FREEDOM)
    precision[:width] = 1 / freedom
    precision[-1] = 1 / INTERCEPT_FREEDOM
    return precision
