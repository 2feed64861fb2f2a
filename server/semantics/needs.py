"""The need behind a text: in few words, with the words of the text that show it, and how common.

Where the encoder found aspects, the need comes from what is judged and how; else from the clause
that shows the kind of the text, and the phrases in it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np

from server.knowledge.model import NO_KNOWLEDGE, Knowledge
from server.models.aspect_categories import category_of_words
from server.models.aspects import FoundAspect
from server.models.scale import DEFAULT
from server.semantics.sentences import is_chinese, sentences, word_count
from server.text import lexicon
from server.text.changes import (
    BETTER,
    CATEGORY_WORDS,
    CHEAPER,
    Change,
    change_of,
    phrase_of,
    topic_of,
)
from server.text.cues import PURCHASE, QUESTION, QUESTION_MARK, SUGGESTION
from server.text.keywords import rank_text
from server.text.names import WORD
from server.text.phrases import counted_words, joined, units

ASKING: Final = ("complaint", "question", "suggestion", "purchase intent")
MOST_WORDS: Final = 9  # of a need in the text's own words
MOST_CHARACTERS: Final = 14  # of one in Chinese
UNSURE: Final = 0.5  # a kind less probable than this makes a need less actionable
JUDGED: Final = 0.25  # how often a noun was marked as what a review judges
LEVELS: Final = ("low", "medium", "high")
MOST_ROWS: Final = 50  # of the ranked table
MOST_PRAISED: Final = 10  # after them, of what is praised
MOST_EXAMPLES: Final = 3

TREND_LEVEL: Final = 0.01  # of the test, two-sided: a table has dozens of them
TREND_Z: Final = 2.5758  # the normal quantile that belongs to it
STEADY_Z: Final = 1.6449  # of the 90 % interval that shows two shares to be alike
STEADY_PART: Final = 0.5  # of the share: a difference that matters to nobody
TREND_COUNT: Final = 10  # least texts with the need


@dataclass(frozen=True)
class Need:
    """What one text is after. `key` is the same for needs that are one in other words."""

    kind: str
    phrase: str  # blank where no need is named
    actionability: str
    evidence: str
    key: tuple[str, ...]

    def renamed(self, phrase: str) -> Need:
        """The same need under a name of the user's own; blank where he has none for it."""
        return replace(self, phrase=phrase, key=(self.kind, phrase))


def find_need(
    text: str,
    kind: str,
    probability: float,
    found: Sequence[Any] = (),
    shop: Knowledge = NO_KNOWLEDGE,
) -> Need:
    """The need behind a text of this kind, in the names of the shop.

    `found` are its FoundAspects; spans count in `text`.
    """
    chinese = is_chinese(text)
    parts = sentences(text)
    if kind == "other" or not parts:
        return Need(kind, "", LEVELS[0], "", (kind,))
    if kind in ("complaint", "praise"):
        phrase, evidence, key = _judged(text, kind, parts, found, shop, chinese=chinese)
    else:
        phrase, evidence, key = _asked(kind, parts, shop, chinese=chinese)
    level = (1 + bool(phrase)) if kind in ASKING else 0
    level = max(0, level - (probability < UNSURE))
    return Need(kind, phrase, LEVELS[level], evidence, (kind, *key))


# Complaints and praise


def _judged(
    text: str,
    kind: str,
    parts: Sequence[str],
    found: Sequence[FoundAspect],
    shop: Knowledge,
    *,
    chinese: bool,
) -> tuple[str, str, tuple[str, ...]]:
    polarity = "negative" if kind == "complaint" else "positive"
    own = [one for one in found if one.polarity == polarity and (one.aspect or one.opinion)]
    if own:
        best = max(own, key=_telling)
        evidence = _sentence_around(text, parts, best)
        span = shop.names.widened(text, *best.aspect) if best.aspect else (0, 0)
        thing = text[slice(*span)].strip()
        opinion = text[slice(*best.opinion)] if best.opinion else ""
        change = change_of(opinion) or change_of(evidence)
        category = best.category
    else:
        evidence, change = _clause(parts, kind, shop)
        thing, category = "", ""
    if kind == "praise":
        phrase = thing or _category_word(category, chinese=chinese) or _keyword(evidence, shop)
        phrase = shop.preferred(phrase)
        return phrase, evidence, (same_thing(phrase, category, shop),)
    thing = thing or _category_word(category, chinese=chinese) or _subject(evidence, change, shop)
    thing = shop.preferred(_plain(thing, change))
    if change is None and not (own or _often_judged(thing, shop)):
        return "", evidence, ()
    if change is None:
        change = CHEAPER if same_thing(thing, category) == "price" else BETTER
    phrase = phrase_of(change, thing, chinese=chinese)
    key = "" if "{}" not in change.english else same_thing(thing, category, shop)
    return phrase, evidence, (change.english, key)


