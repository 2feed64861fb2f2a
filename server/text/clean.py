"""A scraped review or post as its writer meant it: no markup, no noise of the platform."""

from __future__ import annotations

from server.text.characters import plain, whole
from server.text.markup import strip_markup
from server.text.noise import strip_noise
from server.text.repeats import shorten

_LAYERS = 12  # text escaped or nested more often than this was made by nobody who reviews
_NO_MARKUP = str.maketrans("<>&", "   ")


def clean(text: str) -> str:
    """The words of `text` on one line; "" where nothing was said. Cleaning twice changes nothing.

    Out: HTML, entities, web and e-mail addresses, @mentions, the sign of a #hashtag, invisible
    characters, sentences that a platform wrote ("此用户没有填写评价"), repeats for emphasis.
    One form: traditional Chinese becomes simplified, full-width letters and digits half-width.
    Kept: case, emoji (they carry the mood: Novak et al. 2015, "Sentiment of Emojis"), Chinese
    punctuation, numbers, prices, sizes, negation, contractions, a "<" that opens no tag.
    """
    text = whole(text)
    for layer in range(2 * _LAYERS):
        before = text
        text = _clean_once(text)
        if text == before:
            break
        if layer == _LAYERS:
            text = text.translate(_NO_MARKUP)
    return text


def _clean_once(text: str) -> str:
    text = plain(strip_markup(text))
    return " ".join(shorten(strip_noise(text)).split())
