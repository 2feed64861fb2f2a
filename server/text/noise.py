"""Takes out what a platform or a post adds to the words: addresses, @names, stock sentences."""

from __future__ import annotations

import re

_HAN = "\u4e00-\u9fff"

_URL = re.compile(
    r"(?:https?|ftp)://[!#-;=?-~]*[A-Za-z0-9/=&#%_~-]"
    r"|(?<![A-Za-z0-9.@-])www\.[A-Za-z0-9-]+\.[!#-;=?-~]*[A-Za-z0-9/=&#%_~-]",
    re.I,
)
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}"
    r"(?:\.[A-Za-z0-9-]{1,63}){0,3}\.[A-Za-z]{2,24}(?![A-Za-z0-9])"
)
# A Latin name ends where its letters end. A Chinese one ends at a space or a colon: without one,
# "@小米手机真好用" is a sentence.
_MENTION = re.compile(
    r"(?:\bRT |//|回复)?(?<![A-Za-z0-9_.+-])\.?@(?:"
    rf"[A-Za-z_][A-Za-z0-9_.-]{{0,29}}(?![A-Za-z0-9_{_HAN}@-])"
    rf"|[A-Za-z0-9_{_HAN}-]{{1,16}}(?=[\s:：])|(?<=\s@)[A-Za-z0-9_{_HAN}-]{{1,8}}$"
    r")[:：]?"
)
_TOPIC = re.compile(r"#([^#\s]{1,40}?)(?:\[话题\])?#")  # Weibo and Xiaohongshu close the hashtag
_HASHTAG = re.compile(r"(?<![\w&/#])#(?=[^\W\d_])(\w+)")  # "#1", "C#" and "&#39" are none
_AMAZON_VIDEO = re.compile(r"\[\[\s?VIDEOID\s?:[^\[\]]*\]\]")
_AMAZON_PRODUCT = re.compile(r"\[\[\s?ASIN\s?:\s?\w{10}\s([^\[\]]*)\]\]")
_EMPTY_BRACKETS = re.compile(r"\(\s*\)|（\s*）|\[\s*\]|【\s*】|<\s*>")
_SPACE_BEFORE_STOP = re.compile(r"(?<=\w)\s+(?=[,.!?;](?:\s|$))")

_WRITER = "(?:用户|买家|顾客|会员|评价方|客户)"
_RATED = "(?:好评|[五5]星(?:好评)?|评价)"
_STOCK_ZH = (
    rf"(?:此|该|本)?{_WRITER}(?:没有|未|暂未|并未)(?:能)?(?:及时)?(?:主动)?"
    r"(?:填写|作出|做出|给出|发表|留下|进行)?(?:任何)?(?:文字)?(?:评价|评论)(?:内容)?",
    rf"(?:{_WRITER}(?:没有|未)(?:及时)?(?:做出|作出|填写)?评[价论][,，]?\s?)?"
    rf"(?:系统|平台)(?:已)?(?:自动)?(?:默认)?(?:给予|给出)?(?:了)?{_RATED}",
    rf"(?:自动|默认){_RATED}",
    r"暂无(?:文字)?(?:评价|评论)(?:内容)?",
    r"(?:展开|收起|查看)全文",
    r"(?:来自|发自)[^\s，。！？,!?]{1,12}客户端",
)
_STOCK_EN = (
    r"(?:the |this )?(?:reviewer|customer|buyer|user|guest) (?:did not|didn't|has not|hasn't) "
    r"(?:leave|left|write|written|provide|provided) (?:a |any )?(?:comment|review|feedback)s?",
    r"(?:there (?:are|is) )?no (?:comments?|review text|written review) "
    r"(?:available|left|provided)(?: for this review)?",
    r"(?:this |the )?(?:reviewer|customer|user) (?:only )?left (?:only )?a rating(?: only)?",
    r"the media could not be loaded",
    r"reviewed in (?:the )?[a-z]+(?: [a-z]+)? on (?:[a-z]+ \d{1,2}, \d{4}|\d{1,2} [a-z]+ \d{4})",
    r"(?:\d{1,5}|one) (?:people|person) found this (?:review )?helpful",
    r"verified purchase|read (?:more|less)",
)
# A stock sentence goes only where it stands alone: "系统默认好评了我也没办法" is the writer's own.
_STOCK = re.compile(
    rf"(?:^|(?<=[\s。！？!?,，;；…])) ?(?:{'|'.join(_STOCK_ZH)}) ?(?:[。！!,，;；….]+|$|(?=\s))"
    rf"|(?:^|(?<=[\n。！？.!?])) ?(?:{'|'.join(_STOCK_EN)}) ?(?:[。！!.]+|$|(?=\n))"
    r"|\((?:translated by google|original)\)|\[(?:图片|视频|动画表情)\]"
    r"|\[this review was collected as part of a promotion\.?\]",
    re.I,
)


def strip_noise(text: str) -> str:
    """`text` without addresses, @mentions and stock sentences; a #hashtag keeps its words."""
    if "://" in text or "www." in text.lower():
        text = _URL.sub(" ", text)
    if "@" in text:
        text = _MENTION.sub(" ", _EMAIL.sub(" ", text))
    if "#" in text:
        text = _TOPIC.sub(r" \1 ", text)
        text = _HASHTAG.sub(lambda tag: tag[1].replace("_", " "), text)
    if "[[" in text:
        text = _AMAZON_PRODUCT.sub(r"\1", _AMAZON_VIDEO.sub(" ", text))
    text = _EMPTY_BRACKETS.sub(" ", _STOCK.sub(" ", text))
    return _SPACE_BEFORE_STOP.sub("", text)
