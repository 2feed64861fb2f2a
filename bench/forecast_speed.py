"""Time of FORECAST for many monthly series of 5 years, beside AutoETS and Prophet, in one run.

    python bench/forecast_speed.py [--series 1000] [--prophet 20]

Series are made from a fixed seed: level, trend, season and noise of many sizes. Ours goes the whole
way from the rows of a sheet through the worker's task to the rows of the answer, intervals from the
backtest included; AutoETS (statsforecast) and Prophet give points and their own intervals. Prophet
is timed on few series and scaled up; it is left out where it is not installed. One JSON line at the
end.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import common  # noqa: F401  puts the repository on the path
import numpy as np

from server.series.tasks import run
from udfs.kinds import DAY_ZERO

MONTHS, HORIZON = 60, 12


def make(count: int) -> np.ndarray:
    draw = np.random.default_rng(0)
    steps = np.arange(MONTHS)
    size = draw.lognormal(5, 1, (count, 1))
    trend = 1 + draw.normal(0, 0.005, (count, 1)) * steps
    phase = draw.uniform(0, 2 * np.pi, (count, 1))
    season = 1 + draw.uniform(0, 0.4, (count, 1)) * np.sin(2 * np.pi * steps / 12 + phase)
    noise = np.exp(draw.normal(0, 1, (count, MONTHS)) * draw.uniform(0.02, 0.2, (count, 1)))
    return np.round(size * np.maximum(trend, 0.3) * season * noise, 2)


def ours(series: np.ndarray) -> float:
    months = (np.datetime64("2019-01") + np.arange(MONTHS)).astype("datetime64[D]")
    times = (months - np.datetime64(DAY_ZERO)).astype(float).tolist()
    item = {
        "horizon": HORIZON,
        "level": 95.0,
        "output": "forecast",
        "country": None,
        "written": False,
        "future": None,
        "times": times,
        "blank": [],
        "drivers": None,
    }
    started = time.perf_counter()
    answers = run("forecast", [{**item, "values": values.tolist()} for values in series])
    taken = time.perf_counter() - started
    assert all(len(answer) == HORIZON for answer in answers)
    return taken


def auto_ets(series: np.ndarray, threads: int) -> float:
    from statsforecast.models import AutoETS

    def one(values: np.ndarray) -> object:
        return AutoETS(12).forecast(y=values, h=HORIZON, level=[95])

    started = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, series))
    return time.perf_counter() - started


def prophet(series: np.ndarray) -> float | None:
    try:
        import pandas as pd
        from prophet import Prophet
    except ImportError:
        return None
    logging.disable(logging.WARNING)
    dates = pd.date_range("2019-01-01", periods=MONTHS, freq="MS")
    started = time.perf_counter()
    for values in series:
        model = Prophet(weekly_seasonality=False, daily_seasonality=False)
        model.fit(pd.DataFrame({"ds": dates, "y": values}))
        model.predict(model.make_future_dataframe(HORIZON, freq="MS"))
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--prophet", type=int, default=20, help="series that Prophet is timed on")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    series = make(args.series)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    run("forecast", [])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ours(series[:2])  # imports
    imported = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    worked = time.process_time()
    taken = ours(series)
    worked = time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ets = auto_ets(series, cores or 1)
    few = prophet(series[: args.prophet]) if args.prophet else None
    print(
        json.dumps(
            {
                "bench": "forecast_speed",
                "series": len(series),
                "months": MONTHS,
                "cores": cores,
                "seconds": round(taken, 1),
                "cpu_seconds": round(worked, 1),
                "auto_ets_seconds": round(ets, 1),
                "prophet_seconds_scaled": few and round(few / args.prophet * len(series), 1),
                "import_mb": round((imported - before) / 1024),
                "working_mb": round((peak - imported) / 1024),
            }
        )
    )


if __name__ == "__main__":
    main()
