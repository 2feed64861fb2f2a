"""Ranks the phrases of one text, and those of a range of texts.

Score of a phrase in a range: C-value x sqrt(idf x judged).

- C-value (Frantzi, Ananiadou and Mima 2000, "Automatic recognition of multi-word terms"): the texts
  that hold it less the mean of those that hold a longer phrase around it, times log2(words + 1),
  the 1 so that single words count too (Barrón-Cedeño et al. 2009).
- idf (Spärck Jones 1972): -ln of the share of reviews in our word list that hold a word, mean of
  its words.
- judged: how often people who marked reviews marked its last word as what is judged; learnt, as
  KEA learns (Witten et al. 1999). For a judgement how often it was marked as one, at a quarter.

In one text it is ln(1 + times) x sqrt(idf x judged) x log2(words + 1), less the later it comes.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from server.text import lexicon
from server.text.lexicon import NOUN
from server.text.phrases import Unit, counted_words, joined

RARE = 1e-4  # share of reviews that hold a word which our list lacks
UNMARKED = 0.1  # how often such a noun is judged
JUDGEMENT = 0.25
GROWS = 0.3  # a longer phrase stands for a shorter one in this share of its texts

_GENERIC = frozenset(  # alone they name no topic
    "product item stuff place time times work job people person guy day year month week purchase "
    "use one part end fact star stars review others amazon company day hour world man woman wife "
    "husband son daughter friend kid "
    "东西 产品 商品 宝贝 店 店家 牌子 下次 总体 整体 感觉 人 时间 地方 问题 时候 "
    "情况 小时 朋友 老公 个人 结果 原因 评价 好评 差评 事情 处 手 货 块钱".split()
)

Phrase = tuple[str, ...]
_Form = TypeVar("_Form", str, Phrase)


class Entry(NamedTuple):
    """A phrase of a range of texts."""

    phrase: str
    score: float
    documents: int
    row: int  # the text that shows it best, from 0


def units_of(stored: Iterable[Sequence[Any]]) -> Iterator[Unit]:
    """Units as they come back from JSON."""
    return (Unit(tuple(words), tuple(surface), kinds) for words, surface, kinds in stored)


@lru_cache(maxsize=32)  # a column asks once per cell
def stop_list(words: tuple[str, ...]) -> frozenset[str]:
    """The user's stop words as `without` wants them: in any case, number and spacing."""
    return frozenset("".join(counted_words(word)) for word in words) - {""}


def without(units: Iterable[Unit], stops: Collection[str]) -> Iterator[Unit]:
    """The units without the stop words; what stands before and after one is a unit of its own."""
    for unit in units:
        place = start = 0
        size = len(unit.words)
        while stops and place < size:
            length = next(
                (n for n in range(size - place, 0, -1)
                 if "".join(unit.words[place : place + n]).replace(" ", "") in stops), 0,
            )  # fmt: skip
            if length:
                yield from _part(unit, start, place)
                start = place = place + length
            else:
                place += 1
        yield from _part(unit, start, size)


def _part(unit: Unit, start: int, end: int) -> Iterator[Unit]:
    if (start, end) == (0, len(unit.words)):
        yield unit
        return
    while end > start and unit.kinds[end - 1] != NOUN:
        end -= 1
    if start < end:
        yield Unit(unit.words[start:end], unit.surface[start:end], unit.kinds[start:end])


def rank_text(units: Sequence[Unit], top_n: int) -> list[str]:
    """The best phrases of one text, best first."""
    times: Counter[Phrase] = Counter()
    first: dict[Phrase, int] = {}
    surfaces: dict[Phrase, Counter[str]] = defaultdict(Counter)
    judgements = {unit.words for unit in units if unit.judges}
    for place, unit in enumerate(units):
        times[unit.words] += 1
        first.setdefault(unit.words, place)
        surfaces[unit.words][joined(unit.surface)] += 1
    ranked = sorted(
        (
            (-math.log1p(count) * weight / (1 + first[words] / 20), words)
            for words, count in times.items()
            if (weight := _weight(words, words in judgements)) > 0
        )
    )
    chosen: list[Phrase] = []
    for _, words in ranked:
        if len(chosen) == top_n:
            break
        if not any(_overlap(words, other) for other in chosen):
            chosen.append(words)
    return [_most_frequent(surfaces[words]) for words in chosen]


def rank_texts(rows: Sequence[Sequence[Unit]], top_n: int) -> list[Entry]:
    """The best phrases of a range of texts, best first."""
    counts = _Counts(rows)
    ranked = sorted((-score, words) for words, score in counts.scores() if score > 0)
    scores = {words: -score for score, words in ranked}
    chosen: list[Phrase] = []
    for _, words in ranked:
        if len(chosen) == top_n:
            break
        words = counts.grown(words, scores)
        if not any(_overlap(words, other) for other in chosen):
            chosen.append(words)
    shown = counts.shown(rows, chosen)
    return sorted(
        (
            Entry(phrase, round(scores[words], 4), counts.documents[words], row)
            for words, (phrase, row) in zip(chosen, shown, strict=True)
        ),
        key=lambda entry: (-entry.score, -entry.documents, entry.phrase),
    )


