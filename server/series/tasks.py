"""What the worker does with the series of a call: one answer, or one error, per series."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from server.series.tables import forecast_rows
from server.series.tables_effects import anomaly_rows, lift_rows
from udfs.errors import ShopsheetError

# What each does is in statsforecast's C++ for the most part, which lets other threads run.
THREADS = max(1, min(8, os.cpu_count() or 1))
_TASKS: dict[str, Callable[[Mapping[str, Any]], list[Any]]] = {
    "forecast": forecast_rows,
    "anomaly": anomaly_rows,
    "lift": lift_rows,
}


def run(task: str, items: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Per item the rows of its answer, or the ShopsheetError that it met."""
    work = _TASKS[task]

    def one(item: Mapping[str, Any]) -> Any:
        try:
            with np.errstate(all="ignore"):
                return work(item)
        except ShopsheetError as error:
            return error

    if len(items) < 2 or THREADS < 2:
        return [one(item) for item in items]
    with ThreadPoolExecutor(THREADS, thread_name_prefix="shopsheet-series") as pool:
        return list(pool.map(one, items))
