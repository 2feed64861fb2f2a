"""The arms of a test: which is the control, and whether the rows were split as planned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from server.decisions.columns import is_filled, key_of, name_of, yes_or_no
from udfs.errors import BadInput
from udfs.kinds import Cell

MOST_ARMS = 20
SUSPICIOUS = 0.001  # as is usual for sample ratio checks: Fabijan et al. 2019
_CONTROLS = (
    "control", "control group", "holdout", "hold-out", "hold out", "placebo", "baseline",
    "original", "none", "nothing", "untreated", "default", "no treatment",
    "对照", "对照组", "控制组", "空白", "空白组", "未发送", "不发送", "原版", "无",
)  # fmt: skip


@dataclass(frozen=True)
class Arms:
    """The names, the control first, and per row the number of its arm; -1 of a row without one."""

    names: tuple[str, ...]
    of_row: np.ndarray


def read_arms(cells: Sequence[Cell]) -> Arms:
    """The arms that a column names: 0 and 1, no and yes, or one called control, no ..., A.

    Raises: BadInput if there are not 2 to 20, or none of them is plainly the control.
    """
    shown: dict[str, str] = {}
    for cell in cells:
        if is_filled(cell):
            shown.setdefault(key_of(cell), name_of(cell))
    listed = ", ".join(list(shown.values())[:6])
    if not 2 <= len(shown) <= MOST_ARMS:
        found = f"{len(shown):,} different values" if shown else "no value"
        raise BadInput(
            f"treated holds {found}; expected 2 to {MOST_ARMS}: who was treated and who was not, "
            f"such as 1 and 0, or the name of each row's arm."
        )
    control = _control(list(shown))
    if control is None:
        raise BadInput(
            f"treated holds {listed}, and none of them is plainly the control. Call that one "
            'control (or 0, no, A, "no e-mail").'
        )
    order = [control, *sorted(key for key in shown if key != control)]
    place = {key: number for number, key in enumerate(order)}
    of_row = np.array([place[key_of(cell)] if is_filled(cell) else -1 for cell in cells])
    return Arms(tuple(shown[key] for key in order), of_row)


def treated_name(name: str, lang: str) -> str:
    """An arm as a sentence names it; 1 and TRUE say only that it was treated."""
    if key_of(name) in {"1", "true", "yes", "y", "t", "是", "有", "对", "真"}:
        return {"en": "Treatment", "zh": "实验组"}[lang]
    return name


def _control(keys: Sequence[str]) -> str | None:
    meaning = yes_or_no(keys)
    if meaning and sorted(meaning.values()) == [False, True]:
        return next(key for key, yes in meaning.items() if not yes)
    named = [key for key in keys if key in _CONTROLS]
    named = named or [
        key for key in keys if any(word in key for word in ("control", "对照", "holdout"))
    ]
    named = named or [
        key for key in keys if key.startswith(("no ", "not ", "non-", "un", "不", "未", "无"))
    ]
    named = named or [key for key in keys if key in ("0", "a") and _counted_on(keys)]
    return named[0] if len(named) == 1 else None


def _counted_on(keys: Sequence[str]) -> bool:
    """Whether these are A, B, C ... or 0, 1, 2 ..."""
    return set(keys) in (
        {chr(97 + n) for n in range(len(keys))},
        {str(n) for n in range(len(keys))},
    )


def split_check(rows: Sequence[int]) -> tuple[float, tuple[float, ...]]:
    """How well the rows per arm, the control first, fit a planned split; and the nearest one.

    The plan is not known. It is taken to be even, or in steps of 5 % (below 10 %, of 1 %), or
    thirds; p of a chi-square test against the one that fits best.
    """
    counts = np.array(rows, dtype=float)
    shares = counts / counts.sum()
    plans = [np.full(len(counts), 1 / len(counts))]
    for step in (0.05, 1 / 3, *([0.01] if shares.min() < 0.1 else [])):
        rounded = np.maximum(np.round(shares / step), 1) * step
        if abs(rounded.sum() - 1) < 1e-9:
            plans.append(rounded)
    fits = [float(stats.chisquare(counts, plan * counts.sum()).pvalue) for plan in plans]
    best = int(np.argmax(fits))
    return fits[best], tuple(float(share) for share in plans[best])


def balance_check(arms: np.ndarray, segments: np.ndarray) -> float:
    """p of a chi-square test that all arms hold the same shares of the segments."""
    table = np.zeros((arms.max() + 1, segments.max() + 1))
    np.add.at(table, (arms, segments), 1)
    table = table[:, table.sum(axis=0) > 0]
    return 1.0 if table.shape[1] < 2 else float(stats.chi2_contingency(table).pvalue)
