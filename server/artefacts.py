"""Saves, loads and checks an artefact: the folder that holds one model.

An artefact folder holds `config.json` (format version, dimensions, labels, how to read texts),
`tokenizer.json` (Hugging Face tokenizers), `model.safetensors` (weights),
`quantisation.safetensors` (ranges for int8, once calibrated), `card.json` and `CARD.md` (what it
was trained on and how well it does). Nothing in it is code; nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from udfs.errors import ModelFailed

FORMAT_VERSION = 1
CONFIG_FILE = "config.json"
TOKENIZER_FILE = "tokenizer.json"
WEIGHTS_FILE = "model.safetensors"
QUANTISATION_FILE = "quantisation.safetensors"
CARD_FILE = "card.json"
CARD_TEXT_FILE = "CARD.md"

Tensors = dict[str, np.ndarray]


@dataclass(frozen=True)
class Artefact:
    """One checked artefact folder; its tensors are read on demand and not kept."""

    folder: Path
    config: dict[str, Any]
    card: dict[str, Any]
    tokenizer_json: str
    version: str

    def tensors(self) -> Tensors:
        """Weights by name, as they stand in the file (float16 stays float16).

        Raises: ModelFailed if the file cannot be read.
        """
        return _read_tensors(self.folder / WEIGHTS_FILE)

    def quantisation(self) -> Tensors:
        """Ranges for int8 by name; empty where the artefact was not calibrated."""
        path = self.folder / QUANTISATION_FILE
        return _read_tensors(path) if path.is_file() else {}


def _read_tensors(path: Path) -> Tensors:
    try:
        with safe_open(path, framework="np") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelFailed(_damaged(path, str(error))) from error


def is_artefact(folder: Path) -> bool:
    """Whether the folder is one of ours (a Hugging Face folder has no format version)."""
    path = folder / CONFIG_FILE
    if not path.is_file():
        return False
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return isinstance(config, dict) and "format_version" in config


def load_artefact(folder: Path) -> Artefact:
    """The artefact in a folder, with its files checked against their recorded checksums.

    Raises: ModelFailed if a file is missing, damaged, or of a format newer than this program.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ModelFailed(
            f"No model folder at {folder}. Expected a folder with {CONFIG_FILE}, {TOKENIZER_FILE} "
            f"and {WEIGHTS_FILE}. Check SHOPSHEET_ENCODER, or install Shopsheet again."
        )
    for name in (CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE):
        if not (folder / name).is_file():
            raise ModelFailed(
                f"The model folder {folder} has no {name}. Copy the whole folder again, "
                "or train the model again."
            )
    config = upgrade_config(_read_json(folder / CONFIG_FILE))
    recorded = config.get("sha256", {})
    actual = _checksums(folder)
    for name, checksum in recorded.items():
        if actual.get(name) != checksum:
            raise ModelFailed(_damaged(folder / name, "its checksum is not the one in config.json"))
    card_path = folder / CARD_FILE
    return Artefact(
        folder=folder,
        config=config,
        card=_read_json(card_path) if card_path.is_file() else {},
        tokenizer_json=(folder / TOKENIZER_FILE).read_text(encoding="utf-8"),
        version=_version(config, actual),
    )


