"""Makes saved topics from a file, and compares a later file with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from server.capabilities.reading import ReadingCapability
from server.capabilities.topics import (
    SAVED_SENTENCES,
    Read,
    Topics,
    findings,
    items_of,
    make_topics,
    mentions_of,
    read_column,
)
from server.knowledge.model import NO_KNOWLEDGE, Knowledge
from server.semantics.topic_names import language_of, name_topic
from server.semantics.topic_phrases import Corpus, read_corpus
from server.semantics.topic_space import fit_space
from server.semantics.topic_table import Interval
from server.semantics.topics import find_topics
from server.settings import Settings
from server.tables import open_table
from server.topic_models import TopicModel, encoder_version
from udfs.errors import BadInput
from udfs.kinds import Texts

Z_95 = 1.959964  # of the normal distribution
FEWEST_NEW = 3  # texts of a new topic
NEW_SHARE = 0.01
MOST_NEW = 10
CANDIDATES = 100
MOST_COUNTED = 5000  # phrases whose rows are saved

Reader = Callable[[Sequence[str | None], Corpus, Sequence[str], bool], tuple[Read, str]]


@dataclass(frozen=True)
class Change:
    """How often a topic was and is spoken of."""

    name: str
    terms: tuple[str, ...]
    then: Interval
    now: Interval
    difference: Interval
    verdict: str  # "more", "less", "new" or "" where chance may explain it
    example: str = ""


@dataclass(frozen=True)
class Drift:
    """Saved topics beside newer texts."""

    rows_then: int
    rows_now: int
    topics: tuple[Change, ...]
    new_topics: tuple[Change, ...]

    def to_json(self) -> dict[str, Any]:
        """As --json prints it."""
        return asdict(self)


def column_from_file(
    path: Path, column: str, sheet: str | None = None, encoding: str | None = None
) -> list[str | None]:
    """The texts of a column; None where a cell holds none.

    Raises: BadInput if the file or the column is not there, or holds no text.
    """
    table = open_table(path, sheet, encoding)
    index = table.index_of(column)
    cells = [[row[index] if _is_plain(row[index]) else str(row[index])] for row in table.rows()]
    parsed = Texts().parse(cells, column) if cells else []
    texts = [cell.strip() if isinstance(cell, str) else None for (cell,) in parsed]
    if not any(texts):
        raise BadInput(f"Column {column!r} of {path.name} holds no text.")
    return texts


@contextmanager
def read_with_encoder(settings: Settings) -> Iterator[Reader]:
    """What reads columns with the encoder of these settings, in this process."""
    from server.engine import load_shipped_encoder  # heavy: numpy and the backend

    encoder = load_shipped_encoder(settings)

    def read(
        texts: Sequence[str | None], corpus: Corpus, labels: Sequence[str], phrases: bool
    ) -> tuple[Read, str]:
        items = items_of(texts, corpus, labels, phrases)
        distinct = sorted({item for item in items if item is not None}, key=len)
        capability: ReadingCapability = Topics()
        outcomes = dict(zip(distinct, capability.run(encoder, distinct), strict=True))
        of_items = [None if item is None else outcomes[item] for item in items]
        return read_column(encoder, texts, corpus, of_items), encoder_version(encoder)

    try:
        yield read
    finally:
        encoder.close()


def train_topics(
    name: str,
    texts: Sequence[str | None],
    labels: Sequence[str],
    most: int,
    language: str,
    reader: Reader,
    knowledge: Knowledge = NO_KNOWLEDGE,
) -> TopicModel:
    """The topics of these texts, as they will be saved, with the shop's names in them."""
    corpus = read_corpus(texts, SAVED_SENTENCES, knowledge.names)
    read, encoder = reader(texts, corpus, labels, True)
    made = make_topics(read, labels, most, language, knowledge)
    if not made.topics:
        raise BadInput(
            f"No topic was found in {corpus.rows:,} texts: no name of a thing is in two of them."
        )
    mentions = mentions_of(texts, read, made)
    counts = tuple(len(mentions.rows_of(places)) for places in mentions.of_topics)
    return TopicModel(
        name,
        encoder,
        language_of(corpus) if language == "auto" else language,
        corpus.rows,
        made,
        counts,
        dict(sorted(corpus.documents().most_common(MOST_COUNTED))),
        knowledge.names,
    )


