"""A cleaned text as a row of words, English and Chinese alike, and what stands between them."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from typing import NamedTuple

_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_HAS_HAN = re.compile(f"[{_HAN}]")
_WORD = re.compile(
    r"[$€£¥￥]?\d+(?:[.,:/×x*]\d+)*(?:[a-z°\"%]+|\+)?"
    rf"|[^\W\d_{_HAN}]+(?:['&][^\W\d_{_HAN}]+|-(?=[^\W_])|[^\W_{_HAN}])*",
    re.I,
)
_JOINS = re.compile(r" |[ ]?-[ ]?|")  # may stand between two words of one phrase
_UPPER = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)


class Token(NamedTuple):
    """A word of a text where it stands."""

    surface: str
    tag: str  # of the Chinese dictionary; "" of other words
    starts: bool  # whether punctuation or the text's start stands before it


def cut(text: str) -> Iterator[Token]:
    """Words of a cleaned text in order; punctuation only shows in `starts`."""
    end = 0
    before = ""  # tag of the word before
    pieces = _pieces(text) if _HAS_HAN.search(text) else _matches(text, 0)
    for start, surface, tag in pieces:
        between = text[end:start]
        # A space between two Chinese words is a stop: it stands for a comma.
        joined = end and (not between if before and tag else _JOINS.fullmatch(between))
        yield Token(surface, tag, not joined)
        end = start + len(surface)
        before = tag


def _matches(text: str, offset: int) -> Iterator[tuple[int, str, str]]:
    for found in _WORD.finditer(text):
        yield offset + found.start(), found[0], ""


def _pieces(text: str) -> Iterator[tuple[int, str, str]]:
    """Start, word and tag in a text that holds Chinese."""
    import rjieba  # 0.1 s and 32 MB, when first needed

    start = 0
    other = 0  # where the stretch before the next Chinese word begins
    # The dictionary spells mixed words in capitals: "T恤", "U盘".
    for piece, tag in rjieba.tag(text.translate(_UPPER)):
        end = start + len(piece)
        if _HAS_HAN.search(piece):
            first = start
            if not _HAS_HAN.match(piece) and start > other and text[start - 1].isalnum():
                first += next(_HAS_HAN.finditer(piece)).start()  # "china股" is no "a股"
            yield from _matches(text[other:first], other)
            yield first, text[first:end], tag
            other = end
        start = end
    yield from _matches(text[other:], other)
