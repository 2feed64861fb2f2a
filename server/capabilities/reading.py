"""What the encoder says of a text, in one pass: every text function reads this from the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from server.capabilities.base import Capability, Outcome
from udfs.errors import ModelFailed, ShopsheetError

# The same bytes on every machine.
PROBABILITY = np.dtype("<f4")
SCALE = np.dtype("<f4")
COORDINATE = np.dtype("i1")  # 4 times smaller than f4; moves a cosine by less than 0.0002
LARGEST = 127


@dataclass(frozen=True)
class Readings:
    """Columns of what was read, one row per text."""

    probabilities: np.ndarray  # (texts, labels) float64
    vectors: np.ndarray  # (texts, width) float32, of length 1


class ReadingCapability(Capability):
    """A capability whose items are texts, and that works with what the encoder read in them.

    Stored per text are the raw probabilities and the vector of its meaning, under a key that all
    such capabilities share: a text goes through the model once, whatever is asked of it.
    """

    model = "encoder"
    stored_as = "reading"

    def run(self, model: Any, items: Sequence[str]) -> list[bytes | ShopsheetError]:
        probabilities, vectors = model.read(list(items))
        return pack(probabilities, vectors, len(items), len(model.labels))

    def is_intact(self, model: Any, stored: bytes) -> bool:
        numbers: int = len(model.labels) * PROBABILITY.itemsize + model.embedding_size
        return len(stored) == numbers + SCALE.itemsize


def texts_of(grid: Sequence[Sequence[Any]]) -> list[str | None]:
    """The texts of a parsed range, row by row, as the encoder is to read them; else None."""
    return [cell.strip() if isinstance(cell, str) else None for row in grid for cell in row]


def pack(
    probabilities: np.ndarray, vectors: np.ndarray, texts: int, labels: int
) -> list[bytes | ShopsheetError]:
    """What is stored of each text: probabilities, then the vector as a scale and whole numbers.

    Shapes: (texts, labels), (texts, width). A row that is not usable becomes its error.
    Raises: ModelFailed if the shapes are others.
    """
    probabilities = np.asarray(probabilities, dtype=PROBABILITY)
    vectors = np.asarray(vectors, dtype=np.float32)
    if probabilities.shape != (texts, labels) or vectors.ndim != 2 or len(vectors) != texts:
        raise ModelFailed(
            f"The encoder gave arrays of shape {probabilities.shape} and {vectors.shape}; expected "
            f"({texts}, {labels}) and ({texts}, width)."
        )
    sound = np.isfinite(probabilities).all(axis=1) & np.isfinite(vectors).all(axis=1)
    sound &= np.abs(probabilities.sum(axis=1) - 1) < 0.01
    largest = np.abs(vectors).max(axis=1, initial=0.0, keepdims=True)
    scales = (np.where(largest > 0, largest, 1.0) / LARGEST).astype(SCALE)
    with np.errstate(invalid="ignore"):  # of rows that are not sound
        whole = np.rint(vectors / scales).astype(COORDINATE)
    return [
        row.tobytes() + scale.tobytes() + numbers.tobytes()
        if good
        else ModelFailed("The model gave no usable answer for this text.")
        for row, scale, numbers, good in zip(probabilities, scales, whole, sound, strict=True)
    ]


def unpack(labels: int, stored: Sequence[bytes]) -> Readings:
    """The readings that `pack` stored."""
    if not stored:
        return Readings(np.zeros((0, labels)), np.zeros((0, 1), dtype=np.float32))
    raw = np.frombuffer(b"".join(stored), dtype=np.uint8).reshape(len(stored), -1)
    split = labels * PROBABILITY.itemsize
    probabilities = raw[:, :split].copy().view(PROBABILITY).astype(np.float64)
    vectors = raw[:, split + SCALE.itemsize :].copy().view(COORDINATE).astype(np.float32)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)  # the scale cancels out
    return Readings(probabilities, vectors / np.where(length > 0, length, 1.0))


def read_texts(model: Any, outcomes: Sequence[Outcome]) -> tuple[Readings, list[int]]:
    """What was read, and the place among `outcomes` of each of its rows."""
    found = [(place, item) for place, item in enumerate(outcomes) if isinstance(item, bytes)]
    readings = unpack(len(model.labels), [stored for _, stored in found])
    return readings, [place for place, _ in found]
