"""A cleaned text as a row of words, English and Chinese alike, and what stands between them."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from typing import NamedTuple

from server.text.names import NO_NAMES, Name, Names

_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_HAS_HAN = re.compile(f"[{_HAN}]")
_WORD = re.compile(
    r"[$€£¥￥]?\d+(?:[.,:/×x*]\d+)*(?:[a-z°\"%]+|\+)?"
    rf"|[^\W\d_{_HAN}]+(?:['&][^\W\d_{_HAN}]+|-(?=[^\W_])|[^\W_{_HAN}])*",
    re.I,
)
_JOINS = re.compile(r" |[ ]?-[ ]?|")  # may stand between two words of one phrase
_NAME_TAG = "nz"  # as the Chinese dictionary tags names
_UPPER = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)


class Token(NamedTuple):
    """A word of a text where it stands."""

    surface: str
    tag: str  # of the Chinese dictionary; "" of other words
    starts: bool  # whether punctuation or the text's start stands before it
    name: Name | None = None  # where it is one of the shop's, which may have several words


def cut(text: str, names: Names = NO_NAMES) -> Iterator[Token]:
    """Words of a cleaned text in order; punctuation only shows in `starts`. Names stay whole."""
    end = 0
    before = ""  # tag of the word before
    for start, surface, tag, name in _with_names(text, names):
        between = text[end:start]
        # A space between two Chinese words is a stop: it stands for a comma.
        joined = end and (not between if before and tag else _JOINS.fullmatch(between))
        yield Token(surface, tag, not joined, name)
        end = start + len(surface)
        before = tag


def _with_names(text: str, names: Names) -> Iterator[tuple[int, str, str, Name | None]]:
    """Start, word, tag and name of each word; what stands between names is cut by itself."""
    end = 0
    for one in names.find(text):
        yield from ((at, word, tag, None) for at, word, tag in _plain(text[end : one.start], end))
        surface = text[one.start : one.end]
        yield one.start, surface, _NAME_TAG if _HAS_HAN.search(surface) else "", one.name
        end = one.end
    yield from ((at, word, tag, None) for at, word, tag in _plain(text[end:], end))


def _plain(text: str, offset: int) -> Iterator[tuple[int, str, str]]:
    pieces = _pieces(text) if _HAS_HAN.search(text) else _matches(text, 0)
    return ((offset + start, word, tag) for start, word, tag in pieces)


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
