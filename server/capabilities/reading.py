"""What the encoder says of a text, in one pass: every text function reads this from the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from server.capabilities.base import Capability, Outcome
from udfs.errors import ModelFailed, ShopsheetError

EDITION = 2  # to be raised when the same weights come to be read otherwise
# The same bytes on every machine.
PROBABILITY = np.dtype("<f4")
SCALE = np.dtype("<f4")
COORDINATE = np.dtype("i1")  # 4 times smaller than f4; moves a cosine by less than 0.0002
LARGEST = 127
BLOCK_ROWS = 8192
ASPECT = np.dtype(
    [
        ("aspect_start", "<u2"), ("aspect_end", "<u2"),  # characters; UNSAID where not in words
        ("opinion_start", "<u2"), ("opinion_end", "<u2"),
        ("polarity", "u1"), ("category", "u1"),
        ("probability", "<f2"), ("pair_probability", "<f2"), ("category_probability", "<f2"),
    ]
)  # fmt: skip
_NO_ASPECTS = np.zeros(0, ASPECT)
UNSAID = 65535
POLARITIES = ("negative", "neutral", "positive")


class Readings:
    """Columns of what was read, one row per text; each is unpacked when it is first asked for.

    A column of 100,000 texts has 40 million coordinates: a function that needs none of them
    unpacks none.
    """

    def __init__(self, model: Any, stored: Sequence[bytes]) -> None:
        """The readings that `pack` stored."""
        self.stored = stored
        self._labels = len(model.labels)
        self._split = self._labels * PROBABILITY.itemsize
        self._fixed = _fixed_bytes(model)

    @cached_property
    def probabilities(self) -> np.ndarray:
        """Shape: (texts, labels), float64."""
        raw = b"".join([one[: self._split] for one in self.stored])
        rows = np.frombuffer(raw, PROBABILITY).reshape(-1, self._labels)
        return rows.astype(np.float64)

    @cached_property
    def vectors(self) -> np.ndarray:
        """Of length 1. Shape: (texts, width), float32."""
        return self.vectors_of(range(len(self.stored)))

    def vectors_of(self, rows: Iterable[int]) -> np.ndarray:
        """These rows of `vectors`, unpacked for this once: for work that is done in blocks."""
        start = self._split + SCALE.itemsize
        raw = b"".join([self.stored[row][start : self._fixed] for row in rows])
        whole = np.frombuffer(raw, COORDINATE).reshape(-1, self._fixed - start)
        vectors = whole.astype(np.float32)
        # Squares of whole numbers: float32 holds their sum exactly. The scale cancels out.
        length = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
        vectors /= np.where(length > 0, length, 1.0)
        return vectors

    def blocks(self) -> Iterator[range]:
        """The rows, as many at a time as are unpacked without filling the memory."""
        for start in range(0, len(self.stored), BLOCK_ROWS):
            yield range(start, min(start + BLOCK_ROWS, len(self.stored)))

    @cached_property
    def aspects(self) -> list[np.ndarray]:
        """Of each text an array of ASPECT."""
        fixed = self._fixed
        return [
            np.frombuffer(one, ASPECT, offset=fixed) if len(one) > fixed else _NO_ASPECTS
            for one in self.stored
        ]


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


def read_texts(model: Any, outcomes: Sequence[Outcome]) -> tuple[Readings, list[int]]:
    """What was read, and the place among `outcomes` of each of its rows."""
    found = [(place, item) for place, item in enumerate(outcomes) if isinstance(item, bytes)]
    return Readings(model, [stored for _, stored in found]), [place for place, _ in found]


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
