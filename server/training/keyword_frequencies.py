"""Writes server/text/data/words.tsv.gz: class, frequency and role of the words of reviews.

    python -m server.training.keyword_frequencies --data FOLDER --classes en-lexicon.txt

FOLDER is the public data folder; only its training splits are read. `en-lexicon.txt` stands in
the wheel of TextBlob (MIT): the lexicon of Brill's tagger, one class per English word.
"""

from __future__ import annotations

import argparse
import gzip
import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from server.text.clean import clean
from server.text.lexicon import (
    ADJECTIVE,
    ADVERB,
    EITHER,
    NAME,
    NOUN,
    NUMBER,
    OTHER,
    TABLE,
    VERB,
    guess_kind,
    singular,
)
from server.text.stopwords import STOP_WORDS
from server.text.tokens import Token, cut
from server.training.corpora import detokenise, load_training_texts

SOURCES = (
    "zh_online_shopping zh_eprstmt zh_eprstmt_unlabelled zh_dianping zh_cosmetics "
    "en_amazon en_memd en_acos en_dmaste".split()
)
LEAST_DOCUMENTS = 13
PRIOR = 4.0  # marks that stand for what is not known of a word
_DETERMINERS = frozenset(
    "the a an my your his her its our their no any some each".split()  # not "this seems"
)
_VERBAL = frozenset(
    "to can will would could should may might must i we you they he she it don't doesn't didn't "
    "won't can't couldn't wouldn't not never always just also".split()
)
_GRADING = frozenset("very too extremely super quite".split())
_PAST = "past"  # "grown", "slung": never a noun
_ENGLISH = {"VBN": _PAST, "VBD": _PAST, "NN": NOUN, "JJ": ADJECTIVE, "VB": VERB, "RB": ADVERB}
_CHINESE = {
    **dict.fromkeys("nj", NOUN),
    **dict.fromkeys("dzrcpfu", ADVERB),
    **dict.fromkeys("tmq", NUMBER),
    "a": ADJECTIVE,
    "v": VERB,
}
# Words that the dictionary of the segmenter has under another class than reviews use them in.
_NOUNS = frozenset(
    "包装 做工 送货 操作 运行 配置 发货 充电 拍照 续航 安装 大小 外型 日期 售后服务 操作系统 售后 "
    "洗后 印刷 反应 服务 设计 震动 制作 快递 物流 客服 装修 停车 上菜 点餐 排版 翻译 触摸屏 "
    "待机 通话 上网 退货 换货 退款 退换货 送货员 快递员 发票 赠品 保质期 性价比 回购".split()
)
_ADJECTIVES = frozenset(
    "新鲜 美观 齐全 香甜 温馨 华丽 灵敏 正宗 普通 实惠 爽口 生动 美丽 麻烦 方便 耗电 划算".split()
)
_NOT_NOUNS = frozenset("超级 真是太 原以为 段时间 今天上午 宝贝 谢谢 明白 有关 立马 礼拜".split())


