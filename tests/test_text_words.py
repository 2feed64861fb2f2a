"""Words for keyword work: whole, in order, without those that say nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from server.text.stopwords import CHINESE, ENGLISH
from server.text.words import words

TABLE = [
    ("性价比很高，物流很快，态度不好", ["性价比", "高", "物流", "很快", "态度", "不好"]),
    ("這個滑鼠的品質不錯", ["滑鼠", "品质", "不错"]),
    ("我没有收到，不是很满意", ["没有", "收到", "不是", "满意"]),
    ("The battery is not great, I don't like it", ["battery", "not", "great", "don't", "like"]),
    ("A hard-working, well-made phone", ["hard-working", "well-made", "phone"]),
    ("iPhone 15 Pro 64GB 3.5mm", ["iphone", "15", "pro", "64gb", "3.5mm"]),
    ("$19.99 or 1,000 at 50% off", ["$19.99", "1,000", "50%", "off"]),
    ("只要199元，36码，5星好评", ["199元", "36码", "5星", "好评"]),
    ("这件T恤和t恤，U盘", ["t恤", "t恤", "u盘"]),
    ("买了iPhone手机", ["买", "iphone", "手机"]),
    ("grade A+, C++, AT&T, wi-fi", ["grade", "a+", "c++", "at&t", "wi-fi"]),
    ("订单123456789012 收到", ["订单", "收到"]),
    ("Müller's хорошо می\u200cخواهم", ["müller's", "хорошо", "می\u200cخواهم"]),
    ("😀👍 !!! ，。", []),
    ("", []),
    ("此用户没有填写评价", []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), TABLE)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_stop_words_hold_no_negation_and_no_opinion() -> None:
    negations = "not no never nor none nothing without don't isn't 不 没 没有 无 别 未 不是 不要"
    opinions = "too only off good great better problem price new 好 差 贵 大 小 新 太 不错 便宜 快"
    assert not set((negations + " " + opinions).split()) & (ENGLISH | CHINESE)


def test_a_segmenter_first_used_by_many_threads_at_once_answers_all_alike() -> None:
    script = (
        "import sys; from concurrent.futures import ThreadPoolExecutor as P\n"
        "from server.text.words import words\n"
        "assert 'rjieba' not in sys.modules\n"
        "found = list(P(8).map(words, ['性价比很高，這個手機'] * 64))\n"
        "assert found == [['性价比', '高', '手机']] * 64, found\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_words_are_the_same_from_any_thread() -> None:
    texts = [text for text, _ in TABLE] * 20
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(words, texts)) == [words(text) for text in texts]


@pytest.mark.parametrize(
    "unit", ["好吃不贵", "good ", "a", "1.", "a-", "1x", "-", "好a1", "$", "a'b", "好1元"]
)
def test_a_full_cell_takes_well_under_a_second(unit: str) -> None:
    text = (unit * 32_767)[:32_767]
    started = time.process_time()
    words(text)
    assert time.process_time() - started < 1
