"""Fits SENTIMENT to labelled reviews of the user's own."""

from __future__ import annotations

import argparse

from server.commands.learning import own

KIND = "sentiment"
TRAIN_HELP = "Fit SENTIMENT to reviews that you have labelled"
EVALUATE_HELP = "Measure SENTIMENT on reviews that you have labelled"


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        f"{TRAIN_HELP}: positive, negative, neutral, mixed; stars from 1 to 5; or 0 and 1. Every "
        "fifth text is held out, and the new version answers only if it is no worse there."
    )
    own.add_file(parser, needed=False)
    _add_label(parser)
    own.add_training(parser)


def train(args: argparse.Namespace) -> int:
    return own.train(args, KIND)


def add_evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    own.add_file(parser, needed=True)
    _add_label(parser)


def evaluate(args: argparse.Namespace) -> int:
    return own.evaluate(args, KIND)


def _add_label(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--label", metavar="NAME", help="the column that holds the labels")
