"""Sentences of English and Chinese texts, as they were written, and how long they are."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

_HAN: Final = "\u3400-\u4dbf\u4e00-\u9fff"
FEWEST_WORDS: Final = 3  # of what can stand alone
MAX_WORDS: Final = 25  # a longer sentence is cut at its commas
# Of 100,000 rows all sentences would be more than one call may read; then the first of each.
MOST_SENTENCES: Final = 150_000

# After these a full stop ends no sentence, unless a new line follows.
_ABBREVIATIONS: Final = frozenset(
    "mr mrs ms dr prof st jr sr inc ltd co corp vs etc e.g i.e eg ie approx no nos vol fig est min "
    "max hr hrs ft oz lb lbs pt qt tbsp tsp dept u.s u.k a.m p.m".split()
)
_LONGEST_WORD: Final = 12  # of what may be an abbreviation
_SPACES = re.compile(r"[^\S\r\n\u2028\u2029]+")
_NEW_LINE = re.compile(r"[\r\n\u2028\u2029]|<br ?/?>|</?p>", re.I)
_END = re.compile(
    r"""[。！？｡]+[。！？!?…~～]*["”’』」》）)]*"""  # Chinese
    r"""|(?:…+|\.{2,})["”’』」）)]*(?=\s|$|[^\W\d_a-z])"""
    r"""|[!?]+[!?.…~～]*["”’』」）)]*(?=\s|$|[^\W\d_])"""
    r"""|[;；]+(?=\s|$|[^\W\d_])"""
    r"""|\.["”’』」）)]*(?=\s|$)"""
    rf"""|(?<=[a-z)]{{2}})\.(?=[A-Z][a-z]|[{_HAN}])"""  # "Works well.Arrived late"
)
# Where a sentence turns: what follows is often of the other opinion.
_TURN = re.compile(
    r"[,;]\s*(?:but|however|although|though|yet)\b[,\s]*(?=\S)"
    r"|[，,；]\s*(?:但是|但就是|但|不过|可是|只是|就是|然而|可惜)[，,]?\s*(?=\S)",
    re.I,
)
# What only ties a sentence to the one before, and the number of a point in a list.
_TIE = re.compile(
    r"(?:(?:and|but|however)\b[,\s]*|(?:但是|但|而且|不过|可是|然而)[，,]?|\d{1,2}[、.)）]\s?(?=\D))",
    re.I,
)
_COMMA = re.compile(r"[,，、]\s*|\s+[-–—]+\s+|——+")
_SPACE_BETWEEN_HAN = re.compile(rf"(?<=[{_HAN}]) (?=[{_HAN}])")
_UNIT = re.compile(rf"[{_HAN}]|(?:(?![{_HAN}])[^\W_])+(?:['’.,-](?:(?![{_HAN}])[^\W_])+)*")
_EDGES = " \t\u3000\u00a0.。,，、;；:：-–—*•·~～"


def sentences(text: str) -> list[str]:
    """The sentences of a text in order; each is a part of it, with runs of spaces made one.

    A sentence that turns ("good, but late") is two, and one of more than MAX_WORDS words is cut at
    its commas. Full stops and commas at the ends go, and so does a first "but", "and" or "1.".
    Parts without a letter or digit are left out.
    """
    found: list[str] = []
    for line in _NEW_LINE.split(_SPACES.sub(" ", text)):
        # Between Chinese characters a space stands for a stop: "质量不错 物流很快".
        for piece in _SPACE_BETWEEN_HAN.split(line):
            for sentence in _cut_at_ends(piece):
                found += _parts(sentence)
    return [part for part in map(_tidy, found) if _UNIT.search(part)]


def most_per_row(counts: Sequence[int]) -> int:
    """How many sentences of each row are read, so that all together are not too many."""
    most = max(counts, default=0)
    rows_with = Counter(counts)
    total = sum(counts)
    while most > 1 and total > MOST_SENTENCES:
        total -= sum(rows for count, rows in rows_with.items() if count >= most)
        most -= 1
    return most


def word_count(text: str) -> int:
    """Number of words; a Chinese character counts as one, as it does in word processors."""
    return sum(1 for _ in _UNIT.finditer(text))


def is_chinese(text: str) -> bool:
    """Whether at least half of the words are Chinese characters."""
    han = len(re.findall(f"[{_HAN}]", text))
    return han > 0 and 2 * han >= word_count(text)


def _cut_at_ends(line: str) -> list[str]:
    cut: list[str] = []
    start = 0
    for end in _END.finditer(line):
        if end[0].startswith(".") and not end[0].startswith("..") and _is_abbreviation(line, end):
            continue
        cut.append(line[start : end.end()])
        start = end.end()
    cut.append(line[start:])
    return cut


def _is_abbreviation(line: str, end: re.Match[str]) -> bool:
    if end.end() == len(line):
        return False
    word = re.search(r"[^\s(\"“]*$", line[max(0, end.start() - _LONGEST_WORD) : end.start()])
    last = word[0].lower() if word else ""
    return last in _ABBREVIATIONS or (len(last) == 1 and last.isalpha() and last != "i")


def _parts(sentence: str) -> list[str]:
    """The sentence, cut where it turns and, if it is long, at its commas."""
    starts = [unit.start() for unit in _UNIT.finditer(sentence)]

    def words_in(start: int, end: int) -> int:
        return bisect_left(starts, end) - bisect_left(starts, start)

    parts: list[str] = []
    for start, end in _between_turns(sentence, words_in):
        if words_in(start, end) <= MAX_WORDS:
            parts.append(sentence[start:end])
            continue
        first = last = start
        for comma in [*_COMMA.finditer(sentence, start, end), None]:
            here = comma.end() if comma else end
            if last > first and words_in(first, here) > MAX_WORDS:
                parts.append(sentence[first:last])
                first = last
            last = here
        parts.append(sentence[first:end])
    return parts


def _between_turns(sentence: str, words_in: Callable[[int, int], int]) -> Iterator[tuple[int, int]]:
    """Start and end of each part between turns; none is made too short to stand alone."""
    start = 0
    for turn in _TURN.finditer(sentence):
        shorter = min(words_in(start, turn.start()), words_in(turn.end(), len(sentence)))
        if shorter >= FEWEST_WORDS:
            yield start, turn.start()
            start = turn.end()
    yield start, len(sentence)


def _tidy(part: str) -> str:
    part = part.strip(_EDGES)
    tie = _TIE.match(part)
    if tie and word_count(part[tie.end() :]) >= FEWEST_WORDS:
        part = part[tie.end() :]
    for opening, closing in ("()", "（）", "“”", '""', "「」"):
        # A bracket whose partner was cut off.
        if part.startswith(opening) and closing not in part[1:]:
            part = part[1:]
        if part.endswith(closing) and opening not in part[:-1]:
            part = part[:-1]
    return part.strip(_EDGES)
