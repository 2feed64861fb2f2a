"""ASPECTS: what a text judges, in its own words, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import numpy as np

from server.capabilities.base import Outcome, column_of, knowledge_in
from server.capabilities.reading import (
    BLOCK_ROWS,
    POLARITIES,
    UNSAID,
    ReadingCapability,
    Readings,
    read_texts,
    texts_of,
)
from server.knowledge.model import SHEETS, Knowledge
from server.models import intents
from server.models.aspect_categories import SHOP_CATEGORIES
from server.models.scale import scale_of
from server.own.aspect_features import Said, features_of, together, told
from server.own.heads import ASPECTS as ASPECTS_KIND
from server.own.heads import OWN, AspectsHead, in_use
from server.semantics.matching import AspectMatcher
from server.semantics.recent import Recent
from server.settings import Settings
from udfs.catalogue import ASPECTS
from udfs.errors import BadInput, CellError, ModelFailed, ShopsheetError

DECIMALS = 4
# Whether texts judge nothing, of the latest ones: a column is asked twice in each call.
_SILENT: Final[Recent[bool]] = Recent(200_000)


class Aspects(ReadingCapability):
    """A table of all aspects, or a column of polarities for each aspect that the user names."""

    name = "aspects"
    knows = SHEETS

    def prepare(self, args: Mapping[str, Any]) -> list[str | None]:
        if args["layout"] == "wide" and not args["aspects"]:
            raise BadInput(
                'layout "wide" has a column per aspect, and aspects is empty. Name some, such as '
                '"price;delivery;battery", or leave layout out.'
            )
        if args["layout"] == "long":
            column_of(args["text"], "text")
        return texts_of(args["text"])

    def resolve(self, args: Mapping[str, Any], settings: Settings) -> Mapping[str, Any]:
        """The arguments, with the user's own head if it knows one of the aspects."""
        if not args["aspects"] or args["layout"] != "wide":
            return args
        own = in_use(settings.home, ASPECTS_KIND)
        return args if own is None or not _learnt(args, own.head) else {**args, OWN: own}

    def signed(self, identity: str, args: Mapping[str, Any]) -> str:
        return args[OWN].signed(identity) if OWN in args else identity

    def further(
        self, model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome]
    ) -> Sequence[str]:
        if not model.aspect_categories:
            raise ModelFailed(
                "This encoder reads no aspects. Use the one that comes with Shopsheet."
            )
        if not args["aspects"]:
            return ()
        texts = texts_of(args["text"])
        return to_match(model, _names(args), texts, outcomes, knowledge_in(args))

    def answer(
        self, model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome]
    ) -> list[list[Any]]:
        cells = list(chain.from_iterable(args["text"]))
        own, read = outcomes[: len(cells)], outcomes[len(cells) :]
        names, texts = _names(args), texts_of(args["text"])
        meant: Meant = {}
        if args["aspects"]:
            meant = _matched(model, names, texts, own, read, knowledge_in(args))
        if args["layout"] == "wide":
            return _wide(cells, own, args["aspects"], _judged(model, args, own, meant))
        return [
            list(ASPECTS.columns(args)),
            *_long(model, args, own, meant if args["aspects"] else None),
        ]


def said_of(
    model: Any,
    names: Sequence[str],
    texts: Sequence[str],
    outcomes: Sequence[Outcome],
    read: Callable[[Sequence[str]], Sequence[Outcome]],
    knowledge: Knowledge,
) -> list[Said]:
    """Per text what is said in it and which of the names each means; `read` reads more texts."""
    more = read(to_match(model, names, texts, outcomes, knowledge))
    meant = _matched(model, names, texts, outcomes, more, knowledge)
    return [meant.get(place, []) for place in range(len(texts))]


def to_match(
    model: Any,
    names: Sequence[str],
    texts: Sequence[str | None],
    outcomes: Sequence[Outcome],
    knowledge: Knowledge,
) -> list[str]:
    """What must be read to tell which names are meant: they, the categories, words of aspects."""
    phrases = {one.shown for one in _found(model, texts, outcomes, knowledge) if one.shown}
    forms = chain.from_iterable(_forms(names, knowledge))
    return [*forms, *SHOP_CATEGORIES, *sorted(phrases)]


