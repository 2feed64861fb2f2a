"""TOPICS: what texts are about, found in them, given by the user or saved from other texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from server.capabilities.base import Outcome, column_of, knowledge_in
from server.capabilities.reading import ReadingCapability, read_texts
from server.knowledge.model import NO_KNOWLEDGE, SHEETS, Knowledge
from server.models.aspect_categories import SHOP_CATEGORIES
from server.semantics.recent import Recent
from server.semantics.topic_names import (
    OTHER,
    OVERALL,
    joined,
    language_of,
    language_of_text,
    name_topic,
)
from server.semantics.topic_phrases import Corpus, Phrase, category_of, key_of, read_corpus
from server.semantics.topic_space import fit_space
from server.semantics.topic_table import Finding, Mentions, find
from server.semantics.topics import Topic, TopicSet, find_topics, make_set, match_labels
from server.settings import Settings
from server.text.names import Names
from server.text.phrases import counted_words
from server.topic_models import TopicModel, encoder_version, folder_of, load_topic_model
from udfs.catalogue import TOPICS
from udfs.errors import CellError, ShopsheetError

MOST_ROWS_KEPT = 200_000  # of the columns that lie in memory between reading and answering
SAVED_SENTENCES = 50  # of each row that are looked at for saved topics
DECIMALS = 4
SAVED = "saved topics"  # what `resolve` adds to the arguments


@dataclass(frozen=True)
class Read:
    """A column as the encoder read it.

    vectors (sentences, width) float16, 0 where not read; mood (sentences,) from -1 to 1, nan where
    not read; row_mood of each text that was read; more_vectors of what was asked for besides.
    """

    corpus: Corpus
    vectors: np.ndarray
    mood: np.ndarray
    row_mood: dict[int, float]
    more_vectors: np.ndarray


class Topics(ReadingCapability):
    """A table of topics, or the topic of each row. Texts, sentences and phrases are read alike."""

    name = "topics"
    knows = SHEETS

    def __init__(self) -> None:
        self._corpora: Recent[Corpus] = Recent(MOST_ROWS_KEPT, lambda corpus: corpus.rows)

    def resolve(self, args: Mapping[str, Any], settings: Settings) -> Mapping[str, Any]:
        """The arguments, with the saved topics that they name."""
        names: tuple[str, ...] = args["model_or_labels"] or ()
        if len(names) != 1:
            return args
        return {**args, SAVED: load_topic_model(folder_of(settings.home, names[0]))}

    def prepare(self, args: Mapping[str, Any]) -> list[str | None]:
        texts = texts_in(args)
        corpus = self._corpus(texts, args)
        return items_of(texts, corpus, _labels(args), with_phrases=SAVED not in args)

    def answer(
        self, model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome]
    ) -> list[list[Any]]:
        texts = texts_in(args)
        if SAVED in args:
            args[SAVED].check_encoder(encoder_version(model))
        read = read_column(model, texts, self._corpus(texts, args), outcomes)
        if SAVED in args:
            return _column(args, texts, read, args[SAVED], outcomes[: len(texts)])
        made = make_topics(
            read, _labels(args), args["max_topics"], args["language"], knowledge_in(args)
        )
        return [list(TOPICS.columns(args)), *_table(texts, read, made, _language(args, read))]

    def _corpus(self, texts: Sequence[str | None], args: Mapping[str, Any]) -> Corpus:
        # With saved topics a row's answer must not depend on how long the column is.
        per_row = SAVED_SENTENCES if SAVED in args else None
        # Saved topics go on with the names that they were made with.
        names: Names = args[SAVED].names if SAVED in args else knowledge_in(args).names
        key = per_row, names.version, *texts
        return self._corpora.get(key, lambda: read_corpus(texts, per_row, names))


def texts_in(args: Mapping[str, Any]) -> list[str | None]:
    """The texts of the column, None for a row without one."""
    cells = column_of(args["text"], "text")
    return [cell.strip() if isinstance(cell, str) else None for cell in cells]


def items_of(
    texts: Sequence[str | None], corpus: Corpus, labels: Sequence[str], with_phrases: bool
) -> list[str | None]:
    """What the encoder must read: texts, their sentences, labels, phrases that may name topics."""
    phrases = [phrase.text for phrase in corpus.phrases] if with_phrases else []
    return [*texts, *(sentence.text for sentence in corpus.sentences), *labels, *phrases]


def read_column(
    model: Any, texts: Sequence[str | None], corpus: Corpus, outcomes: Sequence[Outcome]
) -> Read:
    """The column from the outcomes of `items_of`.

    Raises: the error of the first text if none could be read.
    """
    positive, negative = model.labels.index("positive"), model.labels.index("negative")
    vectors = np.zeros((len(outcomes), model.embedding_size), dtype=np.float16)
    mood = np.full(len(outcomes), np.nan)
    for start in range(0, len(outcomes), 10_000):  # unpacked, a long column fills the memory
        readings, places = read_texts(model, outcomes[start : start + 10_000])
        at = np.array(places, dtype=int) + start
        vectors[at] = readings.vectors
        mood[at] = readings.probabilities[:, positive] - readings.probabilities[:, negative]
    errors = [one for one in outcomes[: len(texts)] if isinstance(one, ShopsheetError)]
    if errors and not np.isfinite(mood[: len(texts)]).any():
        raise errors[0]
    end = len(texts) + len(corpus.sentences)
    row_mood = {row: float(mood[row]) for row in range(len(texts)) if np.isfinite(mood[row])}
    own = slice(len(texts), end)
    return Read(corpus, vectors[own], mood[own], row_mood, vectors[end:])


def make_topics(
    read: Read,
    labels: Sequence[str],
    most: int,
    language: str,
    knowledge: Knowledge = NO_KNOWLEDGE,
) -> TopicSet:
    """The topics of a column: those labels, or what is found in it."""
    corpus = read.corpus
    space = fit_space(read.vectors, np.nan_to_num(read.mood))
    if not labels:
        wanted = language_of(corpus) if language == "auto" else language
        groups = find_topics(corpus, read.vectors, read.more_vectors, space, most)
        topics = [name_topic(group, wanted, language != "auto") for group in groups]
        return make_set(topics, corpus, read.vectors, space)
    own = read.more_vectors[: len(labels)]
    asked = [_as_phrase(label, knowledge) for label in labels]
    groups = match_labels(corpus, asked, own, read.more_vectors[len(labels) :], space)
    topics = [
        _as_topic(label, group, knowledge.forms_of(label))
        for label, group in zip(labels, groups, strict=True)
    ]
    return make_set(topics, corpus, read.vectors, space, own)


def mentions_of(texts: Sequence[str | None], read: Read, made: TopicSet) -> Mentions:
    """Which rows mention these topics."""
    rows = [row for row, text in enumerate(texts) if text is not None]
    found = made.mentions(read.corpus, read.vectors)
    return Mentions(made, read.corpus.sentences, found, rows)


def findings(read: Read, made: TopicSet, mentions: Mentions) -> list[Finding]:
    """What is to be said of each topic, then of texts that only judge, then of the others."""
    found = []
    groups = [*mentions.of_topics, mentions.overall, mentions.other]
    for number, places in enumerate(groups):
        near = None
        if made.space is not None and number < len(made.topics):
            near = made.space.project(read.vectors[places]) @ made.centroids[number]
        last = number == len(groups) - 1
        rows = mentions.other_rows if last else mentions.rows_of(places)
        sentences = read.corpus.sentences
        found.append(find(mentions, places, rows, sentences, read.mood, read.row_mood, near))
    return found


def _table(
    texts: Sequence[str | None], read: Read, made: TopicSet, language: str
) -> list[list[Any]]:
    mentions = mentions_of(texts, read, made)
    *of_topics, overall, other = findings(read, made, mentions)
    ranked = sorted(
        zip(made.topics, of_topics, strict=True),
        key=lambda pair: (-len(pair[1].rows), pair[0].name),
    )
    rows = [_row(topic.name, joined(topic.terms), finding) for topic, finding in ranked]
    for name, finding in ((OVERALL[language], overall), (OTHER[language], other)):
        if finding.rows:
            rows.append(_row(name, "", finding))
    return rows


def _row(name: str, terms: str, finding: Finding) -> list[Any]:
    effect, example = finding.effect, finding.example
    return [
        name,
        terms,
        len(finding.rows),
        round(finding.share, DECIMALS),
        "" if finding.sentiment is None else _rounded(finding.sentiment),
        *(["", "", ""] if effect is None else map(_rounded, (effect.value, effect.lo, effect.hi))),
        "" if example is None else example.text,
        "" if example is None else example.row + 1,
    ]


def _column(
    args: Mapping[str, Any],
    texts: Sequence[str | None],
    read: Read,
    saved: TopicModel,
    outcomes: Sequence[Outcome],
) -> list[list[Any]]:
    mentions = mentions_of(texts, read, saved.made)
    main = mentions.main_topics()
    overall = set(mentions.rows_of(mentions.overall))
    language = saved.language if args["language"] == "auto" else args["language"]
    shown: list[Any] = []
    cells = column_of(args["text"], "text")
    for row, (cell, outcome) in enumerate(zip(cells, outcomes, strict=True)):
        if isinstance(cell, CellError):
            shown.append(cell)
        elif isinstance(outcome, ShopsheetError):
            shown.append(outcome.to_cell())
        elif texts[row] is None:
            shown.append("")
        elif row in main:
            shown.append(saved.made.topics[main[row]].name)
        else:
            shown.append((OVERALL if row in overall else OTHER)[language])
    return [shown] if len(args["text"]) == 1 else [[value] for value in shown]


def _labels(args: Mapping[str, Any]) -> tuple[str, ...]:
    return () if SAVED in args else tuple(args["model_or_labels"] or ())


def _language(args: Mapping[str, Any], read: Read) -> str:
    return language_of(read.corpus) if args["language"] == "auto" else args["language"]


def _as_phrase(label: str, knowledge: Knowledge) -> Phrase:
    aspect = knowledge.aspect_of(label)
    category = aspect.category if aspect and aspect.category in SHOP_CATEGORIES else None
    category = category or category_of(label)
    named = None if category in ("overall", "other") else category
    key = key_of(counted_words(label)) or label
    other = (key_of(counted_words(form)) for form in knowledge.forms_of(label))
    short = tuple(dict.fromkeys(one for one in other if one and one != key))
    return Phrase(label, key, 1.0, 1, named, False, short)


def _as_topic(label: str, phrases: Sequence[Phrase], forms: Sequence[str]) -> Topic:
    found = name_topic(phrases, language_of_text(label), strict=False)
    terms = (label, *(phrase.text for phrase in phrases[1:6]))
    words = "\n".join((label, *forms))
    return Topic(label, terms, found.keys, phrases[0].category, words)


def _rounded(value: float) -> float:
    return round(value, DECIMALS) + 0.0
