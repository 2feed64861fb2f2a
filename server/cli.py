"""The `shopsheet` command: finds the verb, runs it, turns our errors into one clear line."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Protocol, cast

from server.commands import VERBS
from udfs.errors import ShopsheetError


class Command(Protocol):
    """What a module in `server/commands` offers."""

    HELP: str

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None: ...

    @staticmethod
    def run(args: argparse.Namespace) -> int: ...


def version() -> str:
    """Version of the installed package, or of the source tree when it is not installed."""
    try:
        return metadata.version("shopsheet")
    except metadata.PackageNotFoundError:
        return "unknown (not installed: run `pip install -e .`)"


def load_command(verb: str) -> Command:
    """Module of one verb. Its heavy parts are imported only when it runs."""
    return cast(Command, importlib.import_module(f"server.commands.{verb}"))


def build_parser(verbs: Sequence[str] = VERBS) -> argparse.ArgumentParser:
    """Parser with one sub-command per verb."""
    parser = argparse.ArgumentParser(
        prog="shopsheet",
        description="Reads customer reviews for your spreadsheets, on your own machine.",
        epilog="`shopsheet VERB --help` explains one verb.",
    )
    parser.add_argument("--version", action="version", version=f"shopsheet {version()}")
    subparsers = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb in verbs:
        command = load_command(verb)
        help_line = command.HELP.strip().splitlines()[0]
        sub = subparsers.add_parser(verb, help=help_line, description=command.HELP.strip())
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 1 one of our errors, 2 a wrong command line, 130 interrupted."""
    _speak_utf8()
    arguments = list(sys.argv[1:] if argv is None else argv)
    # Knowing the verb already, load that one alone: `shopsheet call` stays quick.
    verbs = [arguments[0]] if arguments and arguments[0] in VERBS else VERBS
    args = build_parser(verbs).parse_args(arguments)
    try:
        return int(args.run(args) or 0)
    except ShopsheetError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output has left (`| head`). Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _speak_utf8() -> None:
    """A Windows console code page cannot print Chinese answers; UTF-8 always can."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None and (getattr(stream, "encoding", "") or "").lower() != "utf-8":
            reconfigure(encoding="utf-8", errors="replace")


if __name__ == "__main__":
    sys.exit(main())
