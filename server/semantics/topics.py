"""Topics of reviews: phrases that mean one thing, and the sentences that speak of it.

Found by phrase, not by cloud of sentences: a topic is a group of phrases of one meaning, so it has
a name that stands in the texts and a count that can be checked with a filter. Sentences without
such a phrase join the topic that they judge ("arrived too late") or are nearest to.
Measured beside it: k-means over sentence vectors, named by class-based tf-idf (Grootendorst 2022,
"BERTopic"). On 1,200 Chinese reviews of ten kinds of goods its topics tell 0.08 of the kind
(normalised mutual information; ours 0.29), and are named "不, 差, 太, 买" where ours are "快递".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.cluster.hierarchy import fcluster, linkage

from server.semantics.extract import Sentence
from server.semantics.sentences import word_count
from server.semantics.topic_phrases import Corpus, Phrase, category_named
from server.semantics.topic_sayings import categories_said
from server.semantics.topic_space import Space, unit
from server.text.phrases import counted_words

# Likeness of two phrases, by which they are one topic or two. Chosen by reading the topics of
# clothes, electronics, tablets, hotels and fruit.
MEANING = 0.07  # for each standard deviation that two vectors are nearer than phrases mostly are
MOST_DEVIATIONS = 8.0
SHARED_WORDS = 0.3  # times the share of common words
SAME_CATEGORY = 0.4
SAME_NARROW_CATEGORY = 0.6
OTHER_CATEGORY = -0.2
NARROW = (  # categories whose words name one thing; "place" is all of a hotel
    "price", "delivery", "packaging", "size & weight", "comfort & feel", "battery & power",
    "scent", "noise & heat", "cleanliness",
)  # fmt: skip
ONE_TOPIC = 0.5
A_LABEL = 0.35  # likeness of a phrase to the user's own topic that it belongs to
FEW_CONTEXTS = 3  # pulls the context of a rare phrase to the middle

# A sentence without a phrase is given to the nearest topic from that cosine at which, among
# sentences whose topic is known, this share would be given to the right one.
PRECISION = 0.9
LEAST_COSINE = 0.4  # sentences without a phrase are harder than those with one
FEWEST_KNOWN = 40
FEWEST_WORDS = 3  # of a sentence that is given to the nearest
BLOCK = 20_000  # sentences compared at a time
NEVER = 2.0  # no cosine reaches it


@dataclass(frozen=True)
class Topic:
    """What texts speak of. `keys`: of its phrases.

    `words`: to be looked for letter by letter; several stand on lines of their own.
    """

    name: str
    terms: tuple[str, ...]
    keys: tuple[str, ...]
    category: str | None = None
    words: str = ""


@dataclass(frozen=True)
class TopicSet:
    """Topics, and what tells of a sentence which of them it is about.

    centroids (topics, width) of length 1 in `space`; `least`: the cosine from which a sentence
    without any phrase belongs to the nearest. Without a space words alone decide.
    """

    topics: tuple[Topic, ...]
    space: Space | None
    centroids: np.ndarray
    least: float

    def mentions(self, corpus: Corpus, vectors: np.ndarray) -> sparse.csr_array:
        """Which sentences speak of which topic. Shape: (topics, sentences), 0 and 1.

        vectors: (sentences, width), rows of 0 where a sentence could not be read.
        """
        held = _held(self.topics, corpus)
        return _with_nearest(self, corpus.sentences, vectors, held)


def group_phrases(phrases: Sequence[Phrase], likeness: np.ndarray) -> list[list[int]]:
    """Places of the phrases of each topic, best phrase and best topic first."""
    if len(phrases) < 2:
        return [[place] for place in range(len(phrases))]
    apart = 3.0 - likeness
    tree = linkage(apart[np.triu_indices(len(phrases), 1)], "average")
    groups: dict[int, list[int]] = {}
    for place, number in enumerate(fcluster(tree, 3.0 - ONE_TOPIC, "distance").tolist()):
        groups.setdefault(number, []).append(place)
    return sorted(
        groups.values(), key=lambda places: (-sum(phrases[p].score for p in places), places[0])
    )


def likeness_of(
    phrases: Sequence[Phrase],
    own: np.ndarray,
    contexts: np.ndarray,
    others: Sequence[Phrase] | None = None,
    other_own: np.ndarray | None = None,
) -> np.ndarray:
    """How alike phrases are: in meaning, in the sentences around them, in words, in category.

    own, contexts: (phrases, width) of length 1 or 0. With `others` the columns are those, whose
    contexts are not known.
    """
    if others is None or other_own is None:
        others, nearness = phrases, (_deviations(own) + _deviations(contexts)) / 2
    else:
        nearness = _deviations(own, other_own)
    alike = _alike_in_words(phrases, others)
    alike += MEANING * np.clip(nearness, 0.0, MOST_DEVIATIONS)
    return alike


def find_topics(
    corpus: Corpus,
    vectors: np.ndarray,
    phrase_vectors: np.ndarray,
    space: Space | None,
    most: int,
) -> list[tuple[Phrase, ...]]:
    """The phrases of each topic, at most `most` topics, the weightiest first.

    Shapes: vectors (sentences, width), phrase_vectors (corpus.phrases, width).
    """
    phrases = corpus.phrases
    held = corpus.holding([phrase.keys for phrase in phrases])
    own, contexts = _phrase_space(space, vectors, phrase_vectors, held)
    groups = group_phrases(phrases, likeness_of(phrases, own, contexts))
    found = [tuple(phrases[place] for place in places) for places in groups]
    return [group for group in found if not all(phrase.judges for phrase in group)][:most]


def match_labels(
    corpus: Corpus,
    labels: Sequence[Phrase],
    label_vectors: np.ndarray,
    phrase_vectors: np.ndarray,
    space: Space | None,
) -> list[tuple[Phrase, ...]]:
    """Per label the phrases that mean it, itself first."""
    groups: list[list[Phrase]] = [[label] for label in labels]
    if len(corpus.phrases):
        none = np.zeros((len(corpus.phrases), 1), dtype=np.float32)
        own = label_own = none
        if space is not None:
            both = np.concatenate([label_vectors, phrase_vectors]).astype(np.float32)
            middle = phrase_vectors.astype(np.float32).mean(axis=0)
            projected = space.project(both, middle)
            label_own, own = projected[: len(labels)], projected[len(labels) :]
        else:
            label_own = np.zeros((len(labels), 1), dtype=np.float32)
        alike = likeness_of(corpus.phrases, own, none, labels, label_own)
        for phrase, row in zip(corpus.phrases, alike, strict=True):
            best = int(row.argmax())
            if row[best] >= A_LABEL and phrase.key != labels[best].key:
                groups[best].append(phrase)
    return [tuple(group) for group in groups]


def make_set(
    topics: Sequence[Topic],
    corpus: Corpus,
    vectors: np.ndarray,
    space: Space | None,
    own_vectors: np.ndarray | None = None,
) -> TopicSet:
    """The topics with their centroids and the least cosine, learnt from what holds their phrases.

    own_vectors: (topics, width), the centroid where no sentence holds a phrase of the topic.
    """
    width = vectors.shape[1] if vectors.ndim == 2 else 1
    if space is None or not topics:
        return TopicSet(tuple(topics), None, np.zeros((len(topics), width), np.float32), NEVER)
    held = _held(topics, corpus)
    known = np.asarray(held.sum(axis=0)).ravel()
    alone = sparse.csr_array(held * (known == 1))
    halves = np.arange(len(corpus.sentences)) % 2 == 0
    sums = [_sums(space, vectors, sparse.csr_array(alone * half)) for half in (halves, ~halves)]
    least = _least_cosine(space, vectors, alone, halves, sums)
    centroids = unit(sums[0] + sums[1])
    if own_vectors is not None:
        unseen = ~centroids.any(axis=1)
        centroids[unseen] = space.project(own_vectors)[unseen]
    return TopicSet(tuple(topics), space, centroids, least)


def _held(topics: Sequence[Topic], corpus: Corpus) -> sparse.csr_array:
    """By words alone: which sentences hold a phrase of a topic, or judge what it is about."""
    held = corpus.holding([topic.keys for topic in topics])
    found = held.tolil()
    for number, topic in enumerate(topics):
        if topic.words:
            lows = topic.words.casefold().splitlines()
            for place, sentence in enumerate(corpus.sentences):
                if any(low in sentence.text.casefold() for low in lows):
                    found[number, place] = 1
    of_category = {
        topic.category: number for number, topic in reversed(list(enumerate(topics)))
        if topic.category
    }  # fmt: skip
    if of_category:
        _add_by_category(found, of_category, {key for one in topics for key in one.keys}, corpus)
    return sparse.csr_array(found)


def _add_by_category(
    found: Any, of_category: Mapping[str, int], own: Collection[str], corpus: Corpus
) -> None:
    """Nothing; adds sentences that name or judge the category of a topic in other words.

    A name counts in every sentence where its category is narrow ("shipping" for "delivery"); else
    only where the sentence would be of no topic.
    """
    category_of_key: dict[str, str | None] = {}
    silent = np.asarray(found.sum(axis=0)).ravel() == 0
    for place, (sentence, keys) in enumerate(zip(corpus.sentences, corpus.keys, strict=True)):
        named: set[str | None] = set()
        for key in keys:
            if key not in category_of_key:
                category_of_key[key] = None if key in own else category_named(key)
            named.add(category_of_key[key])
        if silent[place]:
            named |= set(categories_said(sentence.text))
        for category in named:
            number = of_category.get(category or "")
            if number is not None and (silent[place] or category in NARROW):
                found[number, place] = 1


def _with_nearest(
    made: TopicSet, sentences: Sequence[Sentence], vectors: np.ndarray, held: sparse.csr_array
) -> sparse.csr_array:
    if made.space is None or made.least >= NEVER:
        return held
    silent = np.flatnonzero(np.asarray(held.sum(axis=0)).ravel() == 0)
    places = [p for p in silent.tolist() if word_count(sentences[p].text) >= FEWEST_WORDS]
    found = held.tolil()
    for start in range(0, len(places), BLOCK):
        block = places[start : start + BLOCK]
        near = (made.space.project(vectors[block]) @ made.centroids.T).round(5)
        best = near.argmax(axis=1)
        for place, number, score in zip(block, best.tolist(), near.max(axis=1), strict=True):
            if score >= made.least:
                found[number, place] = 1
    return sparse.csr_array(found)


def _sums(space: Space, vectors: np.ndarray, held: sparse.csr_array) -> np.ndarray:
    """Sum of the vectors that each row holds. Shape: (rows of held, width)."""
    total = np.zeros((held.shape[0], vectors.shape[1]), dtype=np.float64)
    for start in range(0, len(vectors), BLOCK):
        block = space.project(vectors[start : start + BLOCK])
        total += held[:, start : start + BLOCK] @ block
    return total.astype(np.float32)


def _least_cosine(
    space: Space,
    vectors: np.ndarray,
    alone: sparse.csr_array,
    halves: np.ndarray,
    sums: Sequence[np.ndarray],
) -> float:
    """From which cosine the nearest topic is mostly right, by the sentences that hold one.

    Each half of the sentences is judged by the centroids of the other.
    """
    truth = np.full(len(vectors), -1)
    coordinates = alone.tocoo()
    truth[coordinates.col[coordinates.data > 0]] = coordinates.row[coordinates.data > 0]
    scores: list[np.ndarray] = []
    right: list[np.ndarray] = []
    for half, other in ((halves, unit(sums[1])), (~halves, unit(sums[0]))):
        places = np.flatnonzero(half & (truth >= 0))[:BLOCK]
        near = space.project(vectors[places]) @ other.T
        scores.append(near.max(axis=1, initial=-1.0))
        right.append(near.argmax(axis=1) == truth[places])
    score, correct = np.concatenate(scores), np.concatenate(right)
    if len(score) < FEWEST_KNOWN:
        return NEVER
    order = np.argsort(-score, kind="stable")
    around = np.convolve(correct[order].astype(float), np.ones(FEWEST_KNOWN), "valid")
    enough = np.cumprod(around >= PRECISION * FEWEST_KNOWN)
    return max(LEAST_COSINE, float(score[order][int(enough.sum()) - 1])) if enough[0] else NEVER


def _phrase_space(
    space: Space | None, vectors: np.ndarray, phrase_vectors: np.ndarray, held: sparse.csr_array
) -> tuple[np.ndarray, np.ndarray]:
    if space is None or not held.shape[0]:
        nothing = np.zeros((held.shape[0], 1), dtype=np.float32)
        return nothing, nothing
    middle = phrase_vectors.astype(np.float32).mean(axis=0)
    return space.project(phrase_vectors, middle), unit(_sums(space, vectors, held))


def _deviations(rows: np.ndarray, columns: np.ndarray | None = None) -> np.ndarray:
    """Cosines, measured by how far those of these phrases mostly are from 0."""
    among = rows @ rows.T
    spread = among[np.triu_indices(len(rows), 1)]
    size = float(np.sqrt(np.mean(spread**2))) if len(spread) else 0.0
    near = among if columns is None else rows @ columns.T
    return near / size if size > 1e-6 else np.zeros_like(near)


def _alike_in_words(phrases: Sequence[Phrase], others: Sequence[Phrase]) -> np.ndarray:
    words = [frozenset(counted_words(phrase.text)) for phrase in phrases]
    other_words = [frozenset(counted_words(phrase.text)) for phrase in others]
    alike = np.zeros((len(phrases), len(others)))
    for i, phrase in enumerate(phrases):
        for j, other in enumerate(others):
            shared = len(words[i] & other_words[j])
            if shared:
                alike[i, j] += SHARED_WORDS * shared / len(words[i] | other_words[j])
            if phrase.category and other.category:
                if phrase.category != other.category:
                    alike[i, j] += OTHER_CATEGORY
                else:
                    narrow = phrase.category in NARROW
                    alike[i, j] += SAME_NARROW_CATEGORY if narrow else SAME_CATEGORY
    return alike
