"""How a live server answers: start-up, single calls, many single cells, memory, second pass.

    python bench/server_latency.py --texts reviews.csv

Starts `shopsheet serve` in a home of its own and stops it at the end. Ends in one JSON line.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common import (
    ROOT,
    distinct_texts,
    parser,
    print_result,
    quantile,
    resident_mb,
    rows_of,
    seconds,
    texts_of,
)

TOKEN = "token-of-the-benchmark"


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--cells", type=int, default=2000, help="cells of the column")
    options.add_argument("--singles", type=int, default=200, help="single calls, one by one")
    options.add_argument("--rounds", type=int, default=3, help="turns of cells against column")
    options.add_argument("--store-cells", type=int, default=5000, help="cells of the second pass")
    chosen = options.parse_args()
    pool = texts_of(rows_of(chosen.texts), chosen.column)
    texts = distinct_texts(pool, chosen.cells + chosen.singles + chosen.store_cells)
    column, rest = texts[: chosen.cells], texts[chosen.cells :]
    singles, stored = rest[: chosen.singles], rest[chosen.singles :]
    with tempfile.TemporaryDirectory() as home, server(chosen.folder, Path(home)) as live:
        figures = measure(live, column, singles, stored, chosen.rounds)
    for name, value in figures.items():
        print(f"{name:36s} {value}")
    print_result("server_latency", figures)


class Live:
    """A server that runs, with the seconds it took to its first answer."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, first_answer_s: float) -> None:
        self.process = process
        self.url = url
        self.first_answer_s = first_answer_s

    def client(self, use_store: bool) -> Any:
        from udfs.client import Client

        return Client(self.url, token=TOKEN, use_store=use_store)


@contextmanager
def server(folder: Path, home: Path) -> Iterator[Live]:
    """A live server with this model and an empty store, stopped at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "SHOPSHEET_HOME": str(home),
        "SHOPSHEET_TOKEN": TOKEN,
        "SHOPSHEET_ENCODER": str(folder),
    }
    command = [sys.executable, "-m", "server.cli", "serve", "--port", str(port)]
    start = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    live = Live(process, f"http://127.0.0.1:{port}", 0.0)
    try:
        with live.client(use_store=False) as client:
            client.wait_until_ready(300)
            client.call("SENTIMENT", "The first answer")
        live.first_answer_s = time.perf_counter() - start
        yield live
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def measure(
    live: Live, column: list[str], singles: list[str], stored: list[str], rounds: int
) -> dict[str, Any]:
    """All figures, by name."""
    with live.client(use_store=False) as client:
        model = client.get("/v1/models")
        for text in singles[:20]:
            client.call("SENTIMENT", text)
        single_ms = [
            1000 * seconds(lambda text=text: client.call("SENTIMENT", text)) for text in singles
        ]
        range_s, cells_s = [], []
        for _ in range(rounds):  # in turn, so that a busy moment hits both alike
            range_s.append(seconds(lambda: client.call("SENTIMENT", [[text] for text in column])))
            cells_s.append(seconds(lambda: [f.result() for f in submit_all(client, column)]))
    with live.client(use_store=True) as client:
        grid = [[text] for text in stored]
        first_s = seconds(lambda: client.call("SENTIMENT", grid))
        second_s = min(seconds(lambda: client.call("SENTIMENT", grid)) for _ in range(3))
        hit_ms = [
            1000 * seconds(lambda text=text: client.call("SENTIMENT", text))
            for text in stored[:200]
        ]
    return {
        "model": _version(model),
        "startup_to_first_answer_s": round(live.first_answer_s, 2),
        "single_p50_ms": round(statistics.median(single_ms), 2),
        "single_p99_ms": round(quantile(single_ms, 0.99), 2),
        "single_from_store_p50_ms": round(statistics.median(hit_ms), 2),
        "column_cells": len(column),
        "column_s": round(min(range_s), 3),
        "column_cells_per_s": round(len(column) / min(range_s), 1),
        "single_cells_s": round(min(cells_s), 3),
        "single_cells_share_of_column": round(min(range_s) / min(cells_s), 3),
        "store_cells": len(stored),
        "store_first_pass_s": round(first_s, 3),
        "store_second_pass_s": round(second_s, 4),
        "store_second_pass_cells_per_s": round(len(stored) / second_s),
        "resident_mb": _rounded(resident_mb(live.process.pid)),
    }


def submit_all(client: Any, column: list[str]) -> list[Any]:
    """One future per cell, as a sheet of single-cell formulas asks."""
    return [client.submit("SENTIMENT", text) for text in column]


def _version(models: dict[str, Any]) -> str:
    listed = models.get("models", [])
    return ", ".join(f"{model.get('name')}@{model.get('version')}" for model in listed)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


if __name__ == "__main__":
    main()
