"""Aspects as training data: spans after spacing and cleaning, categories, the user's text."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.models.aspect_categories import (
    SHOP_CATEGORIES,
    category_of_opinion,
    category_of_words,
    fine_category,
    shop_category,
)
from server.models.normalise import normalise
from server.models.original_spans import original_offsets, original_span
from server.training.aspect_clauses import find_clauses, joined_clauses
from server.training.aspect_data import (
    load_aspect_examples,
    load_aspect_tests,
    spans_of_strings,
    token_places,
)
from server.training.aspect_examples import SOURCES, AspectExample
from server.training.corpora import detokenise
from tests.tiny_training_data import build_data

ACOS = [
    {
        "split": "train",
        "domain": "laptop",
        "tokens": ["i", "love", "(", "really", ")", "the", "screen", "!", "!", "!", "!", "!"],
        "quadruples": [
            {
                "aspect": [6, 7],
                "category": "DISPLAY#GENERAL",
                "polarity": "positive",
                "opinion": [1, 2],
            }
        ],
    },
    {
        "split": "test",
        "domain": "laptop",
        "tokens": ["it", "does", "n't", "work", "."],
        "quadruples": [
            {
                "aspect": None,
                "category": "LAPTOP#GENERAL",
                "polarity": "negative",
                "opinion": [1, 4],
            }
        ],
    },
]
DIANPING = [
    {
        "split": "train",
        "tokens": list("味道不错，分量足"),
        "triplets": [
            {"aspect": [0, 2], "opinion": [2, 4], "polarity": "positive"},
            {"aspect": [-1, 0], "opinion": [7, 8], "polarity": "positive"},
        ],
    },
    {
        "split": "train",
        "tokens": list("汤很淡，也不怎么热"),
        "triplets": [{"aspect": [0, 1], "opinion": [1, 9], "polarity": "negative"}],
    },
]
COSMETICS = [
    {
        "split": "train",
        "text": "味道好，包装好",
        "quadruples": [
            {"aspect": "味道", "opinion": "好", "category": "气味", "polarity": "positive"},
            {"aspect": "包装", "opinion": "好", "category": "包装", "polarity": "positive"},
            {"aspect": None, "opinion": "好", "category": "整体", "polarity": "positive"},
        ],
    }
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = build_data(tmp_path_factory.mktemp("aspects") / "data")
    for name in SOURCES:
        rows = {"en_acos": ACOS, "zh_dianping": DIANPING, "zh_cosmetics": COSMETICS}.get(name, [])
        with gzip.open(folder / "text" / f"aspects_{name}.jsonl.gz", "wt", encoding="utf-8") as out:
            out.writelines(json.dumps(row) + "\n" for row in rows)
    return folder


def words(row: AspectExample) -> list[tuple[str | None, str | None]]:
    return [
        tuple(row.text[slice(*s)] if s else None for s in (item.aspect, item.opinion))
        for item in row.items
    ]


def test_spans_are_right_after_spacing_and_cleaning(data: Path) -> None:
    found = {row.source: row for row in load_aspect_examples(data)}
    acos = found["en_acos"]
    assert acos.text == "i love (really) the screen!!!"
    assert words(acos) == [("screen", "love")]
    assert acos.set_name == "en_acos/laptop"
    assert words(found["zh_dianping"]) == [("味道", "不错"), (None, "足")]


def test_strings_get_the_nearest_place_and_each_opinion_once(data: Path) -> None:
    [row] = [row for row in load_aspect_examples(data) if row.source == "zh_cosmetics"]
    assert [(item.aspect, item.opinion) for item in row.items] == [
        ((0, 2), (2, 3)),
        ((4, 6), (6, 7)),
        (None, (2, 3)),
    ]
    assert list(spans_of_strings("好", [("包装", "好")])) == [None]


def test_noisy_opinions_are_left_out_of_training(data: Path) -> None:
    assert sum(row.source == "zh_dianping" for row in load_aspect_examples(data)) == 1


def test_test_rows_are_only_in_the_tests(data: Path) -> None:
    assert {row.text for row in load_aspect_tests(data)} == {"it doesn't work."}
    assert "it doesn't work." not in {row.text for row in load_aspect_examples(data)}


def test_tokens_are_found_whatever_the_spacing() -> None:
    tokens = ["(", "it", "'s", "$", "5", ")", "not", "bad", "!"]
    text = detokenise(tokens)
    assert [text[slice(*place)] for place in token_places(text, tokens)] == tokens
    with pytest.raises(ValueError, match="is not at character"):
        token_places("something else", tokens)


@pytest.mark.parametrize(
    ("written", "part", "original"),
    [
        ("fits&nbsp;well &amp; looks <b>great</b>", "great", "great"),
        ("so   goooooood  ", "goood", "goooooood"),
        ("\u200bI 👍🏽 it", "thumbs up medium skin tone", "👍🏽"),
        ("停车️不方便 ❤️", "停车不方便", "停车️不方便"),
        ("plain text", "text", "text"),
    ],
)
def test_a_span_leads_back_to_the_users_text(written: str, part: str, original: str) -> None:
    text, offsets = original_offsets(written)
    start = text.index(part)
    first, last = original_span((start, start + len(part)), offsets)
    assert written[first:last] == original


@given(st.text(alphabet="ab !&;#x39<>/brp \n\u200b\u200d\ufe0f👍🏽❤👩‍🔬好amp", max_size=40))
def test_the_traced_cleaning_is_the_cleaning(text: str) -> None:
    made, offsets = original_offsets(text)
    assert made == normalise(text)
    assert offsets.shape == (len(made), 2)
    assert np.all(offsets[:, 0] < offsets[:, 1])
    assert np.all(np.diff(offsets[:, 0]) >= 0)


def test_clauses_of_reviews_become_texts_with_spans() -> None:
    reviews = [("物流太慢了，质量真的很差。", False), ("包装也很好！物流很好", True)] * 4
    clauses = find_clauses(reviews)
    assert {(c.aspect, c.link, c.opinion, c.polarity) for c in clauses} == {
        ("物流", "", "太慢了", "negative"),
        ("质量", "真的", "很差", "negative"),
        ("包装", "也", "很好", "positive"),
        ("物流", "", "很好", "positive"),
    }
    made = joined_clauses(clauses, 20, seed=1)
    assert {row.style for row in made} == {"zh_cosmetics"}
    known = {(c.aspect, c.opinion) for c in clauses}
    assert all(pair in known for row in made for pair in words(row))
    assert {len(row.items) for row in made} > {1, 2}
    assert made == joined_clauses(clauses, 20, seed=1)


def test_phrases_of_unsure_polarity_make_no_clause() -> None:
    both = [("物流很快", True), ("物流很快", False)] * 4
    rare = [("包装很好", True)] * 3
    about_another = [("酒店服务很差", False), ("味道有点淡", True)] * 4
    assert find_clauses(both + rare + about_another) == []


def test_fine_categories_belong_to_shop_categories() -> None:
    assert fine_category("HARD_DISK#GENERAL") == fine_category("Hard_Disc#General")
    for fine, shop in (
        ("LAPTOP#GENERAL", "overall"),
        ("KEYBOARD#PRICE", "price"),
        ("BATTERY#OPERATION_PERFORMANCE", "battery & power"),
        ("SHOES#SIZE", "size & weight"),
        ("ROOMS#GENERAL", "place"),
        ("FOOD#QUALITY", "taste"),
        ("物流", "delivery"),
        ("NEVER#SEEN", "other"),
    ):
        assert shop_category(fine) == shop
        assert shop in SHOP_CATEGORIES


def test_an_aspects_own_words_name_its_category_only_when_they_are_it() -> None:
    assert category_of_words("Sound quality") == "sound & camera"
    assert category_of_words("性价比") == "price"
    assert category_of_words("soundproof door") is None


def test_an_opinions_words_tell_a_category() -> None:
    for opinion, category in (
        ("way too expensive", "price"),
        ("broke after a week", "quality"),
        ("smells nice", "scent"),
        ("runs small", "size & weight"),
        ("blue", None),
    ):
        assert category_of_opinion(opinion) == category
