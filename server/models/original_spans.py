"""Finds in a user's own text what was found in the text that the encoder read."""

import html
import re
from collections.abc import Callable

import emoji
import numpy as np

from server.models import normalise as cleaning
from udfs.errors import ModelFailed

_ENTITY = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\t\n\f <&#;]{1,32};?)")

_VARIATION = re.compile("[\ufe0e\ufe0f]")  # emoji.replace_emoji drops the stray ones


def original_offsets(text: str) -> tuple[str, np.ndarray]:
    """(`normalise(text)`, where in `text` each of its characters comes from).

    Shape of the second: (characters, 2); [start, end) of the characters that became this one.
    Raises: ModelFailed if this file no longer does what `normalise` does.
    """
    wanted = cleaning.normalise(text)
    if wanted == text:
        places = np.arange(len(text))
        return text, np.stack([places, places + 1], axis=1)
    made = _Traced(text[: cleaning._LONGEST])
    if "&" in made.text:
        made.replace(_ENTITY, lambda found: html.unescape(found.group()))
    if "<" in made.text:
        made.replace(cleaning._TAG, lambda _found: " ")
    if cleaning._MAY_HOLD_EMOJI.search(made.text):
        made.replace_emoji()
        made.replace(_VARIATION, lambda _found: "")
    made.replace(cleaning._INVISIBLE, lambda _found: "")
    made.replace(cleaning._RUN, lambda found: found.group(1) * 3)
    made.replace(cleaning._SPACE, lambda _found: " ")
    made.strip()
    if made.text != wanted:
        raise ModelFailed(f"original_offsets() made {made.text!r}, normalise() {wanted!r}.")
    return wanted, np.array(made.offsets, dtype=np.int64).reshape(-1, 2)


def original_span(span: tuple[int, int], offsets: np.ndarray) -> tuple[int, int]:
    """The span of the user's text that became this span of the normalised text."""
    start, end = span
    return int(offsets[start, 0]), int(offsets[end - 1, 1])


class _Traced:
    """A text that is rewritten step by step and remembers where its characters come from."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.offsets = [(i, i + 1) for i in range(len(text))]

    def replace(self, pattern: re.Pattern[str], new: Callable[[re.Match[str]], str]) -> None:
        self._replace([(f.start(), f.end(), new(f)) for f in pattern.finditer(self.text)])

    def replace_emoji(self) -> None:
        self._replace(
            [
                (
                    found["match_start"],
                    found["match_end"],
                    f" {cleaning._emoji_name(emoji.EMOJI_DATA[found['emoji']])} ",
                )
                for found in emoji.emoji_list(self.text)
            ]
        )

    def strip(self) -> None:
        left = len(self.text) - len(self.text.lstrip())
        self.text = self.text.strip()
        self.offsets = self.offsets[left : left + len(self.text)]

    def _replace(self, parts: list[tuple[int, int, str]]) -> None:
        text, offsets, done = [], [], 0
        for start, end, new in parts:
            text += [self.text[done:start], new]
            offsets += self.offsets[done:start]
            old = self.offsets[start:end]
            if len(new) <= len(old):  # A run of characters, cut short: the last takes the rest.
                kept = old[: len(new)]
                if kept:
                    kept[-1] = (kept[-1][0], old[-1][1])
            else:
                kept = [(old[0][0], old[-1][1])] * len(new)
            offsets += kept
            done = end
        self.text = "".join(text) + self.text[done:]
        self.offsets = offsets + self.offsets[done:]
