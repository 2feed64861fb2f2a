"""Measures the second scoring of the same cells: answered by the result store, no model call.

    python bench/store_second_pass.py [--cells 5000] [--encoder FOLDER] [--passes 5]

Times a whole POST /v1/calls inside the server, from the bytes of the body to the bytes of the
answer: once with the latest results in memory, once with every result read from disk. Ends in one
JSON line.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from server.app import create_app
from server.engine import Engine
from server.settings import Settings

TOKEN = "token-of-the-bench"
SAMPLE = (
    "great bad slow delivery price quality phone shoes battery broke refund love colour size box "
    "物流 太慢 包装 很好 喜欢 不 值得 质量 一般 退货 客服 差评 满意 推荐"
)
WORDS = SAMPLE.split()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=5000)
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--encoder", type=Path, help="artefact folder; default: the shipped one")
    args = parser.parse_args()
    result: dict[str, object] = {"bench": "store_second_pass", "cells": args.cells}
    for source, items in (("memory", args.cells), ("disk", 0)):
        with tempfile.TemporaryDirectory() as home:
            settings = Settings.from_environment(
                {},
                home=Path(home),
                token=TOKEN,
                encoder_folder=args.encoder,
                store_memory_items=items,
            )
            result[source] = measure(settings, args)
    print(json.dumps(result))
    return 0


def measure(settings: Settings, args: argparse.Namespace) -> dict[str, float]:
    """Seconds of the first pass, cells per second of the best and the median later pass."""
    dice = random.Random(5)
    column = [[" ".join(dice.choices(WORDS, k=dice.randint(5, 25)))] for _ in range(args.cells)]
    body = json.dumps({"calls": [{"id": "1", "function": "SENTIMENT", "args": [column]}]})
    with Engine(settings) as engine:
        engine.wait_ready(120)
        client = create_app(settings, engine).test_client()

        def score() -> tuple[float, bytes]:
            started = time.perf_counter()
            response = client.post(
                "/v1/calls", data=body, headers={"Authorization": f"Bearer {TOKEN}"}
            )
            assert response.status_code == 200, response.text
            return time.perf_counter() - started, response.data

        first_s, first = score()
        assert engine.store.flush(), "the store does not write"
        read = engine.stats().workers[0].items
        later = [score() for _ in range(args.passes)]
        assert all(answer == first for _, answer in later), "a pass gave another answer"
        assert engine.stats().workers[0].items == read, "a later pass asked the model"
    seconds = sorted(s for s, _ in later)
    return {
        "first_pass_s": round(first_s, 3),
        "best_cells_per_s": round(args.cells / seconds[0]),
        "median_cells_per_s": round(args.cells / seconds[len(seconds) // 2]),
    }


if __name__ == "__main__":
    sys.exit(main())
