"""Phrases of texts: what may be a keyword, how it is counted, what is ranked first."""

from __future__ import annotations

import random
import time

import pytest

from server.text import lexicon
from server.text.keywords import rank_text, rank_texts, stop_list, without
from server.text.phrases import Unit, joined, units


def phrases(text: str) -> list[str]:
    return [joined(unit.surface) for unit in units(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The battery life is great.", ["battery life"]),
        ("My dog tore the side seam in a week", ["dog", "side seam", "week"]),
        ("customer service was slow to answer", ["customer service", "slow"]),
        ("I love the stainless steel water bottle!", ["stainless steel water bottle"]),
        ("easy to use, not waterproof", ["easy to use", "not waterproof"]),
        ("It has a 2 year warranty", ["warranty"]),
        ("物流速度很快，但是服务态度不好", ["物流速度", "服务态度"]),
        ("不新鲜，太小了", ["不新鲜", "太小"]),
        ("这件T恤的做工一般，尺码偏小", ["T恤", "做工", "尺码", "偏小"]),
        ("这款手机的 battery life 很好，屏幕清晰", ["手机", "battery life", "屏幕", "清晰"]),
    ],
)  # fmt: skip
def test_a_text_gives_names_of_things_and_judgements(text: str, found: list[str]) -> None:
    assert phrases(text) == found


def test_praise_is_no_part_of_a_name_and_no_keyword() -> None:
    assert phrases("Great price, good quality, nice colours") == ["price", "quality", "colours"]
    assert phrases("很好，非常满意，不错") == []


@pytest.mark.parametrize("text", ["", " ", "😀😀👍", "12345 3.5 99%", "!!!", "的了吗", "\ud83d"])
def test_a_text_without_words_gives_nothing(text: str) -> None:
    assert units(text) == []
    assert rank_text(units(text), 5) == []


def test_words_count_in_the_singular_and_show_as_written() -> None:
    (unit,) = units("the memory cards")
    assert unit == Unit(("memory", "card"), ("memory", "cards"), "NN")
    assert units("Memory card")[0].words == unit.words
    assert phrases("two lenses and a series of books") == ["lenses", "series", "books"]


def test_the_longest_cell_takes_a_moment() -> None:
    draw = random.Random(3)
    sentence = "The battery life of this phone is short. 物流速度很快，屏幕有点小。 "
    for text in (
        (sentence * 600)[:32_767],
        "".join(draw.choice("ab 好，.\U0001f600") for _ in range(32_767)),
        "手机" * 16_000,
        "battery-" * 4_000,
    ):
        started = time.monotonic()
        rank_text(units(text), 5)
        assert time.monotonic() - started < 5


def test_a_text_shows_no_phrase_twice() -> None:
    text = "The battery is bad. Battery life, long battery life and life of the battery: no."
    found = rank_text(units(text), 9)
    assert sum("battery" in phrase.lower() for phrase in found) == 1


# Stop words


def test_stop_words_cut_phrases_in_any_case_number_and_language() -> None:
    stops = stop_list(("Shirt", "手机", "battery lives"))
    found = without(units("shirt collar; SHIRTS; battery life; 手机屏幕；手机"), stops)
    assert [joined(unit.surface) for unit in found] == ["collar", "屏幕"]


# A range


def ranked(texts: list[str], top_n: int = 10) -> list[tuple[str, int]]:
    return [(e.phrase, e.documents) for e in rank_texts([units(t) for t in texts], top_n)]


def test_documents_count_texts_whatever_the_form() -> None:
    texts = ["Memory card failed. memory cards!", "two memory cards", "Memory Cards", "the hotel"]
    assert ranked(texts)[0] == ("memory cards", 3)
    assert ("hotel", 1) in ranked(texts)


def test_a_shorter_phrase_gives_way_to_the_longer_one_it_stands_in() -> None:
    texts = ["battery life is short"] * 4 + ["the battery died"] * 2 + ["side seam tore", "seams"]
    found = [phrase for phrase, _ in ranked(texts)]
    assert "battery life" in found
    assert "battery" not in found
    # Mostly alone, it stays.
    texts = ["battery life is short"] + ["the battery died"] * 9
    assert ranked(texts)[0] == ("battery", 10)


def test_the_example_is_the_row_that_is_about_the_phrase() -> None:
    texts = [
        "Nice box and tape, and a card, and a fork, and a spoon, and a cup: also the zip.",
        "The zip broke and the other zip is stuck.",
        "zip",
    ]
    (entry,) = [e for e in rank_texts([units(t) for t in texts], 9) if e.phrase == "zip"]
    assert (entry.row, entry.documents) == (1, 3)


def test_the_order_does_not_depend_on_hashing_or_on_the_order_of_rows() -> None:
    things = ("cable", "strap", "zip")
    texts = [f"the {thing} of the {part}" for thing in things for part in ("lid", "hose", "cup")]
    first = ranked(texts)
    assert len(first) == 6
    random.Random(1).shuffle(texts)
    assert ranked(texts) == first


def test_a_range_with_nothing_to_say_has_no_phrases() -> None:
    assert ranked([]) == []
    assert ranked(["😀", "12"]) == []


# The table


def test_the_table_of_words_is_small_and_sound() -> None:
    assert lexicon.TABLE.stat().st_size < 150_000
    known = lexicon.table()
    assert known["battery"].kind == lexicon.NOUN
    assert known["物流"].kind == lexicon.NOUN
    assert known["comfortable"].opinion > 0.5 > known["comfortable"].aspect
    assert all(0 < word.documents < 1 for word in known.values())
    assert all(0 <= word.aspect <= 1 and 0 <= word.opinion <= 1 for word in known.values())


def test_the_table_is_written_from_texts_marks_and_classes() -> None:
    from server.training.keyword_frequencies import Sentence, table_lines

    texts = {"en": ["The strap broke on the bus."] * 20, "zh": ["肩带断了"] * 20}
    marked = [Sentence("The strap broke", [(4, 9)], [(10, 15)])] * 36
    lines = table_lines(texts, marked, {"strap": "N", "bus": "N", "broke": "past"})
    rows = {row[0]: row[1:] for row in (line.split("\t") for line in lines) if len(row) == 5}
    assert rows["strap"] == ["N", "100000", "91", "0"]  # (36 + 4 x 0.1) / 40
    assert rows["broke"] == ["V", "100000", "0", "90"]
    assert rows["the"][0] == "X"
    assert lines == table_lines(texts, marked, {"strap": "N", "bus": "N", "broke": "past"})
