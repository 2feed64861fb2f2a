"""What the benchmarks share: texts, a model folder, facts about the machine, the closing line."""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import platform
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TextIO

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

SHIPPED = ROOT / "server" / "weights" / "encoder"
SAMPLE = ROOT / "sample_workbooks" / "reviews.csv"
TEXT_COLUMNS = ("text", "review", "utterance")


def parser(about: str | None) -> argparse.ArgumentParser:
    """A parser with the arguments that every benchmark has."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--folder", type=Path, default=SHIPPED, help="model folder")
    parser.add_argument(
        "--texts", type=Path, default=SAMPLE, help="csv, csv.gz or txt (default: sample reviews)"
    )
    parser.add_argument("--column", help="text column (default: text, review or the first)")
    return parser


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a csv; of a txt, one row with "text" per line."""
    if path.suffix == ".txt":
        lines = path.read_text(encoding="utf-8").splitlines()
        return [{"text": line} for line in lines if line.strip()]
    with _open(path) as file:
        return list(csv.DictReader(file))


def texts_of(rows: Sequence[dict[str, str]], column: str | None = None) -> list[str]:
    """The texts of these rows."""
    names = list(rows[0])
    column = column or next((name for name in TEXT_COLUMNS if name in names), names[0])
    return [row[column] for row in rows]


def distinct_texts(texts: Sequence[str], count: int, seed: int = 0) -> list[str]:
    """`count` different texts: a sample of them, or, where they are too few, pairs of them too."""
    pool = list(dict.fromkeys(text for text in texts if text.strip()))
    chosen = random.Random(seed)
    if len(pool) >= count:
        return chosen.sample(pool, count)
    found = dict.fromkeys(pool)
    while len(found) < count:
        found[" ".join(chosen.sample(pool, 2))] = None
    shuffled = list(found)
    chosen.shuffle(shuffled)
    return shuffled


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def interleaved(contenders: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Best wall time of each, in turn, so that a busy moment of the machine hits all alike."""
    best: dict[str, float] = {}
    for _ in range(rounds):
        for name, work in contenders.items():
            best[name] = min(best.get(name, float("inf")), seconds(work))
    return best


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def resident_mb(pid: int) -> float | None:
    """Resident memory of a process in MB, None where this system does not tell."""
    status = Path(f"/proc/{pid}/status")
    if status.is_file():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    if os.name == "posix":
        command = ["ps", "-o", "rss=", "-p", str(pid)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return int(done.stdout) / 1024 if done.stdout.strip() else None
    return None


def print_result(benchmark: str, facts: dict[str, Any]) -> None:
    """The closing line: one JSON object with the figures and the machine they were taken on."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    machine = {
        "system": platform.system(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "load_1min": load and round(load, 2),
        "python": platform.python_version(),
    }
    print(json.dumps({"benchmark": benchmark, **facts, "machine": machine}, ensure_ascii=False))


def _open(path: Path) -> AbstractContextManager[TextIO]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()
