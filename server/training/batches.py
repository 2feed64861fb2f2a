"""Cuts tokenised texts into batches of like length under a token budget."""

from collections.abc import Iterator, Sequence

import numpy as np

POOL_BATCHES = 256  # texts are sorted by length within a pool of about this many batches


def iterate_batches(
    lengths: Sequence[int] | np.ndarray, *, tokens_per_batch: int, seed: int, multiple: int = 8
) -> Iterator[np.ndarray]:
    """Index arrays, one per batch, in an order fixed by the seed; every index comes once.

    A batch holds texts of like length, so that padding is small: its rows times its longest
    length, rounded up to `multiple`, stay within `tokens_per_batch` (a longer text comes alone).
    """
    rng = np.random.default_rng(seed)
    length = -(-np.asarray(lengths) // multiple) * multiple
    order = rng.permutation(len(length))
    batches: list[np.ndarray] = []
    pool_tokens = tokens_per_batch * POOL_BATCHES
    ends = np.flatnonzero(np.diff(np.cumsum(length[order]) // pool_tokens)) + 1
    for pool in np.split(order, ends):
        batches.extend(
            _cut(pool[np.argsort(length[pool], kind="stable")], length, tokens_per_batch)
        )
    for i in rng.permutation(len(batches)):
        yield batches[i]


def iterate_steps(
    lengths: Sequence[int] | np.ndarray,
    *,
    batches_per_step: int,
    tokens_per_batch: int,
    seed: int,
) -> Iterator[list[np.ndarray]]:
    """Steps of several batches, each of texts of like length, drawn at random; every text once.

    With one batch a step, its texts would be of one length and so of one kind, and a long text
    would count for many short ones; cutting texts of all lengths would make a new shape of every
    batch, and a matrix kernel is built once a shape.
    """
    batches = list(iterate_batches(lengths, tokens_per_batch=tokens_per_batch, seed=seed))
    for start in range(0, len(batches), batches_per_step):
        yield batches[start : start + batches_per_step]


def _cut(indices: np.ndarray, length: np.ndarray, tokens_per_batch: int) -> Iterator[np.ndarray]:
    """Runs of the length-sorted indices that fit the budget."""
    start = 0
    for end in range(1, len(indices) + 1):
        full = end < len(indices) and (end - start + 1) * length[indices[end]] > tokens_per_batch
        if end == len(indices) or full:
            yield indices[start:end]
            start = end


def pad(rows: Sequence[Sequence[int]], *, pad_id: int = 0, multiple: int = 8) -> np.ndarray:
    """Token ids as one array, shape (rows, longest length rounded up to `multiple`)."""
    longest = -(-max(map(len, rows)) // multiple) * multiple
    out = np.full((len(rows), longest), pad_id, dtype=np.int64)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out
