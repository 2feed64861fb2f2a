"""Next-order dates against the orders of a later period: the fitted gap beside the median gap.

`python bench/next_order.py --data DIR` (the folder that holds tabular/) ends in one JSON line.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from server.customers.next_order import fit_rhythms, next_order
from server.customers.orders import OrderDays, clean_orders

CUTS = {
    "cdnow": ("1997-04-30", "1997-05-31", "1997-06-30"),
    "online_retail": ("2011-03-31", "2011-04-30", "2011-05-31", "2011-06-30"),
}


def load(name: str, folder: Path) -> OrderDays:
    """The order lines of one of the two shops."""
    if name == "cdnow":
        table = pd.read_csv(folder / "cdnow_orders_to_1997-09.csv.gz", dtype={"customer": str})
        ids, dates, amounts = table["customer"], pd.to_datetime(table["date"]), table["amount"]
    else:
        table = pd.read_parquet(folder / "online_retail.parquet").dropna(subset=["CustomerID"])
        ids, dates = table["CustomerID"].astype(int).astype(str), table["InvoiceDate"]
        amounts = table["Quantity"] * table["UnitPrice"]
    return clean_orders(ids.tolist(), dates.to_numpy("datetime64[D]"), amounts.to_numpy(float))


def measure(orders: OrderDays, cut: str) -> dict[str, Any]:
    """Errors in days of both rules, over customers to whom both give a date."""
    as_of = np.datetime64(cut)
    horizon = int((orders.day.max() - as_of).astype(int))
    rhythms = fit_rhythms(orders, as_of)
    bought = orders.amount > 0
    days_of: dict[int, list[np.datetime64]] = {}
    for customer, day in zip(orders.customer[bought], orders.day[bought], strict=True):
        days_of.setdefault(int(customer), []).append(day)
    pairs, real, given = [], [], [0, 0]
    for customer, days in days_of.items():
        before = [day for day in days if day <= as_of]
        dates = [
            next_order(before, as_of),
            next_order(before, as_of, rhythms.get(orders.ids[customer])),
        ]
        given = [count + bool(date) for count, date in zip(given, dates, strict=True)]
        if all(dates):
            pairs.append([int((np.datetime64(date) - as_of).astype(int)) for date in dates])
            after = [day for day in days if day > as_of]
            real.append(float((min(after) - as_of).astype(int)) if after else np.inf)
    predicted, actual = np.array(pairs, dtype=float), np.array(real)
    again = np.isfinite(actual)
    cut_off = np.abs(np.minimum(predicted, horizon) - np.minimum(actual, horizon)[:, None])
    rules: dict[str, Any] = {}
    for place, rule in enumerate(("median gap", "fitted gap")):
        error = np.abs(predicted[again, place] - actual[again])
        rules[rule] = {
            "customers given a date": given[place],
            "median error": float(np.median(error)),
            "mean error": round(float(error.mean()), 1),
            # Who did not order again counts with what is known: not within the horizon.
            "mean error within horizon, all": round(float(cut_off[:, place].mean()), 1),
            "ordered by the date": round(float((actual <= predicted[:, place]).mean()), 2),
        }
    return {
        "cut": cut,
        "horizon_days": horizon,
        "customers": len(actual),
        "ordered again": int(again.sum()),
        **rules,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    folder = parser.parse_args().data / "tabular"
    found = {}
    for name, cuts in CUTS.items():
        orders = load(name, folder)
        found[name] = [measure(orders, cut) for cut in cuts]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
