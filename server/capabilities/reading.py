"""What the encoder says of a text, in one pass: every text function reads this from the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from server.capabilities.base import Capability, Outcome
from udfs.errors import ModelFailed, ShopsheetError

EDITION = 1  # to be raised when the same weights come to be read otherwise
# The same bytes on every machine.
PROBABILITY = np.dtype("<f4")
SCALE = np.dtype("<f4")
COORDINATE = np.dtype("i1")  # 4 times smaller than f4; moves a cosine by less than 0.0002
LARGEST = 127
ASPECT = np.dtype(
    [
        ("aspect_start", "<u2"), ("aspect_end", "<u2"),  # characters; UNSAID where not in words
        ("opinion_start", "<u2"), ("opinion_end", "<u2"),
        ("polarity", "u1"), ("category", "u1"),
        ("probability", "<f2"), ("pair_probability", "<f2"), ("category_probability", "<f2"),
    ]
)  # fmt: skip
UNSAID = 65535
POLARITIES = ("negative", "neutral", "positive")


@dataclass(frozen=True)
class Readings:
    """Columns of what was read, one row per text.

    probabilities (texts, labels) float64; vectors (texts, width) float32, of length 1; aspects of
    each text as an array of ASPECT.
    """

    probabilities: np.ndarray
    vectors: np.ndarray
    aspects: list[np.ndarray]


class ReadingCapability(Capability):
    """A capability whose items are texts, and that works with what the encoder read in them.

    Stored per text are the raw probabilities, the vector of its meaning and its aspects, under a
    key that all such capabilities share: a text goes through the model once, whatever is asked.
    """

    model = "encoder"
    stored_as = f"reading {EDITION}"

    def run(self, model: Any, items: Sequence[str]) -> list[bytes | ShopsheetError]:
        return pack(model.read(list(items)), len(items), model)

    def is_intact(self, model: Any, stored: bytes) -> bool:
        beyond = len(stored) - _fixed_bytes(model)
        return beyond >= 0 and beyond % ASPECT.itemsize == 0


def texts_of(grid: Sequence[Sequence[Any]]) -> list[str | None]:
    """The texts of a parsed range, row by row, as the encoder is to read them; else None."""
    return [cell.strip() if isinstance(cell, str) else None for row in grid for cell in row]


def pack(reading: Any, texts: int, model: Any) -> list[bytes | ShopsheetError]:
    """What is stored of each text: probabilities, its vector as a scale and whole numbers, aspects.

    A row that is not usable becomes its error. Raises: ModelFailed if the shapes are wrong.
    """
    probabilities = np.asarray(reading.probabilities, dtype=PROBABILITY)
    vectors = np.asarray(reading.vectors, dtype=np.float32)
    labels, width = len(model.labels), model.embedding_size
    if probabilities.shape != (texts, labels) or vectors.shape != (texts, width):
        raise ModelFailed(
            f"The encoder gave arrays of shape {probabilities.shape} and {vectors.shape}; expected "
            f"({texts}, {labels}) and ({texts}, {width})."
        )
    sound = np.isfinite(probabilities).all(axis=1) & np.isfinite(vectors).all(axis=1)
    sound &= np.abs(probabilities.sum(axis=1) - 1) < 0.01
    largest = np.abs(vectors).max(axis=1, initial=0.0, keepdims=True)
    scales = (np.where(largest > 0, largest, 1.0) / LARGEST).astype(SCALE)
    with np.errstate(invalid="ignore"):  # of rows that are not sound
        whole = np.rint(vectors / scales).astype(COORDINATE)
    return [
        row.tobytes() + scale.tobytes() + numbers.tobytes() + _pack_aspects(aspects, model)
        if good
        else ModelFailed("The model gave no usable answer for this text.")
        for row, scale, numbers, aspects, good in zip(
            probabilities, scales, whole, reading.aspects, sound, strict=True
        )
    ]


def unpack(model: Any, stored: Sequence[bytes]) -> Readings:
    """The readings that `pack` stored."""
    fixed = _fixed_bytes(model)
    head = b"".join([one[:fixed] for one in stored])
    raw = np.frombuffer(head, dtype=np.uint8).reshape(len(stored), fixed)
    split = len(model.labels) * PROBABILITY.itemsize
    probabilities = raw[:, :split].copy().view(PROBABILITY).astype(np.float64)
    vectors = raw[:, split + SCALE.itemsize :].copy().view(COORDINATE).astype(np.float32)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)  # the scale cancels out
    vectors /= np.where(length > 0, length, 1.0)
    return Readings(probabilities, vectors, [np.frombuffer(one[fixed:], ASPECT) for one in stored])


def read_texts(model: Any, outcomes: Sequence[Outcome]) -> tuple[Readings, list[int]]:
    """What was read, and the place among `outcomes` of each of its rows."""
    found = [(place, item) for place, item in enumerate(outcomes) if isinstance(item, bytes)]
    return unpack(model, [stored for _, stored in found]), [place for place, _ in found]


def _fixed_bytes(model: Any) -> int:
    numbers: int = len(model.labels) * PROBABILITY.itemsize + model.embedding_size
    return numbers + SCALE.itemsize


def _pack_aspects(aspects: Sequence[Any], model: Any) -> bytes:
    if not aspects:
        return b""
    rows = [
        (
            *(one.aspect or (UNSAID, UNSAID)),
            *(one.opinion or (UNSAID, UNSAID)),
            POLARITIES.index(one.polarity),
            model.aspect_categories.index(one.category),
            one.probability,
            one.pair_probability,
            one.category_probability,
        )
        for one in aspects
    ]
    return np.array(rows, dtype=ASPECT).tobytes()
