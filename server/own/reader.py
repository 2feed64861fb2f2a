"""What the encoder says of many texts, through the engine and its result store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from server.capabilities.base import Outcome
from server.capabilities.reading import Readings, read_texts
from server.engine import Engine
from server.topic_models import encoder_version
from udfs.errors import BadInput, ShopsheetError, short

CHUNK = 512  # texts between two looks at whether to stop


class Stopped(Exception):
    """Somebody wants the work to end."""


@dataclass
class Progress:
    """Hears how far the work is, and says when it is to end. Both may be asked often."""

    tell: Callable[[str, int, int], None] = lambda step, done, total: None
    stopped: Callable[[], bool] = lambda: False

    def step(self, name: str, done: int, total: int) -> None:
        """Nothing. Raises: Stopped."""
        if self.stopped():
            raise Stopped
        self.tell(name, done, total)


class Reader:
    """Reads texts with the encoder of an engine."""

    def __init__(self, engine: Engine, progress: Progress | None = None) -> None:
        self._engine = engine
        self._progress = progress or Progress()
        self.model: Any = engine.encoder()
        self.version = encoder_version(self.model)
        self.knowledge = engine.knowledge.current()

    def tick(self) -> None:
        """Nothing; asked while a head is fitted. Raises: Stopped."""
        self._progress.step("fitting", 0, 1)

    def outcomes(self, texts: Sequence[str]) -> list[Outcome]:
        """What is stored of each text. Raises: Stopped; NotReady."""
        distinct = sorted(dict.fromkeys(texts), key=len)
        known: dict[str, Outcome] = {}
        for start in range(0, len(distinct), CHUNK):
            self._progress.step("reading", start, len(distinct))
            part = distinct[start : start + CHUNK]
            known.update(zip(part, self._engine.read(part), strict=True))
        self._progress.step("reading", len(distinct), len(distinct))
        return [known[text] for text in texts]

    def read(self, texts: Sequence[str]) -> Readings:
        """A row for each text. Raises: BadInput for a text that cannot be read; Stopped."""
        return readings_of(self.model, texts, self.outcomes(texts))


def readings_of(model: Any, texts: Sequence[str], outcomes: Sequence[Outcome]) -> Readings:
    """A row for each text. Raises: BadInput for one that could not be read."""
    for text, outcome in zip(texts, outcomes, strict=True):
        if isinstance(outcome, ShopsheetError):
            raise BadInput(f"{short(text)} could not be read. {outcome.message}")
    return read_texts(model, outcomes)[0]
