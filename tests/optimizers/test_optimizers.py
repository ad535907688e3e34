"""What every optimizer in the registry promises."""

import re
from copy import deepcopy
from dataclasses import replace
from importlib import import_module
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from support.optimizer_runs import concave, half_failing, positions, run, same, score, space, uniform
from swarm.optimizers import OPTIMIZERS, Observation, PriorResult
from swarm.optimizers.bayesian import Bayesian
from swarm.optimizers.grid import Grid
from swarm.optimizers.randomness import random_other

CASES = {name: kind() for name, kind in OPTIMIZERS.items()} | {
    "refined-grid": Grid(refine=0.1),
    "bayesian-overlap": Bayesian(overlap=True, particles=4),
}
every_optimizer = pytest.mark.parametrize("optimizer", CASES.values(), ids=list(CASES))


@every_optimizer
def test_the_key_in_the_registry_is_the_type_in_the_config(optimizer):
    assert OPTIMIZERS[optimizer.type] is type(optimizer)
    assert type(optimizer).model_validate_json(optimizer.model_dump_json()) == optimizer
    assert all(f.description for name, f in type(optimizer).model_fields.items() if name != "type")
    with pytest.raises(ValidationError):
        type(optimizer)(swarm_size=3)


@every_optimizer
def test_same_seed_same_run(optimizer):
    assert same(run(optimizer), run(optimizer))


@pytest.mark.parametrize("name", ["model_swarms", "pso", "random"])
def test_another_seed_is_another_run(name):
    assert not same(run(OPTIMIZERS[name](), seed=0)[0], run(OPTIMIZERS[name](), seed=1)[0])


@every_optimizer
def test_it_asks_for_its_population_at_once(optimizer):
    """After the first generation, which holds the reference points. A coordinate search asks for one axis at a time."""
    _, second = run(optimizer, generations=2)[0]
    asked = len(second) // (2 if optimizer.proposes_ahead else 1)
    assert 1 <= asked <= optimizer.population
    assert asked == optimizer.population or optimizer == CASES["refined-grid"]


@every_optimizer
def test_ask_is_idempotent_and_asks_only_for_what_is_open(optimizer):
    _, state = run(optimizer, generations=2)
    asked = optimizer.ask(state)
    assert asked
    assert same(asked, optimizer.ask(state))
    after = optimizer.tell(state, score(asked[1:3]))
    assert same(optimizer.ask(after), asked[:1] + asked[3:])


@every_optimizer
@pytest.mark.parametrize("utility", [concave, half_failing])
def test_order_and_partition_of_results_do_not_matter(optimizer, utility):
    history, state = run(optimizer, utility)
    journal = [score(generation, utility) for generation in history]
    singly = optimizer.init(space(3), 0)
    for generation in journal:
        for result in reversed(generation):
            singly = optimizer.tell(singly, [result])
    shuffled = [result for generation in journal for result in generation]
    np.random.default_rng(0).shuffle(shuffled)
    assert same(singly, state)
    assert same(optimizer.tell(optimizer.init(space(3), 0), shuffled), state)


@pytest.mark.parametrize("optimizer", [each for each in CASES.values() if each.proposes_ahead], ids=lambda o: o.type)
def test_a_generation_is_proposed_from_those_before_the_pending_one(optimizer):
    state = optimizer.init(space(3), 0)
    asked = optimizer.ask(state)
    older, pending = ([p for p in asked if p.iteration == i] for i in (0, 1))
    assert asked == older + pending
    assert {tuple(e) for e in np.eye(3)} <= {tuple(p.x_D) for p in asked}, "the initial design is dealt to both"
    early = optimizer.tell(state, score(pending, lambda x_D: 1.0))
    assert same(optimizer.ask(early), older), "the next generation waits for the older one"
    known, unknown = (optimizer.ask(optimizer.tell(start, score(older))) for start in (early, state))
    assert [p.iteration for p in known] == [2] * optimizer.population + [3] * optimizer.population
    assert same(known[: optimizer.population], [p for p in unknown if p.iteration == 2])
    tried = {p.x_D.tobytes() for p in (*asked, *known)}
    assert len(tried) == len(asked) + len(known), "no pending position is proposed again"


