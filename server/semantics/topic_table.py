"""What is told of a topic: how many texts, what is felt, whether it matters, a sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.stats import t as student

from server.semantics.extract import Sentence
from server.semantics.sentences import word_count
from server.semantics.topic_sayings import is_overall
from server.semantics.topics import TopicSet

GOOD_LENGTH = (5, 25)  # words of a sentence that shows a topic well
FARTHER = 0.3  # what a sentence that feels unlike the topic's mean loses, per unit of sentiment
TOO_SHORT = 0.5
BESIDES = 0.15  # lost for each other topic in the sentence


@dataclass(frozen=True)
class Interval:
    """An estimate with its ends."""

    value: float
    lo: float
    hi: float


@dataclass(frozen=True)
class Finding:
    """A topic in a column of texts. What cannot be said is None."""

    rows: tuple[int, ...]  # that mention it
    share: float
    sentiment: float | None  # mean of the sentences about it
    effect: Interval | None  # mean sentiment of the texts that mention it, less that of the others
    example: Sentence | None


class Mentions:
    """Which rows mention which topic; then those that only judge, and those that do neither."""

    def __init__(
        self,
        made: TopicSet,
        sentences: Sequence[Sentence],
        of_sentences: sparse.csr_array,
        rows: Sequence[int],
    ) -> None:
        """rows: all that hold a text. of_sentences: as TopicSet.mentions."""
        self._sentences = sentences
        self._row_of = np.array([sentence.row for sentence in sentences], dtype=int)
        self.all_rows = tuple(rows)
        self.crowded = np.asarray(of_sentences.sum(axis=0)).ravel()  # topics of each sentence
        self.of_topics = [of_sentences[[n]].tocoo().col for n in range(len(made.topics))]
        spoken = {int(row) for places in self.of_topics for row in self._row_of[places]}
        silent = [p for p, sentence in enumerate(sentences) if sentence.row not in spoken]
        self.overall = np.array([p for p in silent if is_overall(sentences[p].text)], dtype=int)
        judging = {int(row) for row in self._row_of[self.overall]}
        self.other_rows = tuple(row for row in rows if row not in spoken and row not in judging)
        others = set(self.other_rows)
        self.other = np.array([p for p in silent if sentences[p].row in others], dtype=int)

    def rows_of(self, places: np.ndarray) -> tuple[int, ...]:
        """Rows of these sentences, in order."""
        return tuple(sorted({int(row) for row in self._row_of[places]}))

    def main_topics(self) -> dict[int, int]:
        """Per row the topic with most of its sentences; of equals the first."""
        votes: dict[int, np.ndarray] = {}
        for number, places in enumerate(self.of_topics):
            for row in self._row_of[places].tolist():
                votes.setdefault(row, np.zeros(len(self.of_topics)))[number] += 1
        return {row: int(counts.argmax()) for row, counts in votes.items()}


def find(
    mentions: Mentions,
    places: np.ndarray,
    rows: tuple[int, ...],
    sentences: Sequence[Sentence],
    mood: np.ndarray,
    row_mood: Mapping[int, float],
    nearness: np.ndarray | None,
) -> Finding:
    """What is to be said of the topic whose sentences stand at `places` and whose texts in `rows`.

    mood: (sentences,) from -1 to 1, nan where not read; row_mood: of each text that was read;
    nearness: (places,) how typical each is, None if unknown.
    """
    felt = mood[places]
    felt = felt[np.isfinite(felt)]
    mine = set(rows)
    inside = np.array([score for row, score in sorted(row_mood.items()) if row in mine])
    outside = np.array([score for row, score in sorted(row_mood.items()) if row not in mine])
    mean = math.fsum(felt) / len(felt) if len(felt) else None
    share = len(rows) / len(mentions.all_rows) if mentions.all_rows else 0.0
    near = np.zeros(len(places)) if nearness is None else nearness
    near = near - BESIDES * mentions.crowded[places]
    example = _example(places, sentences, mood, mean or 0.0, near)
    return Finding(rows, share, mean, welch(inside, outside), example)


def welch(inside: np.ndarray, outside: np.ndarray, level: float = 95.0) -> Interval | None:
    """The difference of two means with its interval; None where either has fewer than two values.

    Source: Welch 1947, "The generalization of Student's problem when several different population
    variances are involved".
    """
    if min(len(inside), len(outside)) < 2:
        return None
    means, errors = [], []
    for values in (inside, outside):
        mean = math.fsum(values) / len(values)  # exact: the order of the rows changes nothing
        means.append(mean)
        errors.append(math.fsum((values - mean) ** 2) / (len(values) - 1) / len(values))
    difference = means[0] - means[1]
    variance = sum(errors)
    if variance < 1e-18:
        return Interval(difference, difference, difference)
    freedom = variance**2 / (
        errors[0] ** 2 / (len(inside) - 1) + errors[1] ** 2 / (len(outside) - 1)
    )
    reach = float(student.ppf(0.5 + level / 200, freedom)) * math.sqrt(variance)
    return Interval(difference, difference - reach, difference + reach)


def _example(
    places: np.ndarray,
    sentences: Sequence[Sentence],
    mood: np.ndarray,
    mean: float,
    near: np.ndarray,
) -> Sentence | None:
    if not len(places):
        return None
    own: list[Sentence] = [sentences[place] for place in places.tolist()]
    scores = near - FARTHER * np.abs(np.nan_to_num(mood[places]) - mean)
    lengths = np.array([word_count(sentence.text) for sentence in own])
    scores = scores - TOO_SHORT * ((lengths < GOOD_LENGTH[0]) | (lengths > GOOD_LENGTH[1]))
    best = min(range(len(own)), key=lambda n: (-round(float(scores[n]), 5), own[n].row))
    return own[best]
