"""Sentences of English and Chinese texts, as people wrote them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.semantics.sentences import MAX_WORDS, is_chinese, sentences, word_count


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Battery lasts two days. Strap broke!", ["Battery lasts two days", "Strap broke!"]),
        ("Dr. Lee paid $3.50, approx. 3 p.m. today.", ["Dr. Lee paid $3.50, approx. 3 p.m. today"]),
        ("Great?! Yes... it is. OK", ["Great?!", "Yes", "it is", "OK"]),
        ("Works well.Arrived late", ["Works well", "Arrived late"]),
        ("one line\nanother<br />third", ["one line", "another", "third"]),
        ('He said "Stop." Then left.', ['He said "Stop."', "Then left"]),
        ("Version 2.0 at www.shop.com is fine.", ["Version 2.0 at www.shop.com is fine"]),
        ("质量不错。物流很快！还会再来", ["质量不错", "物流很快！", "还会再来"]),
        ("颜色好看；尺码偏小", ["颜色好看", "尺码偏小"]),
        ("质量不错 物流很快", ["质量不错", "物流很快"]),
        ("他说“很好。”下次再来", ["他说“很好。”", "下次再来"]),
        ("买了iPhone 15 很好用", ["买了iPhone 15 很好用"]),
        ("I like it a lot, but the strap broke", ["I like it a lot", "the strap broke"]),
        ("房间不错，但是隔音太差", ["房间不错", "隔音太差"]),
        ("Not only nice but cheap", ["Not only nice but cheap"]),
        ("Nice, but no", ["Nice, but no"]),
        ("  spaces   inside  ", ["spaces inside"]),
        ("😀😀 !!! ...", []),
        ("", []),
    ],
)
def test_where_a_text_is_cut(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_a_long_sentence_is_cut_at_its_commas_only() -> None:
    part = "one two three four five six seven eight nine ten"
    found = sentences(f"{part}, {part}, {part}")
    assert found == [f"{part}, {part}", part]
    endless = " ".join(["word"] * 60)
    assert sentences(endless) == [endless]
    chinese = "房间基本条件还是不错的样子"
    assert sentences(f"{chinese}，{chinese}，{chinese}") == [chinese, chinese, chinese]
    assert word_count(chinese) * 2 > MAX_WORDS


@given(st.text(alphabet="ab A.,;!?。，！？ \n但but…“”()'好1", max_size=60))
def test_a_sentence_is_part_of_its_text(text: str) -> None:
    plain = " ".join(text.split())
    for sentence in sentences(text):
        assert sentence
        assert " ".join(sentence.split()) in plain


@given(st.text(max_size=200))
def test_any_text_can_be_cut(text: str) -> None:
    for sentence in sentences(text):
        assert word_count(sentence) > 0


@pytest.mark.parametrize(
    ("text", "count", "chinese"),
    [
        ("Battery lasts two days", 4, False),
        ("it's a well-made 3.5mm plug", 5, False),
        ("电池能用两天", 6, True),
        ("iPhone很好用", 4, True),
        ("the word 好 in English text", 6, False),
        ("😀", 0, False),
    ],
)
def test_words_and_characters_are_counted(text: str, count: int, chinese: bool) -> None:
    assert word_count(text) == count
    assert is_chinese(text) is chinese


def test_the_longest_cell_takes_no_time() -> None:
    for piece in ("x", "很", "a. ", "，", "but, ", "... ", "\n", "\t", " ", "( ", "a-"):
        started = time.monotonic()
        sentences((piece * 32_767)[:32_767])
        assert time.monotonic() - started < 2.0, repr(piece)
