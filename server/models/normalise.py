"""The one cleaning step that texts pass before the tokenizer, in training and in serving alike."""

import html
import re

import emoji

_TAG = re.compile(
    r"<(?:br|p|div|span|b|i|strong|em|a|img|li|ul|ol|h[1-6])\b[^<>]*>|</[a-z0-9]+>", re.I
)
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060\ufeff]")
_RUN = re.compile(r"(.)\1{3,}", re.S)
_SPACE = re.compile(r"\s+")
# Blocks that hold emoji. A text without any such character skips the slow replacement.
_MAY_HOLD_EMOJI = re.compile("[\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]")
_LONGEST = 32_767


def normalise(text: str) -> str:
    """The text as the encoder reads it: one line, no markup, emoji in words.

    HTML entities and tags go, invisible characters go, a character repeated more than three
    times stays three times, an emoji becomes its English CLDR name ("thumbs up"). Width, case and
    accents are left to the tokenizer's own normaliser. Cut at Excel's 32,767 characters.
    """
    text = text[:_LONGEST]
    if "&" in text:
        text = html.unescape(text)
    if "<" in text:
        text = _TAG.sub(" ", text)
    if _MAY_HOLD_EMOJI.search(text):
        text = emoji.replace_emoji(text, lambda _found, data: f" {_emoji_name(data)} ")
    text = _INVISIBLE.sub("", text)
    text = _RUN.sub(r"\1\1\1", text)
    return _SPACE.sub(" ", text).strip()


def _emoji_name(data: dict[str, str]) -> str:
    return data["en"].strip(":").replace("_", " ")
