"""The part of sentence vectors that tells what is talked about, rather than how it is liked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FEWEST = 100  # sentences; of fewer the directions say nothing
MOST_FITTED = 20_000  # evenly spaced
DOMINANT = 0.1  # share of the variance from which one direction is left out
MOST_LEFT_OUT = 8


@dataclass(frozen=True)
class Space:
    """A centre (width,) and directions (some, width) that vectors are rid of."""

    centre: np.ndarray
    left_out: np.ndarray

    def project(self, vectors: np.ndarray, centre: np.ndarray | None = None) -> np.ndarray:
        """The vectors less centre and directions, of length 1, or 0. Same shape, float32."""
        rest = vectors.astype(np.float32) - (self.centre if centre is None else centre)
        rest -= (rest @ self.left_out.T) @ self.left_out
        return unit(rest)


def fit_space(vectors: np.ndarray, mood: np.ndarray) -> Space | None:
    """The space of these sentences; None if there are too few of them.

    Left out are the direction of praise and complaint and any other that dominates: an encoder
    trained on sentiment puts "late delivery" next to "bad fabric". How well the contexts of two
    phrases tell whether they share a category, as area under the ROC curve over six samples of
    1,200 reviews: 0.51 to 0.64 before, 0.69 to 0.79 after; with a general encoder 0.86 to 0.87
    either way.
    Shapes: vectors (sentences, width); mood (sentences,) from -1 to 1.
    Source: Mu and Viswanath 2018, "All-but-the-top".
    """
    if len(vectors) < FEWEST:
        return None
    chosen = np.linspace(0, len(vectors) - 1, min(len(vectors), MOST_FITTED)).astype(int)
    some = vectors[chosen].astype(np.float64)
    centre = some.mean(axis=0)
    some -= centre
    values, directions = np.linalg.eigh(some.T @ some)
    dominant = values / max(float(np.trace(some.T @ some)), 1e-12) > DOMINANT
    liking = (mood[chosen] - mood[chosen].mean()) @ some
    found = [*directions[:, dominant].T[::-1][:MOST_LEFT_OUT], liking]
    basis: list[np.ndarray] = []
    for direction in found:
        size = float(np.linalg.norm(direction))
        for other in basis:
            direction = direction - (direction @ other) * other
        rest = float(np.linalg.norm(direction))
        if rest > 1e-6 * max(size, 1e-12):
            basis.append(direction / rest)
    left_out = np.array(basis).reshape(len(basis), len(centre))
    return Space(centre.astype(np.float32), left_out.astype(np.float32))


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows of length 1; a row of nothing stays 0."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: np.ndarray = vectors / np.where(lengths > 1e-9, lengths, 1.0)
    return scaled
