"""Names of topics in the language that is wanted, or that most texts have."""

from __future__ import annotations

import re
from collections.abc import Sequence

from server.semantics.topic_phrases import Corpus, Phrase
from server.semantics.topics import Topic

MOST_TERMS = 6
OVERALL = {"en": "(overall)", "zh": "（总体评价）"}  # what judges without saying what
OTHER = {"en": "(other)", "zh": "（其他）"}
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")


def language_of(corpus: Corpus) -> str:
    """ "zh" if most sentences hold Chinese, else "en"."""
    chinese = sum(language_of_text(one.text) == "zh" for one in corpus.sentences)
    return "zh" if 2 * chinese > len(corpus.sentences) else "en"


def language_of_text(text: str) -> str:
    """ "zh" if it holds Chinese, else "en"."""
    return "zh" if _HAN.search(text) else "en"


def name_topic(phrases: Sequence[Phrase], language: str, strict: bool) -> Topic:
    """The topic of these phrases: named by its best one, a thing rather than an opinion.

    strict: terms of the other language are left out, unless there are no others.
    """
    ranked = sorted(
        phrases,
        key=lambda phrase: (_is(phrase.text, language), not phrase.judges, phrase.score),
        reverse=True,
    )
    name = ranked[0].text
    fitting = [phrase for phrase in phrases if _is(phrase.text, language)] if strict else []
    best = sorted(fitting or phrases, key=lambda phrase: (-phrase.score, phrase.key))
    terms = [name, *(phrase.text for phrase in best if phrase.text != name)][:MOST_TERMS]
    keys = tuple(key for phrase in phrases for key in phrase.keys)
    return Topic(name, tuple(terms), keys, _category(phrases))


def joined(terms: Sequence[str]) -> str:
    """The terms as one text, with the comma of the first one's language."""
    return ("、" if terms and _HAN.search(terms[0]) else ", ").join(terms)


def _is(text: str, language: str) -> bool:
    return language_of_text(text) == language


def _category(phrases: Sequence[Phrase]) -> str | None:
    """The shop's category of at least half the weight of the phrases."""
    weights: dict[str, float] = {}
    for phrase in phrases:
        if phrase.category:
            weights[phrase.category] = weights.get(phrase.category, 0.0) + phrase.score
    best = max(weights, key=lambda name: (weights[name], name), default=None)
    half = sum(phrase.score for phrase in phrases) / 2
    return best if best is not None and weights[best] >= half else None
