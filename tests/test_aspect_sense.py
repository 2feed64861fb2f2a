"""Which of the aspects found in a text make sense: words that name something, no questions."""

from __future__ import annotations

import pytest

from server.models.aspect_sense import asking_spans, sensible
from server.models.found_aspect import FoundAspect
from server.text.cues import asks


def found(text: str, aspect: str | None, opinion: str | None) -> FoundAspect:
    def span(words: str | None) -> tuple[int, int] | None:
        return None if words is None else (text.index(words), text.index(words) + len(words))

    return FoundAspect(span(aspect), span(opinion), "negative", 0.9, 0.8, "quality", 0.9)


@pytest.mark.parametrize(
    ("text", "aspect", "opinion"),
    [
        ("差，一个月才到货", "一个月", "差"),
        ("装系统，sata的驱动", "sata", "的"),
        ("屏幕上有划痕", "屏幕", "上"),
        ("服务很多很快", "很多", "很快"),
        ("the case is of bad quality", "of", "bad"),
        ("the case is bad", "case", "is"),
        ("send order 12588, bad", "12588", "bad"),
        ("抽水马桶坏了", "马桶", "马桶"),
        ("?", "?", None),
    ],
)
def test_words_that_name_or_judge_nothing_are_no_aspect(
    text: str, aspect: str, opinion: str | None
) -> None:
    assert sensible([found(text, aspect, opinion)], text) == []


@pytest.mark.parametrize(
    ("text", "aspect", "opinion"),
    [
        ("物流很快", "物流", "很快"),
        ("这个好用", None, "好用"),
        ("款式很多", "款式", "很多"),
        ("穿着舒服", "穿", "舒服"),
        ("they are great", "they", "great"),
        ("doesn't fit", None, "doesn't fit"),
        ("la pantalla está rota", "pantalla", "rota"),
        ("экран хороший", "экран", "хороший"),
        ("terrible", None, None),
        ("Why is it so slow?", "it", "slow"),
        ("怎么这么慢？", None, "慢"),
        ("屏幕大不大？物流很快。", "物流", "很快"),
    ],
)
def test_judgements_stay(text: str, aspect: str | None, opinion: str | None) -> None:
    one = found(text, aspect, opinion)
    if aspect == "it":
        one = found(text, None, opinion)
    assert [x.opinion for x in sensible([one], text)] == [one.opinion]


def test_a_question_judges_nothing_and_what_stands_beside_it_does() -> None:
    text = "Great screen. Does the battery last long? 物流很快。请问电池耐用吗"
    parts = [
        found(text, "screen", "Great"),
        found(text, "battery", "long"),
        found(text, "物流", "很快"),
        found(text, "电池", "耐用"),
        found(text, None, None),
    ]
    shown = [text[slice(*x.aspect)] if x.aspect else None for x in sensible(parts, text)]
    assert shown == ["screen", "物流", None]
    alone = "Is the seat adjustable?"
    assert sensible([found(alone, None, None), found(alone, "seat", None)], alone) == []


@pytest.mark.parametrize(
    "text",
    ["Does it fit?", "And how long does it take?", "电池耐用吗？", "请问有白色的", "有没有大号？"],
)
def test_a_question_that_asks_for_information(text: str) -> None:
    assert asks(text)
    assert asking_spans(f"Nice! {text}") == [(6, 6 + len(text))] or asking_spans(text) == [
        (0, len(text))
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Does the job.",
        "Why so slow?",
        "What a phone!",
        "怎么这么差？",
        "为什么这么慢？",
        "好吗",
        "",
    ],
)
def test_a_complaint_in_the_form_of_a_question_is_one(text: str) -> None:
    assert not asks(text)
