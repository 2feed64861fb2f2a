"""`shopsheet evaluate`: measures a model on data that it has not seen."""

from __future__ import annotations

import argparse

from server.commands.learning import add_kinds, load

HELP = "Measure a model on data that it has not seen"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_kinds(parser, "evaluate")


def run(args: argparse.Namespace) -> int:
    return load(args.kind).evaluate(args)
