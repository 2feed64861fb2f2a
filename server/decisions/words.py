"""Numbers as a sentence on a slide says them, in English and Chinese."""

from __future__ import annotations

import math

LANGUAGES = ("en", "zh")


def language(chinese: bool) -> str:
    """The name of a language as the tables of phrases know it."""
    return "zh" if chinese else "en"


def figure(value: float, digits: int = 2) -> str:
    """`value` with `digits` significant digits and thousands marked, never in powers of ten."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, places)
    if rounded == 0:
        return "0"
    text = f"{rounded:,.{max(0, places)}f}"
    return text.replace("-", "−")


def plain(value: float) -> str:
    """`value` with up to four significant digits, none of them idle: 30, 0.05, 1,250."""
    rounded = float(f"{value:.4g}")
    text = f"{rounded:,.0f}" if rounded.is_integer() else f"{rounded:,}"
    return text.replace("-", "−")


def points(share: float) -> str:
    """A difference of shares in percentage points, to a tenth; smaller ones to two digits."""
    value = 100 * share
    text = f"{value:.1f}" if abs(value) >= 0.1 or value == 0 else f"{value:.2g}"
    return text.replace("-", "−")


def percent(share: float, digits: int = 2) -> str:
    """A share in percent: "18 %"."""
    return f"{figure(100 * share, digits)} %"


def count(value: float) -> str:
    """A whole number with thousands marked."""
    return f"{round(value):,}"


def round_up(value: float) -> int:
    """`value` to two digits, never less: 311.2 is 320."""
    if value <= 100:
        return math.ceil(value)
    step = 10 ** (math.floor(math.log10(value)) - 1)
    return int(math.ceil(value / step) * step)


def p_text(p: float) -> str:
    """A p-value as it is quoted: "p 0.012", "p < 0.001"."""
    return "p < 0.001" if p < 0.001 else f"p {p:.2g}"
