"""What both schedules share: one rule for the budget of evaluations, and what the optimizer learns of an evaluation."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from support.optimizer_runs import space
from support.runs import START
from support.searches import WEIGHTS, scored
from swarm.core.candidates import Candidate, Evaluation
from swarm.core.outcomes import Failure
from swarm.core.space import Array
from swarm.journal.archive import Archive
from swarm.optimizers import Optimizer
from swarm.optimizers.base import Proposal
from swarm.optimizers.bayesian import Bayesian
from swarm.optimizers.pso import PSO
from swarm.preferences.weighted_sum import estimate, utility
from swarm.search.loop import Loop

HERE, THERE = (0.5, 0.0, 0.0), (0.0, 0.5, 0.0)


def loop(folder: Path, optimizer: Optimizer, heard: list[Evaluation] | None = None) -> Loop:
    archive = Archive(folder / "journal.jsonl")
    archive.append(START)
    hear = (heard if heard is not None else []).append
    return Loop(optimizer, space(3), 0, WEIGHTS, archive, lambda feed: iter(()), hear, finalists=2)


def proposal(i: int, x_D: Array, **bounds: float) -> Proposal:
    return Proposal(0, i, x_D, **bounds)


@pytest.mark.parametrize("status", ["ok", "stopped", "failed"])
def test_what_was_paid_for_is_affordable_and_what_is_new_while_there_is_room(tmp_path: Path, status: str) -> None:
    one = loop(tmp_path, PSO(evaluations=2))
    assert one.affords(HERE, pending=1)
    assert not one.affords(HERE, pending=2)
    one.append(replace(scored(Candidate("0-0", HERE, 0, 0)), status=status))  # type: ignore[arg-type]
    assert one.affords(HERE, pending=5), "it is counted once, however often it is raced"
    assert one.affords(THERE, pending=0)
    assert not one.affords(THERE, pending=1)
    assert replace(one, optimizer=PSO()).affords(THERE, pending=10**6), "without a limit"


def test_evaluations_are_journaled_and_heard_of_and_failed_attempts_are_journaled(tmp_path: Path) -> None:
    heard: list[Evaluation] = []
    one = loop(tmp_path, PSO(), heard)
    first, second = scored(Candidate("0-0", HERE, 0, 0)), Candidate("0-1", HERE, 0, 1)
    assert one.append(Failure(first.candidate, 1, "the worker died", "w")) is None
    assert one.append(first) is first
    repeated = one.append_repeat(second)
    assert heard == [first, repeated]
    assert (repeated.candidate, repeated.scores, repeated.tokens) == (second, first.scores, 0)
    assert [record.kind for record in one.archive.records] == ["start", "failure", "evaluation", "evaluation"]


def test_an_optimizer_learns_an_estimate_of_what_was_stopped_only_if_it_takes_one(tmp_path: Path) -> None:
    best = scored(Candidate("0-0", (0.1, 0.7, 0.3), 0, 0))
    asked = proposal(1, space(3).experts_ED[0])
    stopped = replace(scored(Candidate("0-1", tuple(asked.x_D.tolist()), 0, 1)), status="stopped")
    assert math.isnan(loop(tmp_path, PSO()).result(asked, stopped, best).utility)
    learnt = loop(tmp_path, Bayesian(soft=False)).result(asked, stopped, best)
    assert (learnt.iteration, learnt.particle) == (0, 1)
    assert learnt.utility == estimate(stopped, best, WEIGHTS, False) < utility(best.scores, WEIGHTS)


def test_a_position_s_bounds_are_those_that_hold_for_all_who_share_it(tmp_path: Path) -> None:
    x_D = space(3).neutral_D
    shared = [proposal(0, x_D, low=0.1, high=0.9), proposal(1, x_D, low=0.2, high=0.8)]
    one = loop(tmp_path, PSO())
    best = scored(Candidate("0-0", one.position(x_D), 0, 0))
    assert (one.pruning_bounds(shared, 0.7, best, {}).low, one.pruning_bounds(shared, 0.7, best, {}).high) == (0.2, 0.7)
    tested = replace(one, sequential=True)
    assert tested.pruning_bounds(shared, 0.7, best, {}).best is None, "a test would be that of one particle alone"
    alone = tested.pruning_bounds(shared[:1], 0.7, best, {"near": 0.5})
    assert alone.best is not None
    assert (alone.best.scores, alone.worst, alone.expected) == (best.examples, 0.1, {"near": 0.5})
