"""One form for characters that look or mean the same; invisible ones out."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

import opencc

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa]")

# Emoji and the symbols that a variation selector turns into one.
EMOJI = "\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2934-\u2bff\U0001f000-\U0001faff"
_EMOJI_BASE = f"#*0-9\u00a9\u00ae\u203c\u2049\u2122\u2139\u3030\u303d\u3297\u3299{EMOJI}"
# Scripts whose spelling needs joiners: Arabic and Persian to Sinhala, and emoji families.
_JOINED = f"\u0600-\u0dff\ufe0f{EMOJI}"
_INVISIBLE = re.compile(
    "[\u0000-\u0008\u000e-\u001b\u007f-\u0084\u0086-\u009f\u00ad\u034f\u061c\u115f\u1160\u180e"
    "\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ue000-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0d"
    "\ufeff\uffa0\ufff0-\uffff\U000e0100-\U000e01ef\U000f0000-\U0010ffff]"
    f"|(?<![{_JOINED}])[\u200c\u200d]|[\u200c\u200d](?![{_JOINED}])"
    f"|(?<![{_EMOJI_BASE}])[\ufe0e\ufe0f]"
    "|(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0000-\U000e007f]"  # flags of England, Wales
)
_BLANK_BRAILLE = "\u2800"  # an empty line in posts
_STACKED = re.compile("([\u0300-\u036f\u0489]{2})[\u0300-\u036f\u0489]+")
_HALF_WIDTH = {
    wide: wide - 0xFEE0 for wide in map(ord, "０１２３４５６７８９＋％＃＠＊／＝＿＄＆－")
} | {wide: wide - 0xFEE0 for first in "Ａａ" for wide in range(ord(first), ord(first) + 26)}
_WIDE_POINT = re.compile(r"(?<=\d)．(?=\d)")
_LATIN_FORMS = re.compile("[\ufb00-\ufb06\U0001d400-\U0001d7ff]")  # ligatures, 𝗯𝗼𝗹𝗱 of posts
_APOSTROPHE = re.compile("(?<=[A-Za-z])[\u2018\u2019\u02bc\u00b4\uff07](?=[A-Za-z])")


def whole(text: str) -> str:
    """`text` with surrogate pairs joined; a half of one, as LEFT() leaves it, becomes U+FFFD."""
    if text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def plain(text: str) -> str:
    """`text` in its usual characters: composed, visible, half-width letters, simplified Chinese.

    Chinese punctuation stays as people write it. Japanese is not turned into Chinese.
    Raises: UnicodeEncodeError if `text` holds a surrogate; `whole` comes first.
    """
    if text.isascii():
        return _INVISIBLE.sub("", text)
    text = unicodedata.normalize("NFC", text).replace(_BLANK_BRAILLE, " ")
    text = _INVISIBLE.sub("", text).translate(_HALF_WIDTH)
    text = _WIDE_POINT.sub(".", text)
    text = _LATIN_FORMS.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
    text = _STACKED.sub(r"\1", text)
    text = _APOSTROPHE.sub("'", text)
    return _simplified(text) if _HAN.search(text) else text


def _simplified(text: str) -> str:
    """`text` in simplified Chinese, words as in mainland China only where the characters differ."""
    if len(set(_KANA.findall(text))) > 1:  # one alone is the の of "我の最爱"
        return text
    converted: str = _to_simplified().convert(text)
    return converted


@cache
def _to_simplified() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")
