"""Takes HTML out of a text and leaves every "<" that opens no HTML tag.

A parser of the HTML standard (html.parser, lxml, selectolax) reads "</3 broken" as a comment and
"<M or L>" as an element, and swallows both; it leaves "< a href = x >", as corpora write tags.
So a tag is only what is spelt like one: a known name, then nothing or an attribute with a value.
"""

from __future__ import annotations

import html
import re

_BLOCK = (
    "address|article|aside|blockquote|body|br|caption|center|dd|details|div|dl|dt|fieldset|"
    "figcaption|figure|footer|form|h[1-6]|head|header|hr|html|iframe|input|li|main|nav|ol|option|"
    "p|pre|section|select|summary|table|tbody|td|textarea|tfoot|th|thead|title|tr|ul"
)
_INLINE = (
    "a|abbr|acronym|audio|b|big|button|cite|code|del|dfn|em|embed|font|i|img|ins|kbd|label|link|"
    "mark|meta|noscript|object|path|picture|q|s|samp|small|source|span|strike|strong|sub|sup|svg|"
    "time|tt|u|var|video|wbr"
)
_HIDDEN = "script|style"  # what stands between their tags is no text
_SWITCHES = "allowfullscreen|async|autoplay|checked|controls|defer|disabled|hidden|muted|selected"
_TAG = re.compile(
    rf"<\s?/?(?:(?P<block>{_BLOCK})|(?P<inline>{_INLINE})|(?P<hidden>{_HIDDEN}))"
    rf"(?:(?:\s+(?:{_SWITCHES}))*\s*/?>|\s[^<>=]*=[^<>]*>)"
    # A comment may hold tags. The limit keeps many unclosed ones from taking quadratic time.
    r"|<!--.{0,2000}?-->|<!doctype\b[^<>]*>|<\?xml\b[^<>]*>",
    re.I | re.S,
)
_ENTITY = re.compile(
    r"&(?:\s?amp;)*\s?(?:#\s?\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31})\s?;"
    r"|&(?:nbsp|quot|amp|lt|gt|\#39|\#34)(?![a-z0-9;])",
    re.I,
)
_AMPERSANDS = re.compile(r"&(?:amp;)+", re.I)
_SPACE = re.compile(r"\s+")


def strip_markup(text: str) -> str:
    """`text` without tags, comments, scripts and entities; a block's end or a <br> is a space.

    One layer: what was escaped twice comes out escaped once or as a tag, for the next call.
    """
    if "&" in text:
        text = _ENTITY.sub(_character, _AMPERSANDS.sub("&", text))
    return _strip_tags(text) if "<" in text else text


def _character(entity: re.Match[str]) -> str:
    """The character of an entity, also of one that was torn ("& nbsp;"); else what was found."""
    joined = _SPACE.sub("", entity[0])
    if not joined.endswith(";"):
        joined += ";"
    character = html.unescape(joined)
    return entity[0] if character == joined else character


def _strip_tags(text: str) -> str:
    tags = list(_TAG.finditer(text))
    last_end = {tag["hidden"].lower(): tag.start() for tag in tags if tag["hidden"]}
    kept = []
    position = 0
    hidden = ""  # the element whose content is being skipped
    for tag in tags:
        name = (tag["hidden"] or "").lower()
        closes = "/" in tag[0][:3]
        if hidden:
            if name != hidden or not closes:
                continue
            hidden = ""
        else:
            kept.append(text[position : tag.start()])
            # An unclosed script hides nothing: the text after it may be the review.
            if name and not closes and last_end[name] > tag.start():
                hidden = name
        kept.append("" if tag["inline"] else " ")
        position = tag.end()
    kept.append(text[position:])
    return "".join(kept)
