"""False positives: LIFT_TEST and DRIVERS on data sets in which nothing has an effect.

Each placebo is a draw of Hillstrom's campaign rows whose arms, or whose outcome, are dealt out by
chance. A placebo counts as false if the answer claims anything: any arm, segment or ranking; any
driver. At level 95 at most 5 % may. The data set lies in shared/data and is not part of Shopsheet.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from bench.common import parser, print_result, rows_of
from server.decisions.lift_test import lift_test
from udfs.catalogue_deciding import LIFT_TEST

HILLSTROM = Path("/work/shared/data/tabular/hillstrom_email.csv.gz")
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


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--data", type=Path, default=HILLSTROM, help="Hillstrom's csv")
    arguments.add_argument("--placebos", type=int, default=500)
    arguments.add_argument("--rows", type=int, default=4_000, help="rows drawn for each")
    args = arguments.parse_args()
    if not args.data.is_file():
        sys.exit(f"error: there is no {args.data}. Give Hillstrom's csv with --data.")
    every = rows_of(args.data)
    draw = np.random.default_rng(20_261_125)
    assert LIFT_TEST.spills.table
    facts: dict[str, Any] = {"placebos": args.placebos, "rows": args.rows}
    tasks = {
        "LIFT_TEST visit": lambda rows: lift_claims(rows, "visit", draw),
        "LIFT_TEST spend": lambda rows: lift_claims(rows, "spend", draw),
    }
    for name, task in tasks.items():
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
