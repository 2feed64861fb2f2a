"""The words for polarity that a worksheet may hold, and the encoder's label that each means."""

from __future__ import annotations

from collections.abc import Iterable

from udfs.errors import BadInput, short

_WORDS = {
    "negative": "negative neg bad unhappy n - -1 负 负面 负向 消极 差评 不满意 差",
    "neutral": "neutral neu none ok average 中 中性 中立 中评 一般",
    "positive": "positive pos good happy p + +1 正 正面 正向 积极 好评 满意 好",
    "mixed": "mixed both 褒贬 褒贬不一 褒贬兼有 混合",
}
_MEANING = {word: label for label, words in _WORDS.items() for word in words.split()}
_SCALES = (  # numbers mean polarity only all together
    ("stars", {"1": "negative", "2": "negative", "3": "neutral", "4": "positive", "5": "positive"}),
    ("0 and 1", {"0": "negative", "1": "positive"}),
    ("-1, 0 and 1", {"-1": "negative", "0": "neutral", "1": "positive"}),
)


def read_polarities(words: Iterable[str]) -> tuple[dict[str, str], str]:
    """The label that each of these words means, and a note for a person where numbers were read.

    Raises: BadInput naming the words that are not known.
    """
    distinct = sorted(set(words))
    known = {word: _MEANING[word.casefold()] for word in distinct if word.casefold() in _MEANING}
    if len(known) == len(distinct):
        return known, ""
    numbers = set(distinct)
    for name, meaning in (_SCALES[1], _SCALES[2], _SCALES[0]):
        if numbers <= set(meaning):
            told = ", ".join(f"{word} as {label}" for word, label in meaning.items())
            return {word: meaning[word] for word in distinct}, f"Read as {name}: {told}."
    strange = [short(word) for word in distinct if word not in known]
    raise BadInput(
        f"The label column holds {', '.join(strange[:8])}{', ...' if len(strange) > 8 else ''}; "
        "expected positive, negative, neutral or mixed (also pos/neg, 好评/差评, 正面/负面), "
        "stars from 1 to 5, or 0 and 1. For labels of your own: shopsheet train classify"
    )
