"""Summaries by quotation: sentences that people wrote, both sides heard, with who said the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from server.models.scale import DEFAULT, Scale
from server.semantics.sentences import is_chinese, word_count

# Chosen by reading summaries of clothes, pet supplies, phones, hotels and shampoo, beside MMR
# (Carbonell and Goldstein 1998) and LexRank (Erkan and Radev 2004): those pick long sentences that
# touch everything, this one short ones that each say one thing.
LENGTH_POWER = 0.5  # a sentence of four times the words must cover twice as much
# Likeness of two sentences is the mean of that in meaning and that in words.
SAME_WORDS = 0.5  # likeness in words that sentences that say the same have at least
OPINION = 0.35  # how far from neutral praise or complaint is
LEAST_GAIN = 0.05  # of a side's first sentence; one that adds less is not worth reading
MOST_SPEAKING = 20_000  # sentences of a side; of more, evenly spaced ones stand for all
MOST_CANDIDATES = 400  # of a side, nearest to what it says on the whole
FEWEST_WORDS = {True: 4, False: 3}  # by whether it is Chinese


@dataclass(frozen=True)
class Sentence:
    """A sentence and the place of the text that holds it."""

    text: str
    row: int


@dataclass(frozen=True)
class Quotation:
    """A chosen sentence: its own row first, then the rows that say the same."""

    text: str
    rows: tuple[int, ...]


def summarise(
    sentences: Sequence[Sentence],
    vectors: np.ndarray,
    polarity: np.ndarray,
    words_of: Callable[[str], Sequence[str]],
    max_words: int,
    scale: Scale = DEFAULT,
) -> list[Quotation]:
    """Sentences that together speak for as many rows as they can, in at most `max_words` words.

    Praise, complaint and rows without either get words in proportion to their rows; praise and
    complaint get one sentence each where they exist. The side with more rows comes first. If no
    sentence is short enough, the shortest is given.

    Shapes: vectors (sentences, width) of length 1; polarity (sentences,) from -1 to 1.
    words_of: the words of a sentence that say something.
    Source: facility location under a budget, Lin and Bilmes 2010, "Multi-document summarization
    via budgeted maximization of submodular functions", greedy by gain per scaled length.
    """
    sides = _sides(sentences, vectors, polarity, words_of, scale)
    if not sides:
        return []
    rows = sum(side.row_count for side in sides)
    due = {side: max_words * side.row_count / rows for side in sides}
    left = max_words
    # Praise and complaint first, so that each is heard; the first leaves room for the second.
    must = [side for side in sides if side.polar]
    for number, side in enumerate(must):
        later = sum(other.shortest for other in must[number + 1 :])
        most = max(left - later, side.shortest if number == 0 else 0)
        fitting = min(most, max(due[side], side.shortest))
        left -= side.take(int(fitting)) or side.take(most)
    while True:
        waiting = sorted(sides, key=lambda side: side.used - due[side])
        for side in waiting:
            taken = side.take(left) if side.used < due[side] else 0
            if taken:
                left -= taken
                break
        else:
            break
    found = [quotation for side in sides for quotation in side.quotations()]
    return found or [min(sides, key=lambda side: side.shortest).briefest()]


def _sides(
    sentences: Sequence[Sentence],
    vectors: np.ndarray,
    polarity: np.ndarray,
    words_of: Callable[[str], Sequence[str]],
    scale: Scale,
) -> list[_Side]:
    """Praise, complaint and the rows that hold neither; the one with most rows first."""
    if not sentences:
        return []
    rows = np.array([sentence.row for sentence in sentences])
    polar = np.where(np.abs(polarity) > OPINION, np.sign(polarity), 0)
    silent = ~np.isin(rows, rows[polar != 0])
    sides = []
    for sign in (1, -1, 0):
        places = np.flatnonzero(polar == sign)
        # What a row says without opinion counts only if it has none at all.
        voting = places if sign else places[silent[places]]
        if len(voting):
            row_count = len(np.unique(rows[voting]))
            places = _some(places)
            votes = np.ones(len(places), dtype=bool) if sign else silent[places]
            strength = np.abs(polarity[places]) if sign else np.ones(len(places))
            own = [sentences[place] for place in places.tolist()]
            likeness = _Likeness(vectors[places], [words_of(one.text) for one in own], scale)
            sides.append(_Side(own, likeness, strength, votes, row_count, sign != 0))
    return sorted(sides, key=lambda side: -side.row_count)


def _some(places: np.ndarray) -> np.ndarray:
    """All of them, or MOST_SPEAKING evenly spaced ones."""
    if len(places) <= MOST_SPEAKING:
        return places
    kept: np.ndarray = places[np.linspace(0, len(places) - 1, MOST_SPEAKING).astype(int)]
    return kept


class _Likeness:
    """How alike sentences are, in meaning and in words."""

    def __init__(self, vectors: np.ndarray, words: Sequence[Sequence[str]], scale: Scale) -> None:
        self.vectors = vectors
        self._terms = _terms(words)
        self._scale = scale

    def with_candidates(self, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(whether each says the same as a candidate, how far that speaks for it, from 0 to 1).

        Shapes: (sentences, candidates).
        """
        scale = self._scale
        meaning = self.vectors @ self.vectors[candidates].T
        words = np.asarray((self._terms @ self._terms[candidates].T).todense(), dtype=np.float32)
        likeness = (meaning + words) / 2
        likeness[candidates, np.arange(len(candidates))] = 1.0
        span = scale.spoken_for - scale.unrelated
        speaks = np.clip((likeness - scale.unrelated) / span, 0.0, 1.0)
        return (meaning >= scale.same) & (words >= SAME_WORDS), speaks


