"""Reads the public data folder and turns it into clean, de-duplicated texts with labels.

The folder is named by the user (`--data`); nothing at run time needs it. Every set is used as its
licence note allows: rows marked for evaluation never reach a training list, and a training text
that also occurs in an evaluation set, whole or by a run of thirteen words, is dropped.
"""

import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from server.models.normalise import normalise
from server.training.written_texts import long_texts, mixed_texts, neutral_texts

LABELS = ("negative", "neutral", "positive", "mixed")
NEGATIVE, NEUTRAL, POSITIVE, MIXED = ({label} for label in LABELS)
UNSURE = {
    "neutral",
    "mixed",
}  # three stars: so-so, or good and bad together; either answer is right
SELF_LABELLED = "zh_eprstmt_unlabelled"
TAUGHT = ("en_varied", "en_sentences")  # labelled by the teacher alone
UNLABELLED = ("zh_terms", "en_terms", "zh_searches", *TAUGHT)  # by people
MADE_SOURCES = {  # whose texts or labels we made, not people who judge
    *(f"{language}_{kind}" for language in ("en", "zh") for kind in ("written", "contrast")),
    "en_long",
    "en_descriptions",
    "en_bitext",
    "zh_queries",
    SELF_LABELLED,
}
SHINGLE = 13
WRITTEN_TEXTS = 4000  # of each kind and language
LONG_TEXTS = 1500  # of each pole


@dataclass(frozen=True)
class Example:
    """A text and the set of labels that count as right for it."""

    text: str
    labels: frozenset[str]
    source: str


def load_training_texts(data: Path) -> dict[str, list[str]]:
    """Unlabelled texts for masked-language training, by source; evaluation texts removed."""
    barred = EvaluationTexts(data)
    table = pd.read_csv
    text = data / "text"
    sources: dict[str, Iterable[str]] = {
        "zh_online_shopping": _split(table(text / "sentiment_zh_online_shopping.csv.gz")).text,
        "zh_eprstmt": _split(table(text / "sentiment_zh_eprstmt.csv.gz")).text,
        "zh_eprstmt_unlabelled": table(text / "unlabelled_zh_eprstmt.csv.gz").text,
        "zh_queries": table(text / "queries_zh_shopping.csv.gz").text,
        "zh_dianping": ("".join(row["tokens"]) for row in _aspects(text, "zh_dianping")),
        "zh_cosmetics": (row["text"] for row in _aspects(text, "zh_cosmetics")),
        "en_amazon": _split(table(text / "stars_en_amazon.csv.gz")).text,
        "en_sst2": _split(table(text / "sentiment_en_sst2.csv.gz")).text,
        "en_memd": (detokenise(row["tokens"]) for row in _aspects(text, "en_memd")),
        "en_acos": (detokenise(row["tokens"]) for row in _aspects(text, "en_acos")),
        "en_dmaste": (detokenise(row["tokens"]) for row in _aspects(text, "en_dmaste")),
        "en_bitext": _split(table(text / "intents_en_bitext.csv.gz")).utterance,
    }
    seen: set[str] = set()
    return {name: list(_unseen(map(str, texts), barred, seen)) for name, texts in sources.items()}


