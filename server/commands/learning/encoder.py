"""Trains the encoder from a recipe, and measures it on the public test sets."""

from __future__ import annotations

import argparse
from pathlib import Path

TRAIN_HELP = "Train an encoder from a recipe"
EVALUATE_HELP = "Measure the encoder on held-out test sets"


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        f"{TRAIN_HELP}. A run that was stopped goes on from its last checkpoint when the same "
        "command is given again."
    )
    parser.add_argument(
        "--recipe", default="cpu", metavar="NAME", help="a shipped recipe or a .toml file (cpu)"
    )
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="folder of training data"
    )
    parser.add_argument(
        "--run",
        type=Path,
        default=Path("runs/encoder"),
        metavar="DIR",
        dest="work",
        help="folder for checkpoints and the log (runs/encoder)",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="folder of the new model"
    )
    parser.add_argument(
        "--start-model", type=Path, metavar="DIR", help="Hugging Face BERT folder to start from"
    )
    parser.add_argument(
        "--average-with",
        type=Path,
        metavar="DIR",
        help="another encoder of ours, to average the start with",
    )
    parser.add_argument(
        "--teacher",
        type=Path,
        metavar="DIR",
        help="Hugging Face folder of the larger model that a recipe with a teacher learns from "
        "(default: the packaged one)",
    )
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: all cores)")


def train(args: argparse.Namespace) -> int:
    from server.training import needs_torch

    needs_torch()
    import torch

    from server.training.train_encoder import EncoderRecipe, train_encoder

    if args.threads:
        torch.set_num_threads(args.threads)
    recipe = EncoderRecipe.load(args.recipe)
    folder = train_encoder(
        recipe,
        args.data,
        args.work,
        args.output,
        args.start_model,
        args.average_with,
        args.teacher,
    )
    print(f"The model is in {folder}. Measure it with: shopsheet evaluate encoder --model {folder}")
    return 0


def add_evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="folder of test data"
    )
    parser.add_argument(
        "--model", type=Path, metavar="DIR", help="model folder (default: the one in use)"
    )
    parser.add_argument(
        "--backend", default="auto", choices=["auto", "openvino", "torch"], help="what computes"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    parser.add_argument(
        "--write-card", action="store_true", help="write the table into the model's card"
    )


def evaluate(args: argparse.Namespace) -> int:
    import json

    from server.settings import Settings
    from server.training import needs_torch

    needs_torch()
    from server.training.evaluate_encoder import as_markdown, evaluate_encoder, write_into_card

    folder = args.model or Settings.from_environment().encoder_folder
    table = evaluate_encoder(folder, args.data, args.backend)
    print(json.dumps(table) if args.json else as_markdown(table))
    if args.write_card:
        write_into_card(folder, table)
    return 0
