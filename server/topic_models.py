"""Saved topics: a folder of config.json and vectors.safetensors that belongs to one encoder."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from server.artefacts import replace_folder
from server.semantics.topic_space import Space
from server.semantics.topics import Topic, TopicSet
from server.text.names import NO_NAMES, Names
from udfs.errors import BadInput, ModelFailed, short

FORMAT_VERSION = 1
CONFIG_FILE = "config.json"
VECTORS_FILE = "vectors.safetensors"
_NAME = re.compile(r"\w[\w .-]{0,63}")


@dataclass(frozen=True)
class TopicModel:
    """Topics found in the texts of one time, and how often each was spoken of then.

    counts: rows per topic; phrase_counts: rows per key of what else was named.
    """

    name: str
    encoder: str  # version, without the arithmetic that it ran in
    language: str
    rows: int
    made: TopicSet
    counts: tuple[int, ...]
    phrase_counts: Mapping[str, int]
    names: Names = NO_NAMES  # of the shop, as the texts were read with

    def check_encoder(self, version: str) -> None:
        """Nothing. Raises: BadInput if the vectors are of another version of the encoder."""
        if version != self.encoder:
            raise BadInput(
                f"The topics {self.name!r} were saved with encoder {self.encoder}, and encoder "
                f"{version} is in use. Make them anew: shopsheet train topics FILE "
                f"--column NAME --name {self.name}"
            )


def encoder_version(model: Any) -> str:
    """Version of an encoder without its arithmetic, which hardly moves a vector."""
    return str(model.version).removesuffix(f"-{model.precision}")


def folder_of(home: Path, name: str) -> Path:
    """Where the topics of that name lie.

    Raises: BadInput if it cannot be a name.
    """
    if not _NAME.fullmatch(name) or name.endswith((" ", ".")):
        raise BadInput(
            f"{short(name)} cannot name saved topics: letters, digits, spaces, '-', '_' and '.' "
            f"can, up to 64. {_TWO_LABELS}"
        )
    return home / "models" / "topics" / name


_TWO_LABELS = 'For topics of your own give two or more, as a range or as "delivery;price".'


def save_topic_model(folder: Path, model: TopicModel) -> None:
    """Nothing; the folder is written whole or not at all, and replaces an older one."""
    space, made = model.made.space, model.made
    config = {
        "format_version": FORMAT_VERSION,
        "name": model.name,
        "encoder": model.encoder,
        "language": model.language,
        "rows": model.rows,
        "least": made.least,
        "topics": [
            {
                "name": topic.name,
                "terms": list(topic.terms),
                "keys": list(topic.keys),
                "category": topic.category,
                "words": topic.words,
                "rows": count,
            }
            for topic, count in zip(made.topics, model.counts, strict=True)
        ],
        "phrases": dict(model.phrase_counts),
        "names": model.names.to_json(),
    }
    vectors = {"centroids": np.ascontiguousarray(made.centroids, dtype=np.float32)}
    if space is not None:
        vectors |= {
            "centre": np.ascontiguousarray(space.centre, dtype=np.float32),
            "left_out": np.ascontiguousarray(space.left_out, dtype=np.float32),
        }
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        save_file(vectors, building / VECTORS_FILE)
        text = json.dumps(config, ensure_ascii=False, indent=1) + "\n"
        (building / CONFIG_FILE).write_text(text, encoding="utf-8", newline="\n")
        building.chmod(0o755)
        replace_folder(building, folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def load_topic_model(folder: Path) -> TopicModel:
    """The topics in a folder.

    Raises: BadInput if there are none; ModelFailed if a file is damaged or of a newer format.
    """
    if not (folder / CONFIG_FILE).is_file():
        saved = ", ".join(saved_names(folder.parent)) or "none yet"
        raise BadInput(
            f"There are no saved topics {folder.name!r}; saved: {saved}. Save some with: shopsheet "
            f"train topics FILE --column NAME --name {folder.name}. {_TWO_LABELS}"
        )
    try:
        config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        if config["format_version"] != FORMAT_VERSION:
            raise ModelFailed(
                f"The topics {folder.name!r} have format {config['format_version']}, and this "
                f"Shopsheet reads format {FORMAT_VERSION}. Upgrade Shopsheet, or make them anew."
            )
        with safe_open(folder / VECTORS_FILE, framework="np") as file:
            vectors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        topics = tuple(
            Topic(
                str(one["name"]), tuple(one["terms"]), tuple(one["keys"]), one["category"],
                str(one["words"]),
            )
            for one in config["topics"]
        )  # fmt: skip
        space = Space(vectors["centre"], vectors["left_out"]) if "centre" in vectors else None
        made = TopicSet(topics, space, vectors["centroids"], float(config["least"]))
        return TopicModel(
            str(config["name"]), str(config["encoder"]), str(config["language"]),
            int(config["rows"]), made, tuple(one["rows"] for one in config["topics"]),
            dict(config["phrases"]), Names.from_json(config.get("names", [])),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ModelFailed(
            f"The topics in {folder} cannot be used: {type(error).__name__} {error}. Copy the "
            "folder again, or make them anew."
        ) from error


def saved_names(folder: Path) -> list[str]:
    """Names of the topics saved in a folder."""
    return sorted(path.parent.name for path in folder.glob(f"[!.]*/{CONFIG_FILE}"))
