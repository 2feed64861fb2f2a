"""`shopsheet train`: trains a model from a recipe."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "Train a model from a recipe"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        f"{HELP}. A run that was stopped goes on from its last checkpoint when the same command is "
        "given again."
    )
    parser.add_argument("model", choices=["encoder"], help="which model to train")
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
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: all cores)")


def run(args: argparse.Namespace) -> int:
    from server.training import needs_torch

    needs_torch()
    import torch

    from server.training.train_encoder import EncoderRecipe, train_encoder

    if args.threads:
        torch.set_num_threads(args.threads)
    recipe = EncoderRecipe.load(args.recipe)
    folder = train_encoder(recipe, args.data, args.work, args.output, args.start_model)
    print(f"The model is in {folder}. Measure it with: shopsheet evaluate encoder --model {folder}")
    return 0