def _learnt(args: Mapping[str, Any], head: AspectsHead) -> dict[str, str]:
    """The user's aspects that the head knows, with its own spelling of each."""
    known = {name.casefold(): name for name in head.aspects}
    return {name: known[name.casefold()] for name in args["aspects"] if name.casefold() in known}


def _names(args: Mapping[str, Any]) -> tuple[str, ...]:
    """The aspects to be matched by meaning: first those of the head, which looks at them all."""
    learnt = args[OWN].head.aspects if OWN in args else ()
    return (*learnt, *(args["aspects"] or ()))


def _judged(
    model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome], meant: Meant
) -> dict[int, dict[str, str]]:
    """The polarity of each named aspect that a text mentions, by the place of the text."""
    names, skipped = args["aspects"], len(_names(args)) - len(args["aspects"])
    found = {
        place: {name: together(said, skipped + number) for number, name in enumerate(names)}
        for place, said in meant.items()
    }
    if OWN not in args:
        return found
    args[OWN].check_encoder(model)
    head = args[OWN].head
    readings, places = read_texts(model, outcomes)
    said = [meant.get(place, []) for place in places]
    features = features_of(model, readings, said, len(head.aspects))
    spelled = _learnt(args, head)
    for place, answer in zip(places, told(head, features), strict=True):
        own = {name: answer.get(spelling, "") for name, spelling in spelled.items()}
        found[place] = {**found.get(place, {}), **own}
    return found


# What is meant by the aspects of a text: per text, its (polarity, confidence, names meant).
Meant = dict[int, list[tuple[str, float, np.ndarray]]]


@dataclass(frozen=True)
class _Found:
    """An aspect of a text. `shown`: in the shop's own name where it has one; "" if unsaid."""

    place: int  # of the text
    start: int
    end: int
    shown: str
    category: str
    stored: np.void


def _found(
    model: Any, texts: Sequence[str | None], outcomes: Sequence[Outcome], knowledge: Knowledge
) -> Iterator[_Found]:
    """The aspects of all texts, in order; none of them cuts one of the shop's names in two."""
    readings, places = read_texts(model, outcomes[: len(texts)])
    judging = [row for row, aspects in enumerate(readings.aspects) if len(aspects)]
    for start in range(0, len(judging), BLOCK_ROWS):
        rows = judging[start : start + BLOCK_ROWS]
        own = [str(texts[places[row]]) for row in rows]
        silent = _judge_nothing(model, own, readings, rows)
        for row, text, nothing in zip(rows, own, silent, strict=True):
            for one in () if nothing else readings.aspects[row]:
                category = model.aspect_categories[one["category"]]
                yield _in_shops_words(places[row], text, category, one, knowledge)


def _in_shops_words(
    place: int, text: str, category: str, one: np.void, knowledge: Knowledge
) -> _Found:
    """A stored aspect under the name and category that the shop's file gives it."""
    start, end = int(one["aspect_start"]), int(one["aspect_end"])
    if start == UNSAID:
        return _Found(place, 0, 0, "", category, one)
    start, end = knowledge.names.widened(text, start, end)
    own = knowledge.aspect_of(text[start:end])
    shown = knowledge.preferred(text[start:end])
    own = own or knowledge.aspect_of(shown)
    category = own.category if own and own.category else category
    return _Found(place, start, end, shown, category, one)


def _judge_nothing(
    model: Any, texts: Sequence[str], readings: Readings, rows: Sequence[int]
) -> Sequence[bool]:
    """Whether each of these texts is a question, plan or statement, in which nothing is judged.

    An encoder of the user's own may have no head that tells; then all count.
    """
    try:
        head = intents.SHIPPED.head_for(model)
    except ModelFailed:
        return [False] * len(texts)
    keys = head.keys(texts, [readings.stored[row] for row in rows])
    known = {key: silent for key in set(keys) if (silent := _SILENT.find(key)) is not None}
    new = list({key: place for place, key in enumerate(keys) if key not in known}.items())
    if new:
        own = [rows[place] for _, place in new]
        silent_now = head.judges_nothing(
            [texts[place] for _, place in new],
            readings.vectors_of(own),
            readings.probabilities[own],
            model.labels,
        )
        for (key, _), silent in zip(new, silent_now.tolist(), strict=True):
            known[key] = silent
            _SILENT.keep(key, silent)
    return [known[key] for key in keys]


