"""Teaches CLASSIFY labels of the user's own, under a name."""

from __future__ import annotations

import argparse

from server.commands.learning import own

KIND = "classify"
TRAIN_HELP = "Save labels of your own under a name, learnt from rows that you have labelled"
EVALUATE_HELP = "Measure saved labels on rows that you have labelled"


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        f'{TRAIN_HELP}: then =SHOP.CLASSIFY(A2:A500,"returns") gives each text its label. Every '
        "fifth text is held out, and a new version answers only if it is no worse there."
    )
    own.add_file(parser, needed=False)
    own.add_name(parser)
    _add_label(parser)
    own.add_training(parser)


def train(args: argparse.Namespace) -> int:
    return own.train(args, KIND)


def add_evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    own.add_file(parser, needed=True)
    own.add_name(parser)
    _add_label(parser)


def evaluate(args: argparse.Namespace) -> int:
    return own.evaluate(args, KIND)


def _add_label(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--label", metavar="NAME", help="the column that holds the labels")
