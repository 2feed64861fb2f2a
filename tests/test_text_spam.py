"""The detector names a reason, and lets real reviews pass."""

from __future__ import annotations

import time

import pytest

from server.text.spam import spam_reason

CAUGHT = [
    ("加微信 abc12345 领券", "contact details"),
    ("有意加qq：342495918", "contact details"),
    ("WhatsApp: +8613812345678", "contact details"),
    ("Contact us on WhatsApp +86 138 1234 5678", "contact details"),
    ("兼职刷单日赚300元，电话13812345678", "advertisement"),
    ("Earn $500 a day! visit http://x.com", "advertisement"),
    ("此用户没有填写评价。", "no words of a customer"),
    ("https://t.cn/abc", "no words of a customer"),
    ("........", "only punctuation"),
    ("22121616168", "only digits"),
    ("从来不去评价，不知道浪费多少积分", "copied template"),
    ("Lorem ipsum dolor sit amet", "copied template"),
    ("很好很好很好很好很好很好", "pure repetition"),
    ("赞" * 40, "pure repetition"),
    ("good good good good good", "pure repetition"),
    ("asdfghjkl asdfgh", "keyboard mash"),
    ("dfgdfg jkhkjhk", "keyboard mash"),
    ("好评，凑够十五个字", "written to reach a length"),
    ("很好，很好，不错，很好，不错，很好，好评，好评，很好", "empty praise"),
]
REVIEWS = [
    "好评", "垃圾", "差评！！！", "不错，不错", "👍👍👍", "Great!!!", "shit", "Brrr", "12.5", "5",
    "", "卡片上说加微信返现5元，结果没返",
    "装了个微信，可以视频聊天了",
    "客服让我加微信", "四个字：物超所值", "good good study",
    "My XPS laptop runs html5 and mp3s", "I use a QWERTY keyboard",
    "字数够了吗？给老公买的，老公挺喜欢，每天都在用，携带方便，送货很快。",
    "Bought it at www.amazon.com for $20, works fine",
    "买了两次，真的很好很好很好，孩子喜欢吃",
    "质量好，满足我的要求。质量好，满足我的要求。质量好，满足我的要求。质量好，满足我的要求。",
    "假货！假货！假货！假货！", "رائع جدا", "\ud83d\ude00",
]  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), CAUGHT)
def test_no_review_is_named(text: str, reason: str) -> None:
    assert (spam_reason(text) or "").startswith(reason)


@pytest.mark.parametrize("text", REVIEWS)
def test_a_review_passes(text: str) -> None:
    assert spam_reason(text) is None


@pytest.mark.parametrize(
    "unit", ["好", "加微信", "a", "asdfgh", "1", ".", "很好 ", "凑", "earn $1", "qq "]
)
def test_a_full_cell_takes_well_under_a_second(unit: str) -> None:
    text = (unit * 32_767)[:32_767]
    started = time.process_time()
    spam_reason(text)
    assert time.process_time() - started < 1.5
