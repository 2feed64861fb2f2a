"""Saves the topics of a column of reviews, and tells how those of a later one differ."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from server.topic_drift import Drift

TRAIN_HELP = "Save the topics of a column of texts under a name"
EVALUATE_HELP = "Tell how often saved topics are spoken of in newer texts, and what is new there"


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = f'{TRAIN_HELP}: then =SHOP.TOPICS(A2:A500,"spring") gives each its topic.'
    _add_file(parser)
    parser.add_argument("--max-topics", type=int, default=12, metavar="N", help="at most (12)")
    parser.add_argument(
        "--labels", metavar="A;B;C", help="topics of your own, instead of those found in the texts"
    )
    _add_language(parser)


def train(args: argparse.Namespace) -> int:
    from server.engine import open_knowledge
    from server.settings import Settings
    from server.topic_drift import column_from_file, read_with_encoder, train_topics
    from server.topic_models import folder_of, save_topic_model
    from udfs.catalogue import TOPICS
    from udfs.kinds import WordList

    settings = Settings.from_environment()
    folder = folder_of(settings.home, args.name)
    most = TOPICS.args[2].kind.parse(args.max_topics, "--max-topics")
    labels = WordList(at_least=2).parse(args.labels, "--labels") if args.labels else ()
    texts = column_from_file(args.file, args.column, args.sheet, args.encoding)
    with read_with_encoder(settings) as reader:
        knowledge = open_knowledge(settings).current()
        model = train_topics(args.name, texts, labels, most, args.language, reader, knowledge)
    save_topic_model(folder, model)
    for topic, count in zip(model.made.topics, model.counts, strict=True):
        print(f"{count:7,}  {count / model.rows:6.1%}  {topic.name}: {', '.join(topic.terms)}")
    print(
        f"{len(model.made.topics)} topics of {model.rows:,} texts are saved in {folder}. "
        f'Use them with: =SHOP.TOPICS(A2:A500,"{args.name}")'
    )
    return 0


def add_evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    _add_file(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON line")


def evaluate(args: argparse.Namespace) -> int:
    from server.settings import Settings
    from server.topic_drift import column_from_file, measure_drift, read_with_encoder
    from server.topic_models import folder_of, load_topic_model

    settings = Settings.from_environment()
    model = load_topic_model(folder_of(settings.home, args.name))
    texts = column_from_file(args.file, args.column, args.sheet, args.encoding)
    with read_with_encoder(settings) as reader:
        drift = measure_drift(model, texts, reader)
    print(json.dumps(drift.to_json(), ensure_ascii=False) if args.json else show(drift))
    return 0


def show(drift: Drift) -> str:
    """The drift as a table for a person."""
    lines = [
        f"{drift.rows_then:,} texts then, {drift.rows_now:,} now; shares with 95 % intervals",
        "",
        "| topic | then | now | change |",
        "|---|---|---|---|",
    ]
    for one in [*drift.topics, *drift.new_topics]:
        then, now = (
            f"{part.value:.1%} ({part.lo:.1%} to {part.hi:.1%})" for part in (one.then, one.now)
        )
        lines.append(f"| {one.name} | {then} | {now} | {one.verdict} |")
    if drift.new_topics:
        lines += ["", "new topics:"]
        lines += [
            f"- {one.name} ({', '.join(one.terms)}): {one.example}" for one in drift.new_topics
        ]
    return "\n".join(lines)


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="the table: .csv, .tsv, .xlsx or .parquet")
    parser.add_argument(
        "-c", "--column", required=True, metavar="NAME", help="the column that holds the texts"
    )
    parser.add_argument("--name", required=True, metavar="NAME", help="name of the saved topics")
    parser.add_argument("--sheet", metavar="NAME", help="worksheet to read (default: the first)")
    parser.add_argument(
        "--encoding", metavar="NAME", help="of a csv or tsv file (default: found out)"
    )


def _add_language(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--language",
        default="auto",
        choices=["auto", "en", "zh"],
        help="of names and terms (auto: that of most texts)",
    )
