"""What is known of each model, loaded or saved: from its card, as rows that a sheet can hold."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from server.own.heads import all_in_use, card_of
from server.settings import WEIGHTS_FOLDER, Settings
from udfs.errors import BadInput, short

LONGEST = 400  # characters of a cell in the table of all models
_NUMBER = re.compile(r"-?[\d,]*\.?\d+")
_NOT_SHOWN = {"Recipe", "Start"}


@dataclass(frozen=True)
class Fact:
    """One thing that a card says: under which heading, of what, and the text or number."""

    about: str
    of: str
    value: Any


@dataclass(frozen=True)
class ModelFacts:
    """A model as MODEL_INFO shows it."""

    name: str
    version: str
    state: str
    what: str
    facts: tuple[Fact, ...] = field(default=())

    def about(self, word: str) -> list[Fact]:
        """The facts under headings that hold this word."""
        return [fact for fact in self.facts if word in fact.about.casefold()]


def all_models(loaded: Sequence[Mapping[str, Any]], settings: Settings) -> list[ModelFacts]:
    """The models of the server, then those shipped beside them, then those saved on this machine.

    loaded: entries as Engine.models gives them.
    """
    found = [_of_worker(entry, settings) for entry in loaded]
    encoder = settings.encoder_folder.resolve()
    names = {model.name for model in found}
    for path in sorted(WEIGHTS_FOLDER.glob("[!.]*")):
        shown = path.resolve() == encoder or path.name in names
        if (path / "config.json").is_file() and not shown:
            found.append(_of_folder(path, path.name, "shipped"))
    saved = sorted((settings.home / "models").glob("[!.]*/[!.]*/config.json"))
    found += [
        _of_folder(path.parent, f"{path.parent.parent.name}/{path.parent.name}", "saved")
        for path in saved
    ]
    learnt = all_in_use(settings.home)
    return found + [
        _of_own(name, version, card_of(settings.home, name, version))
        for name, version in learnt.items()
    ]


def summary(model: ModelFacts) -> list[str]:
    """The row of one model: name, version, state, what it is, data, scores, licences, limits."""
    licences = [str(fact.value) for fact in model.facts if "licence" in fact.of.casefold()]
    names = [fact.of.split(":")[0] for fact in model.about("data") if ": " in fact.of]
    data = list(dict.fromkeys(names)) or [
        str(fact.value) for fact in model.about("data") if fact.of in ("", "learnt from")
    ]
    scores = [f"{fact.of} {fact.value}" for fact in model.about("held-out") if _is_score(fact)]
    limits = [str(fact.value) for fact in model.about("limits")]
    return [
        model.name, model.version, model.state, model.what,
        _joined(data, ", "), _joined(scores, "; "),
        _joined(dict.fromkeys(licences), ", "), _joined(limits, " "),
    ]  # fmt: skip


def details(model: ModelFacts) -> list[list[Any]]:
    """All that is known of one model, as rows of about, of, value."""
    own = [("version", model.version), ("state", model.state), ("what it is", model.what)]
    facts = [Fact(about, "", value) for about, value in own if value]
    return [[fact.about, fact.of, fact.value] for fact in [*facts, *model.facts]]


def find(models: Sequence[ModelFacts], name: str) -> ModelFacts:
    """The model of that name, also without the folder of its kind, or with its version.

    Raises: BadInput naming the models there are.
    """
    wanted = name.strip().casefold()
    for model in models:
        names = {model.name, model.name.rpartition("/")[2], f"{model.name}@{model.version}"}
        if wanted in {one.casefold() for one in names}:
            return model
    there = ", ".join(model.name for model in models)
    raise BadInput(
        f"There is no model {short(name)}. There is {there}. Leave model out for a table."
    )


def read_card(text: str) -> list[Fact]:
    """The facts of a CARD.md: each number of a table, each point of a list, each paragraph."""
    about, facts, header = "what it is", [], list[str]()
    for block in _blocks(text):
        if block[0].startswith("#"):
            if block[0].startswith("##"):
                about = block[0].lstrip("# ")
            continue
        if about in _NOT_SHOWN or block[0].startswith("<!--"):
            continue
        if block[0].startswith("|"):
            header = _cells(block[0])
            for line in block[2:]:
                facts += _of_line(about, header, _cells(line))
        elif block[0].startswith("- "):
            points = " ".join(block)[2:].split(" - ")
            facts += [Fact(about, "", point) for point in points if "`{" not in point]
        elif "`{" not in " ".join(block):
            facts.append(Fact(about, "", " ".join(block)))
    return facts


def _of_worker(entry: Mapping[str, Any], settings: Settings) -> ModelFacts:
    name, card = str(entry["name"]), entry.get("card") or {}
    state = str(entry.get("problem") or entry["state"])
    version = str(entry.get("version", ""))
    facts = [
        Fact(about, "", ", ".join(value) if isinstance(value, list) else value)
        for about in ("backend", "precision", "labels")
        if (value := entry.get(about))
    ]
    facts += _of_json(card)
    what = str(card.get("about", ""))
    if name == "encoder":
        written = _written(settings.encoder_folder)
        what = what or _what(written)
        facts += [fact for fact in written if fact.about != "what it is"]
    return ModelFacts(name, version, state, what, tuple(facts))


def _of_folder(folder: Path, name: str, state: str) -> ModelFacts:
    config, written = _json(folder / "config.json"), _written(folder)
    facts = _of_json(_json(folder / "card.json"))
    for key in ("encoder", "language", "rows"):
        if isinstance(config.get(key), str | int):
            facts.append(Fact(key, "", config[key]))
    for topic in config.get("topics", ()):
        facts.append(Fact("topic", str(topic["name"]), topic["rows"]))
    facts += [fact for fact in written if fact.about != "what it is"]
    what = _what(written) or (
        f"{len(config.get('topics', ()))} topics" if "topics" in config else ""
    )
    version = str(config.get("version") or config.get("artefact_version") or "")
    return ModelFacts(name, version, state, what, tuple(facts))


def _of_own(name: str, version: str, card: Mapping[str, Any]) -> ModelFacts:
    """A model that learnt from the user's own rows, from the card of the version in use."""
    facts = [
        Fact("Data", about, card[key])
        for about, key in (
            ("learnt from", "trained_on"),
            ("date", "date"),
            ("rows", "rows"),
            ("rows held out", "held_out"),
            ("encoder", "encoder"),
        )
        if key in card
    ]
    facts += [Fact("Data", f"rows of {label}", n) for label, n in card.get("labels", {}).items()]
    for about, key in (
        ("Held-out scores", "scores"),
        ("Scores of the one before", "scores_before"),
    ):
        facts += [Fact(about, score, value) for score, value in card.get(key, {}).items()]
    return ModelFacts(name, version, "in use", "learnt from rows of yours", tuple(facts))


