"""Topics found by phrase: what belongs together, what a sentence is about, what is told of it."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from server.semantics.extract import Sentence
from server.semantics.topic_names import joined, name_topic
from server.semantics.topic_phrases import Phrase, category_of, key_of, read_corpus
from server.semantics.topic_sayings import categories_said, is_overall
from server.semantics.topic_space import fit_space, unit
from server.semantics.topic_table import Mentions, welch
from server.semantics.topics import (
    NEVER,
    Topic,
    TopicSet,
    find_topics,
    group_phrases,
    likeness_of,
    make_set,
)
from server.topic_drift import newcombe, wilson

REVIEWS = [
    "The battery life is short. Delivery was late.",
    "Battery life could be better, but shipping was quick",
    "The battery died after a week, the shipping took long",
    "Delivery took two weeks and the box was torn",
    "物流很慢，包装破损",
    "快递很快，包装完好",
]


def phrase(text: str, score: float = 1.0, judges: bool = False) -> Phrase:
    return Phrase(text, key_of(text.split()), score, 2, category_of(text), judges)


def nothing(phrases: list[Phrase]) -> np.ndarray:
    return np.zeros((len(phrases), 1), dtype=np.float32)


def test_phrases_of_one_category_are_one_topic_in_both_languages() -> None:
    phrases = [phrase(text) for text in ("delivery", "battery", "shipping", "物流", "charger")]
    alike = likeness_of(phrases, nothing(phrases), nothing(phrases))
    groups = group_phrases(phrases, alike)
    assert [[phrases[place].text for place in group] for group in groups] == [
        ["delivery", "shipping", "物流"],
        ["battery", "charger"],
    ]


def test_vectors_join_phrases_that_the_lists_do_not_know() -> None:
    phrases = [phrase(f"gadget{number}") for number in range(40)]
    vectors = np.random.default_rng(2).standard_normal((40, 64)).astype(np.float32)
    vectors[1] = vectors[0]
    groups = group_phrases(phrases, likeness_of(phrases, unit(vectors), unit(vectors)))
    assert [0, 1] in groups
    assert len(groups) == 39


def test_a_longer_phrase_takes_the_word_that_mostly_means_it() -> None:
    corpus = read_corpus(REVIEWS)
    found = {phrase.text: phrase for phrase in corpus.phrases}
    assert "battery life" in found
    assert "battery" in found["battery life"].short
    held = corpus.holding([found["battery life"].keys])
    rows = {corpus.sentences[place].row for place in held.tocoo().col}
    assert rows == {0, 1, 2}


def test_topics_do_not_depend_on_the_order_of_the_rows() -> None:
    shuffled = list(enumerate(REVIEWS * 3))
    random.Random(1).shuffle(shuffled)
    corpus, other = read_corpus(REVIEWS * 3), read_corpus([text for _, text in shuffled])
    assert [sentence.text for sentence in corpus.sentences] == [
        sentence.text for sentence in other.sentences
    ]
    assert corpus.phrases == other.phrases


def test_a_very_long_column_is_read_to_the_first_sentences_of_each_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("server.semantics.sentences.MOST_SENTENCES", 100)
    text = ". ".join(f"Sentence {number} is about size" for number in range(40))
    corpus = read_corpus([text] * 30 + ["size"])
    assert len(corpus.sentences) == 30 * 3 + 1
    assert len({sentence.row for sentence in corpus.sentences}) == 31


@pytest.mark.parametrize(
    ("sentence", "categories"),
    [
        ("It arrived two weeks late", ["delivery"]),
        ("fell apart after a month", ["quality"]),
        ("way too small for my hand", ["size & weight"]),
        ("有点贵", ["price"]),
        ("感谢您惠顾贵宾楼", []),
        ("发货太慢了", ["delivery"]),
        ("I bought it for my son", []),
    ],
)
def test_what_a_sentence_says_without_naming_it(sentence: str, categories: list[str]) -> None:
    assert categories_said(sentence) == categories


def test_praise_without_a_subject_is_overall() -> None:
    assert is_overall("Love it!")
    assert is_overall("很满意")
    assert not is_overall("I bought it on Monday")


def test_a_topic_is_named_after_a_thing_in_the_language_that_is_wanted() -> None:
    phrases = [phrase("too small", 9, True), phrase("尺码", 5), phrase("size", 3)]
    assert name_topic(phrases, "en", strict=False).name == "size"
    assert name_topic(phrases, "zh", strict=False).name == "尺码"
    assert name_topic(phrases, "en", strict=False).terms == ("size", "too small", "尺码")
    assert name_topic(phrases, "zh", strict=True).terms == ("尺码",)
    assert name_topic([phrase("size")], "zh", strict=True).name == "size"
    assert joined(("尺码", "大小")) == "尺码、大小"
    assert joined(("size", "fit")) == "size, fit"


def test_a_topic_has_a_thing_among_its_phrases() -> None:
    corpus = read_corpus(["too small", "it was too small", "too small for me"])
    none = np.zeros((len(corpus.phrases), 4), dtype=np.float32)
    assert find_topics(corpus, np.zeros((3, 4), dtype=np.float32), none, None, 12) == []


def test_the_space_leaves_out_how_things_are_liked() -> None:
    draw = np.random.default_rng(3)
    topic = draw.integers(0, 4, 400)
    mood = draw.choice([-1.0, 1.0], 400)
    vectors = 0.1 * draw.standard_normal((400, 16))
    vectors[np.arange(400), topic] += 0.5
    vectors[:, 10] += 2 * mood
    space = fit_space(unit(vectors).astype(np.float32), mood)
    assert space is not None
    projected = space.project(unit(vectors).astype(np.float32))
    near = projected @ projected.T
    same, liked = topic[:, None] == topic, mood[:, None] == mood
    assert near[same].mean() > near[~same].mean() + 0.5
    assert abs(near[liked].mean() - near[~liked].mean()) < 0.05
    assert fit_space(vectors[:20], mood[:20]) is None


def test_a_sentence_without_a_phrase_joins_the_nearest_only_where_that_is_mostly_right() -> None:
    draw = np.random.default_rng(5)
    texts, topics_of, vectors = [], [], []
    for number in range(240):
        topic = number % 2
        name = ("strap", "lens")[topic] if number < 200 else "thingummy"
        texts.append(f"row {number:03} tells of the {name} here")
        topics_of.append(topic)
        vectors.append(np.eye(8)[topic] + 0.2 * draw.standard_normal(8))
    corpus = read_corpus(texts)
    order = [sentence.row for sentence in corpus.sentences]
    array = unit(np.array(vectors)[order]).astype(np.float32)
    mood = draw.standard_normal(240)
    topics = [Topic(name, (name,), (name,)) for name in ("strap", "lens")]
    space = fit_space(array, mood)
    assert space is not None
    blind = type(space)(space.centre, np.zeros((0, 8), dtype=np.float32))
    made = make_set(topics, corpus, array, blind)
    assert made.least < NEVER
    found = made.mentions(corpus, array).tocoo()
    joined_rows = {(int(t), order[p]) for t, p in zip(found.row, found.col, strict=True)}
    late = [(topic, row) for topic, row in joined_rows if row >= 200]
    assert len(late) > 30
    assert all(topic == topics_of[row] for topic, row in late)
    noise = make_set(topics, corpus, draw.standard_normal((240, 8)).astype(np.float32), blind)
    assert len(noise.mentions(corpus, array).tocoo().col) < 210


def test_the_effect_is_welchs_difference() -> None:
    # By hand: means 2 and 5, variances 1 and 4 over three values each; df 200/68 = 2.941.
    found = welch(np.array([1.0, 2.0, 3.0]), np.array([3.0, 5.0, 7.0]))
    assert found is not None
    assert found.value == -3
    assert found.hi - found.value == pytest.approx(3.219 * math.sqrt(5 / 3), rel=2e-3)
    assert welch(np.array([1.0]), np.array([1.0, 2.0])) is None
    flat = welch(np.array([1.0, 1.0]), np.array([0.5, 0.5]))
    assert flat is not None
    assert (flat.lo, flat.hi) == (0.5, 0.5)


def test_each_row_is_counted_once_a_topic_and_the_rest_is_told_apart() -> None:
    texts = ["the strap, the strap. strap again", "love it", "on Monday", "the strap is bad"]
    corpus = read_corpus(texts)
    made = TopicSet((Topic("strap", ("strap",), ("strap",)),), None, np.zeros((1, 2)), NEVER)
    vectors = np.zeros((len(corpus.sentences), 2), dtype=np.float32)
    found = made.mentions(corpus, vectors)
    mentions = Mentions(made, corpus.sentences, found, range(4))
    assert mentions.rows_of(mentions.of_topics[0]) == (0, 3)
    assert mentions.rows_of(mentions.overall) == (1,)
    assert mentions.other_rows == (2,)
    assert mentions.main_topics() == {0: 0, 3: 0}


def test_shares_have_published_intervals() -> None:
    # Newcombe 1998, table II, contrast (a): 56/70 against 48/80; method 10 gives 0.0524 to 0.3339.
    difference = newcombe(wilson(56, 70), wilson(48, 80))
    assert difference.value == pytest.approx(0.2)
    assert difference.lo == pytest.approx(0.0524, abs=5e-5)
    assert difference.hi == pytest.approx(0.3339, abs=5e-5)
    assert wilson(0, 0).hi == 1.0


def test_sentences_are_kept_with_their_row() -> None:
    corpus = read_corpus([None, "size is fine", "size is fine"])
    assert corpus.rows == 2
    assert corpus.sentences == (Sentence("size is fine", 1), Sentence("size is fine", 2))