def likeness_in_words(words: Sequence[Sequence[str]]) -> np.ndarray:
    """How many words sentences share, rare ones weighing more. Shape: (sentences, sentences)."""
    terms = _terms(words)
    return np.asarray((terms @ terms.T).todense(), dtype=np.float32)


class _Side:
    """The sentences of one opinion, and which of them have been chosen."""

    def __init__(
        self,
        sentences: Sequence[Sentence],
        likeness: _Likeness,
        strength: np.ndarray,
        votes: np.ndarray,
        row_count: int,
        polar: bool,
    ) -> None:
        """votes: which sentences are to be spoken for; the others may only be quoted and cited.

        row_count: of all rows on this side, of which these sentences may be a part.
        """
        self.polar = polar
        self.row_count = row_count
        self.used = 0
        self._chosen: list[int] = []  # places among the candidates
        self._sentences = sentences
        lengths = np.array([word_count(sentence.text) for sentence in sentences])
        self._rows = np.array([sentence.row for sentence in sentences])
        _, place_of_row, sentences_of_row = np.unique(
            self._rows, return_inverse=True, return_counts=True
        )
        self._weights = votes / sentences_of_row[place_of_row]  # every row has one vote
        candidates = self._candidates(likeness.vectors, strength, lengths)
        self._same, self._speaks = likeness.with_candidates(candidates)
        self._covered = np.zeros(len(sentences))
        self._candidates_at = candidates
        self._lengths = lengths[candidates]
        self._strength = strength[candidates] / self._lengths**LENGTH_POWER
        self._open = np.ones(len(candidates), dtype=bool)
        self._first_gain = 0.0

    @property
    def shortest(self) -> int:
        """Words of the shortest sentence that can be chosen."""
        return int(self._lengths.min())

    def take(self, most_words: int) -> int:
        """Words of the best sentence that has at most so many; 0 if none is worth it."""
        gains = self._weights @ np.maximum(self._speaks - self._covered[:, None], 0.0)
        gains = np.where(self._open & (self._lengths <= most_words), gains * self._strength, 0.0)
        best = int(np.argmax(gains.round(9)))
        if gains[best] <= max(LEAST_GAIN * self._first_gain, 1e-9):
            return 0
        self._first_gain = self._first_gain or float(gains[best])
        self._chosen.append(best)
        self._covered = np.maximum(self._covered, self._speaks[:, best])
        self._open &= ~self._same[self._candidates_at, best]
        self._open[best] = False
        self.used += int(self._lengths[best])
        return int(self._lengths[best])

    def quotations(self) -> list[Quotation]:
        """What was chosen, in that order."""
        return [self._quotation(best) for best in self._chosen]

    def briefest(self) -> Quotation:
        """The shortest sentence."""
        return self._quotation(int(np.argmin(self._lengths)))

    def _quotation(self, candidate: int) -> Quotation:
        sentence = self._sentences[self._candidates_at[candidate]]
        others = {int(row) for row in self._rows[self._same[:, candidate]]} - {sentence.row}
        return Quotation(sentence.text, (sentence.row, *sorted(others)))

    def _candidates(
        self, vectors: np.ndarray, strength: np.ndarray, lengths: np.ndarray
    ) -> np.ndarray:
        """Places of the sentences that may be chosen: no scraps, and those nearest the centre."""
        least = [FEWEST_WORDS[is_chinese(sentence.text)] for sentence in self._sentences]
        whole = np.flatnonzero(lengths >= least)
        if not len(whole):
            whole = np.flatnonzero(lengths == lengths.max())
        centre = self._weights @ vectors
        score = (vectors[whole] @ centre) * strength[whole]
        return np.sort(whole[np.argsort(-score, kind="stable")[:MOST_CANDIDATES]])


def _terms(words: Sequence[Sequence[str]]) -> sparse.csr_array:
    """Words of each sentence, rare ones weighing more; rows of length 1, or 0 without words."""
    vocabulary: dict[str, int] = {}
    places = [[vocabulary.setdefault(word, len(vocabulary)) for word in set(s)] for s in words]
    ends = np.cumsum([0, *map(len, places)])
    columns = np.array([place for row in places for place in row], dtype=np.int64)
    counts = np.bincount(columns, minlength=len(vocabulary))
    values = (np.log((1 + len(words)) / (1 + counts)) + 1)[columns]
    matrix = sparse.csr_array((values, columns, ends), shape=(len(words), max(1, len(vocabulary))))
    norms = np.sqrt(matrix.multiply(matrix).sum(axis=1))
    scale = 1 / np.where(norms > 0, norms, 1.0)
    scaled: sparse.csr_array = sparse.diags_array(scale) @ matrix
    return scaled.tocsr()