def _of_json(card: Mapping[str, Any]) -> list[Fact]:
    """Scores that a card.json holds; the data and limits stand in CARD.md."""
    held_out = card.get("held_out")
    if not isinstance(held_out, Mapping):
        return []
    return [Fact("Held-out scores", str(name), value) for name, value in held_out.items()]


def _written(folder: Path) -> list[Fact]:
    path = folder / "CARD.md"
    return read_card(path.read_text(encoding="utf-8")) if path.is_file() else []


def _json(path: Path) -> dict[str, Any]:
    """What a JSON file holds; nothing of one that is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _what(facts: Sequence[Fact]) -> str:
    return next((str(fact.value) for fact in facts if fact.about == "what it is"), "")


def _is_score(fact: Fact) -> bool:
    """Whether it is a share, and no count."""
    return isinstance(fact.value, float) and "texts" not in fact.of


def _joined(parts: Sequence[str] | Mapping[str, Any], between: str) -> str:
    text = between.join(parts)
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"


def _blocks(text: str) -> Iterator[list[str]]:
    """Runs of lines of one sort: a heading, a table, a list, a paragraph."""
    for block in re.split(r"\n\s*\n|(?=^#)|(?<=^-->)", text, flags=re.M):
        lines = [line.strip() for line in block.splitlines() if line.strip()]
        if lines and lines[0].startswith("#"):
            yield lines[:1]
            lines = lines[1:]
        if lines:
            yield lines


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _of_line(about: str, header: Sequence[str], cells: Sequence[str]) -> list[Fact]:
    of = cells[0]
    return [
        Fact(about, f"{of}: {column}", _value(cell))
        for column, cell in zip(header[1:], cells[1:], strict=False)
        if cell
    ]


def _value(cell: str) -> Any:
    """The number that a table's cell is, else its text."""
    if not _NUMBER.fullmatch(cell):
        return cell
    number = float(cell.replace(",", ""))
    return number if "." in cell else int(number)