def measure_drift(model: TopicModel, texts: Sequence[str | None], reader: Reader) -> Drift:
    """How the saved topics fare in these texts, and what these speak of besides.

    New is a group of phrases of no saved topic that more texts hold than did when the topics were
    saved, beyond chance.
    Raises: BadInput if the topics belong to another encoder.
    """
    corpus = read_corpus(texts, SAVED_SENTENCES, model.names)
    read, encoder = reader(texts, corpus, (), True)
    model.check_encoder(encoder)
    mentions = mentions_of(texts, read, model.made)
    changes = []
    for topic, then, found in zip(
        model.made.topics, model.counts, findings(read, model.made, mentions), strict=False
    ):
        changes.append(
            _change(topic.name, topic.terms, then, model.rows, len(found.rows), corpus.rows)
        )
    return Drift(
        model.rows,
        corpus.rows,
        tuple(sorted(changes, key=lambda one: -one.now.value)),
        tuple(_new_topics(model, corpus, read)),
    )


def _new_topics(model: TopicModel, corpus: Corpus, read: Read) -> Iterator[Change]:
    space = fit_space(read.vectors, np.nan_to_num(read.mood))
    groups = find_topics(corpus, read.vectors, read.more_vectors, space, CANDIDATES)
    taken = {key for topic in model.made.topics for key in topic.keys}
    found = 0
    for group in groups:
        fresh = [phrase for phrase in group if phrase.key not in taken]
        if not fresh or all(phrase.judges for phrase in fresh):
            continue
        topic = name_topic(fresh, model.language, strict=False)
        holding = [corpus.sentences[n] for n in corpus.holding([topic.keys]).tocoo().col.tolist()]
        rows = {sentence.row for sentence in holding}
        then = max(model.phrase_counts.get(key, 0) for key in topic.keys)
        if len(rows) < max(FEWEST_NEW, NEW_SHARE * corpus.rows) or found == MOST_NEW:
            continue
        change = _change(topic.name, topic.terms, then, model.rows, len(rows), corpus.rows)
        if change.verdict == "more":
            found += 1
            example = min((sentence.text for sentence in holding), key=_fits)
            yield replace(change, verdict="new", example=example)


def wilson(count: int, total: int) -> Interval:
    """A share with its 95 % interval.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    if not total:
        return Interval(0.0, 0.0, 1.0)
    share, square = count / total, Z_95**2
    middle = (share + square / (2 * total)) / (1 + square / total)
    reach = Z_95 * math.sqrt(share * (1 - share) / total + square / (4 * total**2))
    reach /= 1 + square / total
    return Interval(share, max(0.0, middle - reach), min(1.0, middle + reach))


def newcombe(now: Interval, then: Interval) -> Interval:
    """The difference of two shares with its 95 % interval.

    Source: Newcombe 1998, "Interval estimation for the difference between independent
    proportions", method 10.
    """
    difference = now.value - then.value
    below = math.hypot(now.value - now.lo, then.hi - then.value)
    above = math.hypot(now.hi - now.value, then.value - then.lo)
    return Interval(difference, difference - below, difference + above)


def _change(
    name: str, terms: tuple[str, ...], count: int, total: int, count_now: int, total_now: int
) -> Change:
    then, now = wilson(count, total), wilson(count_now, total_now)
    difference = newcombe(now, then)
    verdict = "more" if difference.lo > 0 else "less" if difference.hi < 0 else ""
    return Change(name, terms, then, now, difference, verdict)


def _fits(text: str) -> tuple[int, str]:
    return abs(len(text) - 60), text


def _is_plain(cell: Any) -> bool:
    return cell is None or isinstance(cell, (bool, int, float, str)) or hasattr(cell, "code")
