"""ASPECTS: what a text judges, in its own words, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from server.capabilities.base import Outcome, column_of
from server.capabilities.reading import (
    POLARITIES,
    UNSAID,
    ReadingCapability,
    read_texts,
    texts_of,
)
from server.models.aspect_categories import SHOP_CATEGORIES
from server.own.aspect_features import Said, features_of, together, told
from server.own.heads import ASPECTS as ASPECTS_KIND
from server.own.heads import OWN, AspectsHead, in_use
from server.semantics.matching import AspectMatcher
from server.settings import Settings
from udfs.catalogue import ASPECTS
from udfs.errors import BadInput, CellError, ModelFailed, ShopsheetError

DECIMALS = 4


class Aspects(ReadingCapability):
    """A table of all aspects, or a column of polarities for each aspect that the user names."""

    name = "aspects"

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
        return to_match(model, _names(args), texts_of(args["text"]), outcomes)

    def answer(
        self, model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome]
    ) -> list[list[Any]]:
        cells = list(chain.from_iterable(args["text"]))
        own, read = outcomes[: len(cells)], outcomes[len(cells) :]
        names, texts = _names(args), texts_of(args["text"])
        meant = _matched(model, names, texts, own, read) if args["aspects"] else {}
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
) -> list[Said]:
    """Per text what is said in it and which of the names each means; `read` reads more texts."""
    more = read(to_match(model, names, texts, outcomes))
    meant = _matched(model, names, texts, outcomes, more)
    return [meant.get(place, []) for place in range(len(texts))]


def to_match(
    model: Any, names: Sequence[str], texts: Sequence[str | None], outcomes: Sequence[Outcome]
) -> list[str]:
    """What must be read to tell which names are meant: they, the categories, words of aspects."""
    phrases = {aspect for _, aspect, _ in _found(model, texts, outcomes) if aspect}
    return [*names, *SHOP_CATEGORIES, *sorted(phrases)]


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


def _found(
    model: Any, texts: Sequence[str | None], outcomes: Sequence[Outcome]
) -> Iterator[tuple[int, str | None, np.void]]:
    """(place of the text, words of the aspect or None, the stored aspect), in order."""
    readings, places = read_texts(model, outcomes[: len(texts)])
    for place, aspects in zip(places, readings.aspects, strict=True):
        text = str(texts[place])
        for one in aspects:
            yield place, _words(text, one["aspect_start"], one["aspect_end"]), one


def _words(text: str, start: int, end: int) -> str | None:
    return None if start == UNSAID else text[start:end]


def _matched(
    model: Any,
    names: Sequence[str],
    texts: Sequence[str | None],
    own: Sequence[Outcome],
    read: Sequence[Outcome],
) -> Meant:
    found = list(_found(model, texts, own))
    phrases = sorted({aspect for _, aspect, _ in found if aspect})
    for outcome in read:
        if isinstance(outcome, ShopsheetError):
            raise outcome
    vectors = read_texts(model, read)[0].vectors
    edge = len(names) + len(SHOP_CATEGORIES)
    matcher = AspectMatcher(names, vectors[: len(names)], vectors[len(names) : edge])
    vector_of = dict(zip(phrases, vectors[edge:], strict=True))
    meant: Meant = {}
    for place, phrase, one in found:
        category = model.aspect_categories[one["category"]]
        hits = matcher.match(phrase, vector_of[phrase] if phrase else None, category)
        meant.setdefault(place, []).append(
            (POLARITIES[one["polarity"]], float(one["probability"]), hits)
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
    for place, aspect, one in _found(model, texts, outcomes):
        number = number_in_text[place] = number_in_text.get(place, -1) + 1
        if meant is not None and not meant[place][number][2].any():
            continue
        # The text was read without the spaces around it; the user counts in the cell.
        cell = cells[place]
        before = cell[: len(cell) - len(cell.lstrip()) + int(one["aspect_start"])]
        opinion = _words(str(texts[place]), one["opinion_start"], one["opinion_end"])
        yield [
            place + 1,
            aspect or "",
            model.aspect_categories[one["category"]],
            opinion or "",
            POLARITIES[one["polarity"]],
            round(float(one["probability"]), DECIMALS),
            characters(before) + 1 if aspect else "",
            characters(aspect) if aspect else "",
        ]


def characters(text: str) -> int:
    """How many characters a sheet counts, as in MID and LEN: an emoji is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
