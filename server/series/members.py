"""The methods that a forecast is the mean of, chosen by how the series repeats and how long it is.

Exponential smoothing, Theta, CES and MSTL are statsforecast's; the regression on lags is ours.
Which of them serve which kind of series was chosen on the ends of training series (bench/
forecast_m4.py): the mean of few different methods beats each of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from server.series.autoregression import forecast_by_lags
from server.series.quiet import quiet

log = logging.getLogger(__name__)

# Values and a horizon in, forecasts out.
Method: TypeAlias = Callable[[np.ndarray, int], np.ndarray]

INTERMITTENT = 0.3  # share of zeros from which demand counts as intermittent
LONGEST_SMOOTHED = 24  # season that exponential smoothing can hold
KEPT = 1000  # steps, the last ones, that the slower methods look at
# Forms that the data choose from by AICc; those left out were rarely best and cost as much.
_SEASONAL_FORMS = (
    ("ANA", False),
    ("AAA", False),
    ("AAA", True),
    ("MNM", False),
    ("MAM", False),
    ("MAM", True),
)
_PLAIN_FORMS = (("ANN", False), ("AAN", False), ("AAN", True), ("MNN", False))


@dataclass(frozen=True)
class Members:
    """The methods of the forecast; `quick` are those that also serve the rolling backtest.

    What they say is averaged, or the median taken where one of them may go far astray.
    """

    slow: tuple[Method, ...]
    quick: tuple[Method, ...]
    median: bool = False

    def forecast(self, values: np.ndarray, horizon: int) -> np.ndarray:
        """What the methods say together. Shape: (horizon,)."""
        return self._together((*self.slow, *self.quick), values, horizon)

    def forecast_quickly(self, values: np.ndarray, horizon: int) -> np.ndarray:
        """The same from the quick methods alone."""
        return self._together(self.quick, values, horizon)

    def _together(self, methods: Sequence[Method], values: np.ndarray, horizon: int) -> np.ndarray:
        found = [
            ahead for method in methods if (ahead := _try(method, values, horizon)) is not None
        ]
        if not found:
            return np.full(horizon, float(values[-1]))
        return np.asarray((np.median if self.median else np.mean)(found, axis=0))


def _try(method: Method, values: np.ndarray, horizon: int) -> np.ndarray | None:
    """What the method says; None where it cannot deal with the series."""
    with quiet():  # optimisers warn when they stop early
        try:
            ahead = np.asarray(method(values, horizon), dtype=np.float64)
        except Exception as error:  # libraries raise what they like
            log.debug("a method gave up on a series of %d steps: %s", len(values), error)
            return None
    return ahead if np.isfinite(ahead).all() else None


def choose(values: np.ndarray, seasons: Sequence[int]) -> Members:
    """The methods for such a series; `seasons` as the calendar has them, the shortest first."""
    if is_intermittent(values):
        return Members((), (_croston, _tsb, _imapa, partial(_season_mean, season=_first(seasons))))
    fitting = fitting_seasons(len(values), seasons)
    if not fitting:
        lags = partial(_lags, near=3, seasons=(), against=1, penalty=0.1)
        return Members((_ets(1),), (_theta(1), _ces(1), *([lags] if len(values) >= 24 else [])))
    if len(fitting) > 1:
        return Members((_mstl(tuple(fitting)),), _many_seasons(fitting), median=True)
    season = fitting[0]
    if season > LONGEST_SMOOTHED:
        return Members((_mstl((season,)),), _long_season(season, len(values)))
    lags = partial(_lags, near=3, seasons=(season,), against=season, penalty=0.1)
    return Members((_ets(season), _mstl((season,))), (_theta(season), _ces(season), lags))


def fitting_seasons(count: int, seasons: Sequence[int]) -> list[int]:
    """The seasons that so long a series can show: of two cycles, and a little more if short."""
    return [
        season
        for season in seasons
        if count >= 2 * season + (0 if season > LONGEST_SMOOTHED else 4)
    ]


def _long_season(season: int, count: int) -> tuple[Method, ...]:
    if count < 3 * season + 12:
        return _ces(season), partial(_lags, near=3, seasons=(season,), against=1, penalty=0.1)
    by_lags = partial(_lags, near=8, seasons=(season,), against=1, penalty=0.01)
    return partial(by_lags, kept=300), partial(by_lags, kept=600, logarithm=True)


def _many_seasons(seasons: Sequence[int]) -> tuple[Method, ...]:
    short = seasons[0]
    options = [(6, 1e-4, False), (short, 1e-3, False), (6, 1e-3, True), (short, 1e-3, True)]
    return tuple(
        partial(
            _lags,
            near=near,
            seasons=tuple(seasons),
            against=short,
            penalty=penalty,
            logarithm=logarithm,
        )
        for near, penalty, logarithm in options
    )


def is_intermittent(values: np.ndarray) -> bool:
    """Whether much of the series is zero and the rest above."""
    return bool(values.min() >= 0 and (values == 0).mean() >= INTERMITTENT)


def seasonal_naive(values: np.ndarray, horizon: int, season: int) -> np.ndarray:
    """What stood one season before; the last value where there is no season yet."""
    season = season if len(values) >= season else 1
    return np.asarray(np.resize(values[-season:], horizon))


def _first(seasons: Sequence[int]) -> int:
    return seasons[0] if seasons else 1


def _lags(
    values: np.ndarray,
    horizon: int,
    near: int,
    seasons: tuple[int, ...],
    against: int,
    penalty: float,
    kept: int = 3000,
    logarithm: bool = False,
) -> np.ndarray:
    used = values[-kept:]
    lags = lags_for(near, seasons)
    # Each weight wants steps to be learned from.
    longest = len(used) // 2 if len(seasons) < 2 else len(used) - 4 * len(lags)
    fitting = [lag for lag in lags if lag < longest] or [1]
    return forecast_by_lags(used, horizon, fitting, against, penalty, logarithm)


def lags_for(near: int, seasons: Sequence[int]) -> list[int]:
    """The last `near` steps, and those around one season before, and around its multiples."""
    lags = set(range(1, near + 1))
    for place, season in enumerate(seasons):
        lags |= {season - 1, season, season + 1}
        if season > LONGEST_SMOOTHED:
            lags |= {season + 2}
        if place + 1 < len(seasons):
            longer = seasons[place + 1]
            lags |= {season + 2, 2 * season - 1, 2 * season, 2 * season + 1}
            lags |= {*range(3 * season, longer, season), longer - season + 1, longer - 2}
    return sorted(lags)


def _ets(season: int) -> Method:
    def run(values: np.ndarray, horizon: int) -> np.ndarray:
        from statsforecast.models import AutoETS

        best, least = None, np.inf
        for form, damped in _SEASONAL_FORMS if season > 1 else _PLAIN_FORMS:
            if values.min() <= 0 and "M" in form:
                continue
            model: Any = AutoETS(season, model=form, damped=damped)
            try:
                model.fit(values[-KEPT:])
            except Exception as error:  # libraries raise what they like
                log.debug("form %s does not fit: %s", form, error)
                continue
            if model.model_["aicc"] < least:
                best, least = model, model.model_["aicc"]
        if best is None:
            raise ValueError("no form can be fitted")
        return np.asarray(best.predict(horizon)["mean"])

    return run


def _theta(season: int) -> Method:
    def run(values: np.ndarray, horizon: int) -> np.ndarray:
        from statsforecast.models import DynamicOptimizedTheta

        return _ahead(DynamicOptimizedTheta(season), values, horizon)

    return run


def _ces(season: int) -> Method:
    def run(values: np.ndarray, horizon: int) -> np.ndarray:
        from statsforecast.models import AutoCES

        return _ahead(AutoCES(season), values, horizon)

    return run


def _mstl(seasons: tuple[int, ...]) -> Method:
    def run(values: np.ndarray, horizon: int) -> np.ndarray:
        from statsforecast.models import MSTL, AutoETS

        return _ahead(MSTL(list(seasons), trend_forecaster=AutoETS(model="ZZN")), values, horizon)

    return run


def _croston(values: np.ndarray, horizon: int) -> np.ndarray:
    from statsforecast.models import CrostonSBA

    return _ahead(CrostonSBA(), values, horizon)


def _tsb(values: np.ndarray, horizon: int) -> np.ndarray:
    from statsforecast.models import TSB

    return _ahead(TSB(alpha_d=0.1, alpha_p=0.1), values, horizon)


def _imapa(values: np.ndarray, horizon: int) -> np.ndarray:
    from statsforecast.models import IMAPA

    return _ahead(IMAPA(), values, horizon)


def _season_mean(values: np.ndarray, horizon: int, season: int) -> np.ndarray:
    """The mean of the same phase in the last cycles, of all recent steps if there are few."""
    if len(values) < 4 * season:
        return np.full(horizon, values[-2 * max(season, 13) :].mean())
    cycles = values[len(values) % season :].reshape(-1, season)[-8:]
    return np.asarray(np.resize(cycles.mean(axis=0), horizon))


def _ahead(model: Any, values: np.ndarray, horizon: int) -> np.ndarray:
    used = np.ascontiguousarray(values[-KEPT:], dtype=np.float64)
    return np.asarray(model.forecast(y=used, h=horizon)["mean"])
