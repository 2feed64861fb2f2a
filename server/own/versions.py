"""Versions of users' own models: each a folder that never changes, and which of them is in use.

Under SHOPSHEET_HOME/models/KIND/NAME lie `current.json`, the history of what was in use, and per
version a folder such as `3-ab12cd34` with `config.json`, `model.safetensors` (both decide what it
answers; the hash is theirs), `card.json` (data, scores, date) and `rows.jsonl` (what it learnt
from). Nothing in it is code; nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from server.own.rows import Labelled, from_lines
from udfs.errors import BadInput, ModelFailed, short

FORMAT_VERSION = 1
CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"
CARD_FILE, ROWS_FILE, CURRENT_FILE = "card.json", "rows.jsonl", "current.json"
SHIPPED = "shipped"  # stands in the history for the model that comes with Shopsheet
DAMAGED = "damaged"  # stands for the version where it cannot be told
NAMELESS = "own"  # name of the one model of a kind that has no names
PATIENCE_S = 2.0
_NAME = re.compile(r"\w[\w .-]{0,63}")
_VERSION = re.compile(r"(\d+)-[0-9a-f]{8}")


@dataclass(frozen=True)
class Version:
    """One version as it lies on disk: `id` is such as "3-ab12cd34"."""

    id: str
    folder: Path
    card: dict[str, Any]

    @property
    def number(self) -> int:
        return int(self.id.partition("-")[0])

    def rows(self) -> Labelled:
        """The rows it learnt from. Raises: ModelFailed if they are gone."""
        try:
            return from_lines((self.folder / ROWS_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError) as error:
            raise ModelFailed(
                f"The rows of version {self.id} in {self.folder} cannot be read ({error}). Train "
                "from the file instead."
            ) from error


class Versions:
    """All versions of one model of the user's."""

    def __init__(self, home: Path, kind: str, name: str = NAMELESS) -> None:
        """Raises: BadInput if that cannot be a name."""
        if not _NAME.fullmatch(name) or name.endswith((" ", ".")):
            raise BadInput(
                f"{short(name)} cannot name a model: letters, digits, spaces, '-', '_' and '.' "
                "can, up to 64."
            )
        self.home, self.kind, self.name = home, kind, name
        self.folder = home / "models" / kind / name

    @property
    def title(self) -> str:
        """What a person calls it: "sentiment" or "classify returns"."""
        return self.kind if self.name == NAMELESS else f"{self.kind} {self.name}"

    @property
    def typed(self) -> str:
        """The title as a command line takes it."""
        return self.kind if self.name == NAMELESS else f'{self.kind} "{self.name}"'

    @property
    def signature(self) -> str:
        """What results carry before the version: "sentiment" or "classify/returns"."""
        return self.title.replace(" ", "/", 1)

    def all(self) -> list[Version]:
        """Every version, the oldest first."""
        found = [self.get(path.name) for path in self.folder.glob("*-*") if _is_version(path)]
        return sorted(found, key=lambda version: version.number)

    def get(self, version_id: str) -> Version:
        """One version. Raises: BadInput if there is none of that id."""
        folder = self.folder / version_id
        if not _is_version(folder):
            known = ", ".join(version.id for version in self.all()) or "none"
            raise BadInput(
                f"There is no version {short(version_id)} of {self.title}; there are: {known}."
            )
        try:
            card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            card = {}  # it only informs
        return Version(version_id, folder, card)

    def find(self, words: str) -> str:
        """Id of the version that a person means: "2", "2-ab12cd34" or "shipped".

        Raises: BadInput if there is none.
        """
        ids = [version.id for version in self.all()] + [SHIPPED]
        found = [one for one in ids if words in (one, one.partition("-")[0])]
        return found[0] if found else self.get(words).id

    def history(self) -> list[str]:
        """Ids of what was in use, the one in use last; "shipped" for Shopsheet's own.

        Raises: ModelFailed if the file that says so is damaged.
        """
        path = self.folder / CURRENT_FILE
        try:
            history = json.loads(path.read_text(encoding="utf-8"))["history"]
            if not isinstance(history, list) or not all(isinstance(one, str) for one in history):
                raise ValueError("history is not a list of versions")
        except FileNotFoundError:
            return [SHIPPED]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelFailed(
                f"{path} cannot be used ({error}), so it is not known which version of "
                f"{self.title} is in use. Delete it, then say which: shopsheet models use "
                f"{self.typed} VERSION"
            ) from error
        return history or [SHIPPED]

    def current(self) -> str | None:
        """Id of the version in use; None where it is the shipped model, or there is none."""
        last = self.history()[-1]
        return None if last == SHIPPED else last

    def use(self, version_id: str) -> None:
        """Nothing; from now on that version answers, in running servers too.

        Raises: BadInput if there is none of that id.
        """
        if version_id != SHIPPED:
            self.get(version_id)
        history = self.history()
        if history[-1] != version_id:
            self._write([*history, version_id])

    def back(self) -> str:
        """Id of what was in use before, which now is in use again.

        Raises: BadInput if nothing was.
        """
        history = self.history()
        if len(history) < 2:
            raise BadInput(
                f"There is nothing to go back to: {self.title} has had one model only, "
                f"{history[-1]}."
            )
        self._write(history[:-1])
        return history[-2]

    def save(
        self,
        tensors: Mapping[str, np.ndarray],
        config: Mapping[str, Any],
        card: Mapping[str, Any],
        rows: str,
    ) -> Version:
        """The new version, not yet in use; the older one if it is the same to the byte."""
        arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
        weights = save(arrays)
        text = json.dumps(
            {"format_version": FORMAT_VERSION, "kind": self.kind, **config},
            ensure_ascii=False, indent=1, sort_keys=True,
        )  # fmt: skip
        digest = _digest(text.encode("utf-8"), weights)
        versions = self.all()
        for version in versions:
            if version.id.endswith(f"-{digest}"):
                return version
        number = versions[-1].number + 1 if versions else 1
        folder = self.folder / f"{number}-{digest}"
        self.folder.mkdir(parents=True, exist_ok=True)
        # Only the user may read it: it holds what customers wrote.
        building = Path(tempfile.mkdtemp(prefix=".new-", dir=self.folder))
        try:
            (building / WEIGHTS_FILE).write_bytes(weights)
            for name, content in (
                (CONFIG_FILE, text),
                (CARD_FILE, json.dumps(card, ensure_ascii=False, indent=1)),
                (ROWS_FILE, rows),
            ):
                (building / name).write_text(content, encoding="utf-8", newline="\n")
            building.replace(folder)
        finally:
            shutil.rmtree(building, ignore_errors=True)
        return self.get(folder.name)

    def describe(self, version_id: str, card: Mapping[str, Any]) -> Version:
        """The version with that card; what it answers does not change."""
        path = self.get(version_id).folder / CARD_FILE
        text = json.dumps(card, ensure_ascii=False, indent=1)
        path.write_text(text, encoding="utf-8", newline="\n")
        return self.get(version_id)

    def remove(self) -> None:
        """Nothing; all versions are gone, with the rows that they learnt from."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def load(self, version_id: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Tensors and config of a version.

        Raises: ModelFailed if a file is missing, damaged, or of a newer format.
        """
        folder = self.folder / version_id
        try:
            text = (folder / CONFIG_FILE).read_bytes()
            weights = (folder / WEIGHTS_FILE).read_bytes()
            if not version_id.endswith(_digest(text, weights)):
                raise ValueError("a file is not what was saved")
            config = json.loads(text)
            tensors = load(weights)
        except (OSError, ValueError, SafetensorError) as error:
            raise ModelFailed(
                f"Version {version_id} of {self.title} in {folder} cannot be used ({error}). Go "
                f"back to the one before with: shopsheet models back {self.typed}"
            ) from error
        if config.get("format_version") != FORMAT_VERSION:
            raise ModelFailed(
                f"Version {version_id} of {self.title} has format {config.get('format_version')}, "
                f"and this Shopsheet reads format {FORMAT_VERSION}. Upgrade Shopsheet, or run: "
                f"{refit_command(self)}"
            )
        return tensors, config

    def _write(self, history: list[str]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = self.folder / f".{CURRENT_FILE}.new"
        fresh.write_text(json.dumps({"history": history}) + "\n", encoding="utf-8", newline="\n")
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                fresh.replace(self.folder / CURRENT_FILE)
                return
            except PermissionError:  # Windows, while a server is just reading it
                if time.monotonic() > until:
                    raise
                time.sleep(0.01)


def names_of(home: Path, kind: str) -> list[str]:
    """Names of the user's models of a kind that have a version."""
    folder = home / "models" / kind
    return sorted({path.parent.name for path in folder.glob("*/*-*") if _is_version(path)})


def refit_command(versions: Versions) -> str:
    """What fits the model anew, from the rows that were kept."""
    name = "" if versions.name == NAMELESS else f' --name "{versions.name}"'
    return f"shopsheet train {versions.kind} --again{name}"


def _is_version(folder: Path) -> bool:
    return bool(_VERSION.fullmatch(folder.name)) and (folder / CONFIG_FILE).is_file()


def _digest(config: bytes, weights: bytes) -> str:
    return hashlib.sha256(config + b"\0" + weights).hexdigest()[:8]
