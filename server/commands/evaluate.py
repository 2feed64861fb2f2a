"""`shopsheet evaluate`: measures a model on the public test sets."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "Measure a model on held-out test sets"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model_name", choices=["encoder"], metavar="encoder", help="which model")
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


def run(args: argparse.Namespace) -> int:
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
