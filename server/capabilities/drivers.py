"""DRIVERS: an outcome and the columns beside it in, what moves it out; texts are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from server.capabilities.base import Outcome
from server.capabilities.reading import POLARITIES, UNSAID, ReadingCapability, read_texts
from server.settings import Settings
from udfs.errors import ModelFailed, ShopsheetError

DATA = "data"  # what `resolve` adds to the arguments


class Drivers(ReadingCapability):
    """A table of what moves the target. What the encoder reads is the text columns, if any."""

    name = "drivers"

    def resolve(self, args: Mapping[str, Any], settings: Settings) -> Mapping[str, Any]:
        """The arguments, with the columns read as factors."""
        from server.decisions.columns import read_sheet  # scipy
        from server.decisions.drivers import read_drivers

        grids = {"target": args["target"], "features": args["features"]}
        return {**args, DATA: read_drivers(read_sheet(grids, one_column=("target",)))}

    def prepare(self, args: Mapping[str, Any]) -> list[str | None]:
        return [text for _, texts in args[DATA].texts for text in texts]

    def answer(
        self, model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome]
    ) -> list[list[Any]]:
        from server.decisions.drivers import drivers
        from server.decisions.text_factors import text_features

        data, found, start = args[DATA], [], 0
        if data.texts and not model.aspect_categories:
            raise ModelFailed(
                f"The column {data.texts[0][0]!r} holds texts, and this encoder reads no aspects. "
                "Use the one that comes with Shopsheet, or leave the column out."
            )
        for name, texts in data.texts:
            said = _said(model, texts, outcomes[start : start + len(texts)])
            found += text_features(said, name, data.lang)
            start += len(texts)
        return drivers(data, found, args["top_n"])


def _said(model: Any, texts: Sequence[str | None], outcomes: Sequence[Outcome]) -> list[list[Any]]:
    """Per row what its text judges. Raises: the error of the first text if none could be read."""
    from server.decisions.text_factors import Said

    errors = [one for one in outcomes if isinstance(one, ShopsheetError)]
    readings, places = read_texts(model, outcomes)
    if errors and not places:
        raise errors[0]
    said: list[list[Said]] = [[] for _ in texts]
    for place, aspects in zip(places, readings.aspects, strict=True):
        text = str(texts[place])
        said[place] = [
            Said(
                _words(text, one, "aspect"),
                model.aspect_categories[one["category"]],
                _words(text, one, "opinion"),
                POLARITIES[one["polarity"]],
            )
            for one in aspects
        ]
    return said


def _words(text: str, one: np.void, what: str) -> str | None:
    start, end = one[f"{what}_start"], one[f"{what}_end"]
    return None if start == UNSAID else text[start:end]
