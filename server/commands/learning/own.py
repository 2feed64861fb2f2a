"""What `shopsheet train sentiment`, `classify` and `aspects` have in common."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from server.own.reader import Progress, Reader
    from server.own.rows import Labelled
    from server.own.training import Trained
    from server.settings import Settings

NAMES = {"accuracy": "accuracy", "macro_f1": "macro-F1", "ece": "calibration error",
         "f1": "F1, aspect and polarity", "aspect_f1": "F1, aspect",
         "polarity_accuracy": "right polarities"}  # fmt: skip


def add_file(parser: argparse.ArgumentParser, needed: bool) -> None:
    """The file of labelled rows, and which part of it to read."""
    parser.add_argument(
        "file",
        type=Path,
        nargs=None if needed else "?",
        help="the table: .csv, .tsv, .xlsx or .parquet",
    )
    parser.add_argument("--text", metavar="NAME", help="the column that holds the texts")
    parser.add_argument("--sheet", metavar="NAME", help="worksheet to read (default: the first)")
    parser.add_argument(
        "--range", metavar="RANGE", dest="area", help="cells to read, such as Sheet1!A1:B500"
    )
    parser.add_argument(
        "--encoding", metavar="NAME", help="of a csv or tsv file (default: found out)"
    )
    parser.add_argument(
        "--skip-rare", action="store_true", help="leave out labels that too few rows have"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON line")


def add_training(parser: argparse.ArgumentParser) -> None:
    """What only training takes."""
    parser.add_argument(
        "--again",
        action="store_true",
        help="fit the rows that were kept anew, as after an update of Shopsheet",
    )
    parser.add_argument(
        "--force", action="store_true", help="use the new version even if it is worse"
    )


def add_name(parser: argparse.ArgumentParser) -> None:
    """The name of labels of the user's own."""
    parser.add_argument("--name", required=True, metavar="NAME", help="name of the saved labels")


def train(args: argparse.Namespace, kind: str) -> int:
    """0 if the new version is in use, 1 if it is worse and was only kept."""
    from server.own.training import rows_kept
    from server.own.training import train as train_version
    from server.own.versions import NAMELESS, Versions
    from server.settings import Settings

    settings = Settings.from_environment()
    versions = Versions(settings.home, kind, getattr(args, "name", None) or NAMELESS)
    if args.again:
        data, source = rows_kept(versions)
    else:
        data, source = read_rows(args, kind), _source(args)
    with reading(settings) as (reader, progress):
        trained = train_version(versions, data, reader, source, args.force, progress)
    print(json.dumps(trained.to_json(), ensure_ascii=False) if args.json else show(trained))
    return 0 if trained.is_used else 1


def evaluate(args: argparse.Namespace, kind: str) -> int:
    """0, once the scores are printed."""
    from server.own.kinds import kind_of
    from server.own.training import score_in_use
    from server.own.versions import NAMELESS, Versions
    from server.settings import Settings

    settings = Settings.from_environment()
    versions = Versions(settings.home, kind, getattr(args, "name", None) or NAMELESS)
    data = read_rows(args, kind)
    with reading(settings) as (reader, _):
        version, scores = score_in_use(kind_of(kind), versions, reader, data.rows)
    facts = {"model": versions.title, "version": version, "rows": len(data.rows), "scores": scores}
    if args.json:
        print(json.dumps(facts, ensure_ascii=False))
        return 0
    print(f"{versions.title}, version {version}, on {len(data.rows):,} rows:")
    print("\n".join(f"  {NAMES[name]}: {value:.4f}" for name, value in scores.items()))
    return 0


def read_rows(args: argparse.Namespace, kind: str) -> Labelled:
    """The labelled rows of the file. Raises: BadInput."""
    from server.own.rows import without_rare
    from server.own.source import Columns, rows_in
    from server.tables import open_table
    from udfs.errors import BadInput

    if args.file is None or args.text is None:
        raise BadInput(
            f"Name a file and its columns: shopsheet train {kind} FILE --text NAME ... , or say "
            "--again to fit the rows that were kept."
        )
    table = open_table(args.file, args.sheet, args.encoding, args.area)
    columns = Columns.of(kind, vars(args))
    try:
        data = rows_in(table, kind, columns)
    except BadInput as error:
        if args.area or not hasattr(table, "sheet") or len(table.columns) > 1:
            raise
        raise BadInput(
            f"{error.message} If a title stands above them, name the cells: --range "
            f"\"'{table.sheet}'!A3:H500\""
        ) from error
    return without_rare(data) if args.skip_rare else data


def _source(args: argparse.Namespace) -> str:
    place = args.area or args.sheet
    return f"{args.file.name}, {place}" if place else str(args.file.name)


@contextmanager
def reading(settings: Settings) -> Iterator[tuple[Reader, Progress]]:
    """What reads texts, in this process and with the result store, and shows how far it is."""
    from tqdm import tqdm

    from server.engine import Engine
    from server.own.reader import Progress, Reader

    bar: Any = tqdm(unit=" texts", disable=None)

    def tell(step: str, done: int, total: int) -> None:
        bar.total, bar.n = total, done
        bar.set_description(step)

    progress = Progress(tell)
    try:
        with Engine(settings) as engine:
            engine.wait_ready(settings.load_timeout_s)
            yield Reader(engine, progress), progress
    finally:
        bar.close()


def show(trained: Trained) -> str:
    """The scores side by side, and what became of the version."""
    lines = [f"note: {note}" for note in trained.notes]
    lines += [
        f"{trained.rows:,} different texts; {trained.held_out:,} of them were held out to measure.",
        "",
        f"| on the held-out rows | version {trained.version.id} | before: {trained.before} |",
        "|---|---|---|",
    ]
    for name, value in trained.scores.items():
        lines.append(f"| {NAMES[name]} | {value:.4f} | {trained.scores_before[name]:.4f} |")
    lines.append("")
    if not trained.is_used:
        lines.append(
            f"Version {trained.version.id} of {trained.title} is worse than {trained.before}, so "
            "it is kept but not used. Use it all the same with: shopsheet models use "
            f"{trained.typed} {trained.version.id}"
        )
        return "\n".join(lines)
    lines.append(
        f"Version {trained.version.id} of {trained.title} is in use. {_how_to_use(trained)} "
        f"Take it back with: shopsheet models back {trained.typed}"
    )
    return "\n".join(lines)


def _how_to_use(trained: Trained) -> str:
    kind, _, name = trained.title.partition(" ")
    asked = {"classify": f',"{name}"', "aspects": f',"{";".join(list(trained.labels)[:3])}"'}
    return f"=SHOP.{kind.upper()}(A2:A500{asked.get(kind, '')}) answers with it."
