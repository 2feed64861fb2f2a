"""What a test shows, in sentences for a slide, in English and Chinese."""

from __future__ import annotations

from collections.abc import Sequence

from server.decisions.comparing import RELATIVE, Comparison
from server.decisions.segments import Qini
from server.decisions.words import count, figure, p_text, percent, points, round_up

CLAIM = 0.05

_SAYS = {
    "en": {
        "the outcome": "the outcome",
        "raised": "{arm} raised {outcome} by {by} ({lo} to {hi})",
        "lowered": "{arm} lowered {outcome} by {by} ({lo} to {hi})",
        "points": "{value} points",
        "per row": "{value} per row",
        "more": "; 1 in {n} more",
        "fewer": "; 1 in {n} fewer",
        "percent": "; {value} more",
        "percent less": "; {value} less",
        "none": "No effect of {arm} on {outcome} shown: {by} ({lo} to {hi})",
        "many": "{arm}: {by} ({lo} to {hi}) on {outcome} may be chance, as {family} comparisons "
        "were made",
        "few": "Too few to tell: {arm} {by} ({lo} to {hi}) on {outcome}",
        "needs": "; {rows} more rows ({events} more with {outcome}) are needed to see a {change} "
        "change",
        "enough": "; a change of {change} would most likely have shown",
        "unsound": "; first look at the split, below",
        "ranking": "The segments rank who responds to {arm}: the best half of the rows brings "
        "{half} of the uplift, half would be chance",
        "ranking plain": "The segments rank who responds to {arm}",
        "ranking wrong": "Segments that respond to {arm} in one half of the rows do not in the "
        "other",
        "no ranking": "No sign that segments respond differently to {arm}",
        "score ranking": "The score ranks who responds to {arm}: its upper half brings {half} of "
        "the uplift, half would be chance",
        "score ranking plain": "The score ranks who responds to {arm}",
        "score ranking wrong": "The score ranks the wrong way round: low scores respond more to "
        "{arm}",
        "no score ranking": "No sign that the score tells who responds to {arm}",
        "split": "The split {shares} fits a planned {plan} ({p})",
        "split off": "Warning: the split {shares} fits no planned one, the nearest is {plan} "
        "({p}). Look for lost or doubled rows before you believe the rest",
        "balance": "The arms hold the same shares of the segments ({p})",
        "balance off": "Warning: the arms hold different shares of the segments ({p}). They were "
        "not split at random within them",
        "left": "{outcome} rows without outcome, {treated} without arm left out",
        "nothing": "No rows left out",
        "heading": "; row 1 was read as headings",
    },
    "zh": {
        "the outcome": "结果",
        "raised": "{arm}使{outcome}提高 {by}（{lo} 至 {hi}）",
        "lowered": "{arm}使{outcome}降低 {by}（{lo} 至 {hi}）",
        "points": "{value} 个百分点",
        "per row": "每行 {value}",
        "more": "；每 {n} 行多 1 个",
        "fewer": "；每 {n} 行少 1 个",
        "percent": "；增加 {value}",
        "percent less": "；减少 {value}",
        "none": "未见{arm}对{outcome}的影响：{by}（{lo} 至 {hi}）",
        "many": "{arm}：{outcome}{by}（{lo} 至 {hi}），共作 {family} 项比较，可能出于偶然",
        "few": "数量太少，无法判断：{arm}{outcome}{by}（{lo} 至 {hi}）",
        "needs": "；还需 {rows} 行（其中有{outcome}的 {events} 行）才能看出 {change} 的变化",
        "enough": "；若有 {change} 的变化，应已显现",
        "unsound": "；请先看下面的分组检查",
        "ranking": "这些细分能区分谁对{arm}有反应：最好的一半行带来 {half} 的增量，随机为一半",
        "ranking plain": "这些细分能区分谁对{arm}有反应",
        "ranking wrong": "在一半行中对{arm}有反应的细分在另一半中没有反应",
        "no ranking": "未见各细分对{arm}的反应不同",
        "score ranking": "该得分能区分谁对{arm}有反应：得分高的一半带来 {half} 的增量，随机为一半",
        "score ranking plain": "该得分能区分谁对{arm}有反应",
        "score ranking wrong": "该得分方向相反：得分低的对{arm}反应更大",
        "no score ranking": "未见该得分能区分谁对{arm}有反应",
        "split": "分组比例 {shares} 符合计划的 {plan}（{p}）",
        "split off": "警告：分组比例 {shares} 不符合任何常见计划，最接近的是 {plan}（{p}）。"
        "请先查找丢失或重复的行，再看其他结果",
        "balance": "各组中细分的比例相同（{p}）",
        "balance off": "警告：各组中细分的比例不同（{p}），并非在细分内随机分组",
        "left": "排除了 {outcome} 行无结果、{treated} 行无分组",
        "nothing": "没有排除任何行",
        "heading": "；第 1 行被当作标题",
    },
}  # fmt: skip