class _Counts:
    """How many texts hold each phrase, and which longer ones stand around it."""

    def __init__(self, rows: Sequence[Sequence[Unit]]) -> None:
        spellings: dict[str, Counter[Phrase]] = defaultdict(Counter)
        self.judgements: set[Phrase] = set()
        for units in rows:
            for unit in units:
                for _, words in _parts(unit):
                    spellings[_key(words)][words] += 1
                if unit.judges:
                    self.judgements.add(unit.words)
        # "check-in" and "check in" are one phrase.
        self._usual = {key: _most_frequent(found) for key, found in spellings.items()}
        self.documents: Counter[Phrase] = Counter()
        self._longer: dict[Phrase, set[Phrase]] = defaultdict(set)
        for units in rows:
            held: set[Phrase] = set()
            for unit in units:
                whole = self.usual(unit.words)
                for _, part in _parts(unit):
                    words = self.usual(part)
                    held.add(words)
                    if words != whole:
                        self._longer[words].add(whole)
            self.documents.update(held)

    def usual(self, words: Phrase) -> Phrase:
        """The phrase in the spelling that most texts have."""
        return self._usual[_key(words)]

    def scores(self) -> Iterator[tuple[Phrase, float]]:
        """The score of each phrase."""
        for words, count in self.documents.items():
            around = [self.documents[longer] for longer in self._longer.get(words, ())]
            alone = count - (sum(around) / len(around) if around else 0)
            yield words, alone * _weight(words, words in self.judgements)

    def grown(self, words: Phrase, scores: Collection[Phrase]) -> Phrase:
        """The phrase, or the longer one that it mostly stands in."""
        least = max(2, GROWS * self.documents[words])
        longer = [
            one
            for one in self._longer.get(words, ())
            if self.documents[one] >= least and one in scores
        ]
        return max(longer, key=lambda one: (self.documents[one], one), default=words)

    def shown(
        self, rows: Sequence[Sequence[Unit]], chosen: Sequence[Phrase]
    ) -> list[tuple[str, int]]:
        """Per phrase its most frequent form, and the row that is most about it."""
        surfaces: dict[Phrase, Counter[str]] = {words: Counter() for words in chosen}
        best: dict[Phrase, tuple[int, int, int]] = {}
        for row, units in enumerate(rows):
            times: Counter[Phrase] = Counter()
            for unit in units:
                for start, part in _parts(unit):
                    words = self.usual(part)
                    if words in surfaces:
                        times[words] += 1
                        surface = unit.surface[start : start + len(part)]
                        surfaces[words][joined(surface)] += 1
            for words, count in times.items():
                # Twice is about it; a text of a few phrases is short and yet says something.
                rank = (-min(count, 2), abs(len(units) - 4), row)
                best[words] = min(best.get(words, rank), rank)
        return [(_most_frequent(surfaces[words]), best[words][2]) for words in chosen]


def _parts(unit: Unit) -> Iterator[tuple[int, Phrase]]:
    """The phrases in a unit that end in a noun, each with its place; a judgement whole."""
    size = len(unit.words)
    for end in range(1, size + 1):
        if unit.judges or unit.kinds[end - 1] == NOUN:
            for start in range(end):
                yield start, unit.words[start:end]


def _key(words: Phrase) -> str:
    return "".join(words).replace("-", "").replace(" ", "")


def _weight(words: Phrase, judges: bool) -> float:
    """What a phrase counts for, by its words alone; a name counts by its own words."""
    known = lexicon.table()
    if not judges:
        words = tuple(part for word in words for part in word.split())
    if judges:
        entry = known.get(words[0].split()[-1].lstrip("不没太")) or known.get(words[0])
        role = entry.opinion * JUDGEMENT**2 if entry else 0.0
    else:
        role = max(_judged(words[-1]), 0.5 * max(map(_judged, words)))
    if len(words) == 1 and not judges and _says_nothing(words[0], role):
        return 0.0
    found = [known.get(word) for word in words]
    idf = sum(-math.log(entry.documents if entry else RARE) for entry in found) / len(words)
    return math.log2(len(words) + 1) * math.sqrt(idf * role)


def _judged(word: str) -> float:
    entry = lexicon.table().get(word)
    return entry.aspect if entry else UNMARKED


def _says_nothing(word: str, judged: float) -> bool:
    return word in _GENERIC or (len(word) == 1 and judged < 0.3)


def _overlap(one: Phrase, other: Phrase) -> bool:
    """Whether one phrase says again what the other says, or part of it."""
    shared = set(one) & set(other)
    if shared and (
        len(shared) == min(len(one), len(other)) or 2 * len(shared) >= len({*one, *other})
    ):
        return True
    shorter, longer = sorted(("".join(one), "".join(other)), key=len)
    # "新鲜" and "不新鲜" are two things to know.
    return not shorter.isascii() and shorter in longer and longer[0] not in "不没太"


def _most_frequent(counts: Counter[_Form]) -> _Form:
    """The most frequent form; of two the one in lower case, then by alphabet."""
    return min(
        counts, key=lambda form: (-counts[form], "".join(form) != "".join(form).lower(), form)
    )
