"""PROFILE: texts and orders of any channels in, a row per customer out."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from server.capabilities.base import Outcome, column_of, knowledge_in
from server.capabilities.needs import needs_in
from server.capabilities.reading import (
    POLARITIES,
    UNSAID,
    ReadingCapability,
    Readings,
    read_texts,
)
from server.customers.orders import OrderDays, clean_orders
from server.customers.profile import SaidText, last_day, profiles
from server.knowledge.model import SHEETS, Knowledge
from server.semantics.needs import ASKING, Need, same_thing
from server.text.keywords import rank_text
from server.text.phrases import units
from udfs.catalogue import PROFILE, PROFILE_FIELDS
from udfs.errors import BadInput, CellError, short
from udfs.kinds import Dates, Numbers, Texts, number_text

UNHAPPY = -0.3  # a text whose score lies below tells what a customer does not want
PHRASES = 3  # of a text in which no aspects are read
# For an encoder that reads no aspects.
_PRICE = re.compile(
    r"\bpric(?:e|es|ed|ey|y|ier|ing)\b|expensive|cheap|overpriced|\bcosts?\b|value for|worth|"
    "affordable|bargain|价格|价钱|贵|便宜|性价比|划算|实惠|值得|不值|物美价廉",
    re.I,
)


class Profile(ReadingCapability):
    """Interests, needs, sentiment, habits and orders of each customer."""

    name = "profile"
    knows = SHEETS

    def prepare(self, args: Mapping[str, Any]) -> list[str | None]:
        for name in args["fields"]:
            if name.casefold() not in PROFILE_FIELDS:
                raise BadInput(
                    f"fields holds {short(name)}; expected some of {', '.join(PROFILE_FIELDS)}."
                )
        _order_days(args)
        columns, shop = _columns(args), knowledge_in(args)
        return [
            shop.as_read(text.strip())
            if isinstance(text, str) and isinstance(customer, str)
            else None
            for customer, text in zip(columns["ids"], columns["texts"], strict=True)
        ]

    def answer(
        self, model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome]
    ) -> list[list[Any]]:
        fields = [name.casefold() for name in args["fields"]]
        columns = _columns(args)
        orders = _order_days(args)
        texts = _said(model, columns, fields, outcomes, knowledge_in(args))
        ids = [cell.strip() for cell in columns["ids"] if isinstance(cell, str)]
        as_of = args["as_of"]
        end = np.datetime64(as_of, "D") if as_of else last_day(texts, orders)
        return [list(PROFILE.columns(args)), *profiles(ids, texts, orders, end, fields)]


def _columns(args: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The columns that stand beside each other; a column that was not given holds None.

    Raises: BadInput if they are no columns, or not equally long.
    """
    names = ("ids", "texts", "dates", "channels")
    found = {name: column_of(args[name], name) for name in names if args[name] is not None}
    lengths = {name: len(column) for name, column in found.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} has {count:,} cells" for name, count in lengths.items())
        raise BadInput(f"{listed}; expected as many of each. Select the same rows in all of them.")
    return {name: found.get(name, [None] * lengths["ids"]) for name in names}


def _order_days(args: Mapping[str, Any]) -> OrderDays | None:
    """What the three columns of `orders` hold; None where there are none.

    A row that lacks one of the three, such as a heading, is left out.
    Raises: BadInput if there are not three columns.
    """
    grid = args["orders"]
    if grid is None:
        return None
    if len(grid[0]) != 3:
        raise BadInput(
            f"orders is a range of {len(grid):,} by {len(grid[0]):,} cells; expected three columns "
            "with a row per order: id, date and amount."
        )
    ids, dates, amounts = (
        [row[0] for row in kind.parse([[row[column]] for row in grid], "orders")]
        for column, kind in enumerate((Texts(), Dates(), Numbers()))
    )
    return clean_orders(
        [cell if isinstance(cell, str) else None for cell in ids],
        [cell if isinstance(cell, datetime.date) else None for cell in dates],
        [cell if isinstance(cell, float) else np.nan for cell in amounts],
    )


def _said(
    model: Any,
    columns: Mapping[str, Sequence[Any]],
    fields: Sequence[str],
    outcomes: Sequence[Outcome],
    shop: Knowledge,
) -> list[SaidText]:
    readings, places = read_texts(model, outcomes)
    texts = [shop.as_read(columns["texts"][place].strip()) for place in places]
    labels = list(model.labels)
    scores = (
        readings.probabilities[:, labels.index("positive")]
        - readings.probabilities[:, labels.index("negative")]
    )
    needs: Mapping[int, Need] = {}
    if "needs" in fields:
        needs = needs_in(model, texts, readings, places, shop)
    said = []
    for row, (place, text) in enumerate(zip(places, texts, strict=True)):
        day, need = columns["dates"][place], needs.get(place)
        said.append(
            SaidText(
                customer=columns["ids"][place].strip(),
                score=float(scores[row]),
                day=np.datetime64(day, "D") if isinstance(day, datetime.date) else None,
                channel=_channel(columns["channels"][place]),
                judges_price=_judges_price(model, text, readings, row),
                interests=(
                    _interests(model, text, readings, row, float(scores[row]), shop)
                    if "interests" in fields
                    else ()
                ),
                need=(
                    ("\t".join(need.key), need.phrase)
                    if need and need.phrase and need.kind in ASKING
                    else None
                ),
            )
        )
    return said


def _channel(cell: Any) -> str | None:
    if cell is None or isinstance(cell, CellError):
        return None
    return cell.strip() if isinstance(cell, str) else number_text(cell)


def _judges_price(model: Any, text: str, readings: Readings, row: int) -> bool:
    if not model.aspect_categories:
        return _PRICE.search(text) is not None
    price = model.aspect_categories.index("price")
    return bool((readings.aspects[row]["category"] == price).any())


def _interests(
    model: Any, text: str, readings: Readings, row: int, score: float, shop: Knowledge
) -> tuple[tuple[str, str], ...]:
    """What a text speaks of well, or without a judgement, each once, in the names of the shop."""
    if model.aspect_categories and len(readings.aspects[row]):
        spans = [
            shop.names.widened(text, int(one["aspect_start"]), int(one["aspect_end"]))
            for one in readings.aspects[row]
            if one["aspect_start"] != UNSAID and one["polarity"] != POLARITIES.index("negative")
        ]
        liked = [shop.preferred(text[start:end].strip()) for start, end in spans]
    elif score < UNHAPPY:
        liked = []
    else:
        names = [unit for unit in units(text, shop.names) if not unit.judges]
        liked = [shop.preferred(phrase) for phrase in rank_text(names, PHRASES)]
    pairs = {same_thing(phrase, shop=shop): phrase for phrase in liked if phrase}
    return tuple(pairs.items())
