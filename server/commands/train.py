"""`shopsheet train`: trains a model from data."""

from __future__ import annotations

import argparse

from server.commands.learning import add_kinds, load

HELP = "Train a model: from rows that you have labelled, topics of your reviews, an encoder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_kinds(parser, "train")


def run(args: argparse.Namespace) -> int:
    return load(args.kind).train(args)
