"""FORECAST on test sets of the M4 competition: points by sMAPE, MASE, OWA, intervals by MSIS.

    python bench/forecast_m4.py --data ../shared/data [--sets weekly hourly] [--every 1]

Formulas of the competition (Mcompetitions/M4-methods); OWA against its published Naive2. With
--holdout the ends of the training series are forecast instead: for choosing methods, so that the
test is run once. Ends in one JSON line.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from common import ROOT  # puts the repository on the path

from server.series.forecast import Forecast, forecast, smape

# Horizon, season of the scale, seasons of the calendar, sMAPE and MASE of Naive2 as published.
SETS = {
    "weekly": (13, 1, (52,), 9.161, 2.777),
    "hourly": (48, 24, (24, 168), 18.383, 2.395),
}
ALPHA = 0.05


def read(path: Path) -> list[np.ndarray]:
    return [np.array(row.split(), dtype=float) for row in pd.read_csv(path)["values"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--every", type=int, default=1, help="take each n-th series only")
    parser.add_argument("--holdout", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    report: dict[str, object] = {"bench": "forecast_m4", "holdout": args.holdout}
    for name in args.sets:
        horizon, scale_season, seasons, naive_smape, naive_mase = SETS[name]
        folder = args.data / "series"
        past = read(folder / f"m4_{name}_train.csv.gz")[:: args.every]
        future = read(folder / f"m4_{name}_test.csv.gz")[:: args.every]
        if args.holdout:
            future = [one[-horizon:] for one in past]
            past = [one[:-horizon] for one in past]
        started = time.perf_counter()

        def ahead(
            values: np.ndarray, seasons: tuple[int, ...] = seasons, horizon: int = horizon
        ) -> Forecast:
            return forecast(values, seasons, horizon, 95)

        with ThreadPoolExecutor(args.threads) as pool:
            found = list(pool.map(ahead, past))
        rows = []
        for values, actual, one in zip(past, future, found, strict=True):
            scale = float(np.mean(np.abs(values[scale_season:] - values[:-scale_season])))
            outside = np.maximum(one.lo - actual, 0) + np.maximum(actual - one.hi, 0)
            rows.append(
                (
                    smape(actual, one.mean),
                    np.mean(np.abs(actual - one.mean)) / scale,
                    np.mean(one.hi - one.lo + 2 / ALPHA * outside) / scale,
                    np.mean((one.lo <= actual) & (actual <= one.hi)),
                )
            )
        points, scaled, interval, held = np.mean(rows, axis=0)
        report[name] = {
            "series": len(past),
            "smape": round(float(points), 3),
            "mase": round(float(scaled), 3),
            "owa": round(float(points / naive_smape + scaled / naive_mase) / 2, 3),
            "msis": round(float(interval), 3),
            "coverage": round(float(held), 4),
            "seconds": round(time.perf_counter() - started, 1),
        }
        print(name, report[name], flush=True)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
