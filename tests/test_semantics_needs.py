"""Needs in words, in both languages: from aspects, from clauses; how they are ranked."""

from __future__ import annotations

import numpy as np
import pytest

from server.models.aspects import FoundAspect
from server.semantics.needs import Need, find_need, match_taxonomy, rank_needs, share_trend
from server.text.changes import CATEGORY_WORDS, CHANGES


def aspect(text: str, name: str, opinion: str, polarity: str, category: str) -> FoundAspect:
    def span(words: str) -> tuple[int, int] | None:
        return (text.index(words), text.index(words) + len(words)) if words else None

    return FoundAspect(span(name), span(opinion), polarity, 0.9, 0.9, category, 0.9)


@pytest.mark.parametrize(
    ("text", "name", "opinion", "category", "need"),
    [
        ("Nice. Delivery took three weeks!", "Delivery", "took three weeks", "delivery",
         "faster delivery"),
        ("The shoes run small", "shoes", "run small", "size & weight", "larger shoes"),
        ("way too expensive", "", "too expensive", "price", "lower price"),
        ("The staff was rude", "staff", "rude", "service", "friendlier service"),
        ("it is so noisy", "", "noisy", "noise & heat", "quieter device"),
        ("the seams came apart", "seams", "came apart", "quality", "more durable seams"),
        ("the texture is odd", "texture", "odd", "comfort & feel", "better texture"),
        ("物流太慢了", "物流", "太慢", "delivery", "物流更快"),
        ("价格太贵", "价格", "太贵", "price", "价格更低"),
        ("噪音大", "", "噪音大", "noise & heat", "机器更安静"),
        ("用一周屏幕就碎了", "屏幕", "碎了", "screen", "屏幕更耐用"),
        ("味道一般般", "味道", "一般般", "taste", "味道更好"),
    ],
)  # fmt: skip
def test_a_complaint_about_an_aspect_becomes_a_need(
    text: str, name: str, opinion: str, category: str, need: str
) -> None:
    found = find_need(text, "complaint", 0.9, [aspect(text, name, opinion, "negative", category)])
    assert (found.phrase, found.actionability) == (need, "high")
    assert found.evidence
    assert found.evidence in text


@pytest.mark.parametrize(
    ("kind", "text", "need"),
    [
        ("complaint", "Great box. The zipper on this jacket broke.", "more durable zipper"),
        ("complaint", "Three weeks and nobody answers.", "quicker replies"),
        ("complaint", "拉链用了两次就坏了，差评。", "拉链更耐用"),
        ("complaint", "Never again", ""),
        ("suggestion", "It would be nice if the bag had an inside pocket.",
         "bag had an inside pocket"),
        ("suggestion", "I wish it came in larger sizes.", "larger sizes"),
        ("suggestion", "A longer cable would make this perfect.", "longer cable"),
        ("suggestion", "Good phone. Please bring back the red one!", "bring back the red one"),
        ("suggestion", "希望配送更快", "配送更快"),
        ("suggestion", "要是包里面有个内袋就好了。", "包里面有个内袋"),
        ("suggestion", "能不能支持快递柜自提啊", "支持快递柜自提"),
        ("question", "I like it. When will it be back in stock?", "stock"),
        ("question", "Is the honey organic?", "honey"),
        ("question", "毛衣可以机洗吗", "清洗方法"),
        ("purchase intent", "I want to buy a kettle for my mother", "kettle"),
        ("purchase intent", "想买两台打印机放办公室", "打印机"),
        ("praise", "I love the scent of this candle.", "scent"),
    ],
)  # fmt: skip
def test_without_aspects_the_clause_tells(kind: str, text: str, need: str) -> None:
    found = find_need(text, kind, 0.9)
    assert found.phrase == need
    assert found.evidence.strip() in text


