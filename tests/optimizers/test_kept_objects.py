"""Objects of other packages are kept beside the states: it shows in the time that a long search takes, nowhere else."""

import numpy as np
import pytest
from cmaes import CMA

from support.optimizer_runs import concave, half_failing, run, same, score, space
from swarm.optimizers import cma_es, optuna_samplers
from swarm.optimizers.cma_es import CMAES, Strategy
from swarm.optimizers.generational import ParticleGeneration
from swarm.optimizers.history_cache import ENTRIES, HistoryCache
from swarm.optimizers.optuna_samplers import Optuna
from swarm.optimizers.thread_limits import BLAS

KEPT = {"cma_es": (CMAES(), cma_es, "_strategies"), "optuna": (Optuna(), optuna_samplers, "_studies")}


def forget(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    _, module, attribute = KEPT[name]
    monkeypatch.setattr(module, attribute, HistoryCache())


@pytest.mark.parametrize("name", KEPT)
def test_what_is_kept_changes_no_proposal(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two searches that part from one state and take turns, against each by itself with nothing kept."""
    optimizer = KEPT[name][0]
    _, state = run(optimizer, generations=3)
    parted = {concave: state, half_failing: state}
    for _ in range(3):
        for utility, current in parted.items():
            parted[utility] = optimizer.tell(current, score(optimizer.ask(current), utility))
    for utility, together in parted.items():
        alone = state
        for _ in range(3):
            forget(monkeypatch, name)
            alone = optimizer.tell(alone, score(optimizer.ask(alone), utility))
        assert same(alone, together)
    assert not same(*parted.values())


@pytest.mark.parametrize("name", KEPT)
def test_other_settings_and_seeds_have_objects_of_their_own(name: str) -> None:
    optimizer = KEPT[name][0]
    history, _ = run(optimizer, generations=5)
    other = optimizer.model_copy(update={"particles": 8})
    others = [run(other, generations=5)[0], run(optimizer, seed=1, generations=5)[0]]
    assert same(run(optimizer, generations=5)[0], history)
    assert same([run(other, generations=5)[0], run(optimizer, seed=1, generations=5)[0]], others)


def test_a_long_search_makes_its_strategy_once() -> None:
    made = []

    class Counted(CMAES):
        def started(self, state):
            made.append(state)
            return super().started(state)

    run(Counted(), generations=12)
    assert len(made) == 1


def test_the_samples_are_the_package_s_to_the_bit() -> None:
    """Near a bound, so that many samples are drawn for each that is within all of them."""
    settings = {"bounds": np.tile([0.0, 1.0], (9, 1)), "seed": 3, "population_size": 6}
    ours, theirs = Strategy(np.full(9, 0.05), 0.15, **settings), CMA(np.full(9, 0.05), 0.15, **settings)
    for _ in range(20):
        samples = [theirs.ask() for _ in range(6)]
        assert np.array_equal(ours.asked(), samples)
        costs_N = np.square(np.array(samples) - 0.3).sum(axis=1)
        ours.tell_costs(costs_N)
        theirs.tell(list(zip(samples, costs_N.tolist(), strict=True)))


def test_the_number_of_threads_changes_no_sample() -> None:
    """Of 300 coordinates: on matrices of this size two threads sum in another order than one."""
    found = []
    for threads in (1, 2):
        with BLAS.limit(limits=threads):
            found.append(run(CMAES(), where=space(300), generations=3)[0])
    assert same(*found)


def test_a_cache_finds_what_most_of_a_history_gave_and_gives_it_away_once() -> None:
    a, b, c, d = (ParticleGeneration.fresh(i, np.zeros((1, 1))) for i in range(4))
    cache: HistoryCache[str] = HistoryCache()
    for history in ((a,), (a, b), (a, c)):
        cache.put("key", history, "".join("abcd"[each.iteration] for each in history))
    assert cache.get("key", (a, b, d)) == "ab"
    assert cache.get("other key", (a, b)) is None
    assert cache.take("key", (a, b, d)) == ("ab", 2)
    assert cache.take("key", (a, b, d)) == ("a", 1)
    assert cache.take("key", (a, b, d)) is None
    for _ in range(ENTRIES):
        cache.put("key", (d,), "d")
    assert cache.get("key", (a, c)) is None, "the oldest is forgotten"
