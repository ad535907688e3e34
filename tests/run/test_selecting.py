"""Which runs choose their winner by a Gaussian process of the search split's scores."""

from dataclasses import replace
from pathlib import Path

import pytest

from support.runs import ADAPTERS, make_workshop, write_examples
from swarm.config.load import parse_config
from swarm.config.references import resolve
from swarm.journal.archive import Archive
from swarm.objectives import OBJECTIVES, Objective
from swarm.optimizers import OPTIMIZERS
from swarm.run.plan import Plan, make_plan
from swarm.run.selecting import selection_of


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    folder = make_workshop(tmp_path_factory.mktemp("workshop"))
    write_examples(folder / "words.jsonl", 60)
    objectives = [{"name": "words", "type": "multiple_choice", "data": "words.jsonl"}]
    config = {"base": "base", "experts": list(ADAPTERS), "objectives": objectives}
    return make_plan(resolve(parse_config(config, "test"), folder))


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_only_where_the_exact_bound_stops_no_candidate(plan: Plan, tmp_path: Path, kind: str) -> None:
    """Else who wins would depend on whether there was a race."""
    optimizer = OPTIMIZERS[kind]()
    changed = replace(plan, config=plan.config.model_copy(update={"optimizer": optimizer}))
    selection = selection_of(changed, Archive(tmp_path / "journal.jsonl"))
    assert (selection.smoothed_in is not None) == (kind in ("guided_pso", "bayesian"))
    if selection.smoothed_in is not None:
        state = optimizer.init(plan.space, 0)
        assert all(proposal.low > proposal.high for proposal in optimizer.ask(state)), "any utility changes something"


def test_only_scores_with_a_range_are_smoothed(plan: Plan, tmp_path: Path) -> None:
    """Penalties far below all others would decide how far the process may be wrong about the best."""
    words = plan.config.objectives[0]
    likelihood = OBJECTIVES["likelihood"](name="said", data="words.jsonl")
    archive = Archive(tmp_path / "journal.jsonl")

    def smoothed_in(*objectives: Objective) -> object:
        changed = plan.config.model_copy(update={"optimizer": OPTIMIZERS["bayesian"](), "objectives": [*objectives]})
        return selection_of(replace(plan, config=changed), archive).smoothed_in

    assert smoothed_in(words) is plan.space
    assert smoothed_in(words, likelihood) is None
    assert smoothed_in(words, likelihood.model_copy(update={"weight": 0.0})) is plan.space
