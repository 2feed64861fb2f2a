"""`shopsheet models`: lists the models that this installation has."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

HELP = "List the models: version, folder, what they were trained on, held-out scores."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def run(args: argparse.Namespace) -> int:
    """0 if every model can be read, 1 if there is none or one is damaged."""
    from server.settings import WEIGHTS_FOLDER, Settings

    folders = {Settings.from_environment().encoder_folder}
    if WEIGHTS_FOLDER.is_dir():
        folders |= {path for path in WEIGHTS_FOLDER.iterdir() if path.is_dir()}
    models = [describe(folder) for folder in sorted(folders, key=lambda path: path.name)]
    if args.json:
        print(json.dumps(models, ensure_ascii=False, indent=1))
    else:
        print("\n\n".join(_show(model) for model in models))
    return 1 if any("problem" in model for model in models) else 0


def describe(folder: Path) -> dict[str, Any]:
    """Name, version, folder and card of the model in a folder, or the problem with it."""
    from server.artefacts import load_artefact
    from udfs.errors import ModelFailed

    entry: dict[str, Any] = {"name": folder.name, "folder": str(folder)}
    try:
        artefact = load_artefact(folder)
    except ModelFailed as error:
        return {**entry, "problem": error.message}
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return {
        **entry,
        "name": artefact.config.get("name", folder.name),
        "version": artefact.version,
        "labels": artefact.config.get("labels", []),
        "mib": round(size / 2**20, 1),
        "card": artefact.card,
    }


def _show(model: dict[str, Any]) -> str:
    if "problem" in model:
        return f"{model['name']}\n  problem: {model['problem']}"
    lines = [
        f"{model['name']}@{model['version']}",
        f"  folder: {model['folder']} ({model['mib']} MiB)",
        f"  labels: {', '.join(model['labels'])}",
    ]
    for key, value in model["card"].items():
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        lines.append(f"  {key}: {shown}")
    return "\n".join(lines)
