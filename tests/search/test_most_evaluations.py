"""How many evaluations a search is said to make at most, beside those that it makes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from support.generational_runs import Scorer
from support.optimizer_runs import space
from support.searches import loop
from swarm.optimizers import OPTIMIZERS, Optimizer
from swarm.optimizers.greedy_soup import GreedySoup
from swarm.optimizers.grid import Grid
from swarm.search.asynchronous import AsynchronousSearch
from swarm.search.generational import GenerationalSearch
from swarm.search.status import Budget

SHORT = {"iterations": 4, "patience": None}
SMALL: Mapping[str, Mapping[str, Any]] = {"grid": {"points": 3, "patience": None}}
CASES: dict[str, Optimizer[Any]] = {kind: made(**SMALL.get(kind, SHORT)) for kind, made in OPTIMIZERS.items()}
CASES |= {
    f"{kind}-{limit}-evaluations": OPTIMIZERS[kind](patience=None, evaluations=limit)
    for kind in sorted(OPTIMIZERS.keys() - {"grid"})
    for limit in (5, 23)
}
CASES |= {
    f"async-{kind}": OPTIMIZERS[kind](schedule="async", particles=4, **SMALL.get(kind, SHORT))
    for kind in ("bayesian", "guided_pso", "pso", "model_swarms", "random", "grid")
}
CASES |= {
    "overlap": OPTIMIZERS["bayesian"](overlap=True, particles=3, **SHORT),
    "overlap-once": OPTIMIZERS["guided_pso"](particles=2, iterations=1),
    "more-starts-than-particles": OPTIMIZERS["guided_pso"](particles=4, overlap=False, **SHORT),
    "one-particle": OPTIMIZERS["bayesian"](particles=1, **SHORT),
    "one-iteration": OPTIMIZERS["bayesian"](particles=1, iterations=1),
    "copies-of-experts": OPTIMIZERS["model_swarms"](particles=9, crossover=False, **SHORT),
    "refined-grid": Grid(refine=0.05),
    "refined-grid-cut-short": Grid(refine=0.05, iterations=3),
    "soup-cut-short": GreedySoup(iterations=2),
}
# May end, or leave particles out, before their budgets do: for these there is a bound alone.
ENDS_BY_ITSELF = ("greedy_soup", "refined-grid", "lorahub")


@pytest.mark.parametrize("name", CASES)
def test_no_search_makes_more_and_none_that_spends_its_budget_makes_fewer(tmp_path: Path, name: str) -> None:
    optimizer = CASES[name]
    search = loop(tmp_path, optimizer, Scorer())
    (AsynchronousSearch if optimizer.schedule == "async" else GenerationalSearch)(search).run()
    made, said = search.archive.evaluations, Budget.of(optimizer, search.space, search.seed).evaluations
    assert made <= said
    assert made == said or name.startswith(ENDS_BY_ITSELF)


@pytest.mark.parametrize("drop", ["drop_particle", "drop_iteration"])
def test_what_is_left_out_at_random_is_within_the_bound(tmp_path: Path, drop: str) -> None:
    optimizer = OPTIMIZERS["model_swarms"](**{drop: 0.5}, **SHORT)
    search = loop(tmp_path, optimizer, Scorer())
    GenerationalSearch(search).run()
    assert search.archive.evaluations < Budget.of(optimizer, search.space, search.seed).evaluations == 4 * 20


@pytest.mark.parametrize("experts", [2, 3, 6])
def test_a_search_that_ends_by_itself_is_not_said_to_take_its_iterations(experts: int) -> None:
    starts = 3 + experts + 1  # uniform averages, experts alone, the base
    assert Budget.of(GreedySoup(), space(experts), 0).evaluations == starts + experts - 1
    assert Budget.of(Grid(points=2), space(experts), 0).evaluations == 2**experts + starts


def test_patience_is_no_bound() -> None:
    patient, impatient = (OPTIMIZERS["pso"](particles=4, patience=patience) for patience in (None, 1))
    assert Budget.of(patient, space(3), 0) == Budget.of(impatient, space(3), 0) == Budget(4 * 50)
