"""Optuna's samplers (Akiba et al. 2019): a tree-structured Parzen estimator (TPE), or a Gaussian process (GP).

A whole generation is asked for at once. TPE keeps its members apart by the constant liar; GP leaves that to chance.
"""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from swarm.core.errors import ConfigError
from swarm.core.space import Space
from swarm.optimizers.base import MOST_PARTICLES
from swarm.optimizers.generational import Generational
from swarm.optimizers.history import HistoryState, appended, initial_state, proposed
from swarm.optimizers.positions import to_unit_cube

if TYPE_CHECKING:
    from optuna.study import Study


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
        study, names = self.replayed(state), state.space.coordinates
        span = {name: _package().distributions.FloatDistribution(0.0, 1.0) for name in names}
        asked = [study.ask(span) for _ in range(self.particles)]
        return proposed(state, np.array([[trial.params[name] for name in names] for trial in asked]))

    def replayed(self, state: HistoryState) -> "Study":
        """A study with a trial for every observation."""
        optuna, names = _package(), state.space.coordinates
        study = optuna.create_study(direction="maximize", sampler=self._sampler(state))
        span = {name: optuna.distributions.FloatDistribution(0.0, 1.0) for name in names}
        for generation in state.history:
            for unit_D, utility in zip(to_unit_cube(state.space, generation.x_ND), generation.utilities_N, strict=True):
                failed = bool(np.isnan(utility))
                study.add_trial(
                    optuna.trial.create_trial(
                        state=optuna.trial.TrialState.FAIL if failed else optuna.trial.TrialState.COMPLETE,
                        params=dict(zip(names, unit_D.tolist(), strict=True)),
                        distributions=span,
                        value=None if failed else float(utility),
                    )
                )
        return study

    def _sampler(self, state: HistoryState) -> Any:
        samplers = _package().samplers
        seed = int(np.random.SeedSequence([state.seed, len(state.history)]).generate_state(1)[0])
        if self.sampler == "gp":
            return samplers.GPSampler(seed=seed, n_startup_trials=0)
        return samplers.TPESampler(seed=seed, n_startup_trials=0, multivariate=True, constant_liar=True)


def _package() -> Any:
    try:
        import optuna
    except ImportError:
        raise ConfigError(
            'optimizer.type: optuna is not installed; pip install "swarm-experts[optuna]", or take another type'
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