@every_optimizer
def test_states_do_not_change(optimizer):
    _, state = run(optimizer, generations=2)
    before = deepcopy(state)
    asked = optimizer.ask(state)
    results = score(asked)
    for proposal in asked:
        proposal.x_D[:] = 7.0
    optimizer.tell(state, results)
    assert same(state, before)


@every_optimizer
def test_a_result_that_nobody_asked_for_is_a_bug(optimizer):
    state = optimizer.init(space(3), 0)
    first = score(optimizer.ask(state))[:1]
    history = optimizer.tell(state, first)
    for stray in (*first, Observation(0, 10_000, 1.0), Observation(9, 1, 1.0)):
        with pytest.raises(AssertionError):
            optimizer.tell(history, [stray])


@every_optimizer
def test_a_generation_that_fails_wholly_breaks_nothing(optimizer):
    history, state = run(optimizer, lambda x_D: float("nan"), generations=4, where=space(5))
    assert np.isfinite(positions(history)).all()
    asked = optimizer.ask(state)
    assert asked
    assert np.isfinite([p.x_D for p in optimizer.ask(optimizer.tell(state, score(asked)))]).all()


@pytest.mark.parametrize("name", ["model_swarms", "pso"])
def test_a_failure_is_never_a_best_nor_a_worst(name):
    history, state = run(OPTIMIZERS[name](), half_failing, generations=10)
    known = [concave(x_D) for x_D in positions(history) if not np.isnan(half_failing(x_D))]
    assert len(known) < len(positions(history))
    assert state.global_utility == concave(state.global_best_D) == max(known)
    assert state.worst_utility == concave(state.global_worst_D) == min(known)
    has_N = state.personal_utility_N > -np.inf
    assert has_N.any()
    assert [half_failing(x_D) for x_D in state.personal_best_ND[has_N]] == list(state.personal_utility_N[has_N])


@every_optimizer
@pytest.mark.parametrize("seed", range(5))
def test_what_changes_nothing_may_as_well_be_unknown(optimizer, seed):
    """Where nan stands for utilities between low and high, the proposals stay the same."""
    history, blind = optimizer.init(space(3), seed), optimizer.init(space(3), seed)
    hidden = prunable = 0
    for _ in range(8):
        asked = optimizer.ask(history)
        assert same(optimizer.ask(blind), asked)
        results = score(asked)
        history = optimizer.tell(history, results)
        unknown = [p.low <= r.utility <= p.high for p, r in zip(asked, results, strict=True)]
        prunable += sum(p.low <= p.high for p in asked)
        hidden += sum(unknown)
        blind = optimizer.tell(
            blind, [replace(r, utility=float("nan")) if u else r for r, u in zip(results, unknown, strict=True)]
        )
    assert hidden or not prunable, "an optimizer need not state bounds: then everything is scored"


@every_optimizer
def test_a_proposal_names_the_personal_best_that_it_has_to_beat(optimizer):
    history, state = run(optimizer, half_failing, generations=5)
    for proposal in optimizer.ask(state):
        own = [half_failing(p.x_D) for generation in history for p in generation if p.particle == proposal.particle]
        known = [utility for utility in own if not np.isnan(utility)]
        if proposal.personal_D is not None:
            assert half_failing(proposal.personal_D) == proposal.high >= max(known, default=-np.inf)
        elif proposal.low <= proposal.high < np.inf:
            assert not known


def test_a_random_other_is_anybody_else():
    others = {(i, random_other(seed, i, 4)) for seed in range(60) for i in range(4)}
    assert others == {(i, j) for i in range(4) for j in range(4) if i != j}


