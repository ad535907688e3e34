"""Optuna's samplers (Akiba et al. 2019): a tree-structured Parzen estimator (TPE), or a Gaussian process (GP).

A whole generation is asked for at once. TPE keeps its members apart by the constant liar; GP leaves that to chance.

The study grows with each generation. It is kept beside the states, for the state that continues the history that it
holds, and otherwise made again: so ask and tell are pure.
"""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from swarm.core.errors import ConfigError
from swarm.core.space import Space
from swarm.optimizers.base import MOST_PARTICLES
from swarm.optimizers.generational import Generational
from swarm.optimizers.history import HistoryState, appended, initial_state, proposed
from swarm.optimizers.history_cache import History, HistoryCache
from swarm.optimizers.positions import to_unit_cube

if TYPE_CHECKING:
    from optuna.study import Study

_studies: HistoryCache["Study"] = HistoryCache()


class Optuna(Generational[HistoryState]):
    """Settings and steps of Optuna. The first generation is PSO's."""

    type: Literal["optuna"] = "optuna"
    sampler: Literal["tpe", "gp"] = Field("tpe", description="tree-structured Parzen estimator or Gaussian process")
    particles: int = Field(10, ge=1, le=MOST_PARTICLES, description="samples per generation")
    patience: int | None = Field(10, ge=1, description="stop after so many generations without a new best")

    def init(self, space: Space, seed: int) -> HistoryState:
        _package()
        return initial_state(space, seed, self.particles)

    def advance(self, state: HistoryState) -> HistoryState:
        state = appended(state)
        key = self, state.seed, state.space.coordinates, state.space.low_D.tobytes(), state.space.high_D.tobytes()
        study, told = _studies.take(key, state.history) or (_package().create_study(direction="maximize"), 0)
        add_trials(study, state.space, state.history[told:])
        study.sampler = self._sampler(state)
        span = _span(state.space)
        asked = [study.ask(span) for _ in range(self.particles)]
        unit_ND = np.array([[trial.params[name] for name in state.space.coordinates] for trial in asked])
        for trial in asked:  # the samplers do without it: its position comes back with its utility
            study.tell(trial, state=_package().trial.TrialState.FAIL)
        _studies.put(key, state.history, study)
        return proposed(state, unit_ND)

    def _sampler(self, state: HistoryState) -> Any:
        samplers = _package().samplers
        seed = int(np.random.SeedSequence([state.seed, len(state.history)]).generate_state(1)[0])
        if self.sampler == "gp":
            return samplers.GPSampler(seed=seed, n_startup_trials=0)
        return samplers.TPESampler(seed=seed, n_startup_trials=0, multivariate=True, constant_liar=True)


def add_trials(study: "Study", space: Space, history: History) -> None:
    """A trial for every observation."""
    package, span = _package(), _span(space)
    for generation in history:
        for unit_D, utility in zip(to_unit_cube(space, generation.x_ND), generation.utilities_N, strict=True):
            failed = bool(np.isnan(utility))
            study.add_trial(
                package.trial.create_trial(
                    state=package.trial.TrialState.FAIL if failed else package.trial.TrialState.COMPLETE,
                    params=dict(zip(space.coordinates, unit_D.tolist(), strict=True)),
                    distributions=span,
                    value=None if failed else float(utility),
                )
            )


def _span(space: Space) -> Any:
    return {name: _package().distributions.FloatDistribution(0.0, 1.0) for name in space.coordinates}


def _package() -> Any:
    try:
        import optuna
    except ImportError:
        raise ConfigError(
            'optimizer.type: optuna is not installed; pip install "swarm-experts[optuna]", or take another type'
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
