"""Labels by meaning: the vectors of the labels are the prior of a head that a few examples move."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_expit, logsumexp, softmax

from server.models.scale import DEFAULT as OF_SHIPPED
from server.models.scale import Scale

INTERCEPT_FREEDOM = 1.0
FOLDS = 5  # of the examples, to see how sure the head may be
TEMPERATURE_SPREAD = 0.25  # of the logarithm of the temperature, before any example speaks


@dataclass(frozen=True)
class Head:
    """Logits of each label from a vector; `exclusive` where exactly one label is right."""

    weights: np.ndarray  # (labels, width)
    intercepts: np.ndarray  # (labels,)
    exclusive: bool

    def logits(self, vectors: np.ndarray) -> np.ndarray:
        """Raw scores. Shape: (texts, labels)."""
        vectors = np.asarray(vectors, dtype=np.float64)
        logits: np.ndarray = vectors @ self.weights.T + self.intercepts
        return logits

    def predict_proba(self, vectors: np.ndarray) -> np.ndarray:
        """Probability of each label. Shape: (texts, labels); rows sum to 1 if exclusive."""
        return probabilities_of(self.logits(vectors), self.exclusive)


@dataclass(frozen=True)
class Strength:
    """How cosines become logits, and how far examples may move them."""

    scale: float = OF_SHIPPED.label_scale
    freedom: float = OF_SHIPPED.label_freedom
    intercept_freedom: float = INTERCEPT_FREEDOM
    multi_scale: float = OF_SHIPPED.multi_scale
    multi_cosine: float = OF_SHIPPED.multi_cosine
    temperature_spread: float = TEMPERATURE_SPREAD

    @classmethod
    def of(cls, own: Scale) -> Strength:
        """What an encoder's scale says."""
        return cls(
            scale=own.label_scale,
            freedom=own.label_freedom,
            multi_scale=own.multi_scale,
            multi_cosine=own.multi_cosine,
        )


DEFAULT = Strength()


def fit_head(
    labels: np.ndarray,
    examples: np.ndarray | None = None,
    targets: np.ndarray | None = None,
    exclusive: bool = True,
    strength: Strength = DEFAULT,
) -> Head:
    """The most probable head: logistic regression, its prior centred on the labels' own vectors.

    Without examples it is that centre, zero-shot by cosine; each example moves it a little. A
    temperature, fitted over folds of the examples, makes it as sure as it may be. The order of the
    examples does not matter.

    Shapes: labels (labels, width), examples (examples, width), of length 1; targets (examples,
    labels) of 0 and 1, one 1 per row if exclusive.
    Source: Chelba and Acero 2004, "Adaptation of maximum entropy capitalizer: little data can help
    a lot", a Gaussian prior around the weights of an earlier model.
    """
    steepness = strength.scale if exclusive else strength.multi_scale
    offset = 0.0 if exclusive else -strength.multi_scale * strength.multi_cosine
    centre = steepness * np.asarray(labels, dtype=np.float64)
    start = Head(centre, np.full(len(centre), offset), exclusive)
    if examples is None or targets is None or not len(examples):
        return start
    order = np.lexsort([*examples.T, *targets.T])  # what is learnt must not depend on theirs
    vectors = np.asarray(examples[order], dtype=np.float64)
    # The best weights differ from the centre within the span of the examples only: solve there.
    turned, lengths, basis = np.linalg.svd(vectors, full_matrices=False)
    precision = np.full(len(lengths) + 1, 1 / strength.freedom)
    precision[-1] = 1 / strength.intercept_freedom
    known = Known(
        np.hstack([turned * lengths, np.ones((len(vectors), 1))]),
        start.logits(vectors),
        np.asarray(targets[order], dtype=np.float64),
        exclusive,
    )
    moves = best_moves(known, precision, np.zeros((len(centre), len(precision))))
    weights = start.weights + moves[:, :-1] @ basis
    intercepts = start.intercepts + moves[:, -1]
    temperature = fitted_temperature(known, precision, moves, strength.temperature_spread)
    return Head(weights / temperature, intercepts / temperature, exclusive)


@dataclass(frozen=True)
class Known:
    """Examples as the solver sees them, one row each."""

    inputs: np.ndarray  # coordinates in their span, then a 1
    prior_logits: np.ndarray
    right: np.ndarray
    exclusive: bool

    def rows(self, chosen: np.ndarray) -> Known:
        return replace(
            self,
            inputs=self.inputs[chosen],
            prior_logits=self.prior_logits[chosen],
            right=self.right[chosen],
        )

    def logits(self, moves: np.ndarray) -> np.ndarray:
        logits: np.ndarray = self.prior_logits + self.inputs @ moves.T
        return logits


def best_moves(known: Known, precision: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """How far the most probable weights and intercepts are from the prior's; shape as `guess`.

    `precision` is one over the variance of the weight of each input, shape (inputs,).
    """
    # The loss bends about so much along each coordinate: in these units it is about as steep
    # everywhere, which saves most of the steps.
    units = 1 / np.sqrt(precision + 0.1 * np.sum(known.inputs**2, axis=0))

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        moves = flat.reshape(guess.shape) * units
        logits = known.logits(moves)
        error = probabilities_of(logits, known.exclusive) - known.right
        value = surprise(logits, known.right, known.exclusive)
        value += 0.5 * float(np.sum(precision * moves**2))
        return value, ((error.T @ known.inputs + precision * moves) * units).ravel()

    options = {"maxiter": 1000, "ftol": 1e-10, "gtol": 1e-6}
    start = (guess / units).ravel()
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
    moves: np.ndarray = found.x.reshape(guess.shape) * units
    return moves


def fitted_temperature(
    known: Known, precision: np.ndarray, moves: np.ndarray, spread: float = TEMPERATURE_SPREAD
) -> float:
    """By what logits must be divided so that the head is as sure of unseen examples as is right.

    Each fold of the examples is judged by a head that was fitted to the others. Few examples move
    the temperature little.
    Source: Guo et al. 2017, section 4.2.
    """
    fold_of = folds_of(known.right)
    logits = np.empty_like(known.right)
    for fold in range(FOLDS):
        seen, unseen = fold_of != fold, fold_of == fold
        fitted = best_moves(known.rows(seen), precision, moves)
        logits[unseen] = known.rows(unseen).logits(fitted)

    def loss(log_temperature: float) -> float:
        value = surprise(logits / np.exp(log_temperature), known.right, known.exclusive)
        return value + 0.5 * (log_temperature / spread) ** 2

    return float(np.exp(minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))


def folds_of(right: np.ndarray) -> np.ndarray:
    """The fold of each example, shape (examples,): each gets its share of every label."""
    _, kinds = np.unique(right, axis=0, return_inverse=True)
    fold_of = np.empty(len(right), dtype=int)
    fold_of[np.argsort(kinds.ravel(), kind="stable")] = np.arange(len(right)) % FOLDS
    return fold_of


def probabilities_of(logits: np.ndarray, exclusive: bool) -> np.ndarray:
    probabilities: np.ndarray = softmax(logits, axis=1) if exclusive else expit(logits)
    return probabilities


def surprise(logits: np.ndarray, right: np.ndarray, exclusive: bool) -> float:
    """Sum of the negative log probabilities of what is right."""
    if exclusive:
        return float(np.sum(logsumexp(logits, axis=1) - np.sum(right * logits, axis=1)))
    return -float(np.sum(right * log_expit(logits) + (1 - right) * log_expit(-logits)))
