"""Turns texts into batches of token ids whose shapes do not depend on who else is in the batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from tokenizers import Tokenizer

Item = TypeVar("Item")

LENGTH_STEP = 8
BATCH_TOKENS = 512


@dataclass(frozen=True)
class Batch:
    """Texts of one padded length, to be run together.

    token_ids (B, T) int32, zero after a text's end; lengths (B,) int32, tokens of each text;
    rows (B,) the texts' places in the caller's list.
    """

    token_ids: np.ndarray
    lengths: np.ndarray
    rows: np.ndarray


class TextReader:
    """Tokenises texts as the artefact's config says. Not thread-safe: one owner, or a lock.

    truncation "head" keeps the first max_tokens tokens of a long text; "head_tail" keeps the first
    `head_tokens` and the last ones, because reviews often close with their verdict.
    """

    def __init__(
        self,
        tokenizer_json: str,
        max_tokens: int,
        truncation: str = "head",
        head_tokens: int | None = None,
    ) -> None:
        if truncation not in ("head", "head_tail"):
            raise ValueError(f'truncation is {truncation!r}; expected "head" or "head_tail"')
        self.max_tokens = max_tokens
        self.head_tokens = 3 * max_tokens // 8 if head_tokens is None else head_tokens
        self._keep_tail = truncation == "head_tail"
        self._tokenizer = Tokenizer.from_str(tokenizer_json)
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        if not self._keep_tail:
            self._tokenizer.enable_truncation(max_tokens)

    @property
    def vocabulary_size(self) -> int:
        """One more than the highest token id."""
        return max(self._tokenizer.get_vocab(with_added_tokens=True).values()) + 1

    def read(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, special tokens included, at most max_tokens each."""
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(whole(texts))]
        if self._keep_tail:
            ids = [self._head_and_tail(one) for one in ids]
        return ids

    def read_places(self, texts: Sequence[str]) -> tuple[list[list[int]], list[np.ndarray]]:
        """(token ids as `read` gives them, the characters [start, end) of each token (T, 2))."""
        encodings = self._tokenizer.encode_batch(whole(texts))
        ids = [encoding.ids for encoding in encodings]
        places = [encoding.offsets for encoding in encodings]
        if self._keep_tail:
            ids = [self._head_and_tail(one) for one in ids]
            places = [self._head_and_tail(one) for one in places]
        return ids, [np.array(one, dtype=np.int64).reshape(-1, 2) for one in places]

    def _head_and_tail(self, tokens: list[Item]) -> list[Item]:
        if len(tokens) <= self.max_tokens:
            return tokens
        return tokens[: self.head_tokens] + tokens[self.head_tokens - self.max_tokens :]


def whole(texts: Sequence[str]) -> list[str]:
    """The texts with half surrogate pairs (which JSON can carry and UTF-8 cannot) as "?"."""
    return [text.encode("utf-8", "replace").decode("utf-8") for text in texts]


def padded_length(tokens: int) -> int:
    """The length a text of so many tokens is padded to: a property of the text alone."""
    return max(LENGTH_STEP, -(-tokens // LENGTH_STEP) * LENGTH_STEP)


def batches(ids: Sequence[Sequence[int]], batch_tokens: int = BATCH_TOKENS) -> Iterator[Batch]:
    """Batches of texts of equal padded length, the longest first.

    A batch has a power of two of rows, at most batch_tokens tokens, so that few shapes occur and
    each is prepared once by the runtime.
    """
    by_length: dict[int, list[int]] = {}
    for row, one in enumerate(ids):
        by_length.setdefault(padded_length(len(one)), []).append(row)
    for length in sorted(by_length, reverse=True):
        rows = by_length[length]
        start = 0
        while start < len(rows):
            most = max(1, min(batch_tokens // length, len(rows) - start))
            size = 1 << (most.bit_length() - 1)
            yield _batch(ids, rows[start : start + size], length)
            start += size


def _batch(ids: Sequence[Sequence[int]], rows: Sequence[int], length: int) -> Batch:
    token_ids = np.zeros((len(rows), length), dtype=np.int32)
    lengths = np.zeros(len(rows), dtype=np.int32)
    for index, row in enumerate(rows):
        one = ids[row]
        token_ids[index, : len(one)] = one
        lengths[index] = len(one)
    return Batch(token_ids, lengths, np.asarray(rows))
