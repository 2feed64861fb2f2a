"""What `shopsheet train sentiment`, `classify` and `aspects` bring, on public sets used as a user
would use rows of their own.

    python bench/own_models.py --rows 2000

Each set is a sample of labelled rows. Every fifth text is held out by the same rule as for users;
beside the fitted version stands the model that comes with Shopsheet, on the same rows. The tweets
and the sentences on hotels were never used to train the encoder; the texts of the intents and of
the shop reviews were, so the intents are measured on their test split too. Ends in one JSON line.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from common import ROOT, parser, print_result, rows_of, seconds

DATA = Path(os.environ.get("SHOPSHEET_DATA") or ROOT.parent / "shared" / "data")
Rows = list[list[Any]]


def brand_tweets() -> Iterator[list[Any]]:
    """Polarity of tweets about brands, English."""
    for row in rows_of(DATA / "text" / "sentiment_en_brand_tweets.csv.gz"):
        yield [row["text"], row["label"]]


def product_categories() -> Iterator[list[Any]]:
    """Which of ten kinds of goods a review is of, Chinese."""
    for row in rows_of(DATA / "text" / "sentiment_zh_online_shopping.csv.gz"):
        if row["split"] == "train":
            yield [row["text"], row["category"]]


def intents(split: str = "train") -> Iterator[list[Any]]:
    """Which of 27 things a customer wants from service, English."""
    for row in rows_of(DATA / "text" / "intents_en_bitext.csv.gz"):
        if row["split"] == split:
            yield [row["utterance"], row["intent"]]


def hotel_aspects() -> Iterator[list[Any]]:
    """Aspects and polarities of sentences on hotels, English; a row for each."""
    with gzip.open(DATA / "text" / "aspects_en_memd.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["domain"] != "hotel" or row["split"] != "test":
                continue
            for one in row["quadruples"]:
                name = one["category"].partition("#")[0].lower().replace("&", " & ")
                yield [" ".join(row["tokens"]), name.replace("_", " "), one["polarity"]]


SETS: dict[str, tuple[str, Callable[[], Iterator[list[Any]]], list[str]]] = {
    "brand_tweets_en": ("sentiment", brand_tweets, ["text", "label"]),
    "product_categories_zh": ("classify", product_categories, ["text", "label"]),
    "intents_en": ("classify", intents, ["text", "label"]),
    "hotel_aspects_en": ("aspects", hotel_aspects, ["text", "aspect", "polarity"]),
}


def sample(rows: Rows, count: int) -> Rows:
    """Rows of `count` texts, always the same."""
    texts = sorted({row[0] for row in rows})
    chosen = set(random.Random(0).sample(texts, min(count, len(texts))))
    return [row for row in rows if row[0] in chosen]


def measure(name: str, count: int, engine: Any, home: Path) -> dict[str, Any]:
    """Scores of the fitted version and of the shipped model on one set."""
    from server.own.kinds import kind_of
    from server.own.reader import Reader
    from server.own.rows import without_rare
    from server.own.source import Columns, SheetTable, rows_in
    from server.own.training import score_in_use, train
    from server.own.versions import NAMELESS, Versions

    kind, read, header = SETS[name]
    table = SheetTable([header, *sample(list(read()), count)], name)
    data = without_rare(
        rows_in(table, kind, Columns.of(kind, dict(zip(header, header, strict=True))))
    )
    versions = Versions(home, kind, name if kind == "classify" else NAMELESS)
    reader = Reader(engine)
    reading = seconds(lambda: reader.outcomes([row.text for row in data.rows]))
    trained: list[Any] = []
    fitting = seconds(lambda: trained.append(train(versions, data, reader, name)))
    facts: dict[str, Any] = trained[0].to_json()
    if name == "intents_en":
        table = SheetTable([header, *intents("test")], name)
        test = rows_in(table, kind, Columns.of(kind, dict(zip(header, header, strict=True))))
        _, facts["test"] = score_in_use(kind_of(kind), versions, reader, test.rows)
        facts["test_before"] = kind_of(kind).score(reader, None, test.rows)
        facts["test_rows"] = len(test.rows)
    keep = ("rows", "held_out", "used", "scores", "scores_before", "test_rows", "test",
            "test_before")  # fmt: skip
    return {
        "set": name,
        "labels": len(facts["labels"]),
        **{key: facts[key] for key in keep if key in facts},
        "reading_s": round(reading, 1),
        "fitting_s": round(fitting, 1),
    }


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--rows", type=int, default=2000, help="texts of each set (2000)")
    options.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    options.add_argument("--store", type=Path, help="folder that keeps what was read, for a rerun")
    args = options.parse_args()
    from server.engine import Engine
    from server.settings import Settings

    results = []
    with tempfile.TemporaryDirectory() as folder:
        home = args.store or Path(folder)
        settings = Settings.from_environment(home=home, encoder_folder=args.folder)
        with Engine(settings) as engine:
            engine.wait_ready(300)
            version = engine.encoder().version
            for name in args.sets:
                with tempfile.TemporaryDirectory() as models:
                    result = measure(name, args.rows, engine, Path(models))
                results.append(result)
                print(json.dumps(result, ensure_ascii=False), flush=True)
    print_result("own_models", {"encoder": version, "texts": args.rows, "sets": results})


if __name__ == "__main__":
    main()