class LiftWords:
    """Sentences on one outcome, in one language."""

    def __init__(self, lang: str, outcome: str, binary: bool, family: int) -> None:
        self._says = _SAYS[lang]
        self._outcome = outcome or self._says["the outcome"]
        self._binary = binary
        self._family = family

    def verdict(self, arm: str, found: Comparison, p_adjusted: float, sound: bool) -> str:
        """What the comparison of an arm with the control shows."""
        certain = p_adjusted < CLAIM and not found.few
        up = found.uplift > 0
        sign = -1 if certain and not up else 1
        lo, hi = sorted((sign * found.lo, sign * found.hi))
        key = ("raised" if up else "lowered") if certain else "none"
        if found.few:
            key = "few"
        elif not certain and found.p < CLAIM:
            key = "many"
        text = self._says[key].format(
            arm=arm, outcome=self._outcome, by=self._amount(sign * found.uplift, not certain),
            lo=self._figure(lo), hi=self._figure(hi), family=self._family,
        )  # fmt: skip
        text += self._how_many(found) if certain else self._needs(found)
        return text if sound else text + self._says["unsound"]

    def ranking(self, arm: str, found: Qini, p_adjusted: float, by_score: bool, worth: bool) -> str:
        """Whether the segments, or a score, tell who responds; `worth`: there is an uplift."""
        which = "score ranking" if by_score else "ranking"
        if p_adjusted >= CLAIM:
            return self._says[f"no {which}"].format(arm=arm)
        if found.value < 0:
            return self._says[f"{which} wrong"].format(arm=arm)
        if found.half is None or not worth:
            return self._says[f"{which} plain"].format(arm=arm)
        return self._says[which].format(arm=arm, half=percent(found.half))

    def split(self, rows: Sequence[int], p: float, plan: Sequence[float], sound: bool) -> str:
        shares = " : ".join(f"{100 * n / sum(rows):.1f}" for n in rows)
        nearest = " : ".join(f"{100 * share:.3g}" for share in plan)
        key = "split" if sound else "split off"
        return self._says[key].format(shares=shares, plan=nearest, p=p_text(p))

    def balance(self, p: float, sound: bool) -> str:
        return self._says["balance" if sound else "balance off"].format(p=p_text(p))

    def left_out(self, outcome: int, treated: int, headed: bool) -> str:
        text = self._says["nothing"]
        if outcome or treated:
            text = self._says["left"].format(outcome=count(outcome), treated=count(treated))
        return text + (self._says["heading"] if headed else "")

    def _figure(self, value: float) -> str:
        return points(value) if self._binary else figure(value)

    def _amount(self, value: float, signed: bool) -> str:
        text = self._figure(value)
        if signed and value > 0:
            text = f"+{text}"
        return self._says["points" if self._binary else "per row"].format(value=text)

    def _how_many(self, found: Comparison) -> str:
        up = found.uplift > 0
        if self._binary:
            n = count(max(1, 1 / abs(found.uplift)))
            return self._says["more" if up else "fewer"].format(n=n)
        if found.relative is None:
            return ""
        value = percent(abs(found.relative))
        return self._says["percent" if up else "percent less"].format(value=value)

    def _needs(self, found: Comparison) -> str:
        change = percent(RELATIVE)
        if found.missing_rows <= 0:
            return "" if found.control_mean <= 0 else self._says["enough"].format(change=change)
        return self._says["needs"].format(
            rows=count(round_up(found.missing_rows)),
            events=count(round_up(found.missing_events)),
            outcome=self._outcome,
            change=change,
        )
