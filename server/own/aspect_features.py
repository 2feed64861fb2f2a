"""What tells which of the user's aspects a text mentions and how: inputs of the learnt heads.

T texts, K aspects, P polarities, H coordinates of a vector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from server.capabilities.reading import Readings
from server.own.heads import AspectsHead

POLARITIES = ("negative", "neutral", "positive", "mixed")
LEAST = 0.02  # probability that is left to a polarity that nothing speaks for
BOTH = 0.8  # that an aspect with praise and complaint is mixed

# What is said of the aspects in a text: its polarity, how sure, and which of the names it means.
Said = Sequence[tuple[str, float, np.ndarray]]


@dataclass(frozen=True)
class Features:
    """matched (T, K) bool: meant by words or category, as without learning; vectors (T, H);
    categories (T, shop categories); judged (T, K, P) and mood (T, P): logs of probabilities."""

    matched: np.ndarray
    vectors: np.ndarray
    categories: np.ndarray
    judged: np.ndarray
    mood: np.ndarray

    def mention_inputs(self) -> np.ndarray:
        """Shape: (T, H + categories + K)."""
        return np.hstack([self.vectors, self.categories, self.matched])

    def mention_prior(self, rates: tuple[float, float]) -> np.ndarray:
        """Logits of an aspect being meant where it is not matched, and where it is: (T, K)."""
        unmatched, matched = (np.log(rate / (1 - rate)) for rate in rates)
        prior: np.ndarray = np.where(self.matched, matched, unmatched)
        return prior

    def polarity_inputs(self, texts: np.ndarray, aspects: np.ndarray) -> np.ndarray:
        """Of each pair of a text and an aspect. Shape: (pairs, H + 2 P + K + 1)."""
        which = np.eye(self.matched.shape[1])[aspects]
        return np.hstack(
            [
                self.vectors[texts],
                self.judged[texts, aspects],
                self.mood[texts],
                which,
                self.matched[texts, aspects][:, None],
            ]
        )


def features_of(model: Any, readings: Readings, said: Sequence[Said], aspects: int) -> Features:
    """The features of texts; `said` is what is said in each of `aspects` aspects."""
    texts = len(readings.vectors)
    matched = np.zeros((texts, aspects), dtype=bool)
    categories = np.zeros((texts, len(model.aspect_categories)))
    mood = np.full((texts, len(POLARITIES)), LEAST)
    for column, name in enumerate(POLARITIES):
        if name in model.labels:
            mood[:, column] += readings.probabilities[:, model.labels.index(name)]
    mood /= mood.sum(axis=1, keepdims=True)
    judged = np.repeat(mood[:, None, :], aspects, axis=1)
    for text, (items, found) in enumerate(zip(said, readings.aspects, strict=True)):
        categories[text, found["category"]] = 1.0
        for aspect in range(aspects):
            about = [(polarity, sure) for polarity, sure, hits in items if hits[aspect]]
            if about:
                matched[text, aspect] = True
                judged[text, aspect] = _together(about)
    return Features(matched, readings.vectors, categories, np.log(judged), np.log(mood))


def _together(about: Sequence[tuple[str, float]]) -> np.ndarray:
    """Probability of each polarity from all that is said of one aspect. Shape: (P,)."""
    shares = np.full(len(POLARITIES), LEAST)
    for polarity, sure in about:
        spread = np.full(len(POLARITIES) - 1, (1 - sure) / 2)
        spread[POLARITIES.index(polarity)] = sure
        shares[:-1] += spread / len(about)
    if {"positive", "negative"} <= {polarity for polarity, _ in about}:
        shares *= 1 - BOTH
        shares[POLARITIES.index("mixed")] = BOTH
    together: np.ndarray = shares / shares.sum()
    return together


def told(head: AspectsHead, features: Features) -> list[dict[str, str]]:
    """Per text the polarity of each of the head's aspects that it mentions."""
    inputs, prior = features.mention_inputs(), features.mention_prior(head.rates)
    mentioned = head.mentions.predict_proba(inputs, prior) >= head.threshold
    texts, aspects = np.nonzero(mentioned)
    logs = features.judged[texts, aspects]
    if head.polarity is not None and len(texts):
        logs = head.polarity.predict_proba(features.polarity_inputs(texts, aspects), logs)
    answers: list[dict[str, str]] = [{} for _ in range(len(mentioned))]
    for text, aspect, best in zip(texts, aspects, logs.argmax(axis=-1), strict=True):
        answers[text][head.aspects[aspect]] = POLARITIES[best]
    return answers


def without_learning(names: Sequence[str], said: Sequence[Said]) -> list[dict[str, str]]:
    """Per text the polarity of each of these aspects that it mentions, by meaning alone."""
    answers: list[dict[str, str]] = []
    for items in said:
        found = {name: together(items, number) for number, name in enumerate(names)}
        answers.append({name: polarity for name, polarity in found.items() if polarity})
    return answers


def together(said: Said, number: int) -> str:
    """One polarity for all that is said of an aspect; blank where nothing is."""
    polarities = {polarity for polarity, _, hits in said if hits[number]}
    if {"positive", "negative"} <= polarities:
        return "mixed"
    return next((p for p in ("negative", "positive", "neutral") if p in polarities), "")


def targets_of(rows: Sequence[Mapping[str, str | None]], aspects: Sequence[str]) -> np.ndarray:
    """1 where a row mentions an aspect. Shape: (T, K)."""
    return np.array([[float(name in row) for name in aspects] for row in rows])