def _telling(found: FoundAspect) -> tuple[bool, bool, float]:
    """How much an aspect tells of a need: named and with words; a category; sure."""
    named = found.aspect is not None and found.opinion is not None
    return found.category not in ("overall", "other"), named, found.pair_probability


def _sentence_around(text: str, parts: Sequence[str], found: FoundAspect) -> str:
    start = min(span[0] for span in (found.aspect, found.opinion) if span)
    end = max(span[1] for span in (found.aspect, found.opinion) if span)
    place = 0
    for part in parts:
        here = text.find(part, place)
        if here < 0:
            continue
        place = here + len(part)
        if here <= start < place:
            return part
    return " ".join(text[start:end].split())


def _clause(parts: Sequence[str], kind: str, shop: Knowledge) -> tuple[str, Change | None]:
    """The part of the text that says what is wrong, or right, best."""
    if kind == "complaint":
        for part in parts:
            if change := change_of(part):
                return part, change
    named = [part for part in parts if _keyword(part, shop)]
    return (named or list(parts))[0], None


def _category_word(category: str, *, chinese: bool) -> str:
    words = CATEGORY_WORDS.get(category)
    return words[chinese] if words else ""


def _keyword(clause: str, shop: Knowledge) -> str:
    """The best phrase of a clause that names something; blank where there is none."""
    names = [unit for unit in units(clause, shop.names) if not unit.judges]
    return next(iter(rank_text(names, 1)), "")


_PLANS: Final = frozenset("need want order purchase plan hope market 预算".split())  # no products


def _often_judged(thing: str, shop: Knowledge) -> bool:
    """Whether reviews judge such a thing: a better zipper is wanted, a better sister is not."""
    if category_of_words(thing) or shop.aspect_of(thing) or shop.names.get(thing):
        return True
    words = counted_words(thing)
    entry = lexicon.table().get(words[-1]) if words else None
    return entry is not None and entry.aspect >= JUDGED


def _first_name(clause: str, shop: Knowledge) -> str:
    """The first phrase of a clause that names something; blank where there is none."""
    found = units(clause, shop.names)
    names = (unit for unit in found if not unit.judges and unit.words[0] not in _PLANS)
    return next((joined(unit.surface) for unit in names), "")


def _subject(clause: str, change: Change | None, shop: Knowledge) -> str:
    """What is complained of: named before the complaint, else after it."""
    said = change.complaint.search(clause) if change else None
    before = _keyword(clause[: said.start()], shop) if said else ""
    return before or _keyword(clause, shop)


_ARTICLE = re.compile(
    r"^(?:(?:the|an?|this|that|these|those|my|your|its|their|our)\s+|这个|这款|这|那个|我的)", re.I
)


def _plain(thing: str, change: Change | None) -> str:
    """A thing without its article and the complaint, in small letters unless it is a name."""
    thing = _ARTICLE.sub("", " ".join(thing.split()))
    said = change.complaint.search(thing) if change else None
    if said and said.start():
        thing = thing[: said.start()].strip()
    return thing.lower() if thing.istitle() else thing


def same_thing(thing: str, category: str = "", shop: Knowledge = NO_KNOWLEDGE) -> str:
    """What things that are one in other words have in common; the shop's own are each its own."""
    if aspect := shop.aspect_of(thing):
        return aspect.name.casefold()
    if (name := shop.names.get(thing)) and name.kind != WORD:
        return name.shown.casefold()
    return _same_words(thing, category)


@lru_cache(maxsize=50_000)  # PROFILE asks for every aspect of every row
def _same_words(thing: str, category: str) -> str:
    category = category or category_of_words(thing) or ""
    if category and category not in ("overall", "other"):
        return category
    return " ".join(counted_words(thing)) or thing.casefold()


