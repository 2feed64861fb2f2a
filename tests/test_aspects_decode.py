"""Decoding aspects: spans, pairs and categories from arrays made by hand."""

import time

import numpy as np
import pytest

from server.models.aspect_sense import whole_words
from server.models.aspects import (
    ALL_UNSAID,
    ASPECT_UNSAID,
    NEIGHBOURHOODS,
    OPINION_UNSAID,
    OVERLAP,
    PLACES,
    AspectDecoder,
    Candidates,
    FoundAspect,
    all_pairs,
    has_rival,
    neighbours,
    places,
    span_means,
    spans_of_tags,
    with_unsaid,
)

ROLE, PAIR = 2, 4
O, B, I = (8.0, 0.0, 0.0), (0.0, 8.0, 0.0), (0.0, 0.0, 8.0)  # noqa: E741
SHOP, FINE = ("price", "screen"), ("A#1", "B#1", "B#2")


def decoder(**config: object) -> AspectDecoder:
    """Two belong together when both have a first role number of 1; the second number is praise."""
    pair = np.zeros((PAIR, 3 * ROLE))
    pair[0, 4] = 1.0  # first numbers multiplied
    pair[1, 3] = 1.0  # the opinion's second number
    pair[2, 1] = 1.0  # the aspect's second number: category
    polarity = np.zeros((4, PAIR))
    polarity[:, 0] = (-20, 10, 0, 10)
    polarity[:, 1] = (0, -10, 0, 10)
    shop, fine = np.zeros((2, PAIR)), np.zeros((3, PAIR))
    shop[1, 2] = fine[1, 2] = 10.0
    fine[2, 2] = 9.0
    tensors = {
        "pair.weight": pair,
        "pair.bias": np.zeros(PAIR),
        "place": np.zeros((PLACES, PAIR)),
        "neighbours": np.zeros((NEIGHBOURHOODS, PAIR)),
        "style": np.zeros((1, PAIR)),
        "polarity.weight": polarity,
        "polarity.bias": np.array([10.0, 2.0, 0.0, 0.0]),
        "shop.weight": shop,
        "shop.bias": np.array([1.0, 0.0]),
        "fine.weight": fine,
        "fine.bias": np.zeros(3),
    }
    settings = {
        "styles": ["own"],
        "role_size": ROLE,
        "shop": SHOP,
        "fine": FINE,
        "sets": {"narrow": ["A#1", "B#2"]},
        "thresholds": {"own": [0.0, 0.5]},
    }
    return AspectDecoder(tensors, settings | config)


def token(
    aspect: tuple[float, ...] = O,
    opinion: tuple[float, ...] = O,
    role_a: tuple[float, float] = (0, 0),
    role_o: tuple[float, float] = (0, 0),
) -> list[float]:
    return [*aspect, *opinion, *role_a, *role_o]


# "great screen , dear" with [CLS] and [SEP]
TEXT = np.array(
    [
        token(role_a=(1, 0)),
        token(opinion=B, role_o=(1, 1)),
        token(aspect=B, role_a=(1, 1)),
        token(aspect=O),
        token(opinion=B, role_o=(0, 0)),
        token(),
    ]
)
OFFSETS = np.array([(0, 0), (0, 5), (6, 12), (12, 13), (14, 18), (0, 0)])


def test_pairs_that_belong_together_are_found_with_polarity_and_category() -> None:
    [found] = decoder().decode([TEXT[[0, 1, 2, 5]]], [OFFSETS[[0, 1, 2, 5]]], ["own"])
    named = [item for item in found if item.aspect]
    assert [(x.aspect, x.opinion, x.polarity, x.category) for x in named] == [
        ((6, 12), (0, 5), "positive", "screen")
    ]
    assert named[0].probability > 0.9
    assert named[0].pair_probability > 0.9


def test_what_is_unsaid_stands_on_the_first_token() -> None:
    [found] = decoder().decode([TEXT[[0, 1, 5]]], [OFFSETS[[0, 1, 5]]], ["own"])
    assert [(x.aspect, x.opinion, x.category) for x in found] == [(None, (0, 5), "price")]


def test_a_fine_category_is_one_that_the_data_set_knows() -> None:
    inputs = [TEXT], [OFFSETS], ["own"]
    for name, wanted in (("narrow", "B#2"), ("wide", "B#1")):
        [found] = decoder().decode(*inputs, sets=[name])
        assert {item.category for item in found if item.aspect} == {wanted}


def test_batch_equals_one_by_one() -> None:
    draw = np.random.default_rng(3)
    outputs = [draw.normal(size=(n, 10)) * 3 for n in (3, 9, 30, 2, 17)]
    offsets = [
        np.array([(0, 0), *((2 * i, 2 * i + 2) for i in range(len(one) - 2)), (0, 0)])
        for one in outputs
    ]
    together = decoder().decode(outputs, offsets, ["own"] * 5)
    alone = [decoder().decode([o], [c], ["own"])[0] for o, c in zip(outputs, offsets, strict=True)]
    assert any(together)
    for batch, single in zip(together, alone, strict=True):
        assert [(x.aspect, x.opinion, x.polarity) for x in batch] == [
            (x.aspect, x.opinion, x.polarity) for x in single
        ]
        assert [x.probability for x in batch] == pytest.approx([x.probability for x in single])


