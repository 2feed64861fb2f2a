"""Lookups by meaning: exact first, ties to the first row, the same in any company."""

from __future__ import annotations

import time

import numpy as np
import pytest

from server.semantics import nearest as module
from server.semantics.nearest import Lookup, nearest


def unit_rows(count: int, width: int = 24, seed: int = 3) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)
    scaled: np.ndarray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return scaled


def lookup(texts: list[str | None], vectors: np.ndarray) -> Lookup:
    return Lookup(texts, [row for row, text in enumerate(texts) if text is not None], vectors)


def test_the_nearest_are_those_of_a_full_sort() -> None:
    queries, vectors = unit_rows(7, seed=1), unit_rows(500, seed=2)
    cosines = queries.astype(np.float64) @ vectors.astype(np.float64).T
    for found, row in zip(nearest(queries, vectors, 5), cosines, strict=True):
        assert [place for place, _ in found] == np.argsort(-row)[:5].tolist()
        assert [score for _, score in found] == pytest.approx(np.sort(row)[::-1][:5].tolist())


def test_of_equals_the_first_stands_first() -> None:
    vectors = np.repeat(unit_rows(3), 4, axis=0)  # 0-3, 4-7 and 8-11 are equal
    (found,) = nearest(vectors[5:6], vectors, 3)
    assert [place for place, _ in found][:3] == [4, 5, 6]
    texts: list[str | None] = [f"text {n}" for n in range(12)]
    (rows,) = lookup(texts, vectors).find(["other"], vectors[5:6], 3)
    assert [row for row, _ in rows] == [4, 5, 6]
    assert rows[0][1] == rows[1][1] == rows[2][1]


def test_the_very_text_scores_one_and_comes_first() -> None:
    vectors = unit_rows(6)
    texts: list[str | None] = ["Alpha", "beta", "alpha", "gamma", "alpha", "delta"]
    # The vector of the query is that of "gamma": only the text itself is exact.
    (found,) = lookup(texts, vectors).find([" alpha "], vectors[3:4], 5)
    assert [row for row, _ in found[:4]] == [2, 4, 0, 3]
    assert [score for _, score in found[:3]] == [1.0, 1.0, 1.0]
    assert found[3][1] == pytest.approx(1.0)
    (found,) = lookup(texts, vectors).find(["ALPHA"], vectors[3:4], 1)
    assert found == [(0, 1.0)]


def test_equal_texts_are_all_found_in_the_order_of_their_rows() -> None:
    vectors = unit_rows(3)
    texts: list[str | None] = ["b", "a", None, "b", "a"]
    four = vectors[[0, 1, 0, 1]]
    (found,) = lookup(texts, four).find(["c"], vectors[:1], 3)
    assert [row for row, _ in found] == [0, 3, 1]


def test_a_column_without_texts_finds_nothing() -> None:
    empty = Lookup([None, None], [], np.zeros((0, 1), dtype=np.float32))
    assert list(empty.find(["a"], unit_rows(1), 3)) == [[]]
    assert empty.size == 0


def test_what_is_found_does_not_depend_on_company(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, vectors = unit_rows(40, seed=8), unit_rows(900, seed=9)
    texts: list[str | None] = [str(n) for n in range(900)]
    names = [f"query {n}" for n in range(40)]
    book = lookup(texts, vectors)
    together = list(book.find(names, queries, 4))
    alone = [next(book.find([name], queries[n : n + 1], 4)) for n, name in enumerate(names)]
    monkeypatch.setattr(module, "BLOCK_SCORES", 2_000)
    assert alone == together == list(book.find(names, queries, 4))


def test_fifty_thousand_rows_take_a_fraction_of_a_second() -> None:
    vectors = unit_rows(50_000, width=384)
    book = lookup([str(n) for n in range(50_000)], vectors)
    started = time.monotonic()
    found = list(book.find(["one", "two"], vectors[[7, 49_999]], 3))
    assert time.monotonic() - started < 1.0
    assert [rows[0][0] for rows in found] == [7, 49_999]
