"""CLASSIFY: the user's own labels, by meaning, learnt from as many examples as there are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from server.capabilities.base import Outcome, grid_like, knowledge_in
from server.capabilities.reading import ReadingCapability, read_texts, texts_of
from server.knowledge.model import SHEETS
from server.models.scale import scale_of
from server.own.heads import OWN, named_in_use
from server.semantics.few_shot import Head, Strength, fit_head
from server.semantics.recent import Recent
from server.settings import Settings
from udfs.errors import BadInput, CellError, ShopsheetError, error_from_code, short
from udfs.kinds import number_text

MOST_HEADS = 64
MOST_FORMS = 8  # of a label in the user's file that describe it
APPLIES = 0.5  # with multi, unless min_confidence says another
JOINED_BY = "; "
DECIMALS = 4


@dataclass(frozen=True)
class Task:
    """What is to be learnt: labels, the texts that tell them, examples with their labels."""

    labels: tuple[str, ...]
    label_texts: tuple[str, ...]
    examples: tuple[str, ...]
    targets: tuple[tuple[int, ...], ...]  # label_ids of each example
    exclusive: bool


class Classify(ReadingCapability):
    """Label or labels of each text. Texts, labels and examples are read alike, and kept alike.

    Heads that were fitted lately stay in memory; without them the answers would be the same.
    """

    name = "classify"
    knows = SHEETS

    def __init__(self) -> None:
        self._heads: Recent[Head] = Recent(MOST_HEADS)

    def resolve(self, args: Mapping[str, Any], settings: Settings) -> Mapping[str, Any]:
        """The arguments, with the saved labels that they name."""
        if len([label for label in args["labels"] if label]) > 1:
            return args
        for name in ("descriptions", "examples", "multi"):
            if args[name]:
                raise BadInput(
                    f"{name} cannot be used with saved labels: they were learnt with examples of "
                    "their own, one label per text. Leave it out, or give two labels or more."
                )
        return {**args, OWN: named_in_use(settings.home, max(args["labels"]))}

    def signed(self, identity: str, args: Mapping[str, Any]) -> str:
        return args[OWN].signed(identity) if OWN in args else identity

    def prepare(self, args: Mapping[str, Any]) -> list[str | None]:
        if OWN in args:
            return texts_of(args["text"])
        task = task_of(args)
        return [*texts_of(args["text"]), *task.label_texts, *task.examples]

    def answer(
        self, model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome]
    ) -> list[list[Any]]:
        cells = len(args["text"]) * len(args["text"][0])
        if OWN in args:
            args[OWN].check_encoder(model)
            labels, head = args[OWN].head.labels, args[OWN].head.head
        else:
            task = task_of(args)
            labels, head = task.labels, self._head(model, task, outcomes[cells:])
        read = read_texts(model, outcomes[:cells])[0]
        show = _show_labels if args["multi"] else _show_label
        shown = (
            show(labels, row, args["min_confidence"])
            for block in read.blocks()
            for row in head.predict_proba(read.vectors_of(block))
        )
        return grid_like(args["text"], outcomes[:cells], lambda stored: next(shown))

    def _head(self, model: Any, task: Task, outcomes: Sequence[Outcome]) -> Head:
        for text, outcome in zip((*task.label_texts, *task.examples), outcomes, strict=True):
            if isinstance(outcome, ShopsheetError):
                message = f"{short(text)} could not be read. {outcome.message}"
                raise error_from_code(outcome.cell_error, message)

        strength = Strength.of(scale_of(model))

        def fit() -> Head:
            vectors = read_texts(model, outcomes)[0].vectors
            count = len(task.labels)
            targets = np.zeros((len(task.examples), count))
            for row, label_ids in enumerate(task.targets):
                targets[row, list(label_ids)] = 1.0
            return fit_head(vectors[:count], vectors[count:], targets, task.exclusive, strength)

        return self._heads.get((model.version, model.backend, task), fit)


def task_of(args: Mapping[str, Any]) -> Task:
    """The labels and examples of these arguments.

    Raises: BadInput if they do not fit together.
    """
    given, descriptions = args["labels"], args["descriptions"] or ()
    if descriptions and len(descriptions) != len(given):
        raise BadInput(
            f"descriptions holds {len(descriptions):,} and labels {len(given):,}; expected one "
            "description per label. An empty cell is a label without one."
        )
    knowledge = knowledge_in(args)
    pairs = [
        (label, description or ", ".join(knowledge.forms_of(label)[:MOST_FORMS]))
        for label, description in zip(given, descriptions or [""] * len(given), strict=True)
        if label
    ]
    labels = tuple(label for label, _ in pairs)
    exclusive = not args["multi"]
    examples: list[str] = []
    targets: list[tuple[int, ...]] = []
    for number, (text, cell) in enumerate(_rows(args["examples"]), start=1):
        if isinstance(text, str) and isinstance(cell, str):  # a row that is not filled in waits
            examples.append(text.strip())
            targets.append(_label_ids(cell, labels, exclusive, number))
    return Task(
        labels,
        tuple(label_reading(label, description) for label, description in pairs),
        tuple(examples),
        tuple(targets),
        exclusive,
    )


def _rows(examples: Sequence[Sequence[Any]] | None) -> list[tuple[Any, Any]]:
    if not examples:
        return []
    if len(examples[0]) != 2:
        raise BadInput(
            f"examples is a range of {len(examples):,} by {len(examples[0]):,} cells; expected two "
            "columns: a text and its label."
        )
    for number, row in enumerate(examples, start=1):
        for cell in row:
            if isinstance(cell, CellError):
                message = f"Row {number} of examples holds {cell.code}. {cell.message}".rstrip()
                raise error_from_code(cell.code, message)
    return [(text, label) for text, label in examples]


def _label_ids(cell: str, labels: Sequence[str], exclusive: bool, number: int) -> tuple[int, ...]:
    ids = {label.casefold(): label_id for label_id, label in enumerate(labels)}
    whole = cell.strip()
    names = [whole]
    if not exclusive and whole.casefold() not in ids:
        names = [name.strip() for name in re.split("[;；]", cell) if name.strip()]
    for name in names:
        if name.casefold() not in ids:
            listed = ", ".join(labels[:8]) + (", ..." if len(labels) > 8 else "")
            raise BadInput(
                f"Row {number} of examples has the label {short(name)}, which is not among the "
                f"labels: {listed}. Add it to labels or correct the row."
            )
    return tuple(dict.fromkeys(ids[name.casefold()] for name in names))


def label_reading(label: str, description: str = "") -> str:
    """What the encoder reads for a label: SHIPPING_ADDRESS as words, then what it means."""
    words = label.replace("_", " ").strip() or label
    words = words.lower() if words.isupper() and len(words) > 4 else words
    return f"{words}: {description}" if description else words


def _show_label(labels: Sequence[str], row: np.ndarray, min_confidence: float) -> Any:
    label_id = int(row.argmax())
    confidence = round(float(row[label_id]), DECIMALS)
    if confidence < min_confidence:
        return _undecided(labels[label_id], confidence, min_confidence)
    return labels[label_id]


def _show_labels(labels: Sequence[str], row: np.ndarray, min_confidence: float) -> Any:
    least = min_confidence or APPLIES
    applying = [label for label, p in zip(labels, row, strict=True) if round(p, DECIMALS) >= least]
    if applying:
        return JOINED_BY.join(applying)
    label_id = int(row.argmax())
    return _undecided(labels[label_id], round(float(row[label_id]), DECIMALS), least)


def _undecided(label: str, confidence: float, least: float) -> CellError:
    return CellError(
        "#N/A",
        f"closest is {short(label)}, whose confidence {number_text(confidence)} is below "
        f"min_confidence {number_text(least)}",
    )