def _forms(names: Sequence[str], knowledge: Knowledge) -> list[tuple[str, ...]]:
    """All that each named aspect is called, itself first."""
    return [(name, *knowledge.forms_of(name)) for name in names]


def _words(text: str, start: int, end: int) -> str | None:
    return None if start == UNSAID else text[start:end]


def _matched(
    model: Any,
    names: Sequence[str],
    texts: Sequence[str | None],
    own: Sequence[Outcome],
    read: Sequence[Outcome],
    knowledge: Knowledge,
) -> Meant:
    found = list(_found(model, texts, own, knowledge))
    phrases = sorted({one.shown for one in found if one.shown})
    for outcome in read:
        if isinstance(outcome, ShopsheetError):
            raise outcome
    vectors = read_texts(model, read)[0].vectors
    forms = _forms(names, knowledge)
    named = sum(map(len, forms))
    edge = named + len(SHOP_CATEGORIES)
    entries = [knowledge.aspect_of(name) for name in names]
    categories = [one.category if one and one.category else None for one in entries]
    matcher = AspectMatcher(
        names, vectors[:named], vectors[named:edge], forms, categories, scale_of(model)
    )
    vector_of = dict(zip(phrases, vectors[edge:], strict=True))
    meant: Meant = {}
    known: dict[tuple[str, str], np.ndarray] = {}
    for one in found:
        key = one.shown, one.category
        if key not in known:  # many rows say the same
            if entry := knowledge.aspect_of(one.shown):  # the file decides before any likeness does
                known[key] = np.array([other is entry for other in entries])
            else:
                vector = vector_of[one.shown] if one.shown else None
                known[key] = matcher.match(one.shown or None, vector, one.category)
        meant.setdefault(one.place, []).append(
            (POLARITIES[one.stored["polarity"]], float(one.stored["probability"]), known[key])
        )
    return meant


def _wide(
    cells: Sequence[Any],
    outcomes: Sequence[Outcome],
    names: Sequence[str],
    judged: Mapping[int, Mapping[str, str]],
) -> list[list[Any]]:
    rows: list[list[Any]] = []
    for place, (cell, outcome) in enumerate(zip(cells, outcomes, strict=True)):
        if isinstance(outcome, ShopsheetError):
            rows.append([outcome.to_cell()] * len(names))
        elif isinstance(cell, CellError):
            rows.append([cell] * len(names))
        else:
            found = judged.get(place, {})
            rows.append([found.get(name, "") for name in names])
    return rows


def _long(
    model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome], meant: Meant | None
) -> Iterator[list[Any]]:
    texts = texts_of(args["text"])
    cells = list(chain.from_iterable(args["text"]))
    number_in_text: dict[int, int] = {}
    for one in _found(model, texts, outcomes, knowledge_in(args)):
        number = number_in_text[one.place] = number_in_text.get(one.place, -1) + 1
        if meant is not None and not meant[one.place][number][2].any():
            continue
        # The text was read without the spaces around it; the user counts in the cell.
        cell, text, stored = cells[one.place], str(texts[one.place]), one.stored
        before = cell[: len(cell) - len(cell.lstrip()) + one.start]
        yield [
            one.place + 1,
            one.shown,
            one.category,
            _words(text, stored["opinion_start"], stored["opinion_end"]) or "",
            POLARITIES[stored["polarity"]],
            round(float(stored["probability"]), DECIMALS),
            characters(before) + 1 if one.shown else "",
            characters(text[one.start : one.end]) if one.shown else "",
        ]


def characters(text: str) -> int:
    """How many characters a sheet counts, as in MID and LEN: an emoji is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
