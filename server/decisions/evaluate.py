"""EVAL: how good predictions were, as a table that says what it counted and what it left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from server.decisions import scores
from server.decisions.columns import (
    Column,
    Sheet,
    is_chinese,
    is_filled,
    key_of,
    name_of,
    number_of,
    read_sheet,
    unique,
    value_of,
    yes_or_no,
)
from server.decisions.eval_words import SAYS
from server.decisions.scores import Calibration, Estimate
from server.decisions.words import count, figure, language, percent, points
from udfs.catalogue_deciding import EVAL_COLUMNS
from udfs.errors import BadInput, CellError, OutOfRange, short
from udfs.kinds import Cell, from_wire

DECIMALS = 4
MOST_NUMBERS_AS_LABELS = 20  # different whole numbers, above which they are amounts
MOST_LABELS = 200
MOST_PAIRS = 400  # of labels, above which only those that occur are listed

Row = list[Any]


def evaluate(predicted: Any, actual: Any) -> list[Row]:
    """The table of EVAL, headings first; the arguments are grids as the wire holds them.

    Raises: BadInput if the columns cannot be compared, OutOfRange if no row can.
    """
    grids = {"predicted": from_wire(predicted), "actual": from_wire(actual)}
    return [list(EVAL_COLUMNS), *_rows(read_sheet(grids, one_column=("actual",)))]


def _rows(sheet: Sheet) -> list[Row]:
    labels, confidence = _roles(sheet.columns["predicted"])
    actual = sheet.one("actual")
    used, left = _usable(labels, confidence, actual)
    if not used:
        raise OutOfRange(
            f"None of the {sheet.rows:,} rows has both a predicted and an actual value. Select the "
            "same rows in both."
        )
    guesses = [labels.cells[row] for row in used]
    truths = [actual.cells[row] for row in used]
    named = unique(name_of(cell) for cell in truths)
    lang = language(is_chinese([*named[:50], labels.name, actual.name]))
    says = SAYS[lang]
    kind = "labels" if confidence else _kind(guesses, truths)
    rows = _counts(sheet, len(used), left, says)
    if kind == "numbers":
        return rows + _of_numbers(guesses, truths, says)
    if kind == "probabilities":
        return rows + _of_probabilities(guesses, truths, says)
    table, right = _of_labels(guesses, truths, says)
    rows += table
    if confidence:
        sure = np.array([number_of(confidence.cells[row]) for row in used], dtype=float)
        rows += _calibration(scores.calibration(sure, right), says)
    return rows


def _roles(columns: Sequence[Column]) -> tuple[Column, Column | None]:
    """The column of the predictions and that of their confidence, if it is there."""
    if len(columns) == 1:
        return columns[0], None
    sure = [column for column in columns if _holds_shares(column)]
    if len(columns) > 3 or not sure:
        raise BadInput(
            f"predicted is {len(columns)} columns wide; expected one column, or labels and beside "
            "them confidences from 0 to 1."
        )
    confidence = sure[-1]
    return next(column for column in columns if column is not confidence), confidence


def _holds_shares(column: Column) -> bool:
    numbers = [number_of(cell) for cell in column.cells if is_filled(cell)]
    return bool(numbers) and all(number is not None and 0 <= number <= 1 for number in numbers)


def _usable(
    labels: Column, confidence: Column | None, actual: Column
) -> tuple[list[int], list[tuple[str, list[Cell]]]]:
    """The rows to compare; and why others are not, with the cells that are to blame.

    A row without anything in it is no row.
    """
    used: list[int] = []
    left: dict[str, list[Cell]] = {"left predicted": [], "left actual": [], "left confidence": []}
    for row, (guess, truth) in enumerate(zip(labels.cells, actual.cells, strict=True)):
        sure = confidence.cells[row] if confidence else 0.0
        if not is_filled(guess):
            if not (guess is None and truth is None):
                left["left predicted"].append(guess)
        elif not is_filled(truth):
            left["left actual"].append(truth)
        elif number_of(sure) is None:
            left["left confidence"].append(sure)
        else:
            used.append(row)
    return used, [(why, cells) for why, cells in left.items() if cells]


def _kind(guesses: Sequence[Cell], truths: Sequence[Cell]) -> str:
    """What is predicted: labels, probabilities or numbers."""
    numbers = [number_of(cell) for cell in guesses]
    if any(number is None for number in numbers):
        return "labels"
    given = [number for number in numbers if number is not None]
    fractions = any(not number.is_integer() for number in given)
    shares = all(0 <= number <= 1 for number in given)
    actual = [value_of(cell) for cell in truths]
    if shares and fractions:
        if yes_or_no(truths):
            return "probabilities"
        if any(number is None for number in actual):
            found = ", ".join(short(name) for name in unique(map(name_of, truths))[:3])
            raise BadInput(
                f"predicted holds probabilities and actual {found}; expected outcomes such as 1 "
                "and 0, TRUE and FALSE or yes and no beside them."
            )
    if any(number is None for number in actual):
        return "labels"
    many = len({*given, *actual}) > MOST_NUMBERS_AS_LABELS
    return "numbers" if fractions or many or _fractions(actual) else "labels"


def _fractions(numbers: Sequence[float | None]) -> bool:
    return any(number is not None and not number.is_integer() for number in numbers)


def _counts(
    sheet: Sheet, used: int, left: Sequence[tuple[str, list[Cell]]], says: dict[str, str]
) -> list[Row]:
    parts = []
    for why, cells in left:
        errors = sum(isinstance(cell, CellError) for cell in cells)
        part = says[why].format(count=count(len(cells)))
        parts.append(part + (says["errors"].format(count=count(errors)) if errors else ""))
    missing = sum(len(cells) for _, cells in left)
    what = "; ".join(parts) or says["nothing"]
    if sheet.first_row == 2:
        what += says["heading"]
    total = used + missing
    return [
        _row("rows compared", Estimate(used), total, says["compared"].format(rows=count(total))),
        _row("rows left out", Estimate(missing), total, what),
    ]


def _of_labels(
    guesses: Sequence[Cell], truths: Sequence[Cell], says: dict[str, str]
) -> tuple[list[Row], np.ndarray]:
    """The rows on labels; and per row whether it is right."""
    guess_keys, truth_keys = _same_spelling(guesses, truths)
    shown: dict[str, str] = {}
    for key, cell in [
        *zip(truth_keys, truths, strict=True),
        *zip(guess_keys, guesses, strict=True),
    ]:
        shown.setdefault(key, name_of(cell))
    if len(shown) > MOST_LABELS:
        raise BadInput(
            f"predicted and actual hold {len(shown):,} different labels; expected up to "
            f"{MOST_LABELS}. Are these the right columns?"
        )
    counts = Counter(truth_keys)
    order = sorted(shown, key=lambda key: (-counts[key], key))
    place = {key: number for number, key in enumerate(order)}
    table = scores.confusion(
        [place[key] for key in truth_keys], [place[key] for key in guess_keys], len(order)
    )
    return _table_rows(table, [shown[key] for key in order], says), np.array(
        [guess == truth for guess, truth in zip(guess_keys, truth_keys, strict=True)]
    )


def _same_spelling(guesses: Sequence[Cell], truths: Sequence[Cell]) -> tuple[list[str], list[str]]:
    """Keys of both; where one spells TRUE what the other spells 1, as yes and no."""
    guess_keys, truth_keys = [key_of(c) for c in guesses], [key_of(c) for c in truths]
    pairs = yes_or_no(guesses), yes_or_no(truths)
    if pairs[0] and pairs[1] and not set(guess_keys) & set(truth_keys):
        spell = {pairs[1][key]: key for key in truth_keys}
        other = {True: "1", False: "0"}
        guess_keys = [spell.get(pairs[0][k], other[pairs[0][k]]) for k in guess_keys]
    return guess_keys, truth_keys


def _table_rows(table: np.ndarray, names: Sequence[str], says: dict[str, str]) -> list[Row]:
    """What a confusion table tells."""
    total = int(table.sum())
    hits, actual, called = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    most = int(actual.argmax())
    right = int(hits.sum())
    rows = [
        _row(
            "accuracy", scores.share(right, total), total,
            says["right"].format(hits=count(right), rows=count(total)),
        ),
        _row(
            "commonest label", Estimate(actual[most] / total), total,
            says["common"].format(label=names[most]), of=names[most],
        ),
        _row("macro-F1", scores.macro_f1(table), total, says["macro"].format(labels=len(names))),
    ]  # fmt: skip
    f1 = scores.f1_of(table)
    for number, name in enumerate(names):
        for measure, base, empty in (("precision", called, "never"), ("recall", actual, "absent")):
            said = says[measure if base[number] else empty].format(
                hits=count(hits[number]), rows=count(base[number]), label=name
            )
            score = scores.share(int(hits[number]), int(base[number]))
            rows.append(_row(measure, score, int(base[number]), said, of=name))
        rows.append(_row("F1", Estimate(f1[number]), int(actual[number]), says["F1"], of=name))
    for down, truth in enumerate(names):
        for across, guess in enumerate(names):
            pair = int(table[down, across])
            if pair or len(names) ** 2 <= MOST_PAIRS:
                said = says["pair"].format(
                    rows=count(actual[down]), actual=truth, hits=count(pair), predicted=guess
                )
                rows.append(
                    _row("confusion", Estimate(pair), int(actual[down]), said, truth, guess)
                )
    return rows


def _of_probabilities(
    guesses: Sequence[Cell], truths: Sequence[Cell], says: dict[str, str]
) -> list[Row]:
    probability = np.array([number_of(cell) for cell in guesses], dtype=float)
    meaning = yes_or_no(truths)
    assert meaning is not None
    true = np.array([meaning[key_of(cell)] for cell in truths])
    names = {meaning[key_of(cell)]: name_of(cell) for cell in truths}
    yes, no = names.get(True, "1"), names.get(False, "0")
    table = scores.confusion((~true).astype(int), (probability < 0.5).astype(int), 2)
    rows = _table_rows(table, [yes, no], says)
    if 0 < true.sum() < len(true):
        area = scores.area_under_curve(probability, true)
        rows.append(_row("AUC", area, len(true), says["area"].format(yes=yes)))
    score, base = scores.brier(probability, true)
    said = says["brier"].format(base=percent(float(true.mean())), score=figure(base, 3))
    rows.append(_row("Brier score", Estimate(score), len(true), said))
    return rows + _calibration(scores.calibration(probability, true), says)


def _calibration(found: Calibration, says: dict[str, str]) -> list[Row]:
    rows = sum(one.rows for one in found.bins)
    over = says["over" if found.gap > 0 else "under"].format(points=points(abs(found.gap)))
    chance = says["chance"].format(chance=figure(found.chance))
    limit = says["off"].format(limit=figure(found.chance_95))
    verdict = says["well"] if found.error <= found.chance_95 else limit
    table = [
        _row("calibration error", Estimate(found.error), rows, f"{verdict}; {chance}; {over}"),
    ]
    for one in found.bins:
        share = scores.share(one.hits, one.rows)
        said = says["bin"].format(predicted=percent(one.predicted), share=percent(share.value))
        of = f"{one.lo:.1f} to {one.hi:.1f}"
        table.append(_row("reliability", share, one.rows, said, of, _shown(one.predicted)))
    return table


def _of_numbers(guesses: Sequence[Cell], truths: Sequence[Cell], says: dict[str, str]) -> list[Row]:
    guess = np.array([value_of(cell) for cell in guesses], dtype=float)
    truth = np.array([value_of(cell) for cell in truths], dtype=float)
    miss = guess - truth
    bias = scores.mean_of(miss)
    way = "even"
    if bias.lo is not None and bias.hi is not None and not bias.lo <= 0 <= bias.hi:
        way = "high" if bias.value > 0 else "low"
    n = len(truth)
    rows = [
        _row("mean absolute error", scores.mean_of(np.abs(miss)), n, says["distance"]),
        _row(
            "root mean squared error", Estimate(float(np.sqrt(np.mean(miss**2)))), n, says["root"]
        ),
        _row("bias", bias, n, says["bias"].format(how=says[way])),
    ]
    if np.abs(truth).sum() > 0:
        waste = float(np.abs(miss).sum() / np.abs(truth).sum())
        rows.append(_row("weighted percentage error", Estimate(waste), n, says["waste"]))
    spread = float(np.sum((truth - truth.mean()) ** 2))
    if spread > 0:
        explained = 1 - float(np.sum(miss**2)) / spread
        rows.append(_row("R squared", Estimate(explained), n, says["explained"]))
    return rows


def _row(
    measure: str, score: Estimate, rows: int, words: str, of: str = "", predicted: Any = ""
) -> Row:
    ends = (score.value, score.lo, score.hi)
    return [measure, of, predicted, *map(_shown, ends), rows, words]


def _shown(value: float | None) -> Any:
    if value is None or not np.isfinite(value):
        return ""
    return int(value) if float(value).is_integer() else round(float(value), DECIMALS)
