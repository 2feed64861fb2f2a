"""`shopsheet models`: lists the models of this installation, and takes a version back."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from server.own.versions import Versions

HELP = "List the models: version, what they were trained on, scores. Take a version of yours back."
OWN_KINDS = ("sentiment", "classify", "aspects")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action",
        nargs="?",
        default="list",
        choices=["list", "back", "use", "remove"],
        help="back: what was in use before answers again; use: a version that you name, or "
        "shipped; remove: all versions and the rows they learnt from are deleted (list)",
    )
    parser.add_argument(
        "which",
        nargs="*",
        metavar="MODEL",
        help="sentiment, aspects or classify NAME; with use also the version: use sentiment 2",
    )
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def run(args: argparse.Namespace) -> int:
    """0 if every model can be read, 1 if there is none or one is damaged."""
    from server.settings import WEIGHTS_FOLDER, Settings

    home = Settings.from_environment().home
    if args.action != "list":
        print(change(home, args.action, args.which))
        return 0
    folders = {Settings.from_environment().encoder_folder}
    if WEIGHTS_FOLDER.is_dir():
        folders |= {path for path in WEIGHTS_FOLDER.iterdir() if path.is_dir()}
    models = [describe(folder) for folder in sorted(folders, key=lambda path: path.name)]
    own = own_models(home)
    if args.json:
        print(json.dumps([*models, *own], ensure_ascii=False, indent=1))
    else:
        print("\n\n".join([*map(_show, models), *map(_show_own, own)]))
    return 1 if any("problem" in model for model in (*models, *own)) else 0


def change(home: Path, action: str, which: list[str]) -> str:
    """What is in use now, after a version went back, was chosen, or all were removed."""
    from server.own.versions import SHIPPED

    wanted = which[:-1] if action == "use" and len(which) > 1 else which
    versions = _versions(home, action, wanted)
    if action == "remove":
        versions.remove()
        return f"All versions of {versions.title} are deleted, with the rows they learnt from."
    if action == "back":
        now = versions.back()
    else:
        now = versions.find(which[-1])
        versions.use(now)
    if now == SHIPPED:
        return f"{versions.title}: the model that comes with Shopsheet answers now."
    return f"{versions.title}: version {now} answers now."


def _versions(home: Path, action: str, which: list[str]) -> Versions:
    from server.own.versions import NAMELESS, Versions, names_of
    from udfs.errors import BadInput

    kind, *rest = which or [""]
    if kind not in OWN_KINDS or len(rest) != (kind == "classify"):
        more = " VERSION" if action == "use" else ""
        raise BadInput(
            f"Found {' '.join(which) or 'nothing'!r}; expected shopsheet models {action} followed "
            f"by sentiment{more}, aspects{more} or classify NAME{more}."
        )
    versions = Versions(home, kind, rest[0] if rest else NAMELESS)
    if not versions.all():
        saved = [
            Versions(home, one, name).title for one in OWN_KINDS for name in names_of(home, one)
        ]
        raise BadInput(
            f"There is no version of {versions.title}; of your own there are: "
            f"{', '.join(saved) or 'none'}."
        )
    return versions


def own_models(home: Path) -> list[dict[str, Any]]:
    """The user's own models: title, version in use, all versions with their cards."""
    from server.own.versions import SHIPPED, Versions, names_of
    from udfs.errors import ModelFailed

    shown = []
    for kind in OWN_KINDS:
        for name in names_of(home, kind):
            versions = Versions(home, kind, name)
            entry: dict[str, Any] = {"name": versions.title, "folder": str(versions.folder)}
            try:
                entry["version"] = versions.current() or SHIPPED
            except ModelFailed as error:
                entry["problem"] = error.message
            entry["versions"] = [{"id": one.id, "card": one.card} for one in versions.all()]
            shown.append(entry)
    return shown


def _show_own(model: dict[str, Any]) -> str:
    lines = [f"{model['name']} (yours)", f"  folder: {model['folder']}"]
    if "problem" in model:
        lines.append(f"  problem: {model['problem']}")
    for version in model["versions"]:
        card = version["card"]
        scores = ", ".join(f"{name} {value}" for name, value in card.get("scores", {}).items())
        mark = " <- in use" if version["id"] == model.get("version") else ""
        lines.append(
            f"  {version['id']}: {card.get('rows', '?')} rows of {card.get('trained_on', '?')}, "
            f"{card.get('date', '?')}, encoder {card.get('encoder', '?')}; {scores}{mark}"
        )
    if model.get("version") == "shipped":
        lines.append("  in use: the model that comes with Shopsheet")
    return "\n".join(lines)


def describe(folder: Path) -> dict[str, Any]:
    """Name, version, folder and card of the model in a folder, or the problem with it."""
    from server.artefacts import load_artefact
    from udfs.errors import ModelFailed

    entry: dict[str, Any] = {"name": folder.name, "folder": str(folder)}
    if (head := _head_of_needs(folder)) is not None:
        return {**entry, **head}
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


def _head_of_needs(folder: Path) -> dict[str, Any] | None:
    """What the folder holds if it is the small head of NEEDS, which is no encoder."""
    from server.models.intents import CONFIG_FILE, load_head
    from udfs.errors import ModelFailed

    if (folder / "tokenizer.json").exists() or folder.name != "needs":
        return None
    try:
        head = load_head(folder)
    except ModelFailed as error:
        return {"problem": error.message}
    config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    return {
        "version": f"for encoder {head.encoder}",
        "labels": config["kinds"],
        "mib": round(sum(path.stat().st_size for path in folder.iterdir()) / 2**20, 1),
        "card": {"measured": config["measured"]},
    }


def _show(model: dict[str, Any]) -> str:
    if "problem" in model:
        return f"{model['name']}\n  problem: {model['problem']}"
    lines = [
        f"{model['name']}@{model['version']}".replace("@for ", " for "),
        f"  folder: {model['folder']} ({model['mib']} MiB)",
        f"  labels: {', '.join(model['labels'])}",
    ]
    for key, value in model["card"].items():
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        lines.append(f"  {key}: {shown}")
    return "\n".join(lines)
