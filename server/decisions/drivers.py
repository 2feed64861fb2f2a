"""DRIVERS: what moves an outcome, in words, beside what it is mixed up with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from server.decisions.columns import (
    Column,
    Sheet,
    is_chinese,
    is_filled,
    key_of,
    name_of,
    unique,
    value_of,
    yes_or_no,
)
from server.decisions.effects import Effect, beside_one, effects, gives_away, never_differs, tells
from server.decisions.features import Feature, features_of, fewest_rows, is_text_column
from server.decisions.words import count, figure, language, percent
from udfs.catalogue_deciding import DRIVERS_COLUMNS
from udfs.errors import BadInput, OutOfRange, short

CLAIM = 0.05
FEWEST_TARGETS = 10  # rows of each outcome, or rows at all
ALIKE = 0.1  # of the raw effect; up to this its means are said without a word on the others
TURNED = 0.2  # of the effect beside the others, from which a raw one against it counts
FEWEST_EXPECTED = 5  # of either outcome among a level's rows
MOST_FEATURES = 300
DIGITS = 4
_SAYS = {
    "en": {
        "column": "column {n}", "target": "the target",
        "times": "{ratio} times as likely{means}",
        "more": "{share} more likely{means}",
        "less": "{share} less likely{means}",
        "never": "never{means}",
        "as it is": ": {mean} instead of {others}",
        "all alike": ", all else alike; as it is {mean} instead of {others}",
        "higher": "{by} higher{means}",
        "lower": "{by} lower{means}",
        "holds": "holds beside the other factors",
        "explained": "mostly explained by {other}",
        "mixed": "cannot be told apart from {other}",
        "turned": "turns round beside {other}: not a driver by itself",
        "leak": "warning: {name} almost gives {target} away ({how}). Is it known beforehand? It is "
        "left out",
        "area": "it ranks {share} of the pairs rightly", "told": "it explains {share}",
        "always": "where {words}, {target} is always {mean}",
        "else": "unless {words}, {target} is always {mean}",
        "same": "{name} follows from {other} and is left out",
        "none": "No driver shown: factors looked at {factors}, beyond chance none",
        "looked": "Factors looked at {factors}, beyond chance {shown}",
        "rows": "{rows} rows; {left} without {target} left out", "heading": "row 1 was read as "
        "headings", "useless": "nothing to compare in {names}", "share": "{target} in {share} of "
        "the rows", "mean": "mean {target} {mean}", "note": "note",
    },
    "zh": {
        "column": "第 {n} 列", "target": "目标",
        "times": "可能性是其他的 {ratio} 倍{means}",
        "more": "可能性高 {share}{means}",
        "less": "可能性低 {share}{means}",
        "never": "从不{means}",
        "as it is": "：{mean}，其他 {others}",
        "all alike": "（其他条件相同）；实际 {mean}，其他 {others}",
        "higher": "高 {by}{means}", "lower": "低 {by}{means}",
        "holds": "扣除其他因素后仍成立",
        "explained": "主要由{other}解释",
        "mixed": "无法与{other}区分",
        "turned": "扣除{other}后方向相反，本身不是驱动因素",
        "leak": "警告：{name}几乎直接给出{target}（{how}）。事先知道吗？已排除",
        "area": "{share} 的两两排序正确", "told": "解释了 {share}",
        "always": "凡{words}，{target}总是 {mean}",
        "else": "除非{words}，{target}总是 {mean}",
        "same": "{name}可由{other}推出，已排除",
        "none": "未发现驱动因素：{factors} 个因素都未超出偶然",
        "looked": "考察了 {factors} 个因素，{shown} 个超出偶然",
        "rows": "{rows} 行；排除 {left} 行无{target}", "heading": "第 1 行被当作标题",
        "useless": "{names}没有可比较的内容", "share": "{share} 的行为{target}",
        "mean": "{target}平均 {mean}", "note": "说明",
    },
}  # fmt: skip


@dataclass(frozen=True)
class DriverData:
    """The columns of a call: rows with a target, their features, their texts.

    texts: per text column its name and, per row, the text or None.
    """

    target: np.ndarray
    binary: bool
    target_name: str
    lang: str
    features: tuple[Feature, ...]
    texts: tuple[tuple[str, tuple[str | None, ...]], ...]
    useless: tuple[str, ...]
    left: int
    headed: bool


def read_drivers(sheet: Sheet) -> DriverData:
    """The columns of `target` and `features`, read as factors.

    Raises: BadInput if the target is no outcome, OutOfRange if there is too little of it.
    """
    column, others = sheet.one("target"), sheet.columns["features"]
    headed = [one.name for one in (column, *others) if one.name]
    lang = language(is_chinese(headed or [name_of(c) for c in column.cells[:50] if is_filled(c)]))
    kept = [row for row, cell in enumerate(column.cells) if is_filled(cell)]
    values, binary, yes = _target([column.cells[row] for row in kept])
    _check_size(values, binary)
    texts, features, useless = [], list[Feature](), list[str]()
    for number, other in enumerate(others, start=1):
        own = Column(other.name, tuple(other.cells[row] for row in kept))
        name = other.name or _SAYS[lang]["column"].format(n=number)
        if is_text_column(own):
            texts.append(
                (name, tuple(c.strip() if isinstance(c, str) else None for c in own.cells))
            )
            continue
        found = features_of(own, name, lang)
        features += found
        if not found:
            useless.append(name)
    target_name = (f"{column.name} {yes}".strip() if yes else column.name) or _SAYS[lang]["target"]
    return DriverData(
        values, binary, target_name, lang, tuple(features), tuple(texts), tuple(useless),
        _without_target(column, others), sheet.first_row == 2,
    )  # fmt: skip


def drivers(data: DriverData, more: Sequence[Feature], top_n: int) -> list[list[Any]]:
    """The table of DRIVERS, headings first; `more` are the features found in texts."""
    says = _SAYS[data.lang]
    used, warnings = _usable([*data.features, *more], data, says)
    if len(used) > MOST_FEATURES:
        raise BadInput(f"features hold {len(used):,} factors; expected up to {MOST_FEATURES}.")
    found = effects(used, data.target, fewest_rows(len(data.target)))
    found = [effect for effect in found if _enough(effect, data)]
    certain = [effect for effect in found if min(effect.p, effect.raw_p) < CLAIM]
    holding = _varied(sorted(filter(_holds, certain), key=_least, reverse=True))
    mixed = _varied(sorted((e for e in certain if not _holds(e)), key=lambda e: -abs(e.raw)))
    rows = [_row(effect, data, says, says["holds"]) for effect in holding[:top_n]]
    for effect in mixed[: top_n - len(rows)]:
        rows.append(_row(effect, data, says, _explained(effect, used, data, says)))
    notes = [*warnings, *_notes(data, len(found), len(certain), says)]
    rows += [[says["note"], note, *[""] * 9] for note in notes]
    return [list(DRIVERS_COLUMNS), *rows]


def _without_target(column: Column, others: Sequence[Column]) -> int:
    """Rows that hold something, but no target: blank ones below the data are no rows."""
    return sum(
        not is_filled(cell) and any(is_filled(other.cells[row]) for other in others)
        for row, cell in enumerate(column.cells)
    )


def _target(cells: Sequence[Any]) -> tuple[np.ndarray, bool, str]:
    """The values; whether they are yes and no; and the name of yes where it says something."""
    if not cells:
        raise OutOfRange("target holds no value. Select the column with the outcome.")
    meaning = yes_or_no(cells)
    keys = [key_of(cell) for cell in cells]
    if meaning is None:
        numbers = [value_of(cell) for cell in cells]
        if all(number is not None for number in numbers) and len(set(numbers)) > 2:
            return np.array(numbers, dtype=float), False, ""
        values = unique(keys)
        if len(values) != 2:
            found = ", ".join(short(name) for name in unique(map(name_of, cells))[:4])
            raise BadInput(
                f"target holds {found} ({len(values):,} different values); expected numbers, or "
                "two values such as 1 and 0 or yes and no."
            )
        rarer = min(values, key=lambda key: (keys.count(key), key))
        shown = next(name_of(cell) for cell in cells if key_of(cell) == rarer)
        return np.array([float(key == rarer) for key in keys]), True, shown
    plain = {"1", "true", "yes", "y", "t", "是", "有", "对", "真"}
    shown = next((name_of(c) for c in cells if meaning[key_of(c)]), "")
    yes = "" if shown.casefold() in plain else shown
    return np.array([float(meaning[key]) for key in keys]), True, yes


def _check_size(values: np.ndarray, binary: bool) -> None:
    """Nothing. Raises: OutOfRange if nothing can be learnt from so few."""
    if binary:
        least = int(min(values.sum(), len(values) - values.sum()))
        if least < FEWEST_TARGETS:
            raise OutOfRange(
                f"The rarer outcome of target stands in {least} rows; expected {FEWEST_TARGETS} or "
                f"more. {FEWEST_TARGETS - least} more such rows are needed."
            )
    elif len(values) < 2 * FEWEST_TARGETS or np.ptp(values) == 0:
        raise OutOfRange(
            f"target holds {len(values)} numbers from {values.min():g} to {values.max():g}; "
            f"expected {2 * FEWEST_TARGETS} or more that differ."
        )


def _usable(
    features: Sequence[Feature], data: DriverData, says: dict[str, str]
) -> tuple[list[Feature], list[str]]:
    """The features that neither give the target away nor follow from another; what is said."""
    kept, warnings = list[Feature](), list[str]()
    for feature in features:
        how = _gives_away(feature, data, says)
        if how:
            warnings.append(
                says["leak"].format(name=feature.name, target=data.target_name, how=how)
            )
            continue
        finer = next((other for other in kept if tells(other, feature)), None)
        if finer is not None:
            warnings.append(says["same"].format(name=feature.name, other=finer.name))
            continue
        for other in [other for other in kept if tells(feature, other)]:
            kept.remove(other)
            warnings.append(says["same"].format(name=other.name, other=feature.name))
        kept.append(feature)
    return kept, warnings


def _gives_away(feature: Feature, data: DriverData, says: dict[str, str]) -> str:
    """In words, how a feature gives the target away; "" if it does not."""
    told = gives_away(feature, data.target, data.binary)
    if told is not None:
        return says["area" if data.binary else "told"].format(share=percent(told, 3))
    found = never_differs(feature, data.target, data.binary)
    if found is None:
        return ""
    level, inside = found
    mean = float(data.target[level.rows == inside].mean())
    shown = percent(mean) if data.binary else figure(mean, 3)
    key = "always" if inside else "else"
    return says[key].format(words=level.words, target=data.target_name, mean=shown)


def _enough(effect: Effect, data: DriverData) -> bool:
    """Whether a level has rows enough for either outcome to be seen in it."""
    if not data.binary:
        return True
    share = float(data.target.mean())
    rows = min(effect.rows, len(data.target) - effect.rows)
    return rows * min(share, 1 - share) >= FEWEST_EXPECTED


def _holds(effect: Effect) -> bool:
    """Whether it is there beside the others, and not the other way round without them."""
    turned = effect.raw * effect.beside < 0 and abs(effect.raw) > TURNED * abs(effect.beside)
    return effect.p < CLAIM and not turned


def _varied(ranked: Sequence[Effect]) -> list[Effect]:
    """The first level of each feature that raises the target, and the first that lowers it."""
    seen: dict[tuple[str, bool], Effect] = {}
    for effect in ranked:
        seen.setdefault((effect.feature.name, effect.beside > 0), effect)
    return list(seen.values())


def _least(effect: Effect) -> float:
    """The effect at the end of its interval that is nearer to none."""
    if effect.lo <= 0 <= effect.hi:
        return 0.0
    return min(abs(effect.lo), abs(effect.hi))


def _explained(
    effect: Effect, features: Sequence[Feature], data: DriverData, says: dict[str, str]
) -> str:
    left = beside_one(features, data.target, effect.feature, effect.level)
    if not left:
        return says["holds"]
    if effect.p < CLAIM:  # it turned round
        other, _ = min(left, key=lambda pair: pair[1] * np.sign(effect.raw))
        return says["turned"].format(other=other.name)
    other, value = min(left, key=lambda pair: abs(pair[1]))
    gone = abs(effect.beside) < 0.5 * abs(effect.raw) and abs(value) < abs(effect.raw)
    return says["explained" if gone else "mixed"].format(other=other.name)


def _standardised(effect: Effect, difference: float, data: DriverData) -> tuple[float, float]:
    """Means where the level is and elsewhere, if they differed by this and all else were alike."""
    share = effect.rows / len(data.target)
    mean = float(data.target.mean())
    return mean + (1 - share) * difference, mean - share * difference


def _ratio(effect: Effect, difference: float, data: DriverData) -> float:
    """How many times as likely; no share is taken below that of half a row."""
    own, others = _standardised(effect, difference, data)
    least = 0.5 / len(data.target)
    return float(np.clip(own, least, 1) / np.clip(others, least, 1))


def _effect_words(effect: Effect, data: DriverData, says: dict[str, str]) -> str:
    difference = effect.beside if _holds(effect) else effect.raw
    ratio = _ratio(effect, difference, data) if data.binary else 1.0
    show = percent if data.binary else figure
    own, others = show(effect.mean), show(effect.others)
    alike = abs(difference - effect.raw) <= ALIKE * abs(effect.raw)
    means = says["as it is" if alike else "all alike"].format(mean=own, others=others)
    if not data.binary:
        key = "higher" if difference > 0 else "lower"
        return says[key].format(by=figure(abs(difference)), means=means)
    if effect.mean == 0:
        return says["never"].format(means=says["as it is"].format(mean=own, others=others))
    if ratio >= 1.5:
        return says["times"].format(ratio=figure(ratio), means=means)
    if ratio >= 1:
        return says["more"].format(share=percent(ratio - 1), means=means)
    return says["less"].format(share=percent(1 - ratio), means=means)


def _row(effect: Effect, data: DriverData, says: dict[str, str], note: str) -> list[Any]:
    if data.binary:
        ends = [_ratio(effect, d, data) for d in (effect.beside, effect.lo, effect.hi, effect.raw)]
    else:
        ends = [effect.beside, effect.lo, effect.hi, effect.raw]
    p = effect.p if _holds(effect) else effect.raw_p
    return [
        effect.level.words, _effect_words(effect, data, says), effect.rows,
        *(round(v, DIGITS) + 0.0 for v in (effect.mean, effect.others, *ends, p)), note,
    ]  # fmt: skip


def _notes(data: DriverData, factors: int, shown: int, says: dict[str, str]) -> list[str]:
    key = "looked" if shown else "none"
    rows = says["rows"].format(
        rows=count(len(data.target)), left=count(data.left), target=data.target_name
    )
    mean = float(data.target.mean())
    base = says["share" if data.binary else "mean"].format(
        target=data.target_name, share=percent(mean), mean=figure(mean, 3)
    )
    notes = [says[key].format(factors=count(factors), shown=count(shown)), f"{rows}; {base}"]
    if data.useless:
        notes.append(says["useless"].format(names=", ".join(data.useless[:10])))
    if data.headed:
        notes.append(says["heading"])
    return notes
