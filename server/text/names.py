"""Names of a shop (brands, products, synonyms) where they stand in a text, whole and longest first.

The longest name that begins at a place counts; letters around it must not continue it, nor may it
be a part of a longer Chinese word (小米 is not in 小米粥). An English name may stand in the plural
or the genitive.
"""

from __future__ import annotations

import hashlib
import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

BRAND, PRODUCT, WORD = "brand", "product", "word"
_HEAD = 2  # characters by which names are looked up
_HALVES = re.compile("[\ud800-\udfff]")
_ALL_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]+")
_INSIDE = re.compile(r"[^\W_\u3400-\u4dbf\u4e00-\u9fff]")  # a letter or digit, but no Chinese


class Name(NamedTuple):
    """What is meant by a written form."""

    shown: str
    kind: str = WORD
    left_out: bool = False  # of keywords, topics and words


class Found(NamedTuple):
    """A name in a text; its characters are text[start:end]."""

    start: int
    end: int
    name: Name


class Names:
    """The written forms of names. Nothing is found where there are none."""

    def __init__(self, forms: Mapping[str, Name] | None = None) -> None:
        self._forms = dict(forms or {})
        self._name_of = {fold(form): name for form, name in self._forms.items()}
        self._by_head: dict[str, list[str]] = {}
        for form in sorted(self._name_of, key=lambda form: (-len(form), form)):
            self._by_head.setdefault(form[:_HEAD], []).append(form)
        firsts = "".join(sorted({form[0] for form in self._name_of if form}))
        self._first = re.compile(f"[{re.escape(firsts)}]") if firsts else None

    @cached_property
    def version(self) -> str:
        """A hash of the names; "" where there are none."""
        text = json.dumps(self.to_json(), ensure_ascii=False)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest() if self else ""

    def __bool__(self) -> bool:
        return bool(self._forms)

    def get(self, phrase: str) -> Name | None:
        """The name that a phrase is, all of it, in any case."""
        return self._name_of.get(fold(phrase.strip()))

    def find(self, text: str) -> list[Found]:
        """The names in a text, in order; none overlaps another."""
        found: list[Found] = []
        if self._first is None:
            return found
        low = fold(text)
        words = _ChineseWords(low)
        end = 0
        for match in self._first.finditer(low):
            start = match.start()
            if start >= end and (hit := self._at(low, start, words)):
                form, end = hit
                found.append(Found(start, end, self._name_of[form]))
        return found

    def replace(self, text: str) -> str:
        """The text with each name in the form that is shown."""
        written, end = "", 0
        for one in self.find(text):
            for part in (text[end : one.start], one.name.shown):
                written += " " * _runs_together(written, part) + part
            end = one.end
        return written + " " * _runs_together(written, text[end:]) + text[end:]

    def widened(self, text: str, start: int, end: int) -> tuple[int, int]:
        """The span, made longer where it cuts a name in two."""
        for one in self.find(text):
            if one.start < end and start < one.end:
                start, end = min(start, one.start), max(end, one.end)
        return start, end

    def _at(self, low: str, start: int, words: _ChineseWords) -> tuple[str, int] | None:
        """The longest form that stands at a place, and where it ends there."""
        for head in (low[start : start + _HEAD], low[start : start + 1]):
            for form in self._by_head.get(head, ()):
                if not low.startswith(form, start) or words.continue_it(start, len(form)):
                    continue
                if end := _end(low, start, len(form)):
                    return form, end
        return None

    def to_json(self) -> list[Sequence[Any]]:
        """As JSON holds them; `from_json` reads it back."""
        return [[form, *name] for form, name in self._forms.items()]

    @classmethod
    def from_json(cls, rows: Iterable[Sequence[Any]]) -> Names:
        """The names that `to_json` wrote."""
        return cls({form: Name(str(s), str(kind), bool(out)) for form, s, kind, out in rows})


NO_NAMES = Names()


class _ChineseWords:
    """The words of a text by the segmenter's dictionary; cut when first needed."""

    def __init__(self, low: str) -> None:
        self._low = low
        self._spans: list[tuple[int, int]] | None = None

    def continue_it(self, start: int, length: int) -> bool:
        """Whether a Chinese form is a part of a longer word."""
        end = start + length
        if not _ALL_HAN.fullmatch(self._low, start, end):
            return False
        if self._spans is None:
            self._spans = list(self._cut())
        place = bisect_right(self._spans, (start, len(self._low))) - 1
        first, last = self._spans[place]
        return first <= start and end <= last and last - first > length

    def _cut(self) -> Iterator[tuple[int, int]]:
        import rjieba  # 0.1 s and 32 MB, when first needed

        start = 0
        low = _HALVES.sub(" ", self._low)  # of characters, as LEFT() may leave them
        for word in rjieba.cut(low, False):  # only words of the dictionary, no guesses
            yield start, start + len(word)
            start += len(word)


def fold(text: str) -> str:
    """The text in small, half-width, simplified characters, each where it was."""
    low = text.lower()
    if text.isascii():
        return low
    from server.text.characters import plain, whole  # its dictionary is loaded when needed

    usual = plain(whole(text)).lower()
    if len(usual) == len(text):
        return usual
    return low if len(low) == len(text) else "".join(char.lower()[:1] for char in text)


def _end(low: str, start: int, length: int) -> int | None:
    """Where a form that begins at a place ends, with its plural or genitive.

    None where letters around it continue it.
    """
    end = start + length
    if start and _inside(low, start) and _inside(low, start - 1):
        return None
    if not _inside(low, end - 1):
        return end
    if not _inside(low, end):
        owns = low[end : end + 1] in ("'", "’") and low[end + 1 : end + 2] == "s"
        return end + 2 if owns and not _inside(low, end + 2) else end
    plural = low[end] == "s" and low[end - 1].isalpha() and not _inside(low, end + 1)
    return end + 1 if plural else None


def _runs_together(before: str, after: str) -> bool:
    """Whether two Latin words would become one: "艾克美K1" has none between them."""
    return _inside(before, len(before) - 1) and _inside(after, 0) if before and after else False


def _inside(low: str, place: int) -> bool:
    return _INSIDE.match(low[place : place + 1]) is not None
