"""The phrases of one text that may be keywords: names of things, and judgements on their own.

A name is a run of adjectives and nouns that ends in a noun (Justeson and Katz 1995, "Technical
terminology: some linguistic properties and an algorithm for identification in text"), in both
languages. Praise in front of it is cut off: "great battery life" gives "battery life". A judgement
stands alone, with the word that turns it: "comfortable", "too small", "不新鲜".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from server.text import lexicon
from server.text.clean import clean
from server.text.lexicon import ADJECTIVE, ADVERB, EITHER, NOUN, NUMBER, OTHER, VERB, Word
from server.text.names import NO_NAMES, WORD, Name, Names
from server.text.stopwords import STOP_WORDS
from server.text.tokens import Token, cut

LONGEST = 4  # words of a phrase
JUDGING = 0.45  # an adjective that was marked as a judgement this often is no part of a name
MOST = 1000  # units of one text; a review has a dozen

_DETERMINERS = frozenset(
    "the a an my your his her its our their this that these those no any some each every".split()
)
_SUBJECTS = frozenset(
    "i we you they he she it who not never always also just to can will would could should may "
    "might must do does did don't doesn't didn't won't can't couldn't wouldn't cannot let "
    "please".split()
)
_OBJECTS = frozenset("me us you them him her it the a an my your his their this that".split())
_BEFORE_NOUN = frozenset("of for in with on from at by and or".split())
_EMPTY = frozenset(  # nouns to the list of classes that name nothing
    "mine yours ours theirs something anything nothing everything someone anyone everyone nobody "
    "none dr thing things lot lots bit ton tons others using being having like likes thanks "
    "reviewer reviewers reason way ways".split()
)
_CONTRACTED = ("n't", "'ve", "'re", "'ll", "'d", "'m")
_OWNERS = frozenset("men women kid child children baby".split())  # "women's shoes"
_BLAND = frozenset(  # adjectives that tell nothing of what they stand before
    "new old other different same own whole entire first second last next main actual normal "
    "several many few more most less much certain various particular current original usual "
    "available previous recent additional extra due sure able only overall such favorite favourite "
    "新 旧 老 大 小 同样 一般 整个 主要".split()
)
_PRAISE = frozenset(  # judgements that fit everything
    "good great nice best better bad worse worst excellent amazing awesome perfect love lovely "
    "fantastic wonderful happy okay terrible horrible awful poor fine disappointed pleased glad "
    "satisfied wrong right true interested worth available possible likely hard big little long "
    "不错 很好 挺好 真好 太好 超好 满意 喜欢 还行 很棒 真不错 最好 一般 不好 太差 很差 极差 好好 "
    "好评 差评 正好 完美 很多 太多 不少 不行 好的 好用 很大".split()
)
_UNITS = frozenset(
    "year month week day hour minute min second time star inch inche foot feet oz ounce lb pound "
    "pack pair pc piece dollar buck mile ml cm mm gb mb mg percent".split()
)
_TURNING = {
    **dict.fromkeys("not isn't wasn't aren't weren't".split(), "not"),
    **{word: word for word in "too 不 没 太 不够 不太".split()},
}
_WITH_TO = frozenset("easy hard simple difficult easier quick".split())  # "easy to use"


class Unit(NamedTuple):
    """A candidate as it stands in a text."""

    words: tuple[str, ...]  # as counted: lower case, nouns in the singular
    surface: tuple[str, ...]  # as written
    kinds: str  # class of each word; ADVERB for a judgement, which is one word

    @property
    def judges(self) -> bool:
        return self.kinds == ADVERB


class _Read(NamedTuple):
    """A token with what is known of its word."""

    token: Token
    low: str  # in lower case
    base: str  # in the singular
    kind: str
    opinion: float


def units(text: str, names: Names = NO_NAMES) -> list[Unit]:
    """The candidates of a text in order, the first MOST; one may come twice.

    A name of the shop is one word of a candidate, in the form that is shown.
    """
    read = _read(text, names)
    found: list[Unit] = []
    run: list[_Read] = []
    for place, item in enumerate(read):
        described = item.kind == ADJECTIVE and bool(run) and run[-1].kind == NOUN
        turned = _turned(place, read) if item.kind == ADJECTIVE else None
        in_run = item.kind in (NOUN, ADJECTIVE) or _modifies(place, read, run)
        if item.token.starts or described or turned or not in_run:
            found += _finished(run)  # "battery great" is no name
            run = []
        if turned:
            found.append(turned)
        elif in_run:
            run.append(item)
        if len(found) > MOST:
            break
    return [*found, *_finished(run)][:MOST]


def counted_words(text: str) -> tuple[str, ...]:
    """All words of `text` as a Unit counts them."""
    return tuple(item.base for item in _read(text))


def _read(text: str, names: Names = NO_NAMES) -> list[_Read]:
    known = lexicon.table()
    return _resolve([_look_up(token, known) for token in cut(clean(text), names)])


def _named(token: Token, name: Name, known: Mapping[str, Word]) -> _Read:
    """A name of the shop: a noun, unless it is a word for one that is known to be another."""
    base = _counted(name.shown)
    entry = known.get(base) if name.kind == WORD else None
    kind = OTHER if name.left_out else entry.kind if entry else NOUN
    shown = token._replace(surface=name.shown)
    return _Read(shown, base, base, kind, entry.opinion if entry else 0.0)


@lru_cache(maxsize=4096)
def _counted(shown: str) -> str:
    """A name as it is counted: its words, a space between them."""
    return " ".join(counted_words(shown)) or shown.lower()


def _look_up(token: Token, known: Mapping[str, Word]) -> _Read:
    if token.name is not None:
        return _named(token, token.name, known)
    low = token.surface.lower()
    base = low
    if not token.tag:
        base = low.removesuffix("'s")
        if base not in known:
            base = lexicon.singular(base, lambda one: one in known and known[one].kind in "NB")
    entry = known.get(base)
    if base[0].isdigit():
        kind = NUMBER
    elif base in STOP_WORDS or base in _EMPTY or (len(base) < 2 and not token.tag):
        kind = OTHER
    elif low != base and base not in _OWNERS and low.endswith("'s"):
        kind = OTHER  # "the seller's fault"
    elif low.endswith(_CONTRACTED):
        kind = OTHER
    elif entry:
        kind = entry.kind
    elif token.tag:
        kind = _kind_of_tag(token.tag) if len(base) > 1 else OTHER
    elif (verb := lexicon.singular(base, known.__contains__)) != base:
        kind = known[verb].kind  # "saves"
    else:
        kind = lexicon.guess_kind(base, lambda one: known[one].kind if one in known else None)
    if token.starts and not token.tag and entry and not entry.name and token.surface.istitle():
        token = token._replace(surface=low)  # a sentence begins
    return _Read(token, low, base, kind, entry.opinion if entry else 0.0)


def _kind_of_tag(tag: str) -> str:
    if tag == "vn":
        return NOUN
    return {"n": NOUN, "a": ADJECTIVE, "v": VERB}.get(tag[0], OTHER)


def _resolve(read: Sequence[_Read]) -> list[_Read]:
    """`read` with each word that may be one class or another decided by its neighbours."""
    decided: list[_Read] = []
    for place, item in enumerate(read):
        before = decided[-1] if decided and not item.token.starts else None
        after = read[place + 1] if place + 1 < len(read) else None
        if after is not None and after.token.starts:
            after = None
        if before is not None and before.kind == NUMBER:
            if item.base in _UNITS:
                item = item._replace(kind=NUMBER)  # "2 year warranty", "3 year old"
            elif item.base == "old":
                item = item._replace(kind=OTHER)
        if item.kind == EITHER:
            item = item._replace(kind=NOUN if _is_noun(item, before, after) else VERB)
        decided.append(item)
    return decided


def _is_noun(item: _Read, before: _Read | None, after: _Read | None) -> bool:
    """Whether a word that may be noun or verb is a noun here."""
    then = after.low if after else ""
    if then in _OBJECTS:
        return False
    known_end = then in ("is", "was", "are", "were")
    if before is None:
        first = after is None or after.kind in (NOUN, VERB) or then == "of"
        return known_end or (first and not item.base.endswith("ing"))
    if before.low in _DETERMINERS:
        return not (item.low.endswith("s") and before.low in ("that", "this"))
    if before.low in _SUBJECTS or before.low in ("which", "it") or before.kind == ADVERB:
        return False
    if before.low in _BEFORE_NOUN or before.kind == ADJECTIVE:
        return not item.base.endswith("ing") or before.low in ("of", "and")
    if before.kind == NOUN:  # "price drop" against "screen protector fits well"
        return not item.low.endswith("s") and (
            after is None or after.kind not in (ADJECTIVE, ADVERB)
        )
    return known_end or not item.base.endswith("ing")


def _modifies(place: int, read: Sequence[_Read], run: Sequence[_Read]) -> bool:
    """Whether a participle stands before its noun: "the charging cable", "fitted sheet"."""
    item = read[place]
    if item.kind != VERB or item.token.tag or place + 1 >= len(read):
        return False
    after = read[place + 1]
    if after.kind != NOUN or after.token.starts or not item.base.endswith(("ing", "ed")):
        return False
    if item.token.starts:
        return item.base.endswith("ed")
    before = read[place - 1]
    return bool(run) or before.low in _DETERMINERS or before.kind == ADJECTIVE


def _turned(place: int, read: Sequence[_Read]) -> Unit | None:
    """The judgement at `place` with a word that turns it, or with what it is to do."""
    item = read[place]
    after = read[place + 1] if place + 1 < len(read) else None
    if after is not None and after.token.starts:
        after = None
    if item.base in _WITH_TO and after is not None and after.low == "to":
        last = read[place + 2] if place + 2 < len(read) else None
        if last is not None and last.kind in (VERB, NOUN) and not last.token.starts:
            return _judgement(item.token.surface, after.low, last.low)
    if item.token.starts or (after is not None and after.kind == NOUN):
        return None
    before = read[place - 1]
    turn = _TURNING.get(before.low)
    return _judgement(turn, item.token.surface) if turn else None


def _judgement(*parts: str) -> Unit:
    shown = joined(parts)
    return Unit((shown.lower(),), (shown,), ADVERB)


def _finished(run: Sequence[_Read]) -> Iterator[Unit]:
    """What a run of adjectives and nouns holds: judgements, then the name that is left."""
    end = len(run)
    while end and run[end - 1].kind != NOUN:
        end -= 1
    start = 0
    while start < end and _says_little(run[start]):
        start += 1
    for item in [*run[:start], *run[end:]]:
        if item.kind == ADJECTIVE and item.base not in _BLAND | _PRAISE and len(item.base) > 1:
            yield _judgement(item.token.surface)
    while start < end:
        part = run[max(start, end - LONGEST) : end]
        yield Unit(
            tuple(item.base for item in part),
            tuple(item.token.surface for item in part),
            "".join(item.kind for item in part),
        )
        end -= len(part)
        while end > start and run[end - 1].kind != NOUN:
            end -= 1


def _says_little(item: _Read) -> bool:
    """Whether an adjective in front of a noun is no part of its name."""
    return item.kind == ADJECTIVE and (
        item.opinion >= JUDGING
        or item.base in _BLAND
        or (len(item.base) == 1 and bool(item.token.tag))
    )


def joined(words: Iterable[str]) -> str:
    """The words as one phrase: a space where either neighbour is no Chinese."""
    shown = ""
    for word in words:
        if shown and (shown[-1].isascii() or word[:1].isascii()):
            shown += " "
        shown += word
    return shown