# Questions, wishes and plans to buy

_LEAD_EN = re.compile(
    r"^(?:it(?:'s)? (?:would|could|has|had|have|came|comes|were|was)(?: (?:in|with|have|had|"
    r"come))?|"
    r"there (?:was|were|is|are)|you (?:had|have|could|should|would|add|added)|they (?:had|"
    r"would|could|"
    r"should)|i(?:'d| would) (?:be happier with|prefer|like|love)|(?:could|can|would) (?:you|"
    r"the)|if|that|to (?:have|see|get)|to|for|be|have|had|a|an|the|some|more of|one|"
    r"(?:you|they|we|i) )\s*\b",
    re.I,
)
_PLEASE = re.compile(r"\bplease\s+", re.I)
_BEFORE_WISH = re.compile(
    r"^(?:maybe|perhaps|only|just|and|but)?\s*(?:an?|the|some|more)?\s*(.+?)\s+(?:would|"
    r"could|will) "
    r"(?:be|make|help|have been)\b",
    re.I,
)
_EMPTY_SUBJECT = re.compile(r"^(?:it|that|this|which|there|they|you|i|we|if|when)\b", re.I)
_EMPTY_END = re.compile(r"[,\s]+(?:(?:and|then)\s+)?(?:it|that|this|i|you)$", re.I)
_LEAD_ZH = re.compile(
    "^(?:真心|唯一的?|另外|还有|也|很|就是|只是|[，,：:、\\s]|提个|希望|建议|期望|期待|"
    "盼望?|要是|如果|能不能|可不可以|可以|"
    "最好|应该|应当|不妨|下次|下一[代版次]|麻烦|请|求|店家|商家|卖家|你们|能够?|在|是)+"
)
_TAIL_ZH = re.compile(
    "(?:[，,。！!？?啊吧呢嘛呀哦哈~～\\s]|(?:就|会)+(?:更|太|会)*(?:好|完美|棒|贴心|无敌|"
    "方便|舒服|环保|耐用)(?:很多|一些|些)?了?|"
    "更(?:完美|棒|贴心)了|方便点|会不会更好)+$"
)


def _asked(
    kind: str, parts: Sequence[str], shop: Knowledge, *, chinese: bool
) -> tuple[str, str, tuple[str, ...]]:
    patterns = {
        "question": (QUESTION_MARK, QUESTION),
        "suggestion": (SUGGESTION,),
        "purchase intent": (PURCHASE,),
    }[kind]
    clause = next((p for pattern in patterns for p in parts if pattern.search(p)), parts[0])
    if kind == "question":
        phrase = topic_of(clause, chinese=chinese) or _keyword(clause, shop) or _if_short(clause)
    elif kind == "suggestion":
        phrase = _if_short(_wish(clause, chinese=chinese)) or _keyword(clause, shop)
    else:
        cue = PURCHASE.search(clause)
        start = (cue.end() if chinese else cue.start()) if cue else len(clause)
        phrase = _first_name(clause[start:], shop) or _keyword(clause, shop)
    phrase = shop.preferred(phrase)
    return phrase, clause, (same_thing(phrase, shop=shop),) if phrase else ()


def _wish(clause: str, *, chinese: bool) -> str:
    """What a clause wishes for, without the words of wishing."""
    cue = SUGGESTION.search(clause)
    if chinese:
        if word_count(clause) > MOST_CHARACTERS and cue:
            clause = _part_around(clause, cue.start())
        return _TAIL_ZH.sub("", _LEAD_ZH.sub("", clause))
    asked = _PLEASE.search(clause)
    if asked and clause[asked.end() :].strip(" .!?"):
        return clause[asked.end() :].rstrip(".!? ")
    before = _BEFORE_WISH.match(clause)
    subject = _EMPTY_END.sub("", before[1]) if before else ""
    if subject and not _EMPTY_SUBJECT.match(subject):
        return subject
    rest = clause
    if cue and cue[0].lower() in ("rather than", "instead of"):
        rest = clause[: cue.start()]
    elif cue and word_count(clause[cue.end() :]):
        rest = clause[cue.end() :]
    rest = rest.strip(" ,:.!?")
    while True:
        shorter = _LEAD_EN.sub("", rest).strip()
        if not shorter or shorter == rest:
            return rest
        rest = shorter


