"""Reads aspects, opinions, polarities and categories out of the encoder's token outputs.

The encoder gives K numbers for each token: for every style (the way a data set was annotated) six
tag logits, then the token's role vector as part of an aspect, then as part of an opinion. A span's
vector is the mean of its tokens'; the first token of a text, [CLS], stands for what is unsaid.
Every (aspect, opinion) of a text is scored by one small layer that all pairs of a chunk share.

Shapes: N tokens of a chunk of texts, one after the other; S spans, P pairs, D role vector.
Spans here are [start, end) in tokens of the chunk until they become characters.
Source: table filling with pair classes, after Zhang et al. 2021 (ACOS: Cai et al. 2021).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from server.models.aspect_sense import sensible
from server.models.found_aspect import FoundAspect, Span

OUTSIDE, BEGIN, INSIDE = range(3)
TAGS = 3  # of each role
PAIR_CLASSES = ("none", "negative", "neutral", "positive")
ALL_UNSAID, ASPECT_UNSAID, OPINION_UNSAID, OVERLAP = range(4)
DISTANCES = np.array([1, 2, 3, 4, 6, 9, 13, 20, 32])  # tokens between; each begins a bucket
PLACES = 4 + 2 * (len(DISTANCES) + 1)
COUNTED = 2  # other spans between the two of a pair: none, one, or more
NEIGHBOURHOODS = (COUNTED + 1) ** 2
RIVAL_SHARE = 0.85  # of an opinion's likeliest pair; a pair below it gives way (fitted on dev)
CHUNK_TEXTS = 256
WIDEST_GAP = 2  # characters between neighbouring tokens; more means that text was cut out


@dataclass(frozen=True)
class Candidates:
    """Spans that may be an aspect (or an opinion), in order of text; each text has its [CLS].

    spans (S, 2); texts (S,) the text of each; unsaid (S,) True for a [CLS].
    """

    spans: np.ndarray
    texts: np.ndarray
    unsaid: np.ndarray


class AspectDecoder:
    """The small layers after the encoder. `tensors` and `config` are what `AspectHead` exports."""

    def __init__(self, tensors: Mapping[str, np.ndarray], config: Mapping[str, Any]) -> None:
        self.styles: tuple[str, ...] = tuple(config["styles"])
        self.shop_categories: tuple[str, ...] = tuple(config["shop"])
        self.fine_categories: tuple[str, ...] = tuple(config["fine"])
        self._role = int(config["role_size"])
        self._thresholds: Mapping[str, Sequence[float]] = config["thresholds"]
        self._sets: Mapping[str, Sequence[str]] = config["sets"]
        self._tensors = {name: t.astype(np.float32) for name, t in tensors.items()}

    def decode(
        self,
        outputs: Sequence[np.ndarray],
        offsets: Sequence[np.ndarray],
        styles: Sequence[str],
        sets: Sequence[str] | None = None,
        texts: Sequence[str] | None = None,
    ) -> list[list[FoundAspect]]:
        """The aspects of each text, in the order of the text.

        outputs: a (T, K) array per text, [CLS] first and [SEP] last, no padding; offsets: (T, 2),
        characters of each token (0, 0 for the special ones). With `sets`, a text's category is the
        likeliest fine one of that data set; else the likeliest shop category. With the normalised
        `texts`, what makes no sense in them is left out (see aspect_sense.py).
        """
        found: list[list[FoundAspect]] = []
        for start in range(0, len(outputs), CHUNK_TEXTS):
            part = slice(start, start + CHUNK_TEXTS)
            found += self._decode_chunk(
                outputs[part], offsets[part], styles[part], None if sets is None else sets[part]
            )
        if texts is None:
            return found
        return [sensible(one, text) for one, text in zip(found, texts, strict=True)]

    def _decode_chunk(
        self,
        outputs: Sequence[np.ndarray],
        offsets: Sequence[np.ndarray],
        styles: Sequence[str],
        sets: Sequence[str] | None,
    ) -> list[list[FoundAspect]]:
        flat = np.concatenate(outputs).astype(np.float32)
        characters = np.concatenate(offsets)
        lengths = np.array([len(one) for one in outputs])
        texts = np.repeat(np.arange(len(lengths)), lengths)
        cls = np.cumsum(lengths) - lengths
        style = np.array([self.styles.index(name) for name in styles])
        thresholds = np.array([self._thresholds[name] for name in styles])
        tags = own_tags(flat, style[texts], len(self.styles))
        tags[:, :, OUTSIDE] -= thresholds[texts, 0, None]
        allowed = characters[:, 1] > characters[:, 0]
        gap = np.zeros(len(flat), dtype=bool)
        gap[1:] = characters[1:, 0] - characters[:-1, 1] > WIDEST_GAP
        aspects, opinions = (
            with_unsaid(spans_of_tags(tags[:, role].argmax(-1), allowed, gap), texts, cls)
            for role in range(2)
        )
        a, o = all_pairs(aspects, opinions)
        hidden = self._pair_vectors(flat, aspects, opinions, a, o)
        styled = hidden + self._tensors["style"][style[aspects.texts[a]]]
        classes = softmax(self._linear("polarity", np.maximum(styled, 0, out=styled)))
        pair_probability = 1 - classes[:, 0]
        likely = pair_probability >= thresholds[aspects.texts[a], 1]
        chosen = np.flatnonzero(likely & ~has_rival(pair_probability, opinions, o))
        a, o, hidden = a[chosen], o[chosen], hidden[chosen]
        pair_probability = pair_probability[chosen]
        polarities = classes[chosen, 1:] / np.maximum(pair_probability, 1e-9)[:, None]
        names, category_probability = self._categories(
            np.maximum(hidden, 0), aspects.texts[a], sets
        )
        found: list[list[FoundAspect]] = [[] for _ in outputs]
        for i, polarity in enumerate(polarities.argmax(-1)):
            found[aspects.texts[a[i]]].append(
                FoundAspect(
                    _characters(aspects, a[i], characters),
                    _characters(opinions, o[i], characters),
                    PAIR_CLASSES[polarity + 1],
                    float(polarities[i, polarity]),
                    float(pair_probability[i]),
                    names[i],
                    float(category_probability[i]),
                )
            )
        for one in found:
            one.sort(key=lambda item: item.aspect or item.opinion or (0, 0))
        return found

    def _pair_vectors(
        self,
        flat: np.ndarray,
        aspects: Candidates,
        opinions: Candidates,
        a: np.ndarray,
        o: np.ndarray,
    ) -> np.ndarray:
        """What goes into each pair's hidden layer, without its style. Shape: (P, hidden).

        The parts for aspect and opinion are computed once a span and then added, pair by pair;
        only the part for the product of the two is a pair's own.
        """
        role_a, role_o = flat[:, -2 * self._role : -self._role], flat[:, -self._role :]
        u, v = span_means(role_a, aspects.spans), span_means(role_o, opinions.spans)
        weight = self._tensors["pair.weight"]
        of_aspect = u @ weight[:, : self._role].T
        of_opinion = v @ weight[:, self._role : 2 * self._role].T + self._tensors["pair.bias"]
        hidden: np.ndarray = (u[a] * v[o]) @ weight[:, 2 * self._role :].T
        hidden += of_aspect[a]
        hidden += of_opinion[o]
        hidden += self._tensors["place"][places(aspects, opinions, a, o)]
        hidden += self._tensors["neighbours"][neighbours(aspects, opinions, a, o)]
        return hidden

    def _categories(
        self, hidden: np.ndarray, texts: np.ndarray, sets: Sequence[str] | None
    ) -> tuple[list[str], np.ndarray]:
        """(name, probability) of each pair's likeliest category."""
        if sets is None:
            names = self.shop_categories
            probabilities = softmax(self._linear("shop", hidden))
        else:
            names = self.fine_categories
            closed = np.stack(
                [[name not in self._sets.get(own, names) for name in names] for own in sets]
            )
            logits = self._linear("fine", hidden)
            logits[closed[texts]] = -1e9
            probabilities = softmax(logits)
        best = probabilities.argmax(-1)
        return [names[i] for i in best], probabilities[np.arange(len(best)), best]

    def _linear(self, name: str, x: np.ndarray) -> np.ndarray:
        product: np.ndarray = x @ self._tensors[f"{name}.weight"].T
        return product + self._tensors[f"{name}.bias"]


