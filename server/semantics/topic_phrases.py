"""The phrases of many texts that may name a topic, and the sentences that hold each of them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from server.models.aspect_categories import category_of_opinion, category_of_words
from server.semantics.extract import Sentence
from server.semantics.sentences import most_per_row, sentences
from server.text.keywords import Entry, rank_texts
from server.text.names import NO_NAMES, Names
from server.text.phrases import Unit, counted_words, units
from server.text.stopwords import STOP_WORDS

MOST_PHRASES = 300
LEAST_SHARE = 0.004  # of the rows that hold a phrase; a rarer one names no topic
TOO_COMMON = 0.3  # of the rows: what all texts are about is no topic, unless a shop knows it as one
FAR_MORE = 2.0  # times the rows of a phrase: then a word of it is a candidate of its own
STANDS_FOR = 0.2  # a word of a phrase is counted as the phrase if it stands there this often
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
_NO_TOPIC = frozenset("pair set bit lot kind sort".split())
OVERALL = ("overall", "other")  # categories that say nothing of what is judged


@dataclass(frozen=True)
class Phrase:
    """A phrase that may name a topic. `documents`: rows that hold it."""

    text: str
    key: str
    score: float
    documents: int
    category: str | None  # of the shop's, where the words alone tell
    judges: bool = False  # an opinion ("too small") rather than a thing
    short: tuple[str, ...] = ()  # keys of words that mostly mean this phrase

    @property
    def keys(self) -> tuple[str, ...]:
        """All that it is counted under."""
        return (self.key, *self.short)


@dataclass(frozen=True)
class Corpus:
    """Sentences of a column in an order that does not depend on that of the rows."""

    rows: int  # with a text
    sentences: tuple[Sentence, ...]
    keys: tuple[frozenset[str], ...]  # of what each sentence names, with the parts of phrases
    phrases: tuple[Phrase, ...]  # best first

    def documents(self) -> Counter[str]:
        """How many rows hold each key, of those that two or more hold."""
        counts = _documents(self.sentences, self.keys)
        return Counter({key: count for key, count in counts.items() if count > 1})

    def holding(self, keys: Sequence[Iterable[str]]) -> sparse.csr_array:
        """Which sentences hold one of each set of keys. Shape: (sets, sentences), 0 and 1."""
        places: dict[str, list[int]] = {}
        for number, some in enumerate(keys):
            for key in some:
                places.setdefault(key, []).append(number)
        rows: list[int] = []
        columns: list[int] = []
        for sentence, held in enumerate(self.keys):
            found = {number for key in held for number in places.get(key, ())}
            rows += sorted(found)
            columns += [sentence] * len(found)
        ones = np.ones(len(rows), dtype=np.float32)
        return sparse.csr_array((ones, (rows, columns)), shape=(len(keys), len(self.keys)))


def read_corpus(
    texts: Sequence[str | None], per_row: int | None = None, names: Names = NO_NAMES
) -> Corpus:
    """The sentences of these texts and the phrases in them; names of the shop stay whole.

    per_row: how many sentences of each text are read; by default all, or as many as all rows may
    have.
    """
    split = [sentences(text) if text else [] for text in texts]
    most = most_per_row([len(parts) for parts in split]) if per_row is None else per_row
    found = sorted(
        (Sentence(part, row) for row, parts in enumerate(split) for part in parts[:most]),
        key=lambda sentence: (sentence.text, sentence.row),
    )
    distinct = {sentence.text: units(sentence.text, names) for sentence in found}
    held = {text: frozenset(_keys(own)) for text, own in distinct.items()}
    of_row: dict[int, list[Unit]] = {}
    for sentence in found:
        of_row.setdefault(sentence.row, []).extend(distinct[sentence.text])
    rows = sum(text is not None for text in texts)
    keys = tuple(held[sentence.text] for sentence in found)
    phrases = _phrases(list(of_row.values()), rows, _documents(found, keys))
    return Corpus(rows, tuple(found), keys, _with_short(phrases, keys))


def key_of(words: Iterable[str]) -> str:
    """What a phrase is counted under: "check-in", "check in" and "checkin" are one."""
    return "".join(words).replace("-", "").replace(" ", "")


def category_of(phrase: str) -> str | None:
    """The shop's category that the words of a phrase name or judge; None where they do not tell."""
    words = counted_words(phrase)
    for part in dict.fromkeys([phrase.lower(), " ".join(words), *reversed(words)]):
        if (named := category_named(part)) is not None:
            return named
    return category_of_opinion(phrase.lower())


