"""The texts nearest in meaning, exact matches first: what a lookup finds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

BLOCK_SCORES = 8_000_000  # float32 scores held at a time: 32 MB
BLOCK_ROWS = 4096  # of vectors compared in double precision at a time
# Two ways of computing one cosine differ by less; what is so near the best is computed anew.
ROUNDING = 1e-5
PEAK_OF = 64  # scores, of which only the best is looked at first


class Lookup:
    """A column of texts that can be looked up by meaning."""

    def __init__(
        self,
        texts: Sequence[str | None],
        rows: Sequence[int],
        vectors: np.ndarray,
        written: Sequence[str | None] | None = None,
    ) -> None:
        """rows: those of the texts that have a vector. vectors: (rows, width), of length 1.

        written: the texts as the user has them, where names were put for synonyms in `texts`.
        """
        self._written = texts if written is None else written
        self._rows_of_text: dict[str, list[int]] = {}
        self._rows_of_case: dict[str, list[int]] = {}
        first_places: list[int] = []
        for place, row in enumerate(rows):
            text = str(texts[row]).strip()
            if text not in self._rows_of_text:
                self._rows_of_text[text] = []
                first_places.append(place)
            self._rows_of_text[text].append(row)
            self._rows_of_case.setdefault(text.casefold(), []).append(row)
        # Each text once: equal ones are found together, and at the same cosine.
        self._distinct = list(self._rows_of_text)
        self._vectors = np.ascontiguousarray(vectors[first_places], dtype=np.float32)

    @property
    def size(self) -> int:
        """How many numbers it holds in memory."""
        return int(self._vectors.size)

    def find(
        self,
        texts: Sequence[str],
        vectors: np.ndarray,
        count: int,
        written: Sequence[str] | None = None,
    ) -> Iterator[list[tuple[int, float]]]:
        """Per text the rows of the `count` nearest, best first, each with its score up to 1.

        Rows that hold the very text score 1 and stand before all others, those that differ in case
        only next; then by cosine, and of equals the first row. What is found for a text does not
        depend on the others that are looked up.
        """
        if not len(self._vectors):
            yield from ([] for _ in texts)
            return
        found_near = nearest(vectors, self._vectors, count)
        for text, own, near in zip(texts, written or texts, found_near, strict=True):
            plain = text.strip()
            same = list(self._rows_of_text.get(plain, ()))
            very = [row for row in same if str(self._written[row]).strip() == own.strip()]
            same = [*very, *(row for row in same if row not in set(very))]
            exact = set(same)
            alike = self._rows_of_case.get(plain.casefold(), ())
            same += [row for row in alike if row not in exact]
            exact.update(alike)
            others = [
                (-min(score, 1.0), row)
                for place, score in near
                for row in self._rows_of_text[self._distinct[place]]
                if row not in exact
            ]
            found = [(row, 1.0) for row in same]
            found += [(row, -score) for score, row in sorted(others)]
            yield found[:count]


def nearest(
    queries: np.ndarray, vectors: np.ndarray, count: int
) -> Iterator[list[tuple[int, float]]]:
    """Per query the places of its `count` nearest vectors and their cosines, best first.

    Of equals the first stands first, and those that tie with the last one wanted come too.
    Shapes: (queries, width), (vectors, width), float32, of length 1; at least one vector.
    """
    block_queries = max(1, BLOCK_SCORES // len(vectors))
    for start in range(0, len(queries), block_queries):
        block = queries[start : start + block_queries].astype(np.float32)
        for query, scores in zip(block, block @ vectors.T, strict=True):
            yield _best(query, scores, vectors, min(count, len(vectors)))


def _best(
    query: np.ndarray, scores: np.ndarray, vectors: np.ndarray, count: int
) -> list[tuple[int, float]]:
    candidates = np.flatnonzero(scores >= _reached(scores, count) - ROUNDING)
    if count > 1:
        near = scores[candidates]
        candidates = candidates[near >= np.partition(near, -count)[-count] - ROUNDING]
    exact = _cosines(query, vectors, candidates)
    order = np.lexsort((candidates, -exact))
    kept = exact[order] >= exact[order][count - 1]
    return [(int(candidates[i]), float(exact[i])) for i in order[kept]]


def _reached(scores: np.ndarray, count: int) -> float:
    """A score that at least `count` of them reach; that of the last of these, or a little less."""
    blocks = len(scores) // PEAK_OF
    if count == 1 or blocks < count:
        return float(scores.max() if count == 1 else np.partition(scores, -count)[-count])
    # Each block has a peak, so at least `count` scores reach the last of the best peaks; that is
    # found much sooner than by sorting all scores.
    peaks = scores[: blocks * PEAK_OF].reshape(blocks, PEAK_OF).max(axis=1)
    return float(np.partition(peaks, -count)[-count])


def _cosines(query: np.ndarray, vectors: np.ndarray, places: np.ndarray) -> np.ndarray:
    """In double precision, each by itself: equal vectors get equal cosines to the last bit."""
    query = query.astype(np.float64)
    parts = [
        (vectors[places[start : start + BLOCK_ROWS]].astype(np.float64) * query).sum(axis=1)
        for start in range(0, len(places), BLOCK_ROWS)
    ]
    return np.concatenate(parts)
