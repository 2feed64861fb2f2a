"""Shortens what was repeated for emphasis: letters, characters, phrases, punctuation, emoji.

English doubles a letter and never triples it, so three or more mean emphasis and become two
(Go et al. 2009, "Twitter Sentiment Classification using Distant Supervision"; Brody and
Diakopoulos 2011 show that such lengthening marks feeling, so a trace of it stays).
Chinese doubles a character as grammar (好好, 天天, 试试): three or more become two.
"""

from __future__ import annotations

import re

from server.text.characters import EMOJI

_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_LETTER = rf"[^\W\d_{_HAN}\u3040-\u30ff]"
_THREE_LETTERS = re.compile(rf"({_LETTER})\1\1+")
# A word beside a digit is a model or a size ("3XXXL"), not speech.
_WORD = re.compile(
    rf"(?<![\w]){_LETTER}+(?!\w)|(?<=[{_HAN}]){_LETTER}+(?![\w])"
    rf"|(?<![\w]){_LETTER}+(?=[{_HAN}])|(?<=[{_HAN}]){_LETTER}+(?=[{_HAN}])"
)
_MEANT = re.compile(
    r"x{1,6}[ls]"  # XXXL
    r"|[ivx]{1,6}"  # VIII
    r"|(.)\1{0,3}",  # AAA and AAAA batteries, WWW, mmm
    re.I,
)
_LAUGH = re.compile(r"\b(ha|he)\1{2,}h?\b", re.I)
_THREE_HAN = re.compile(rf"([{_HAN}])(?<![一二三四五六七八九十百千万零])\1\1+")
_PHRASE = re.compile(rf"([{_HAN}]{{2,8}}?)\1\1+")
_NUMERALS = re.compile("[一二三四五六七八九十百千万零点]+")
_EXCLAIM = re.compile("[!?！？]{2,}")
_COMMA = re.compile("[,，、;；]{2,}")
_FIRST_OF_TWO = re.compile(r"([~～])[~～]+")
_FIRST_OF_THREE = re.compile(r"([-=_|/\\#:\"'`^•)）(（])\1\1+")
_DOTS = re.compile(r"\.{2,}")
_CHINESE_DOTS = re.compile("。{2,}|…{3,}|[·・]{3,}|(?:……)+。+")
_LONG_DASH = re.compile("—{3,}")
_STARS = re.compile(r"\*{6,}")  # "*****" is a rating
_PLUSES = re.compile(r"([+$])\1{3,}")  # "A+++" is an energy class
_RATING = "\u2605\u2606\u2b50\U0001f31f"
_ONE_EMOJI = rf"(?![\U0001f1e6-\U0001f1ff{_RATING}])[{EMOJI}]"
_EMOJI_RUN = re.compile(
    rf"({_ONE_EMOJI}(?:[\ufe0f\U0001f3fb-\U0001f3ff]|\u200d[{EMOJI}]){{0,8}})(?:\s?\1)+"
)
# Most texts repeat nothing; one search tells.
_SUSPECT = re.compile(
    rf"(\D)\1\1|[!?！？,，、;；~～.。]{{2}}|[hH][aeAE][hH][aeAE][hH]|([{EMOJI}])[\ufe0f\s]?\2"
    rf"|[\U0001f3fb-\U0001f3ff\ufe0f]"
)


def shorten(text: str) -> str:
    """`text` with emphasis cut short: "soooo good!!!!" to "soo good!", "好好好好吃" to "好好吃".

    Digits, ratings ("★★★★★"), sizes (XXXL), Roman numerals and AAA stay as they are.
    """
    if not _SUSPECT.search(text) and not _PHRASE.search(text):
        return text
    if _THREE_LETTERS.search(text):
        text = _WORD.sub(_shorten_word, text)
    text = _LAUGH.sub(r"\1\1", text)
    text = _THREE_HAN.sub(r"\1\1", text)
    text = _PHRASE.sub(lambda run: run[0] if _NUMERALS.fullmatch(run[1]) else run[1], text)
    text = _EXCLAIM.sub(_one_of_each, text)
    text = _COMMA.sub(lambda run: run[0][0], text)
    text = _FIRST_OF_THREE.sub(r"\1", _FIRST_OF_TWO.sub(r"\1", text))
    text = _CHINESE_DOTS.sub("……", _DOTS.sub("...", text))
    text = _PLUSES.sub(r"\1\1\1", _STARS.sub("*****", _LONG_DASH.sub("——", text)))
    return _EMOJI_RUN.sub(r"\1", text)


def _shorten_word(word: re.Match[str]) -> str:
    if _MEANT.fullmatch(word[0]):
        return word[0]
    return _THREE_LETTERS.sub(r"\1\1", word[0])


def _one_of_each(run: re.Match[str]) -> str:
    """ "?!?!?!" to "?!"; the width of the first of each sign is kept."""
    signs: dict[bool, str] = {}
    for sign in run[0]:
        signs.setdefault(sign in "!！", sign)
    return "".join(signs.values())