def category_named(word: str) -> str | None:
    """The category that a word names, whole or by its last characters: 手机电池 ends in 电池."""
    named = category_of_words(word)
    for length in (3, 2) if named is None and _HAN.match(word) else ():
        if len(word) > length and (named := category_of_words(word[-length:])) is not None:
            return named
    return named


def _documents(found: Sequence[Sentence], keys: Sequence[frozenset[str]]) -> dict[str, int]:
    """How many rows hold each key."""
    rows_of: dict[str, set[int]] = {}
    for sentence, held in zip(found, keys, strict=True):
        for key in held:
            rows_of.setdefault(key, set()).add(sentence.row)
    return {key: len(rows) for key, rows in rows_of.items()}


def _with_words(entries: Sequence[Entry], documents: Mapping[str, int]) -> list[Entry]:
    """The entries and, before each, the word in it that far more rows hold.

    A keyword list leaves "delivery" out where "late delivery" stands; a topic wants it.
    """
    taken = {key_of(counted_words(entry.phrase)) for entry in entries}
    found: list[Entry] = []
    for entry in entries:
        words = counted_words(entry.phrase)
        rows = {word: documents.get(key_of((word,)), 0) for word in words if len(words) > 1}
        for word in sorted(rows, key=lambda word: (-rows[word], word)):
            names = word == words[-1] or category_named(word) is not None
            more = rows[word] >= FAR_MORE * entry.documents and key_of((word,)) not in taken
            if names and more and word not in STOP_WORDS and len(word) > 1:
                taken.add(key_of((word,)))
                score = entry.score * rows[word] / entry.documents / math.log2(1 + len(words))
                found.append(Entry(word, score, rows[word], entry.row))
                break
        found.append(entry)
    return sorted(found, key=lambda entry: (-entry.score, entry.phrase))


def _phrases(
    rows: Sequence[Sequence[Unit]], texts: int, documents: Mapping[str, int]
) -> tuple[Phrase, ...]:
    judged = {key_of(unit.words) for row in rows for unit in row if unit.judges}
    entries = _with_words(rank_texts(rows, MOST_PHRASES), documents)
    least = min(2, max((entry.documents for entry in entries), default=1))
    found = []
    for entry in entries:
        key = key_of(counted_words(entry.phrase))
        category = category_of(entry.phrase)
        judges = key in judged
        if entry.documents < max(least, LEAST_SHARE * texts):
            continue
        if entry.phrase.lower().removesuffix("s") in _NO_TOPIC or (
            judges and (category is None or category in OVERALL)
        ):
            continue
        if category == "overall" and category_of_words(entry.phrase.lower()):
            continue  # "product", "手机": what all is about
        named = None if category in OVERALL else category
        if named is None and entry.documents > max(4, TOO_COMMON * texts):
            continue
        found.append(Phrase(entry.phrase, key, entry.score, entry.documents, named, judges))
    return tuple(found)


def _keys(own: Sequence[Unit]) -> Iterator[str]:
    for unit in own:
        size = len(unit.words)
        for start in range(size):
            for end in range(start + 1, size + 1):
                yield key_of(unit.words[start:end])


def _with_short(phrases: Sequence[Phrase], keys: Sequence[frozenset[str]]) -> tuple[Phrase, ...]:
    """The phrases with the words that mostly mean them: "battery" where "battery life" is named."""
    held: Counter[str] = Counter()
    for some in keys:
        held.update(some)
    taken = {phrase.key for phrase in phrases}
    found = []
    for phrase in phrases:
        words = counted_words(phrase.text)
        short = []
        for word in words if len(words) > 1 and not phrase.judges else ():
            key = key_of((word,))
            mostly = held[phrase.key] >= STANDS_FOR * max(1, held[key])
            if mostly and key not in taken and category_of_words(word) != "overall":
                taken.add(key)
                short.append(key)
        found.append(replace(phrase, short=tuple(short)))
    return tuple(found)
