"""Summaries by quotation: both sides heard, nothing twice, rows cited, within the words given."""

from __future__ import annotations

import time

import numpy as np
import pytest

from server.semantics.extract import Quotation, Sentence, summarise
from server.semantics.sentences import word_count

TOPICS = {
    "battery": "the battery lasts {} days",
    "strap": "the strap broke within {} weeks",
    "screen": "a bright and sharp screen {}",
    "delivery": "delivery took {} weeks too long",
}


def words_of(text: str) -> list[str]:
    return [word for word in text.lower().split() if word not in {"the", "a", "and", "too"}]


def meaning(topic: str, wobble: int) -> np.ndarray:
    vector = np.random.default_rng(wobble).standard_normal(len(TOPICS)) * 0.05
    vector[list(TOPICS).index(topic)] += 1.0
    scaled: np.ndarray = (vector / np.linalg.norm(vector)).astype(np.float32)
    return scaled


def reviews(counts: dict[str, tuple[int, float]]) -> tuple[list[Sentence], np.ndarray, np.ndarray]:
    """As many one-sentence reviews of each topic as `counts` says, each of that polarity."""
    sentences: list[Sentence] = []
    vectors, polarity = [], []
    for topic, (count, polar) in counts.items():
        for number in range(count):
            row = len(sentences)
            sentences.append(Sentence(TOPICS[topic].format(number + 2), row))
            vectors.append(meaning(topic, row))
            polarity.append(polar)
    return sentences, np.array(vectors), np.array(polarity)


def test_both_sides_are_heard_the_larger_first() -> None:
    data = reviews({"strap": (2, -0.9), "battery": (8, 0.9), "screen": (6, 0.8)})
    found = summarise(*data, words_of, 60)
    assert [quotation.text.split()[1] for quotation in found] == ["battery", "bright", "strap"]


def test_praise_alone_needs_no_complaint() -> None:
    found = summarise(*reviews({"battery": (3, 0.9)}), words_of, 60)
    assert len(found) == 1
    assert "battery" in found[0].text


def test_a_quotation_cites_its_own_row_and_then_those_that_say_the_same() -> None:
    data = reviews({"battery": (3, 0.9), "strap": (3, -0.9), "screen": (1, 0.9)})
    found = {quotation.text.split()[1]: quotation.rows for quotation in summarise(
        *data, words_of, 60)}  # fmt: skip
    assert found["battery"][0] in (0, 1, 2)
    assert sorted(found["battery"]) == [0, 1, 2]
    assert list(found["battery"][1:]) == sorted(found["battery"][1:])
    assert sorted(found["strap"]) == [3, 4, 5]
    assert found["bright"] == (6,)


def test_the_same_meaning_in_other_words_is_not_cited_as_the_same() -> None:
    sentences = [
        Sentence("battery lasts long", 0),
        Sentence("keeps going for ever", 1),
        Sentence("pretty screen colours", 2),
        Sentence("quick parcel service", 3),
    ]
    vectors = np.array([meaning(t, n) for n, t in enumerate(
        ("battery", "battery", "screen", "delivery"))])  # fmt: skip
    for quotation in summarise(sentences, vectors, np.ones(4), words_of, 60):
        assert len(quotation.rows) == 1


def test_words_are_shared_out_as_the_rows_are() -> None:
    random = np.random.default_rng(4)
    width = 40
    sentences, vectors, polarity = [], [], []
    for row in range(60):
        sentences.append(Sentence(f"thing{row} is like word{row} indeed", row))
        vector = random.standard_normal(width)
        vectors.append(vector / np.linalg.norm(vector))
        polarity.append(0.9 if row % 4 else -0.9)
    found = summarise(sentences, np.array(vectors, dtype=np.float32), np.array(polarity),
                      words_of, 80)  # fmt: skip
    complaints = sum(quotation.rows[0] % 4 == 0 for quotation in found)
    assert len(found) == 16
    assert complaints == 4


@pytest.mark.parametrize("max_words", [10, 13, 30, 60])
def test_it_keeps_within_the_words_given(max_words: int) -> None:
    data = reviews({"strap": (2, -0.9), "battery": (8, 0.9), "screen": (6, 0.8)})
    found = summarise(*data, words_of, max_words)
    assert sum(word_count(quotation.text) for quotation in found) <= max_words
    assert found


def test_where_no_sentence_fits_the_shortest_is_given() -> None:
    data = reviews({"strap": (1, -0.9), "battery": (1, 0.9)})
    assert summarise(*data, words_of, 2) == [Quotation("the battery lasts 2 days", (1,))]


def test_texts_without_an_opinion_are_summarised_too() -> None:
    data = reviews({"battery": (4, 0.0), "screen": (4, 0.1)})
    assert len(summarise(*data, words_of, 60)) == 2


def test_a_fact_beside_an_opinion_is_cited_and_gets_no_words_of_its_own() -> None:
    sentences, vectors, polarity = reviews({"battery": (2, 0.0), "strap": (1, -0.9)})
    aside = Sentence(sentences[0].text, sentences[2].row)  # said by the one who complains
    found = summarise([*sentences, aside], vectors[[0, 1, 2, 0]], polarity[[0, 1, 2, 0]],
                      words_of, 60)  # fmt: skip
    assert [sorted(quotation.rows) for quotation in found] == [[0, 1, 2], [2]]
    alone = summarise([aside, sentences[2]], vectors[[0, 2]], polarity[[0, 2]], words_of, 60)
    assert [quotation.text for quotation in alone] == [sentences[2].text]


def test_a_scrap_is_quoted_only_where_there_is_nothing_else() -> None:
    sentences = [Sentence("Good", 0), Sentence("Fine", 1)]
    vectors = np.array([meaning("battery", 1), meaning("screen", 2)])
    assert [q.text for q in summarise(sentences, vectors, np.ones(2), words_of, 60)]
    sentences.append(Sentence("the strap is fine", 2))
    vectors = np.vstack([vectors, meaning("strap", 3)])
    (found,) = summarise(sentences, vectors, np.ones(3), words_of, 60)
    assert found.text == "the strap is fine"


def test_nothing_gives_nothing() -> None:
    assert summarise([], np.zeros((0, 4), np.float32), np.zeros(0), words_of, 60) == []


def test_the_same_texts_give_the_same_summary() -> None:
    data = reviews({"strap": (9, -0.9), "battery": (30, 0.9), "screen": (20, 0.8)})
    first = summarise(*data, words_of, 60)
    assert all(summarise(*data, words_of, 60) == first for _ in range(3))


def test_a_long_review_has_one_vote() -> None:
    sentences, vectors, polarity = reviews({"battery": (9, 0.9), "screen": (4, 0.9)})
    # Nine sentences about the battery in one review, four reviews about the screen.
    sentences = [Sentence(s.text, 0 if s.row < 9 else s.row) for s in sentences]
    found = summarise(sentences, vectors, polarity, words_of, 60)
    assert "screen" in found[0].text


def test_many_sentences_take_seconds() -> None:
    random = np.random.default_rng(6)
    vectors = random.standard_normal((60_000, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    sentences = [Sentence(f"word{n % 997} and word{n % 89} again", n // 3) for n in range(60_000)]
    polarity = random.uniform(-1, 1, 60_000)
    started = time.process_time()
    assert summarise(sentences, vectors, polarity, words_of, 60)
    assert time.process_time() - started < 20