def test_with_the_text_no_span_ends_within_a_word() -> None:
    def found(aspect: tuple[int, int] | None, opinion: tuple[int, int], p: float) -> FoundAspect:
        return FoundAspect(aspect, opinion, "negative", 0.9, p, "price", 0.9)

    text = "no refund饼干, 5stars"
    parts = [found((3, 5), (6, 9), 0.4), found((6, 9), (3, 5), 0.8), found(None, (9, 10), 0.5)]
    assert [(x.aspect, x.opinion, x.pair_probability) for x in whole_words(parts, text)] == [
        ((3, 9), (3, 9), 0.8),
        (None, (9, 11), 0.5),
    ]
    [cut] = decoder().decode([TEXT[[0, 1, 5]]], [OFFSETS[[0, 1, 5]]], ["own"], texts=["greatest"])
    assert cut[0].opinion == (0, 8)


def test_no_texts_and_texts_without_aspects() -> None:
    assert decoder().decode([], [], []) == []
    quiet = np.array([token(), token(), token()])
    assert decoder().decode([quiet], [np.array([(0, 0), (0, 3), (0, 0)])], ["own"]) == [[]]


def test_a_higher_threshold_finds_less() -> None:
    strict = decoder(thresholds={"own": [0.0, 1.1]})
    assert strict.decode([TEXT], [OFFSETS], ["own"]) == [[]]


def test_tags_become_spans() -> None:
    o, b, i = 0, 1, 2
    tags = np.array([b, i, i, o, i, b, b, i, i])
    allowed = np.array([1, 1, 1, 1, 1, 1, 1, 1, 0], dtype=bool)
    new = np.zeros(9, dtype=bool)
    assert spans_of_tags(tags, allowed, new).tolist() == [[0, 3], [4, 5], [5, 6], [6, 8]]
    new[1] = True  # text was cut out before this token
    assert spans_of_tags(tags, allowed, new).tolist()[:2] == [[0, 1], [1, 3]]
    assert spans_of_tags(np.full(4, i), np.ones(4, dtype=bool), new[:4] & False).tolist() == [
        [0, 4]
    ]


def test_every_aspect_meets_every_opinion_of_its_own_text() -> None:
    texts = np.repeat([0, 1], 4)
    cls = np.array([0, 4])
    aspects = with_unsaid(np.array([[1, 3], [6, 7]]), texts, cls)
    opinions = with_unsaid(np.array([[5, 6], [7, 8]]), texts, cls)
    a, o = all_pairs(aspects, opinions)
    assert [(*aspects.spans[i], *opinions.spans[j]) for i, j in zip(a, o, strict=True)] == [
        (0, 1, 0, 1),
        (1, 3, 0, 1),
        (4, 5, 4, 5),
        (4, 5, 5, 6),
        (4, 5, 7, 8),
        (6, 7, 4, 5),
        (6, 7, 5, 6),
        (6, 7, 7, 8),
    ]


def test_a_pairs_place_says_what_is_unsaid_and_which_comes_first() -> None:
    spans = np.array([[0, 1], [3, 5], [5, 6], [90, 91]])
    every = Candidates(spans, np.zeros(4, dtype=int), np.array([True, False, False, False]))

    def place(a: int, o: int) -> int:
        return int(places(every, every, np.array([a]), np.array([o]))[0])

    assert (place(0, 0), place(0, 1), place(1, 0), place(1, 1)) == (
        ALL_UNSAID,
        ASPECT_UNSAID,
        OPINION_UNSAID,
        OVERLAP,
    )
    assert len({place(1, 2), place(2, 1), place(1, 3), place(3, 1)}) == 4
    assert place(3, 1) == PLACES - 1


def test_a_pair_knows_what_else_stands_between() -> None:
    texts = np.repeat([0, 1], [9, 3])
    cls = np.array([0, 9])
    aspects = with_unsaid(np.array([[1, 2], [3, 4], [10, 11]]), texts, cls)
    opinions = with_unsaid(np.array([[2, 3], [4, 5], [6, 7]]), texts, cls)
    a, o = all_pairs(aspects, opinions)
    found = {
        (*aspects.spans[i], *opinions.spans[j]): divmod(n, 3)
        for i, j, n in zip(a, o, neighbours(aspects, opinions, a, o).tolist(), strict=True)
    }
    assert found[1, 2, 2, 3] == (0, 0)
    assert found[1, 2, 6, 7] == (1, 2)
    assert found[3, 4, 2, 3] == (0, 0)
    assert found[0, 1, 6, 7] == (2, 2)
    assert found[10, 11, 9, 10] == (1, 0)


def test_an_opinion_keeps_to_the_aspects_that_it_fits_best() -> None:
    opinions = Candidates(
        np.array([[0, 1], [2, 3]]), np.zeros(2, dtype=int), np.array([True, False])
    )
    p, o = np.array([0.9, 0.5, 0.9, 0.8, 0.5]), np.array([0, 0, 1, 1, 1])
    assert has_rival(p, opinions, o).tolist() == [False, False, False, False, True]


def test_a_spans_vector_is_the_mean_of_its_tokens() -> None:
    vectors = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    spans = np.array([[0, 2], [1, 2], [1, 3]])
    assert span_means(vectors, spans).tolist() == [[1, 2], [2, 3], [3, 4]]


@pytest.mark.bench
def test_five_thousand_reviews_decode_in_two_seconds() -> None:
    draw = np.random.default_rng(5)
    outputs = [draw.normal(size=(60, 10)).astype(np.float32) for _ in range(5000)]
    offsets = [np.array([(0, 0), *((2 * i, 2 * i + 2) for i in range(58)), (0, 0)])] * 5000
    few = decoder(thresholds={"own": [-1.0, 0.9]})
    began = time.perf_counter()
    few.decode(outputs, offsets, ["own"] * 5000)
    assert time.perf_counter() - began < 2
