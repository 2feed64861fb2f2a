"""The optimiser that both customer models share: finds, names limits, refuses honestly."""

from __future__ import annotations

import numpy as np
import pytest

from server.customers.fitting import LOG_HI, maximise
from udfs.errors import OutOfRange


def test_finds_the_best_of_several_starts() -> None:
    """Two hills: the higher one, at 8, is only reached from the second start."""

    def hills(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        u = np.log(parameters[0] / np.array([0.125, 8.0]))
        heights = np.array([1.0, 2.0]) * np.exp(-(u**2))
        return float(heights.sum()), np.array([(-2 * u * heights).sum() / parameters[0]])

    best = maximise(hills, ["k"], [[0.1], [10.0]], "hill")
    assert best.parameters[0] == pytest.approx(8, rel=1e-3)
    assert best.mean_log_likelihood == pytest.approx(2, rel=1e-6)
    assert best.at_limit == ()


def test_a_parameter_without_a_best_value_is_named() -> None:
    def ever_up(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        u = np.log(parameters)
        return float(-(u[0] ** 2) + u[1]), np.array([-2 * u[0], 1.0]) / parameters

    best = maximise(ever_up, ["still", "runs"], [[3.0, 3.0]], "slope")
    assert best.at_limit == ("runs",)
    assert best.parameters == pytest.approx([1.0, np.exp(LOG_HI)], rel=1e-6)


def test_no_optimum_is_an_error_that_says_what_to_do() -> None:
    def nowhere(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        return float("nan"), np.full(1, np.nan)

    def wrong_slope(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        return float(-np.abs(np.log(parameters[0] / 7))), np.ones(1)

    for objective in (nowhere, wrong_slope):
        with pytest.raises(OutOfRange, match=r"The test model does not converge.*longer history"):
            maximise(objective, ["k"], [[3.0]], "test")