def _part_around(clause: str, place: int) -> str:
    """The part between commas in which something stands, or the one before a short one."""
    start = max(clause.rfind(comma, 0, place) for comma in "，,；") + 1
    ends = [end for comma in "，,；" if (end := clause.find(comma, place)) >= 0]
    part = clause[start : min(ends, default=len(clause))]
    return part if word_count(part) > 3 else clause


def _if_short(words: str) -> str:
    most = MOST_CHARACTERS if is_chinese(words) else MOST_WORDS
    return words.strip(" .。!！?？") if 0 < word_count(words) <= most else ""


# The user's own needs


def match_taxonomy(
    names: Sequence[str],
    vectors: np.ndarray,
    need: Need,
    own: Sequence[np.ndarray],
    least: float = DEFAULT.need,
    shop: Knowledge = NO_KNOWLEDGE,
) -> str:
    """The user's need that this one means most; blank where no cosine is `least` or more.

    vectors (names, width) and `own`, those of the need's phrase and evidence, have length 1. A
    name that stands in the text's words, or is called so in the shop's file, counts as meant.
    """
    words = f"{need.phrase}\n{need.evidence}".casefold()
    scores = np.max([vectors @ one for one in own], axis=0) if len(own) else np.zeros(len(names))
    scores = np.array(
        [
            1.0 + len(name) / 1000
            if any(_stands_in(form.casefold(), words) for form in (name, *shop.forms_of(name)))
            else score
            for name, score in zip(names, scores, strict=True)
        ]
    )
    best = int(scores.argmax())
    return names[best] if scores[best] >= least else ""


def _stands_in(name: str, words: str) -> bool:
    if not name.isascii():
        return name in words
    return re.search(rf"\b{re.escape(name)}\b", words) is not None


# How common


@dataclass(frozen=True)
class Ranked:
    """A need of a range of texts; rows are places in the range, from 0."""

    phrase: str
    kind: str
    count: int
    share: float  # of the texts
    trend: str
    rows: tuple[int, ...]


def rank_needs(needs: Sequence[tuple[int, Need]]) -> list[Ranked]:
    """The needs of a range from (place, need of the text), the most frequent first.

    Praise is no need: what is praised stands after all needs. A text without a need counts in the
    shares alone. Of the names of one need the most frequent is shown; of equals the shortest.
    """
    groups: dict[tuple[str, ...], list[tuple[int, Need]]] = {}
    for place, need in needs:
        if need.phrase:
            groups.setdefault(need.key, []).append((place, need))
    half = len(needs) // 2
    late = {place for place, _ in needs[len(needs) - half :]}
    early = {place for place, _ in needs[:half]}
    ranked = []
    for members in groups.values():
        names = Counter(need.phrase for _, need in members)
        name = min(names, key=lambda one: (-names[one], len(one), one))
        places = [place for place, _ in members]
        ranked.append(
            Ranked(
                name,
                members[0][1].kind,
                len(members),
                len(members) / len(needs),
                share_trend(sum(p in early for p in places), sum(p in late for p in places), half),
                tuple(places[:MOST_EXAMPLES]),
            )
        )
    ranked.sort(key=lambda one: (-one.count, one.rows))
    asking = [one for one in ranked if one.kind in ASKING]
    return asking[:MOST_ROWS] + [one for one in ranked if one.kind not in ASKING][:MOST_PRAISED]


def share_trend(early: int, late: int, texts: int) -> str:
    """rising, falling, steady, or blank where the counts do not tell; each half has `texts`.

    rising and falling by the pooled two-proportion z test at TREND_LEVEL; steady where the 90 %
    interval of the difference lies within STEADY_PART of the share (two one-sided tests).
    """
    if early + late < TREND_COUNT or not texts:
        return ""
    a, b = early / texts, late / texts
    share = (a + b) / 2
    spread = math.sqrt(2 * share * (1 - share) / texts)
    if spread and abs(b - a) > TREND_Z * spread:
        return "rising" if b > a else "falling"
    error = math.sqrt((a * (1 - a) + b * (1 - b)) / texts)
    return "steady" if abs(b - a) + STEADY_Z * error <= STEADY_PART * share else ""