def own_tags(flat: np.ndarray, style: np.ndarray, styles: int) -> np.ndarray:
    """Each token's tag logits in its own style. Shape: (N, 2, 3), by role and tag."""
    tags = flat[:, : styles * 2 * TAGS].reshape(len(flat), styles, 2, TAGS)
    own: np.ndarray = tags[np.arange(len(flat)), style]
    return own


def spans_of_tags(tags: np.ndarray, allowed: np.ndarray, new: np.ndarray) -> np.ndarray:
    """The spans that a row of tags marks, shape (S, 2).

    Tokens that are not `allowed` are in none; a span that reaches a `new` token ends before it.
    """
    inside = (tags != OUTSIDE) & allowed
    before = np.concatenate([[False], inside[:-1]])
    starts = np.flatnonzero(inside & ((tags == BEGIN) | ~before | new))
    stops = np.append(np.flatnonzero(~inside), len(tags))
    ends = stops[np.searchsorted(stops, starts)]
    ends = np.minimum(ends, np.append(starts[1:], len(tags))[: len(starts)])
    return np.stack([starts, ends], axis=1)


def with_unsaid(spans: np.ndarray, texts: np.ndarray, cls: np.ndarray) -> Candidates:
    """The spans and each text's [CLS]; `texts` (N,) the text of a token, `cls` its place."""
    every = np.concatenate([np.stack([cls, cls + 1], axis=1), spans])
    order = np.lexsort((every[:, 1], every[:, 0]))
    unsaid = np.arange(len(every)) < len(cls)
    return Candidates(every[order], texts[every[order, 0]], unsaid[order])