def test_actionability_is_a_rule() -> None:
    assert find_need("slow delivery", "complaint", 0.9).actionability == "high"
    assert find_need("slow delivery", "complaint", 0.4).actionability == "medium"
    assert find_need("Never again", "complaint", 0.9).actionability == "medium"
    assert find_need("lovely scent", "praise", 0.9).actionability == "low"
    assert find_need("Bought on Monday", "other", 0.9) == Need("other", "", "low", "", ("other",))


def test_nothing_but_signs_has_no_need() -> None:
    for text in ("😀😀", "!!!", "?"):
        assert find_need(text, "complaint", 0.9).phrase == ""


def test_the_evidence_is_the_sentence_that_is_judged() -> None:
    text = "I like it.  The delivery  was slow. Nice box."
    found = find_need(
        text, "complaint", 0.9, [aspect(text, "delivery", "slow", "negative", "delivery")]
    )
    assert found.evidence in ("The delivery was slow", "delivery was slow")


def test_every_change_and_category_is_worded_in_both_languages() -> None:
    for change in CHANGES:
        assert change.english.isascii()
        assert not change.chinese.isascii()
        assert ("{}" in change.english) == ("{}" in change.chinese)
    assert all(a.isascii() and not b.isascii() for a, b in CATEGORY_WORDS.values())


def test_a_users_need_is_meant_by_its_words_or_by_meaning() -> None:
    need = find_need("slow delivery", "complaint", 0.9)
    names = ("price", "delivery", "logistics")
    vectors = np.eye(3, dtype=np.float32)
    assert match_taxonomy(names, vectors, need, []) == "delivery"
    other = find_need("the courier was late", "complaint", 0.9)
    near = np.array([0.1, 0.2, 0.9], dtype=np.float32)
    assert match_taxonomy(names, vectors, other, [near]) == "logistics"
    assert match_taxonomy(names, vectors, other, [0.4 * near]) == ""


def test_ranked_needs_share_a_name_across_wordings() -> None:
    texts = ["slow delivery", "shipping is slow", "slow delivery", "fine", "too expensive"]
    kinds = ["complaint"] * 3 + ["other", "complaint"]
    needs = [(2 * n, find_need(t, k, 0.9)) for n, (t, k) in enumerate(zip(texts, kinds))]  # noqa: B905
    first, second = rank_needs(needs)
    assert (first.phrase, first.count, first.share, first.rows) == (
        "faster delivery", 3, 0.6, (0, 2, 4),
    )  # fmt: skip
    assert (second.phrase, second.count) == ("lower price", 1)
    assert rank_needs([]) == []


def test_praise_is_no_need_and_stands_after_all_needs() -> None:
    said = [("great battery", "praise")] * 5 + [("lovely scent", "praise"), ("slow", "complaint")]
    ranked = rank_needs([(n, find_need(text, kind, 0.9)) for n, (text, kind) in enumerate(said)])
    assert [(one.phrase, one.kind, one.count) for one in ranked] == [
        ("faster", "complaint", 1),
        ("battery", "praise", 5),
        ("scent", "praise", 1),
    ]


def test_praise_does_not_push_needs_out_of_the_table() -> None:
    needs = [Need("praise", f"part {n}", "low", "", ("praise", str(n))) for n in range(200)]
    needs += [Need("complaint", f"better part {n}", "high", "", (str(n),)) for n in range(60)]
    ranked = rank_needs(list(enumerate(needs)))
    assert [one.kind for one in ranked] == ["complaint"] * 50 + ["praise"] * 10


@pytest.mark.parametrize(
    ("early", "late", "texts", "trend"),
    [
        (10, 40, 200, "rising"),
        (40, 10, 200, "falling"),
        (500, 500, 1000, "steady"),
        (20, 22, 100, ""),  # neither shown to differ nor shown to be alike
        (1, 6, 500, ""),  # too few
        (0, 0, 0, ""),
    ],
)
def test_a_trend_is_told_where_the_test_shows_it(
    early: int, late: int, texts: int, trend: str
) -> None:
    assert share_trend(early, late, texts) == trend
