"""Saves the RFM cut-points of order lines, and tells how later customers fall by them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from server.customers.orders import CustomerSummary
    from server.segment_models import SavedSegments

TRAIN_HELP = "Save the RFM cut-points of order lines under a name"
EVALUATE_HELP = "Tell how later customers fall into segments by saved cut-points"


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        f"{TRAIN_HELP}: then "
        '=SHOP.SEGMENT(A2:A900,B2:B900,C2:C900,"RFM","q3") judges later customers by them.'
    )
    _add_file(parser)
    parser.add_argument("--bins", type=int, default=5, metavar="N", help="steps of a score (5)")


def train(args: argparse.Namespace) -> int:
    from server.customers.rfm import fit_scheme, score_customers, segment_rules
    from server.segment_models import make_saved, path_of, save_segments
    from server.settings import Settings

    path = path_of(Settings.from_environment().home, args.name)
    summary = _summary(args)
    scheme = fit_scheme(summary, args.bins)
    saved = make_saved(args.name, summary, score_customers(summary, scheme), scheme)
    save_segments(path, saved)
    for segment, rule in segment_rules(scheme).items():
        count = saved.customers.get(segment, 0)
        print(f"{count:7,}  {count / saved.total:6.1%}  {segment}: {rule}")
    print(
        f"The cut-points of {saved.total:,} customers as of {saved.as_of} are saved in {path}. "
        f'Use them with: =SHOP.SEGMENT(A2:A900,B2:B900,C2:C900,"RFM","{args.name}")'
    )
    return 0


def add_evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    _add_file(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON line")


def evaluate(args: argparse.Namespace) -> int:
    import json

    from server.segment_models import load_segments, path_of
    from server.settings import Settings

    saved = load_segments(path_of(Settings.from_environment().home, args.name))
    summary = _summary(args)
    rows = compare(saved, summary)
    if args.json:
        print(json.dumps({"as_of": str(summary.as_of), "segments": rows}, ensure_ascii=False))
        return 0
    print(f"{saved.total:,} customers as of {saved.as_of}, {len(summary.ids):,} as of", end=" ")
    print(f"{summary.as_of}; by the cut-points {saved.name!r}; shares with 95 % intervals\n")
    print("| segment | then | now | change |\n|---|---|---|---|")
    for row in rows:
        print(f"| {row['segment']} | {_share(row['then'])} | {_share(row['now'])} | ", end="")
        print(f"{row['verdict']} |")
    return 0


def compare(saved: SavedSegments, summary: CustomerSummary) -> list[dict[str, Any]]:
    """Per segment its share then and now; verdict: more, less, or "" where it may be chance."""
    from collections import Counter

    from server.customers.rfm import SEGMENTS, score_customers
    from server.topic_drift import newcombe, wilson

    now = Counter(score_customers(summary, saved.scheme).segments)
    rows = []
    for segment in SEGMENTS:
        shares = [
            wilson(counts.get(segment, 0), total)
            for counts, total in ((saved.customers, saved.total), (now, len(summary.ids)))
        ]
        difference = newcombe(shares[1], shares[0])
        verdict = "more" if difference.lo > 0 else "less" if difference.hi < 0 else ""
        then, later = ({"share": one.value, "lo": one.lo, "hi": one.hi} for one in shares)
        rows.append({"segment": segment, "then": then, "now": later, "verdict": verdict})
    return rows


def _share(part: dict[str, float]) -> str:
    return f"{part['share']:.1%} ({part['lo']:.1%} to {part['hi']:.1%})"


def _summary(args: argparse.Namespace) -> CustomerSummary:
    import numpy as np

    from server.customers.orders import summarise
    from server.segment_models import orders_from_file
    from udfs.kinds import Day

    day = Day().parse(args.as_of, "--as-of") if args.as_of else None
    columns = {"id": args.id, "date": args.date, "amount": args.amount}
    orders = orders_from_file(args.file, columns, args.sheet, args.encoding)
    if orders.left_out.total:
        print(f"{orders.left_out.total:,} lines without id, date or amount are left out.")
    return summarise(orders, None if day is None else np.datetime64(day, "D"))


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="order lines: .csv, .tsv, .xlsx or .parquet")
    for what in ("id", "date", "amount"):
        parser.add_argument(
            f"--{what}", required=True, metavar="NAME", help=f"the column that holds the {what}"
        )
    parser.add_argument("--name", required=True, metavar="NAME", help="name of the cut-points")
    parser.add_argument("--as-of", metavar="DATE", help="day to count from (the last of the data)")
    parser.add_argument("--sheet", metavar="NAME", help="worksheet to read (default: the first)")
    parser.add_argument(
        "--encoding", metavar="NAME", help="of a csv or tsv file (default: found out)"
    )
