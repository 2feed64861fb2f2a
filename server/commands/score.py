"""`shopsheet score`: one column of a file, scored into a new file."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from udfs.catalogue import FUNCTIONS
from udfs.function import Function

HELP = "Score a column of a csv, tsv, xlsx or parquet file into a new file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = (
        f"{HELP}.\nA run that was stopped goes on where it was when the same command is given "
        "again."
    )
    parser.epilog = "options of the functions:\n" + "\n".join(
        f"  {line}" for function in FUNCTIONS.values() for line in describe_options(function)
    )
    parser.add_argument("file", type=Path, help="the table: .csv, .tsv, .xlsx or .parquet")
    parser.add_argument(
        "-f", "--function", required=True, metavar="NAME", help=f"one of {', '.join(FUNCTIONS)}"
    )
    parser.add_argument(
        "-c", "--column", required=True, metavar="NAME", help="the column that holds the texts"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="where to write: .csv, .tsv, .xlsx or .parquet (default: FILE with .scored)",
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an argument of the function, see below; may be given several times",
    )
    parser.add_argument("--sheet", metavar="NAME", help="worksheet to read (default: the first)")
    parser.add_argument(
        "--encoding", metavar="NAME", help="of a csv or tsv file (default: found out)"
    )
    parser.add_argument(
        "--restart", action="store_true", help="forget what a stopped run has done and begin again"
    )
    parser.add_argument(
        "--no-store", action="store_true", help="compute anew: neither read nor keep results"
    )
    parser.add_argument(
        "--keep-formulas",
        action="store_true",
        help="csv and tsv: leave texts that begin like a formula as they are",
    )


def describe_options(function: Function) -> list[str]:
    """Lines of help on what --option takes for `function`."""
    return [
        f"{function.name}  {arg.name}=...  {arg.kind.describe()}"
        + ("" if arg.required else f" (default: {arg.default})")
        for arg in function.args[1:]
    ]


def run(args: argparse.Namespace) -> int:
    """0 once the new file is there."""
    from server.local import open_caller
    from server.scoring import Task, read_options, score
    from server.settings import Settings
    from udfs import catalogue

    function = catalogue.get(args.function)
    source: Path = args.file
    target: Path = args.output or default_output(source)
    task = Task(
        source=source,
        target=target,
        function=function,
        column=args.column,
        options=read_options(function, args.option),
        sheet=args.sheet,
        encoding=args.encoding,
        keep_formulas=args.keep_formulas,
        restart=args.restart,
    )
    settings = Settings.from_environment()
    with _one_interrupt(), _Bar(source.name) as bar:
        try:
            summary = score(task, lambda: open_caller(settings, not args.no_store), bar)
        except KeyboardInterrupt:
            bar.close()
            print(
                f"stopped after {bar.done:,} rows, which are kept: the same command goes on there",
                file=sys.stderr,
            )
            return 130
    for note in summary.notes:
        print(f"note: {note}", file=sys.stderr)
    print(report(task.target, function, summary))
    return 0


def report(target: Path, function: Function, summary: Any) -> str:
    """What was done, in one or two lines."""
    model = f" by {summary.model}" if summary.model else ""
    again = f" ({summary.continued:,} of them by an earlier run)" if summary.continued else ""
    lines = [
        f"{target}: {summary.rows:,} rows scored with {function.name}{model}{again}, "
        f"in {', '.join(repr(name) for name in summary.columns[:-1])}."
    ]
    if summary.failed:
        lines.append(
            f"{summary.failed:,} rows have no answer; {summary.columns[-1]!r} tells why for each."
        )
    return "\n".join(lines)


def default_output(source: Path) -> Path:
    """reviews.csv gives reviews.scored.csv; a format that we only read gives .csv or .xlsx."""
    suffix = {".txt": ".csv", ".xlsm": ".xlsx"}.get(source.suffix.lower(), source.suffix)
    return source.with_name(f"{source.stem}.scored{suffix}")


@contextmanager
def _one_interrupt() -> Iterator[None]:
    """Within it the first Ctrl-C stops the run and more are ignored: a model needs a moment to stop
    and must not be torn down in the middle."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signal_number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is stop:  # else the process is about to end
            signal.signal(signal.SIGINT, before)


class _Bar:
    """A progress bar on a terminal, and nothing where nobody looks."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._bar: Any = None
        self.done = 0

    def start(self, total: int | None, done: int) -> None:
        from tqdm import tqdm

        self.done = done
        self._bar = tqdm(
            total=total, initial=done, unit=" rows", desc=self._name, disable=None, smoothing=0.1
        )

    def advance(self, rows: int) -> None:
        self.done += rows
        if self._bar is not None:
            self._bar.update(rows)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
