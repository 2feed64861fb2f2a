"""`shopsheet knowledge`: makes, checks and finds the file that tells of the user's own shop."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from server.knowledge.model import Knowledge

HELP = "Tell of your shop: its brands, products, synonyms and aspects, in one workbook."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    new = actions.add_parser(
        "new", help="make an empty workbook, with explanations and examples in it"
    )
    new.add_argument("file", nargs="?", type=Path, help="where (default: where it is looked for)")
    new.add_argument(
        "--language", choices=["en", "zh"], default="en", help="of sheets and headings (en)"
    )
    check = actions.add_parser("check", help="read the file and say what is wrong")
    check.add_argument("file", nargs="?", type=Path, help="the file (default: the one in use)")
    actions.add_parser("where", help="print where the file is looked for")


def run(args: argparse.Namespace) -> int:
    """0 if done, 1 if the file cannot be used."""
    from server.settings import Settings

    path: Path = Settings.from_environment().knowledge_path
    if args.action == "where":
        state = "is there" if path.exists() else "is not there; `shopsheet knowledge new` makes it"
        print(f"{path} {state}")
        return 0
    chosen = path if args.file is None else args.file
    return _new(chosen, path, args.language) if args.action == "new" else _check(chosen)


def _new(path: Path, in_use: Path, language: str) -> int:
    from server.knowledge.template import write_template
    from udfs.errors import BadInput

    if path.suffix.lower() != ".xlsx":
        raise BadInput(f"{path} does not end in .xlsx, and a workbook is made. Choose such a name.")
    try:
        write_template(path, language)
    except FileExistsError as error:
        raise BadInput(
            f"{path} is there already and is left as it is. Open it in Excel, or name another."
        ) from error
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror or error}.") from error
    print(f"{path} is made. Open it in Excel, fill in the sheets and save.")
    if path.resolve() != in_use.resolve():
        print(f"It is used once SHOPSHEET_KNOWLEDGE={path.resolve()} is set, or it lies at")
        print(in_use)
    return 0


def _check(path: Path) -> int:
    from server.knowledge.reading import read_knowledge

    found = read_knowledge(path)
    print(f"{path} can be used: {describe(found)}.")
    for note in found.notes:
        print(f"note: {note}. Is that meant?")
    return 0


def describe(found: Knowledge) -> str:
    """How much is known, in words."""
    counts = found.counts()
    listed = ", ".join(f"{count:,} {sheet}" for sheet, count in counts.items())
    return listed if any(counts.values()) else f"{listed}; it changes nothing yet"
