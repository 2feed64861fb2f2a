"""`shopsheet refresh`: computes the formulas of a workbook without Excel."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from udfs.refresh import Progress, Report

HELP = """Compute the SHOP formulas of an .xlsx or .xlsm workbook, without Excel.

Only values change; everything else in the file keeps its bytes. Ordinary formulas that depend on
changed cells are recomputed too. If the server cannot be reached the file is left as it was."""

MAX_NOTES = 10  # of a kind are printed; --diff and --json show all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing; the parser knows the arguments of this verb."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("workbook", type=Path, help="the .xlsx or .xlsm file")
    parser.add_argument(
        "-o", "--output", type=Path, help="write here and leave the workbook as it is"
    )
    parser.add_argument(
        "--diff",
        action="store_true",
        help="list each changed cell with its old value, new value and the cause",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="compute and report, but write nothing"
    )
    parser.add_argument(
        "--backup", action="store_true", help="keep the old file as NAME.backup.xlsx beside it"
    )
    parser.add_argument("--json", action="store_true", help="print the whole report as JSON")
    parser.add_argument(
        "--timeout", type=float, default=1800.0, metavar="SECONDS",
        help="longest wait for one answer of the server (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(args: argparse.Namespace) -> int:
    """0 when the workbook was refreshed.

    Raises: ShopsheetError if it was not; the file is then as it was.
    """
    from udfs.client import Client
    from udfs.refresh import refresh

    show = not args.quiet and sys.stderr.isatty()
    with Client.from_environment(timeout_s=args.timeout) as client, _Bar(show) as bar:
        report = refresh(
            args.workbook,
            client,
            output=args.output,
            dry_run=args.dry_run,
            backup=args.backup,
            progress=bar.show,
        )
    if args.json:
        print(json.dumps(report.to_json(), ensure_ascii=False, indent=2))
        return 0
    if args.diff:
        print_diff(report, print)
    print_summary(report, args.dry_run, all_notes=args.diff)
    return 0


class _Bar:
    """A progress bar of the cells that the server answers; nothing where it is not wanted."""

    def __init__(self, show: bool) -> None:
        self._show = show
        self._bar: Any = None

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, progress: Progress) -> None:
        """Nothing; the bar stands where the refresh is."""
        if not self._show or not progress.cells_asked:
            return
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(unit=" cells", desc="refresh", file=sys.stderr, leave=False)
        self._bar.total = progress.cells_asked
        self._bar.n = progress.cells_answered
        self._bar.refresh()


def print_diff(report: Report, write: Callable[[str], object]) -> None:
    """Nothing; one line per changed cell: place, old -> new, cause."""
    for change in report.changes:
        write(
            f"{change.sheet}!{change.cell}: {_shown(change.old)} -> {_shown(change.new)}"
            f"  ({change.cause})"
        )


def print_summary(report: Report, dry_run: bool, all_notes: bool = False) -> None:
    """Nothing; what was done is on stdout, what needs a look on stderr."""
    if not report.formulas:
        print(f"{report.workbook} has no SHOP formulas: nothing to refresh.")
    else:
        cells = _count(report.formulas, "formula")
        models = f" by {', '.join(report.models)}" if report.models else ""
        print(
            f"{cells} with SHOP functions computed{models}, "
            f"{_count(report.dependents, 'dependent formula')} recomputed, "
            f"{_count(len(report.changes), 'cell')} changed "
            f"({_count(report.requests, 'request')}, {report.seconds:.1f} s)."
        )
    if dry_run:
        print("Nothing was written (--dry-run).")
    elif report.written is not None:
        kept = f" The old file is {report.backup}." if report.backup else ""
        print(f"Written: {report.written}.{kept}")
    elif report.formulas:
        print(f"{report.workbook} is up to date; the file was not touched.")
    limit = None if all_notes else MAX_NOTES
    _print_notes(
        [f"{note.sheet}!{note.cell} shows {note.text}" for note in report.errors], "error", limit
    )
    _print_notes(
        [
            f"{note.sheet}!{note.cell} was not recomputed and keeps its value: {note.text}"
            for note in report.not_recomputed
        ],
        "not recomputed",
        limit,
    )
    _print_notes(report.warnings, "warning", None)


def _print_notes(lines: list[str], what: str, limit: int | None) -> None:
    for line in lines[:limit]:
        print(f"{what}: {line}", file=sys.stderr)
    if limit is not None and len(lines) > limit:
        print(
            f"{what}: and {len(lines) - limit:,} more cells (all with --diff or --json)",
            file=sys.stderr,
        )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _shown(value: object) -> str:
    if value is None or value == "":
        return "(empty)"
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return f"{value:.15g}"
    return str(value)
