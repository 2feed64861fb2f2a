"""Every text function on a column of 100,000 rows with bad cells, through a live server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from server.engine import Engine
from udfs.errors import CellError
from udfs.kinds import MAX_TEXT_CHARS

ROOT = Path(__file__).parents[1]
ROWS = 100_000
MOST_MB = 4_096


def test_only_bad_cells_err_in_a_long_column(engine: Engine) -> None:
    texts: list[Any] = ["great price", "slow delivery", "物流太慢", "很好"] * (ROWS // 4)
    bad = {
        70: CellError("#N/A", ""),
        30_000: "x" * (MAX_TEXT_CHARS + 1),
        99_999: CellError("#DIV/0!", ""),
    }
    odd = {71: 2024, 72: True, 73: "😀", 74: "好" * MAX_TEXT_CHARS, 30_001: None, 50_000: " \n"}
    for place, cell in {**bad, **odd}.items():
        texts[place] = cell
    column = [[text] for text in texts]
    for function, *options in (("SENTIMENT",), ("CLASSIFY", "delivery;price"), ("CLEAN",)):
        answer = engine.call(function, column, *options)
        assert len(answer) == ROWS
        errors = {n: cell.code for n, (cell,) in enumerate(answer) if isinstance(cell, CellError)}
        assert errors == {70: "#N/A", 30_000: "#VALUE!", 99_999: "#DIV/0!"}
        assert [answer[n][0] for n in (30_001, 50_000)] == ["", ""]
        same = {cell for (cell,) in answer[1000:29_000:4]}
        assert len(same) == 1, "one text has one answer, wherever it stands"


@pytest.mark.slow
def test_every_function_answers_on_a_hundred_thousand_rows() -> None:
    pytest.importorskip("torch", reason="the tiny encoder that reads aspects is trained")
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("peak memory is read where Linux shows it")
    command = [sys.executable, str(ROOT / "bench" / "hundred_thousand_rows.py")]
    done = subprocess.run(
        [*command, "--rows", str(ROWS), "--distinct", "1000"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    functions = json.loads(done.stdout.splitlines()[-1])["functions"]
    assert {name: one["problems"] for name, one in functions.items() if one["problems"]} == {}
    assert {
        name: one["peak_mb"] for name, one in functions.items() if one["peak_mb"] > MOST_MB
    } == {}
