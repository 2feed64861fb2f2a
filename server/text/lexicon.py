"""What is known of words before any text is read: their class, how common, how often judged.

data/words.tsv.gz is written by server/training/keyword_frequencies.py and says where it is from.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).parent / "data" / "words.tsv.gz"

# Classes of words, as far as phrases need them.
NOUN, EITHER, ADJECTIVE, VERB, ADVERB, NUMBER, OTHER = "NBAVD#X"  # EITHER: noun or verb
NAME = "P"  # in the table alone: a noun that is written with a capital
_SUFFIXES = (  # of words that the table lacks; the first that fits
    ("ly", ADVERB), ("able", ADJECTIVE), ("ible", ADJECTIVE), ("ful", ADJECTIVE),
    ("less", ADJECTIVE), ("ous", ADJECTIVE), ("ish", ADJECTIVE), ("ive", ADJECTIVE),
    ("est", ADJECTIVE), ("ed", VERB), ("ing", VERB), ("ize", VERB), ("ise", VERB),
)  # fmt: skip


class Word(NamedTuple):
    """What the table says of a word."""

    kind: str
    name: bool  # written with a capital inside sentences
    documents: float  # share of reviews that hold it
    aspect: float  # how often it was marked as what a review judges, 0 to 1
    opinion: float  # how often it was marked as the judgement itself, 0 to 1


@cache
def table() -> dict[str, Word]:
    """All known words, in lower case; nouns in the singular."""
    lines = gzip.decompress(TABLE.read_bytes()).decode("utf-8").splitlines()
    known = {}
    for line in lines:
        if not line.startswith("#"):
            word, kind, *numbers = line.split("\t")
            documents, aspect, opinion = map(int, numbers)
            name = kind == NAME
            known[word] = Word(
                NOUN if name else kind, name, documents / 1e5, aspect / 100, opinion / 100
            )
    return known


def guess_kind(word: str, known: Callable[[str], str | None]) -> str:
    """Class of an English word that the table lacks; most such words are names of things.

    "high-quality" is what `known` says of its last part, "long-lasting" an adjective.
    """
    if "-" in word:
        last = word.rpartition("-")[2]
        kind = known(last) or guess_kind(last, known)
        return ADJECTIVE if kind == VERB else kind
    if word[:1].isdigit() or word[:1] in "$€£¥￥":
        return NUMBER
    if len(word) > 5:
        return next((kind for suffix, kind in _SUFFIXES if word.endswith(suffix)), NOUN)
    return NOUN


def singular(word: str, is_noun: Callable[[str], bool]) -> str:
    """The singular of an English noun by rule, where `is_noun` knows it; else `word`."""
    if len(word) < 4 or word[-1] != "s" or word[-2] in "suia'":
        return word
    bases = [word[:-1]]
    if word.endswith("ies"):
        bases = [word[:-3] + "y", word[:-1]]
    elif word.endswith("ves"):
        bases = [word[:-1], word[:-3] + "f", word[:-3] + "fe"]
    elif word.endswith("es"):
        bases = [word[:-1], word[:-2]]
    return next(filter(is_noun, bases), word)