def save_artefact(
    folder: Path,
    tensors: Mapping[str, np.ndarray],
    tokenizer_json: str,
    config: Mapping[str, Any],
    card: Mapping[str, Any],
) -> Path:
    """The folder, written whole or not at all: a reader never sees half an artefact.

    An artefact that is already there is replaced. `config["artefact_version"]` is the readable part
    of the version ("2026.11"). `card["text"]`, when there, becomes CARD.md.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
        save_file(arrays, building / WEIGHTS_FILE)
        _write_text(building / TOKENIZER_FILE, tokenizer_json)
        full_config = {"format_version": FORMAT_VERSION, **config, "sha256": _checksums(building)}
        _write_json(building / CONFIG_FILE, full_config)
        facts = dict(card)
        _write_text(building / CARD_TEXT_FILE, str(facts.pop("text", _card_text(facts))))
        _write_json(building / CARD_FILE, facts)
        building.chmod(0o755)
        replace_folder(building, folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return folder


def update_config(folder: Path, **changes: Any) -> Artefact:
    """The artefact after some config values were replaced, for example a calibrated temperature.

    The version changes with it, because answers may.
    """
    path = Path(folder) / CONFIG_FILE
    config = upgrade_config(_read_json(path))
    fresh = path.with_name(f".{CONFIG_FILE}.new")
    _write_json(fresh, {**config, **changes, "sha256": _checksums(Path(folder))})
    fresh.replace(path)
    return load_artefact(folder)


def save_quantisation(folder: Path, tables: Mapping[str, np.ndarray]) -> Artefact:
    """The artefact with these ranges for int8, which replace older ones."""
    fresh = Path(folder) / f".{QUANTISATION_FILE}.new"
    save_file(dict(tables), fresh)
    fresh.replace(Path(folder) / QUANTISATION_FILE)
    return update_config(folder)


def upgrade_config(config: dict[str, Any]) -> dict[str, Any]:
    """The config in today's format, whatever format it was written in.

    Raises: ModelFailed if it is newer than this program, or has no format version.
    """
    version = config.get("format_version")
    if not isinstance(version, int):
        raise ModelFailed(
            f"config.json has no format_version (found {version!r}; expected a number from 0 to "
            f"{FORMAT_VERSION}). It is not a Shopsheet model."
        )
    if version > FORMAT_VERSION:
        raise ModelFailed(
            f"This model has format {version}, and this Shopsheet reads formats up to "
            f"{FORMAT_VERSION}. Upgrade Shopsheet to use it."
        )
    while version < FORMAT_VERSION:
        config = _UPGRADES[version](dict(config))
        version = config["format_version"]
    return config


def upgrade_0_to_1(config: dict[str, Any]) -> dict[str, Any]:
    """Format 0 (before the first release) had no truncation rule and no artefact version."""
    return {"truncation": "head", "artefact_version": "0", **config, "format_version": 1}


_UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {0: upgrade_0_to_1}


def _version(config: Mapping[str, Any], checksums: Mapping[str, str]) -> str:
    """ "2026.11-ab12cd34": the readable part, then a hash of all that decides an answer."""
    deciding = {key: value for key, value in config.items() if key != "sha256"}
    content = json.dumps([deciding, checksums], sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(content.encode("utf-8")).hexdigest()[:8]
    return f"{config.get('artefact_version', '0')}-{digest}"


def _checksums(folder: Path) -> dict[str, str]:
    # A checkout with CRLF line ends holds the same tokenizer.
    tokenizer = (folder / TOKENIZER_FILE).read_bytes().replace(b"\r\n", b"\n")
    sums = {TOKENIZER_FILE: hashlib.sha256(tokenizer).hexdigest()}
    for name in (WEIGHTS_FILE, QUANTISATION_FILE):
        if (folder / name).is_file():
            with (folder / name).open("rb") as file:
                sums[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return sums


def replace_folder(new: Path, target: Path) -> None:
    """Nothing, after `new` has become `target`.

    Windows cannot rename over a folder, so the old one steps aside first.
    """
    if not target.exists():
        new.replace(target)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
    target.replace(aside / "old")
    try:
        new.replace(target)
    except OSError:
        (aside / "old").replace(target)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelFailed(_damaged(path, f"it is not readable JSON ({error})")) from error
    if not isinstance(value, dict):
        raise ModelFailed(_damaged(path, f"it holds {type(value).__name__}, not an object"))
    return value


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    _write_text(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _card_text(facts: Mapping[str, Any]) -> str:
    lines = [f"- {key}: {json.dumps(value, ensure_ascii=False)}" for key, value in facts.items()]
    return "\n".join(["# Model card", "", *lines]) + "\n"


def _damaged(path: Path, why: str) -> str:
    return f"{path} cannot be used: {why}. Copy the model folder again, or train it again."