def all_pairs(aspects: Candidates, opinions: Candidates) -> tuple[np.ndarray, np.ndarray]:
    """Every aspect with every opinion of its text: (P,) rows of `aspects`, (P,) of `opinions`."""
    texts = int(aspects.texts[-1]) + 1 if len(aspects.texts) else 0
    n_a = np.bincount(aspects.texts, minlength=texts)
    n_o = np.bincount(opinions.texts, minlength=texts)
    counts = n_a * n_o
    text = np.repeat(np.arange(texts), counts)
    number = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    first_a, first_o = np.cumsum(n_a) - n_a, np.cumsum(n_o) - n_o
    return first_a[text] + number // n_o[text], first_o[text] + number % n_o[text]


def places(aspects: Candidates, opinions: Candidates, a: np.ndarray, o: np.ndarray) -> np.ndarray:
    """How each pair stands in its text: what is unsaid, or the tokens between the two, as a row of
    the place table."""
    spans_a, spans_o = aspects.spans[a], opinions.spans[o]
    after, before = spans_o[:, 0] - spans_a[:, 1], spans_a[:, 0] - spans_o[:, 1]
    steps = len(DISTANCES) + 1
    place = np.full(len(a), OVERLAP)
    place = np.where(after >= 0, 4 + np.searchsorted(DISTANCES, after, "right"), place)
    place = np.where(before >= 0, 4 + steps + np.searchsorted(DISTANCES, before, "right"), place)
    no_a, no_o = aspects.unsaid[a], opinions.unsaid[o]
    place = np.where(no_a, ASPECT_UNSAID, place)
    place = np.where(no_o, OPINION_UNSAID, place)
    return np.where(no_a & no_o, ALL_UNSAID, place)


def neighbours(
    aspects: Candidates, opinions: Candidates, a: np.ndarray, o: np.ndarray
) -> np.ndarray:
    """How many other aspects and opinions stand between the two of each pair (in the whole text,
    if one is unsaid), as a row of the neighbours table."""
    spans_a, spans_o = aspects.spans[a], opinions.spans[o]
    start = np.minimum(spans_a[:, 1], spans_o[:, 1])
    end = np.maximum(spans_a[:, 0], spans_o[:, 0])
    texts, unsaid = aspects.texts[a], aspects.unsaid[a] | opinions.unsaid[o]
    cls = aspects.spans[aspects.unsaid, 0]
    start = np.where(unsaid, cls[texts] + 1, start)
    end = np.where(unsaid, np.append(cls[1:], np.iinfo(np.int64).max)[texts], end)
    row = np.zeros(len(a), dtype=np.int64)
    for found in (aspects, opinions):
        starts = found.spans[~found.unsaid, 0]
        between = np.searchsorted(starts, end) - np.searchsorted(starts, start)
        row = row * (COUNTED + 1) + np.clip(between, 0, COUNTED)
    return row


def has_rival(pair_probability: np.ndarray, opinions: Candidates, o: np.ndarray) -> np.ndarray:
    """Whether the (said) opinion of a pair goes much better with another aspect."""
    best = np.zeros(len(opinions.spans))
    np.maximum.at(best, o, pair_probability)
    rival: np.ndarray = (pair_probability < RIVAL_SHARE * best[o]) & ~opinions.unsaid[o]
    return rival


def span_means(vectors: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """Mean vector of each span's tokens. Shape: (S, D)."""
    lengths = spans[:, 1] - spans[:, 0]
    rows = np.repeat(spans[:, 0] - (np.cumsum(lengths) - lengths), lengths)
    sums = np.add.reduceat(
        vectors[rows + np.arange(len(rows))], np.cumsum(lengths) - lengths, axis=0
    )
    means: np.ndarray = sums / lengths[:, None]
    return means


def softmax(logits: np.ndarray) -> np.ndarray:
    """Rows of probabilities; same shape."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: np.ndarray = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities


def _characters(found: Candidates, row: int, characters: np.ndarray) -> Span | None:
    if found.unsaid[row]:
        return None
    start, end = found.spans[row]
    return int(characters[start, 0]), int(characters[end - 1, 1])
