"""What texts praise or complain about, as factors beside the other columns."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from server.decisions.features import Feature, Level, fewest_rows

MOST_PHRASES = 15  # of a text column, the commonest
SHOWN_OPINIONS = 3
_TOO_GENERAL = ("other",)
_SAYS = {
    "en": {
        ("negative", ""): "{name} complains in general{opinions}",
        ("positive", ""): "{name} praises in general{opinions}",
        ("negative", "of"): "{name} complains about {what}{opinions}",
        ("positive", "of"): "{name} praises {what}{opinions}",
    },
    "zh": {
        ("negative", ""): "{name}总体不满{opinions}",
        ("positive", ""): "{name}总体满意{opinions}",
        ("negative", "of"): "{name}抱怨{what}{opinions}",
        ("positive", "of"): "{name}称赞{what}{opinions}",
    },
}
_CHINESE = {
    "quality": "质量", "performance": "性能", "price": "价格", "delivery": "物流",
    "packaging": "包装", "service": "服务", "authenticity": "真伪", "brand": "品牌",
    "design": "外观", "size & weight": "尺寸重量", "comfort & feel": "舒适手感",
    "ease of use": "易用性", "battery & power": "电池电源", "screen": "屏幕",
    "sound & camera": "声音拍照", "keyboard & controls": "键盘按键", "connectivity": "连接",
    "software": "软件", "parts & storage": "配件存储", "noise & heat": "噪音发热",
    "cleanliness": "清洁", "place": "环境", "taste": "味道", "scent": "气味",
    "ingredients": "成分", "effect": "效果", "selection": "选择", "content": "内容",
}  # fmt: skip


@dataclass(frozen=True)
class Said:
    """One judgement in a text: what it is about, in its own words where said, and how."""

    phrase: str | None
    category: str
    opinion: str | None
    polarity: str


def text_features(said: Sequence[Sequence[Said]], name: str, lang: str) -> list[Feature]:
    """A feature for each category, and for each common phrase, that enough texts praise or blame.

    said: per row what its text judges; nothing where there is no text. Phrases that their category
    says as well are left to the caller: they are rows of another feature.
    """
    rows_of: dict[tuple[str, str, bool], set[int]] = defaultdict(set)
    opinions: dict[tuple[str, str, bool], Counter[str]] = defaultdict(Counter)
    for row, judgements in enumerate(said):
        for one in judgements:
            if one.polarity == "neutral":
                continue
            keys = [] if one.category in _TOO_GENERAL else [(one.polarity, one.category, False)]
            if one.phrase and len(one.phrase) > 1:
                keys.append((one.polarity, one.phrase.casefold().strip(), True))
            for key in keys:
                rows_of[key].add(row)
                if one.opinion:
                    opinions[key][one.opinion.casefold()] += 1
    least = fewest_rows(len(said))
    enough = [key for key, rows in rows_of.items() if least <= len(rows) <= len(said) - least]
    enough.sort(key=lambda key: (key[2], -len(rows_of[key]), key))
    phrases = [key for key in enough if key[2]][:MOST_PHRASES]
    kept = [key for key in enough if not key[2]] + phrases
    return [_feature(key, rows_of[key], opinions[key], len(said), name, lang) for key in kept]


def _feature(
    key: tuple[str, str, bool],
    rows: set[int],
    opinions: Counter[str],
    count: int,
    name: str,
    lang: str,
) -> Feature:
    polarity, what, is_phrase = key
    common = [opinion for opinion, times in opinions.most_common(SHOWN_OPINIONS) if times > 1]
    between, marks = (", ", " ({})") if lang == "en" else ("、", "（{}）")
    shown = marks.format(between.join(common)) if common else ""
    if is_phrase:
        what = f'"{what}"' if lang == "en" else f"“{what}”"
    elif lang == "zh":
        what = _CHINESE.get(what, what)
    kind = "" if key[1] == "overall" and not is_phrase else "of"
    words = _SAYS[lang][polarity, kind].format(name=name, what=what, opinions=shown)
    inside = np.zeros(count, dtype=bool)
    inside[sorted(rows)] = True
    levels = (Level("", ~inside), Level(words, inside))
    return Feature(words.split(" (")[0].split("（")[0], levels, inside.astype(int))