def test_what_the_page_of_algorithms_names_exists():
    root = Path(__file__).parents[2]
    text = (root / "docs" / "algorithm.md").read_text()
    named = re.findall(r"`(\w+/[\w/]+)\.py` `([\w.]+)`", text)
    assert len(named) > 35
    assert {path.split("/")[0] for path, _ in named} >= {"optimizers", "evaluation", "preferences", "engines"}
    for path, name in named:
        attrgetter(name)(import_module(f"swarm.{path.replace('/', '.')}"))
    for file in re.findall(r"`([\w/]+\.py)`", text):
        assert (root / "swarm" / file).is_file() or (root / file).is_file(), file


@every_optimizer
def test_it_takes_seeds_of_63_bits(optimizer):
    """The packages that some optimizers wrap take 32 bits."""
    assert same(run(optimizer, seed=2**63 - 1, generations=2), run(optimizer, seed=2**63 - 1, generations=2))


@every_optimizer
def test_what_another_search_found_leads_it_or_changes_nothing(optimizer):
    state = optimizer.init(space(3), 0)
    before = run(CASES["random"])[0]
    known = [PriorResult(p.x_D, half_failing(p.x_D)) for generation in before for p in generation]
    told = optimizer.remember(state, known)
    assert same(told, optimizer.remember(state, known))
    if not optimizer.remembers:
        assert same(told, state)
        return
    assert optimizer.ask(told)
    assert {p.iteration for p in optimizer.ask(told)} == ({0, 1} if optimizer.proposes_ahead else {0})
    best = max(half_failing(each.x_D) for each in known if not np.isnan(half_failing(each.x_D)))

    def continued(start):
        for _ in range(3):
            start = optimizer.tell(start, score(optimizer.ask(start)))
        return np.stack([p.x_D for p in optimizer.ask(start)])

    assert not np.array_equal(continued(told), continued(state)), "its path is another one"
    failed = [PriorResult(each.x_D, float("nan")) for each in known]
    assert optimizer.ask(optimizer.remember(state, failed)), "nothing to learn, nothing to fail over"
    if optimizer.type == "pso":
        assert (told.global_utility, told.personal_utility_N[0]) == (best, best)
    else:
        tried = {each.x_D.tobytes() for each in known}
        assert not tried & {p.x_D.tobytes() for p in optimizer.ask(told)}, "nothing is tried twice"


@pytest.mark.parametrize("schedule", ["sync", "async"])
@pytest.mark.parametrize("name", ["guided_pso", "bayesian"])
def test_with_one_expert_that_changes_no_score_it_looks_elsewhere(name, schedule):
    """All combinations of one expert are that expert, and no utility says where to look."""
    optimizer = OPTIMIZERS[name](schedule=schedule, particles=2)
    state = optimizer.init(replace(space(1), uniforms=(uniform(1.0, 1),)), 0)
    asked = optimizer.ask(state)
    for _ in range(6):
        results = score(asked, lambda x_D: 0.5)
        if schedule == "sync":
            state = optimizer.tell(state, results)
            asked = optimizer.ask(state)
        else:
            first, *others = results
            state, following = optimizer.step(state, first)
            asked = [*asked[len(asked) - len(others) :], *following]
    assert asked
    assert all(float(proposal.x_D[0]) not in (0.0, 1.0) for proposal in asked)


@pytest.mark.parametrize("name", ["guided_pso", "bayesian"])
def test_generations_that_overlap_go_on_from_what_is_known_of_one_expert(name):
    optimizer = OPTIMIZERS[name](overlap=True, particles=2)
    state = optimizer.init(replace(space(1), uniforms=(uniform(1.0, 1),)), 0)
    state = optimizer.remember(state, [PriorResult(np.array([x]), 0.5) for x in (0.0, 1.0)])
    asked = {0.0, 1.0}
    for _ in range(4):
        proposals = optimizer.ask(state)
        assert [proposal.particle for proposal in proposals] == [0, 1, 0, 1]
        state = optimizer.tell(state, score(proposals, lambda x_D: 0.5))
        asked |= {float(proposal.x_D[0]) for proposal in proposals}
    assert len(asked) == 2 + 4 * 4, "no position comes twice"
