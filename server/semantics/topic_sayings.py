"""What a sentence is about where it names nothing: "arrived two weeks late" is about delivery."""

from __future__ import annotations

import re
from typing import Final

# By the shop's category, the most telling first. Narrower than the words of an opinion that is
# known to be one (server.models.aspect_categories): here every sentence is looked at.
_SAYINGS: Final = {
    "delivery": r"\b(?:arriv|deliver)(?:ed|es|ing)?\b|\bshipped\b|\bon time\b|\bdays? late\b"
    r"|发货|送货|送达|到货|送来|才到|就到了|收到.{0,3}(?:很快|太慢)",
    "scent": r"\bsmel(?:l|ls|led|ly|ling|t)\b|\bodou?r\b|\bstinks?\b"
    r"|好闻|难闻|刺鼻|很香|太香|异味",
    "taste": r"\btast(?:e|es|ed|y|ing)\b|\bdelicious\b|\byummy\b"
    r"|好吃|难吃|[很太好]甜|不甜|[很太好]酸",
    "price": r"\b(?:overpriced|pric(?:e|ey|ed|y)|(?:in)?expensive|affordable|bargain|cheaper)\b"
    r"|\bworth (?:the|every)\b|贵(?![宾州阳姓司方族重])|便宜|实惠|划算",
    "size & weight": r"\b(?:fits?|fitted|fitting)\b(?! (?:in with|the bill))"
    r"|\b(?:too|very|little|bit|way) (?:small|big|large|tight|loose|short|long|heavy|wide|narrow)\b"
    r"|\bruns? (?:small|large|big)\b|\btrue to size\b|偏[小大]|合身|[太很][小大]|[小大]了",
    "noise & heat": r"\b(?:noisy|too loud|very quiet|so quiet|overheats?)\b"
    r"|[太很好]吵|噪音|吵[死闹]|发烫",
    "comfort & feel": r"\b(?:un)?comf(?:ortabl[ey]|y)\b|\bsoft\b|\bitchy\b|\bscratchy\b"
    r"|舒服|舒适|柔软",
    "ease of use": r"\b(?:easy|easier|simple|hard|difficult) to (?:use|install|set|assemble|put|"
    r"clean|operate)\b|\beasily\b|操作|容易[上装用]",
    "quality": r"\b(?:broke|broken|breaks|snapped|ripped|tore|torn|cracked|defective|flimsy|"
    r"durable|sturdy)\b|\b(?:fell|falls?|came|coming|falling) apart\b"
    r"|\b(?:well|poorly|cheaply)[ -]made\b"
    r"|\bstopped working\b|\b(?:didn't|doesn't|did not|won't) last\b"
    r"|结实|耐用|破了|坏了|开线|掉色|起球|断了|裂",
    "service": r"\b(?:rude|refund(?:ed)?|customer service)\b|退货|退款|不理人|没人管|爱理不理",
    "design": r"\blooks? (?:very |so |really |just )?(?:great|good|nice|cheap|beautiful|amazing)\b"
    r"|\b(?:beautiful|(?:so|very|really) pretty|pretty(?= ?[.,!]|$)|gorgeous|cute|stylish|ugly)\b"
    r"|好看|漂亮|难看",
}  # fmt: skip
_OVERALL: Final = re.compile(
    r"\b(?:love[sd]?|like[sd]?|great|good|nice|happy|perfect|excellent|awesome|amazing|recommend|"
    r"disappoint(?:ed|ing|ment)|terrible|awful|horrible|junk|garbage|crap|waste|satisfied|pleased|"
    r"thanks?|best|worst|bad|poor|ok|okay|fine|works?|worked|stars?)\b"
    r"|好|不错|满意|喜欢|推荐|失望|垃圾|差|赞|棒|一般|坑|骗|可以|后悔|凑合|还行|五星|支持|感谢|谢谢",
    re.IGNORECASE,
)
_PATTERNS: Final = {
    category: re.compile(words, re.IGNORECASE) for category, words in _SAYINGS.items()
}


def categories_said(sentence: str) -> list[str]:
    """The shop's categories that a sentence speaks of, the most telling first."""
    return [name for name, pattern in _PATTERNS.items() if pattern.search(sentence)]


def is_overall(sentence: str) -> bool:
    """Whether a sentence judges, without a word on what."""
    return _OVERALL.search(sentence) is not None