class Sentence(NamedTuple):
    """A text with the spans (start, end in characters) that were marked in it."""

    text: str
    aspects: list[tuple[int, int]]
    opinions: list[tuple[int, int]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--classes", type=Path, required=True)
    parser.add_argument("--target", type=Path, default=TABLE)
    args = parser.parse_args()
    loaded = load_training_texts(args.data)
    texts = {source: loaded[source] for source in SOURCES}
    lines = table_lines(texts, list(marked_sentences(args.data)), read_classes(args.classes))
    args.target.parent.mkdir(exist_ok=True)
    # No time in the archive: the same texts give the same bytes.
    args.target.write_bytes(gzip.compress("\n".join(lines).encode("utf-8"), 9, mtime=0))
    print(f"{len(lines):,} words, {args.target.stat().st_size:,} bytes: {args.target}")


def table_lines(
    texts: dict[str, list[str]], marked: Sequence[Sentence], classes: dict[str, str]
) -> list[str]:
    """The lines of the table, most frequent word first."""
    cut_texts = [list(cut(clean(text))) for found in texts.values() for text in found]
    kinds = _kinds(cut_texts, classes)
    nouns = {word for word, kind in kinds.items() if kind in (NOUN, EITHER)}
    written = Counter(token.surface.lower() for tokens in cut_texts for token in tokens)

    def base(token: Token) -> str:
        """The word that a token counts for; "series" is no plural of a rare "serie"."""
        word = token.surface.lower()
        if token.tag:
            return word
        return singular(word, lambda one: one in nouns and 10 * written[one] > written[word])

    titled = Counter(
        token.surface.lower()
        for tokens in cut_texts
        for token in tokens
        if not token.starts and not token.tag and token.surface.istitle()
    )
    roles = _roles(marked, base)
    documents = {"en": Counter[str](), "zh": Counter[str]()}
    totals = Counter[str]()
    for tokens in cut_texts:
        if not tokens:
            continue
        language = "zh" if any(token.tag for token in tokens) else "en"
        totals[language] += 1
        documents[language].update({base(token) for token in tokens})
    shares: dict[str, float] = {}
    for language, counts in documents.items():
        for word, count in counts.items():
            if count >= LEAST_DOCUMENTS:
                shares[word] = max(shares.get(word, 0.0), count / totals[language])
    lines = [
        "# Written by server/training/keyword_frequencies.py. Word, class, documents in 100,000,",
        "# marked as aspect and as opinion in 100. English classes start from the lexicon of",
        "# Brill's tagger v1.14 (1992; Copyright 1993 MIT and University of Pennsylvania, MIT",
        "# licence), with words of Gimpel et al. 2011 (CC-BY 3.0), as TextBlob carries it.",
    ]
    for word, share in sorted(shares.items(), key=lambda item: (-item[1], item[0])):
        aspect, opinion, seen = roles.get(word, (0, 0, 0))
        kind = _role_kind(word, kinds.get(word, OTHER), aspect, opinion, seen)
        if kind == OTHER and word not in STOP_WORDS and len(word) > 1 and not word.isascii():
            kind = ADVERB
        if kind == NOUN and titled[word] > 0.5 * written[word]:
            kind = NAME
        lines.append(
            f"{word}\t{kind}\t{max(1, round(share * 1e5))}"
            f"\t{round(100 * (aspect + PRIOR * _prior(kind)) / (seen + PRIOR))}"
            f"\t{round(100 * opinion / (seen + PRIOR))}"
        )
    return lines


def _prior(kind: str) -> float:
    return 0.1 if kind in (NOUN, EITHER) else 0.0


def _role_kind(word: str, kind: str, aspect: int, opinion: int, seen: int) -> str:
    """The class of a word, corrected by what people marked it as."""
    if word.isascii():
        if kind == VERB and aspect >= 5 and aspect >= 0.25 * seen:
            return EITHER
        return kind
    if kind == NOUN and seen >= 6 and opinion >= 0.6 * seen and aspect < 0.1 * seen:
        return ADJECTIVE
    if word in _NOT_NOUNS:
        return OTHER
    if word in _NOUNS:
        return NOUN
    if word in STOP_WORDS:
        return OTHER
    if word in _ADJECTIVES or (kind == NOUN and len(word) > 1 and word[0] in "太很不超极挺"):
        return ADJECTIVE
    if len(word) > 1 and kind != NOUN and aspect >= 6 and aspect >= 0.35 * seen:
        return NOUN
    open_class = kind not in (NOUN, VERB, ADVERB, NUMBER) and word[0] not in "不没有真比"
    if len(word) > 1 and open_class and opinion >= 6 and opinion >= 0.5 * seen:
        return ADJECTIVE
    return kind


def _kinds(cut_texts: Iterable[Sequence[Token]], classes: dict[str, str]) -> dict[str, str]:
    """Class of each word: English by list and company, Chinese by dictionary."""
    tags: dict[str, Counter[str]] = defaultdict(Counter)
    as_noun: Counter[str] = Counter()
    as_verb: Counter[str] = Counter()
    graded: Counter[str] = Counter()
    for tokens in cut_texts:
        for place, token in enumerate(tokens):
            word = token.surface.lower()
            tags[word][token.tag] += 1
            if token.tag or token.starts or not place:
                continue
            before = tokens[place - 1].surface.lower()
            if before in _GRADING:
                graded[word] += 1
            elif before in _VERBAL:
                as_verb[word] += 1
            elif before in _DETERMINERS:
                follows = tokens[place + 1] if place + 1 < len(tokens) else None
                # "the look of", "the return." but not "the left side"
                if (
                    follows is None
                    or follows.starts
                    or classes.get(follows.surface.lower(), OTHER) not in (NOUN, ADJECTIVE)
                ):
                    as_noun[word] += 1
    kinds = {}
    for word, counts in tags.items():
        tag = max(sorted(counts), key=lambda t: counts[t])
        if tag:
            kinds[word] = _CHINESE.get(tag[:1], OTHER) if tag != "ad" else ADVERB
            if tag in ("nz", "nr", "ns", "nt") or tag == "vn":
                kinds[word] = NOUN
            elif tag in ("l", "i", "b") and len(word) > 3:
                kinds[word] = VERB
            if len(word) == 1 and tag not in ("n", "a"):
                kinds[word] = kinds[word] if kinds[word] in (VERB, ADVERB) else OTHER
        else:
            kinds[word] = _english_kind(word, classes, as_noun[word], as_verb[word])
            if kinds[word] == NOUN and graded[word] >= 5 and graded[word] > as_noun[word]:
                kinds[word] = ADJECTIVE
        if word in STOP_WORDS:
            kinds[word] = OTHER
    return kinds


def _english_kind(word: str, classes: dict[str, str], as_noun: int, as_verb: int) -> str:
    if word == "waterproof":
        return ADJECTIVE
    if classes.get(word) == _PAST:
        return VERB
    kind = classes.get(word) or guess_kind(word, classes.get)
    seen = as_noun + as_verb
    if kind in (NOUN, VERB) and seen >= 10 and not word.endswith("ed"):
        share = as_noun / seen
        if kind == VERB and share > 0.75:
            return NOUN
        if kind == NOUN and share < 0.1:
            return VERB
        if 0.1 <= share <= 0.75:
            return EITHER
    return kind


def read_classes(path: Path) -> dict[str, str]:
    """Class of each English word of the lexicon, lower-case spellings before others."""
    classes: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        word, _, tag = line.partition(" ")
        if not word or word.startswith(";") or not tag:
            continue
        kind = _ENGLISH.get(tag) or _ENGLISH.get(tag[:2], OTHER)
        if word.islower():
            classes[word] = kind
        else:
            classes.setdefault(word.lower(), kind)
    return classes


def _roles(
    marked: Iterable[Sentence], base: Callable[[Token], str]
) -> dict[str, tuple[int, int, int]]:
    """Per word how often it was marked as aspect, as opinion, and stood in such a text."""
    roles: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for sentence in marked:
        position = 0
        for token in cut(sentence.text):
            position = sentence.text.index(token.surface, position)
            counts = roles[base(token)]
            counts[0] += any(start <= position < end for start, end in sentence.aspects)
            counts[1] += any(start <= position < end for start, end in sentence.opinions)
            counts[2] += 1
            position += len(token.surface)
    return {word: (counts[0], counts[1], counts[2]) for word, counts in roles.items()}


def marked_sentences(data: Path) -> Iterator[Sentence]:
    """Texts of the training splits with what people marked; a fifth of zh_cosmetics stays out."""
    for name in ("en_memd", "en_acos", "en_dmaste", "zh_cosmetics", "zh_dianping"):
        with gzip.open(data / "text" / f"aspects_{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                if row["split"] == "train" and not held_out(name, row):
                    yield sentence_of(row)


def held_out(name: str, row: dict[str, str]) -> bool:
    """Whether a row of the set that has no dev split serves as one."""
    return name == "zh_cosmetics" and zlib.crc32(row["text"].encode("utf-8")) % 5 == 0


def sentence_of(row: dict[str, Any]) -> Sentence:
    """The text of a row of an aspect set, with the spans that were marked."""
    found = row.get("quadruples") or row.get("triplets") or []
    if "tokens" not in row:
        text = row["text"]
        spans = {
            role: [
                (text.index(item[role]), text.index(item[role]) + len(item[role]))
                for item in found
                if item[role] and item[role] in text
            ]
            for role in ("aspect", "opinion")
        }
        return Sentence(text, spans["aspect"], spans["opinion"])
    tokens = row["tokens"]
    chinese = any("\u4e00" <= token[:1] <= "\u9fff" for token in tokens)
    text = "".join(tokens) if chinese else detokenise(tokens)
    places = []
    position = 0
    for token in tokens:
        start = text.find(token, position)
        if start < 0:
            start = position
        places.append((start, start + len(token)))
        position = start + len(token)

    def spans_of(role: str) -> list[tuple[int, int]]:
        return [
            (places[item[role][0]][0], places[item[role][1] - 1][1])
            for item in found
            if item[role] and 0 <= item[role][0] < item[role][1]
        ]

    return Sentence(text, spans_of("aspect"), spans_of("opinion"))


if __name__ == "__main__":
    main()
