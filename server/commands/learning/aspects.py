"""Teaches ASPECTS the aspects of the user's own."""

from __future__ import annotations

import argparse

from server.commands.learning import own

KIND = "aspects"
TRAIN_HELP = "Teach ASPECTS what you call by a name, and how you judge it"
EVALUATE_HELP = "Measure ASPECTS on rows that you have labelled"


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        f"{TRAIN_HELP}. Give either a column per aspect (--aspects), as ASPECTS fills them and you "
        "have corrected them, or a row per text and aspect (--aspect, --polarity). Every fifth "
        "text is held out, and the new version answers only if it is no worse there."
    )
    own.add_file(parser, needed=False)
    _add_columns(parser)
    own.add_training(parser)


def train(args: argparse.Namespace) -> int:
    return own.train(args, KIND)


def add_evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    own.add_file(parser, needed=True)
    _add_columns(parser)


def evaluate(args: argparse.Namespace) -> int:
    return own.evaluate(args, KIND)


def _add_columns(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--aspects",
        metavar="A;B;C",
        help="columns, one per aspect: its polarity, empty where the text does not mention it",
    )
    parser.add_argument(
        "--aspect",
        metavar="NAME",
        help="column that holds one aspect per row; a text that mentions several has several rows",
    )
    parser.add_argument(
        "--polarity", metavar="NAME", help="column that holds the polarity of that aspect, if any"
    )