def load_sentiment_examples(data: Path) -> list[Example]:
    """Every labelled text that may train polarity, evaluation texts removed, in a fixed order.

    `joined_examples` makes more of them; do so after a held-out part is split off.
    """
    text = data / "text"
    rows: list[Example] = []

    def add(source: str, texts: Iterable[str], labels: Iterable[set[str]]) -> None:
        rows.extend(
            Example(normalise(str(t)), frozenset(found), source)
            for t, found in zip(texts, labels, strict=True)
            if found
        )

    for source, file in (
        ("zh_online_shopping", "sentiment_zh_online_shopping"),
        ("zh_eprstmt", "sentiment_zh_eprstmt"),
        ("en_sst2", "sentiment_en_sst2"),
    ):
        found = _split(pd.read_csv(text / f"{file}.csv.gz"))
        add(source, found.text, ({label} for label in found.label))
    for source, file in (("en_amazon", "stars_en_amazon"), ("en_sst5", "stars_en_sst5")):
        found = _split(pd.read_csv(text / f"{file}.csv.gz"), keep=("train",))
        add(source, found.text, map(_labels_of_stars, found.stars))
    for name, words in (
        ("en_memd", lambda row: detokenise(row["tokens"])),
        ("en_acos", lambda row: detokenise(row["tokens"])),
        ("en_dmaste", lambda row: detokenise(row["tokens"])),
        ("zh_dianping", lambda row: "".join(row["tokens"])),
        ("zh_cosmetics", lambda row: row["text"]),
    ):
        aspects = list(_aspects(text, name))
        add(name, map(words, aspects), map(_labels_of_aspects, aspects))
    intents = _split(pd.read_csv(text / "intents_en_bitext.csv.gz"), keep=("train",))
    intents = intents[~intents.intent.isin(("complaint", "review"))]
    add("en_bitext", intents.utterance, ({"neutral"} for _ in range(len(intents))))
    queries = pd.read_csv(text / "queries_zh_shopping.csv.gz").sample(4000, random_state=7)
    add("zh_queries", queries.text, ({"neutral"} for _ in range(len(queries))))
    descriptions = list(_descriptions(data / "copy" / "copy_pairs.jsonl.gz"))
    add("en_descriptions", descriptions, ({"neutral"} for _ in descriptions))
    barred = EvaluationTexts(data)
    public = _without_contradictions(row for row in rows if not barred.hold(row.text))
    written = [
        Example(text, frozenset(NEUTRAL), f"{language}_written")
        for language in ("en", "zh")
        for text in neutral_texts(language, WRITTEN_TEXTS, seed=1)
    ]
    return public + written


def joined_examples(examples: Sequence[Example]) -> list[Example]:
    """Mixed texts of one praising and one blaming review, and long texts of several English ones.

    Long English reviews with a clear pole are rare in the public sets, the blaming ones above all.
    """
    rows: list[Example] = []
    for language, sources in (
        ("en", {"en_amazon", "en_memd", "en_acos"}),
        ("zh", {"zh_online_shopping", "zh_cosmetics", "zh_dianping"}),
    ):
        praise, blame = (
            [row.text for row in examples if row.source in sources and row.labels == label]
            for label in (POSITIVE, NEGATIVE)
        )
        mixed = mixed_texts(praise, blame, language, WRITTEN_TEXTS, seed=2)
        rows += [Example(text, frozenset(MIXED), f"{language}_contrast") for text in mixed]
    for label in (POSITIVE, NEGATIVE):
        reviews = [r.text for r in examples if r.source == "en_amazon" and r.labels == label]
        long = long_texts(reviews, LONG_TEXTS, seed=3)
        rows += [Example(text, frozenset(label), "en_long") for text in long]
    return rows


def load_evaluation_sets(data: Path) -> dict[str, pd.DataFrame]:
    """The held-out sentiment sets, by name; columns text and label."""
    text = data / "text"
    online = pd.read_csv(text / "sentiment_zh_online_shopping.csv.gz")
    eprstmt = pd.read_csv(text / "sentiment_zh_eprstmt.csv.gz")
    sst2 = pd.read_csv(text / "sentiment_en_sst2.csv.gz")
    sets = {
        "sst2": sst2[sst2.split == "test"],
        "blitzer": pd.read_csv(text / "sentiment_en_blitzer.csv.gz"),
        "online_shopping": online[online.split == "test"],
        "eprstmt": eprstmt[eprstmt.split == "test"],
        "brand_tweets": pd.read_csv(text / "sentiment_en_brand_tweets.csv.gz"),
    }
    return {name: part[["text", "label"]].reset_index(drop=True) for name, part in sets.items()}


