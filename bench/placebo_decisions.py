"""False positives: LIFT_TEST and DRIVERS on data sets in which nothing has an effect.

Each placebo is a draw of Hillstrom's campaign rows whose arms, or whose outcome, are dealt out by
chance. A placebo counts as false if the answer claims anything: any arm, segment or ranking; any
driver. In the last line the outcome is real, and columns of noise stand beside the real ones. At
level 95 at most 5 % may. The data set lies in shared/data and is not part of Shopsheet.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from bench.common import parser, print_result, rows_of
from server.decisions.columns import read_sheet
from server.decisions.drivers import drivers, read_drivers
from server.decisions.lift_test import lift_test

DATA = Path(os.environ.get("SHOPSHEET_DATA") or Path(__file__).parents[2] / "shared" / "data")
HILLSTROM = DATA / "tabular" / "hillstrom_email.csv.gz"
Table = list[list[Any]]


def column(rows: list[dict[str, str]], name: str, number: bool = False) -> Table:
    """The column with its heading, as a sheet passes it."""
    return [[name], *([float(row[name]) if number else row[name]] for row in rows)]


def lift_claims(rows: list[dict[str, str]], outcome: str, draw: np.random.Generator) -> bool:
    """Whether LIFT_TEST claims anything of arms that were dealt out by chance."""
    arms = column(rows, "segment")
    arms[1:] = [arms[1:][place] for place in draw.permutation(len(rows))]
    segment = column(rows, "history_segment" if draw.random() < 0.5 else "channel")
    header, *lines = lift_test(column(rows, outcome, number=True), arms, segment)
    place, said = header.index("p adjusted"), header.index("in words")
    quiet = ("No ", "Too few", "无", "未")
    claims = [
        line for line in lines
        if line[0] != "check" and (line[place] < 0.05) and not line[said].startswith(quiet)
    ]  # fmt: skip
    return bool(claims)


FEATURES = ("recency", "history", "mens", "womens", "zip_code", "newbie", "channel", "segment")
NUMBERS = ("recency", "history", "mens", "womens", "newbie", "visit", "spend")


def factors(target: Table, features: Table) -> list[str]:
    """The factors that DRIVERS names."""
    sheet = read_sheet({"target": target, "features": features}, one_column=("target",))
    answer = drivers(read_drivers(sheet), [], 10)
    return [line[0] for line in answer[1:] if line[0] != "note"]


def beside(rows: list[dict[str, str]], names: tuple[str, ...]) -> Table:
    """Columns side by side, with their headings."""
    columns = [column(rows, name, number=name in NUMBERS) for name in names]
    return [[column[place][0] for column in columns] for place in range(len(rows) + 1)]


def driver_claims(rows: list[dict[str, str]], outcome: str, draw: np.random.Generator) -> bool:
    """Whether DRIVERS names any factor of an outcome that was dealt out by chance."""
    target = column(rows, outcome, number=True)
    target[1:] = [target[1:][place] for place in draw.permutation(len(rows))]
    return bool(factors(target, beside(rows, FEATURES)))


def noise_claims(rows: list[dict[str, str]], draw: np.random.Generator) -> bool:
    """Whether DRIVERS names a column of noise that stands beside the real ones."""
    features = beside(rows, FEATURES)
    for name in ("channel", "history", "newbie"):
        cells = column(rows, name, number=name in NUMBERS)
        dealt = [[f"noise {name}"], *(cells[1:][place] for place in draw.permutation(len(rows)))]
        features = [[*row, *cell] for row, cell in zip(features, dealt, strict=True)]
    named = factors(column(rows, "visit", number=True), features)
    return any(name.startswith("noise ") for name in named)


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--data", type=Path, default=HILLSTROM, help="Hillstrom's csv")
    arguments.add_argument("--placebos", type=int, default=500)
    arguments.add_argument("--only", default="", help="only the lines whose name holds this")
    arguments.add_argument("--rows", type=int, default=2_000, help="rows drawn for each")
    args = arguments.parse_args()
    if not args.data.is_file():
        sys.exit(f"error: there is no {args.data}. Give Hillstrom's csv with --data.")
    every = rows_of(args.data)
    draw = np.random.default_rng(20_261_125)
    facts: dict[str, Any] = {"placebos": args.placebos, "rows": args.rows}
    tasks = {
        "LIFT_TEST visit": lambda rows: lift_claims(rows, "visit", draw),
        "LIFT_TEST spend": lambda rows: lift_claims(rows, "spend", draw),
        "DRIVERS visit": lambda rows: driver_claims(rows, "visit", draw),
        "DRIVERS spend": lambda rows: driver_claims(rows, "spend", draw),
        "DRIVERS noise beside real": lambda rows: noise_claims(rows, draw),
    }
    for name, task in tasks.items():
        if args.only not in name:
            continue
        start, false = time.perf_counter(), 0
        for _ in range(args.placebos):
            chosen = draw.choice(len(every), args.rows, replace=False)
            false += task([every[place] for place in chosen])
        facts[name] = round(false / args.placebos, 4)
        print(
            f"{name}: {false} of {args.placebos}, {time.perf_counter() - start:.0f} s", flush=True
        )
    print_result("placebo_decisions", facts)


if __name__ == "__main__":
    main()
