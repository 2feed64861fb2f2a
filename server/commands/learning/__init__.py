"""What can be trained and evaluated on the command line, one module per kind of model."""

from __future__ import annotations

import argparse
import importlib
from typing import Protocol, cast

KINDS: tuple[str, ...] = ("encoder", "topics", "segment", "sentiment", "classify", "aspects")


class Learning(Protocol):
    """What a module here offers."""

    TRAIN_HELP: str
    EVALUATE_HELP: str

    @staticmethod
    def add_train_arguments(parser: argparse.ArgumentParser) -> None: ...

    @staticmethod
    def train(args: argparse.Namespace) -> int: ...

    @staticmethod
    def add_evaluate_arguments(parser: argparse.ArgumentParser) -> None: ...

    @staticmethod
    def evaluate(args: argparse.Namespace) -> int: ...


def add_kinds(parser: argparse.ArgumentParser, verb: str) -> None:
    """A sub-command of `verb` ("train" or "evaluate") for each kind of model."""
    kinds = parser.add_subparsers(dest="kind", metavar="MODEL", required=True)
    for kind in KINDS:
        module = load(kind)
        text = module.TRAIN_HELP if verb == "train" else module.EVALUATE_HELP
        sub = kinds.add_parser(kind, help=text, description=f"{text}.")
        add = module.add_train_arguments if verb == "train" else module.add_evaluate_arguments
        add(sub)


def load(kind: str) -> Learning:
    """The module of one kind. Its heavy parts are imported only when it runs."""
    return cast(Learning, importlib.import_module(f"server.commands.learning.{kind}"))