class EvaluationTexts:
    """What must not be trained on: the evaluation texts, whole and as runs of thirteen words."""

    def __init__(self, data: Path) -> None:
        self._whole: set[str] = set()
        self._shingles: set[int] = set()
        text = data / "text"
        for part in load_evaluation_sets(data).values():
            self._add(part.text)
        for file in ("stars_en_amazon", "stars_en_sst5"):
            found = pd.read_csv(text / f"{file}.csv.gz")
            self._add(found[found.split == "test"].text)
        self._add(pd.read_csv(text / "aspects_zh_cars.csv.gz").text)
        intents = pd.read_csv(text / "intents_en_bitext.csv.gz")
        self._add(intents[intents.split == "test"].utterance)
        for name in ("en_memd", "en_acos", "en_dmaste", "zh_dianping", "zh_cosmetics"):
            for row in _aspects(text, name, keep=("test",)):
                self._add([row.get("text") or detokenise(row["tokens"])])

    def hold(self, text: str) -> bool:
        """True when the text, or a run of thirteen of its words, is in an evaluation set."""
        return _key(text) in self._whole or not self._shingles.isdisjoint(_shingles(text))

    def _add(self, texts: Iterable[str]) -> None:
        for text in texts:
            self._whole.add(_key(str(text)))
            self._shingles.update(_shingles(str(text)))


def detokenise(tokens: list[str]) -> str:
    """Words joined as a person would write them."""
    text = " ".join(tokens)
    text = re.sub(r" ([,.!?;:%)\]}])", r"\1", text)
    text = re.sub(r"([(\[{$#]) ", r"\1", text)
    return re.sub(r" (n't|'s|'re|'ve|'ll|'d|'m)\b", r"\1", text)


def fingerprint(texts: Iterable[str]) -> str:
    """A short hash of the texts in order; names the training data in a model card."""
    digest = hashlib.blake2b(digest_size=8)
    for text in texts:
        digest.update(text.encode("utf-8") + b"\0")
    return digest.hexdigest()


def _unseen(texts: Iterable[str], barred: EvaluationTexts, seen: set[str]) -> Iterator[str]:
    for text in map(normalise, texts):
        key = _key(text)
        if key and key not in seen and not barred.hold(text):
            seen.add(key)
            yield text


def _split(table: pd.DataFrame, keep: tuple[str, ...] = ("train", "dev")) -> pd.DataFrame:
    return table[table.split.isin(keep)]


def _aspects(
    folder: Path, name: str, keep: tuple[str, ...] = ("train", "dev")
) -> Iterator[dict[str, Any]]:
    with gzip.open(folder / f"aspects_{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["split"] in keep:
                yield row


def _descriptions(path: Path) -> Iterator[str]:
    """What a shop says of a product without praising it, 3,000 texts of each source at most."""
    count = dict.fromkeys(("myntra", "rnnlg_laptop", "rnnlg_tv"), 0)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if count.get(row["source"], 3000) < 3000:
                count[row["source"]] += 1
                yield row["text"]


def _labels_of_stars(stars: int) -> set[str]:
    return {1: NEGATIVE, 2: NEGATIVE, 3: UNSURE, 4: POSITIVE, 5: POSITIVE}[int(stars)]


def _labels_of_aspects(row: dict[str, Any]) -> set[str]:
    """The text's label from the polarities of its aspects; empty when there are none."""
    found = {item["polarity"] for item in row.get("quadruples") or row.get("triplets") or []}
    if {"positive", "negative"} <= found:
        return MIXED
    if found == {"neutral"}:
        return NEUTRAL
    return found - {"neutral"}


def _without_contradictions(rows: Iterable[Example]) -> list[Example]:
    """A text once, with the labels that its copies agree on; dropped when they agree on none."""
    by_text: dict[str, Example] = {}
    for row in rows:
        key = _key(row.text)
        first = by_text.get(key)
        common = row.labels & first.labels if first else row.labels
        by_text[key] = Example(row.text, common, (first or row).source)
    return [row for key, row in by_text.items() if key and row.labels]


def _key(text: str) -> str:
    return re.sub(r"[\W_]+", "", normalise(text).lower())


def _shingles(text: str) -> set[int]:
    words = re.findall(r"[\u4e00-\u9fff]|[^\W\u4e00-\u9fff]+", normalise(text).lower())
    return {hash(tuple(words[i : i + SHINGLE])) for i in range(len(words) - SHINGLE + 1)}
