"""False alarms of LIFT: campaigns that never were, cut from real series at random.

    python bench/lift_placebo.py --data ../shared/data [--campaigns 500]

Series: M4 weekly (training part), Walmart departments (weekly), Australian retail (monthly). Half
of the campaigns have two or three other series of the same set as controls, the nearest by the
changes before the start. Ends in one JSON line: the share whose interval leaves out no effect.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
from common import ROOT  # puts the repository on the path

from server.series.lift import lift
from udfs.errors import OutOfRange


def read(data: Path) -> dict[str, tuple[list[np.ndarray], tuple[int, ...]]]:
    """The series of each set, and their season."""
    folder = data / "series"
    weekly = pd.read_csv(folder / "m4_weekly_train.csv.gz")["values"]
    walmart = pd.read_csv(folder / "walmart_sales_to_2012-04.csv.gz")
    retail = pd.read_csv(folder / "aus_retail_to_2016.csv.gz")
    by_department = walmart.groupby(["Store", "Dept"])["Weekly_Sales"]
    return {
        "m4 weekly": ([np.array(row.split(), float) for row in weekly], (52,)),
        "walmart": ([part.to_numpy(float) for _, part in by_department if len(part) == 117], (52,)),
        "retail": (
            [part["Turnover"].to_numpy(float) for _, part in retail.groupby("Series ID")],
            (12,),
        ),
    }


def campaign(
    series: list[np.ndarray], with_controls: bool, draw: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, int]:
    """Values, controls and start of a campaign that never was."""
    while True:
        chosen = int(draw.integers(len(series)))
        values = series[chosen]
        count = int(draw.integers(60, 200))
        if len(values) >= count and np.ptp(values[:60]) > 0:
            break
    after = int(draw.integers(4, max(5, count // 4)))
    start = count - after
    end = len(values) - int(draw.integers(0, len(values) - count + 1))
    values = values[end - count : end]
    controls = np.zeros((count, 0))
    if with_controls:
        others = [one[end - count : end] for n, one in enumerate(series) if n != chosen]
        others = [one for one in others if len(one) == count and np.ptp(one[:start]) > 0]
        alike = [_alike(values[:start], one[:start]) for one in others]
        best = np.argsort(alike)[::-1][: int(draw.integers(2, 4))]
        if len(best):
            controls = np.column_stack([others[place] for place in best])
    return values, controls, start


def _alike(one: np.ndarray, other: np.ndarray) -> float:
    changes = np.diff(one), np.diff(other)
    if min(part.std() for part in changes) == 0:
        return 0.0
    return float(abs(np.corrcoef(*changes)[0, 1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--campaigns", type=int, default=500)
    parser.add_argument("--level", type=float, default=95.0)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    sets = read(args.data)
    draw = np.random.default_rng(args.seed)
    alarms: dict[str, list[bool]] = {}
    started = time.perf_counter()
    for number in range(args.campaigns):
        name = list(sets)[number % len(sets)]
        with_controls = number // len(sets) % 2 == 0
        series, seasons = sets[name]
        values, controls, start = campaign(series, with_controls, draw)
        try:
            found = lift(values, np.ones(len(values), bool), start, controls, seasons, args.level)
        except OutOfRange:
            continue
        key = f"{name}, {'controls' if with_controls else 'alone'}"
        alarms.setdefault(key, []).append(not found.lo <= 0 <= found.hi)
    every = [alarm for found in alarms.values() for alarm in found]
    for key, found in alarms.items():
        print(f"{key}: {sum(found)} of {len(found)}")
    print(
        json.dumps(
            {
                "bench": "lift_placebo",
                "level": args.level,
                "seed": args.seed,
                "campaigns": len(every),
                "false_positives": round(float(np.mean(every)), 4),
                "by_set": {key: round(float(np.mean(found)), 4) for key, found in alarms.items()},
                "seconds": round(time.perf_counter() - started, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
