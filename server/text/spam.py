"""Says why a cell is no review, in words; unsure means it is one."""

from __future__ import annotations

import re
import unicodedata

from server.text.characters import EMOJI, whole
from server.text.clean import clean
from server.text.words import words

_ID = r"[A-Za-z0-9_-]{5,20}"
_CHAT = r"(?:微信|微❤|v信|薇信|威信|vx|wx|wechat|weixin|扣扣|q群|qq群?|企鹅号)"
_CONTACT = re.compile(
    rf"(?:加|➕|\+|联系|咨询|添加|私信|找)[^。！？!?，,]{{0,8}}?{_CHAT}(?:号|群)?[\s：:是为]{{0,3}}{_ID}"
    rf"|{_CHAT}(?:号|群)?[\s：:]{{1,3}}{_ID}[^。！？!?]{{0,12}}(?:优惠|代理|兼职|返现|货源|咨询)"
    r"|(?:whats\s?app|telegram|viber)(?: me| us)?(?: (?:at|on|now|number))?[\s:：]{0,3}"
    r"[+@]?[\d-]{7,}"
    r"|(?:contact|message|text|dm|call|add) (?:me|us) (?:at|on|via) "
    r"(?:whats\s?app|telegram|wechat)",
    re.I,
)
_PHONE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")
_LINK = re.compile(r"https?://|www\.|[a-z0-9]\.(?:com|net|cn|top|shop|xyz|ru|vip)\b", re.I)
_OFFER = re.compile(
    r"兼职|刷单|刷信誉|刷好评|日赚|月入|日结|招(?:收)?代理|诚招|货源|一件代发|低息|贷款|信用卡套现|"
    r"代开发票|办证|高仿|A货|博彩|彩票群|领取优惠券|淘宝优惠券|内部券|"
    r"work from home|make money online|passive income|casino|viagra|cialis|payday loan|"
    r"bitcoin invest|crypto invest|forex|seo services|replica watches|promo code|discount code",
    re.I,
)
_PROMISE = re.compile(
    r"(?:日赚|月入|每天(?:轻松)?赚)\s?\d{2,}|(?:earn|make) (?:up to )?\$\s?\d[\d,]* "
    r"(?:a|per|every|each) (?:day|week|month|hour)",
    re.I,
)
_COPIED = re.compile(
    r"不知道浪费(?:了)?多少(?:积分|京豆|金币|淘金币)|这段话复制|走到哪.{0,4}复制到哪|"
    r"复制到哪|懒人(?:好评|评价)模板|好评模板|lorem ipsum dolor",
    re.I,
)
_COUNTED = re.compile(
    r"凑(?:够|满|足)?(?:\S{0,3}个)?字|字数(?:够|补丁|不够|要求)|(?:[一二三五十百两\d]{1,3}|几)个字"
)
_EMPTY = frozenset(
    "好 很好 非常好 真好 挺好 还好 好好 好好好 不错 很不错 好评 满意 很满意 喜欢 很喜欢 棒 很棒 "
    "赞 点赞 给力 可以 还可以 行 还行 完美 五星 五星好评 5星 5星好评 全五星 好的 值得 推荐 东西 "
    "宝贝 产品 商品 凑 凑够 凑满 凑足 字 字数 个字 够 不够 十个 十五个 十五 二十 评价 评论 必须 "
    "写 补丁 够不够 要求 打字 懒得 good nice great excellent perfect best awesome amazing super "
    "cool fine well love like thanks thank recommend recommended highly product item review".split()
)
# A longer unit says something, however often; so does one that is said three or four times.
_REPEATED = re.compile(r"([^\x00-\x7f]{1,4}?|[\x00-\x7f]{1,10}?)\1{4,}")
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_WALKS = frozenset(
    walk
    for row in (*_ROWS, *(row[::-1] for row in _ROWS))
    for walk in (row[i : i + 5] for i in range(len(row) - 4))
)
_LATIN = re.compile(r"[a-z]+")
_VOWELS = re.compile("[aeiouy]")
_FEELING = re.compile(f"[{EMOJI}]")
_NOT_A_WORD = re.compile(r"[\W_]+")


def spam_reason(text: str) -> str | None:
    """Why `text` is no review, such as "contact details"; None if it may be one or is blank.

    Looks for the hands of advertisers and of people who only fill a field: contact details,
    offers, texts of the platform, known templates, repetition, keyboard mash, praise that only
    reaches a length. A short "好评", a lone emoji and an angry one-word review pass.
    """
    text = unicodedata.normalize("NFKC", whole(text)).strip()
    if not text:
        return None
    return (
        _advertisement(text)
        or _nothing_said(text)
        or _copied(text)
        or _repetition(text)
        or _keyboard_mash(text)
        or _empty_praise(text)
    )


def _advertisement(text: str) -> str | None:
    contact = _CONTACT.search(text)
    if contact:
        return f"contact details: “{contact[0]}”"
    offer = _PROMISE.search(text) or _OFFER.search(text)
    if offer and (_LINK.search(text) or _PHONE.search(text)):
        return f"advertisement: “{offer[0]}” with a link or a telephone number"
    return None


def _nothing_said(text: str) -> str | None:
    if _FEELING.search(text):
        return None
    said = clean(text)
    if not said:
        return "no words of a customer: only markup, addresses or a text of the platform"
    letters = _NOT_A_WORD.sub("", said)
    if not letters:
        return "only punctuation"
    if letters.isdecimal() and len(letters) > 5:
        return "only digits"
    return None


def _copied(text: str) -> str | None:
    template = _COPIED.search(text)
    return f"copied template: “{template[0]}”" if template else None


def _repetition(text: str) -> str | None:
    """One short unit five times or more, twelve letters in all or more, and nothing else."""
    letters = _NOT_A_WORD.sub("", text.lower())
    if len(letters) < 12:
        return None
    run = _REPEATED.match(letters)
    if run and run[1].startswith(letters[run.end() :]):
        return f"pure repetition of “{run[1]}”"
    return None


def _keyboard_mash(text: str) -> str | None:
    """Latin letters that spell no word and are nearly the whole text."""
    if not text.isascii():
        return None
    spelt = _LATIN.findall(text.lower())
    mash = [word for word in spelt if len(word) > 5 and _is_mash(word)]
    if mash and sum(map(len, mash)) >= 0.7 * sum(map(len, spelt)):
        return f"keyboard mash: “{mash[0][:20]}”"
    return None


def _is_mash(word: str) -> bool:
    if not _VOWELS.search(word):
        return True
    walked = sum(word[i : i + 5] in _WALKS for i in range(len(word) - 4))
    return walked > 0 and walked + 4 >= 0.6 * len(word)


def _empty_praise(text: str) -> str | None:
    """Words of praise alone, so many times that only a wanted length explains them."""
    if len(text) > 400:
        return None
    said = words(text)
    counted = _COUNTED.search(text)
    if counted and set(said) - _EMPTY <= {counted[0]} and len(said) < 12:
        return f"written to reach a length: “{counted[0]}”"
    if len(said) >= 8 and set(said) <= _EMPTY and len(set(said)) <= len(said) // 3:
        return f"empty praise: {len(said)} words, {len(set(said))} different"
    return None
