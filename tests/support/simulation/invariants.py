"""What must hold for a finished search, whatever happened on the way. Each function raises Violation."""

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from support.landscapes import DIMENSIONS
from support.optimizer_runs import same, space
from support.simulation.driver import WEIGHTS, FinishedSearch, run_undisturbed, search_of, unselected
from support.simulation.machines import Violation
from swarm.core.candidates import Evaluation
from swarm.core.outcomes import Feed
from swarm.journal.archive import Archive
from swarm.journal.records import EvaluationRecord, FailureRecord
from swarm.optimizers import Observation
from swarm.preferences.weighted_sum import utility


def require(condition: bool, problem: str) -> None:
    if not condition:
        raise Violation(problem)


def scored_once(search: FinishedSearch, archive: Archive) -> None:
    """Every candidate has one evaluation, and no position is scored twice."""
    ids = [evaluation.candidate.id for evaluation in archive.history()]
    require(len(set(ids)) == len(ids), "the journal has an id twice")
    scored = [e for e in archive.searched() if e.status != "stopped"]
    require(len({e.candidate.position for e in scored}) == len(scored), "a position is scored twice")


def budget_kept(search: FinishedSearch, archive: Archive) -> None:
    """The budget is kept exactly."""
    optimizer = search.scenario.optimizer
    particles = optimizer.population
    if optimizer.evaluations is not None:
        require(archive.evaluations <= optimizer.evaluations, "more was evaluated than the budget allows")
    if search.reason == "evaluations":
        require(archive.evaluations == optimizer.evaluations, f"{archive.evaluations} were evaluated")
    if search.reason == "iterations" and not getattr(optimizer, "drop_particle", 0.0):
        expected = {f"{i}-{p}" for i in range(optimizer.iterations) for p in range(particles)}
        require({e.candidate.id for e in archive.history()} == expected, "an iteration is not complete")


def only_poison_fails(search: FinishedSearch, archive: Archive) -> None:
    """Poisonous candidates fail, after `attempts` or few more attempts; no other candidate fails."""
    poisonous = {e.candidate.id for e in archive.searched() if search.scenario.poison_of(e.candidate.id)}
    failed = {e.candidate.id for e in archive.searched() if e.status == "failed"}
    require(failed == poisonous, f"failed: {sorted(failed)}; poison: {sorted(poisonous)}")
    attempts = search.scenario.cluster.attempts
    for name in failed - {n for n in failed if search.scenario.poison_of(n) == "failed"}:
        tries, most = _tries(search, archive, name), attempts + (search.scenario.together > 1)
        require(attempts - 1 <= tries <= most, f"{name} failed after {tries} failed attempts before the last one")
    for session in search.sessions:
        # Charged attempts, a speculative copy, and uncharged attempts with others before; twice that for bundles.
        most = (attempts + 3) * (1 + (search.scenario.together > 1)) + session.usage.preempted
        for name, deaths in session.deaths.items():
            require(deaths <= most, f"{deaths} workers died while they scored {name}")


def _tries(search: FinishedSearch, archive: Archive, name: str) -> int:
    """The attempts charged to a candidate before its last one, in the session in which it failed."""
    ends = [0, *(session.lines for session in search.sessions)]
    for begin, end in pairwise(ends):
        records = archive.records[begin:end]
        if any(isinstance(record, EvaluationRecord) and record.id == name for record in records):
            mine = [record for record in records if isinstance(record, FailureRecord) and record.id == name]
            return max((record.attempt for record in mine), default=0)
    raise Violation(f"{name} is in no session")


def respawns_within_budget(search: FinishedSearch, archive: Archive) -> None:
    """There are never too many workers, and none is replaced beyond the budget."""
    cluster, model = search.scenario.cluster, search.scenario.model
    slots = model.nodes * model.slots
    for session in search.sessions:
        usage = session.usage
        most = slots if cluster.workers == "auto" else cluster.workers
        require(usage.most <= most, f"{usage.most} workers at a time instead of {most}")
        allowed = most + cluster.respawns * most + usage.preempted + usage.returned
        require(usage.spawned <= allowed, f"{usage.spawned} workers were started, {allowed} are allowed")


def told_in_order(search: FinishedSearch, archive: Archive) -> None:
    """Each optimizer received the journal's results, at most without the last one; async: in the journal's order."""
    searched = (r if isinstance(r, EvaluationRecord) and r.kind == "evaluation" else None for r in archive.records)
    ids = [None if record is None else record.id for record in searched]
    for session in search.sessions:
        known = [name for name in ids[: session.lines] if name is not None]
        if search.scenario.optimizer.schedule == "async":
            require(list(session.seen) == known[: len(session.seen)], "the results are not in the journal's order")
            done = session.end != "refused" and bool(session.seen)
            require(not done or len(session.seen) >= len(known) - 1, "results of the journal were not used")
        require(set(session.seen) <= set(known), "the optimizer received a result that the journal does not have")


def best_is_in_journal(search: FinishedSearch, archive: Archive) -> None:
    """The optimizer's global best is in the journal."""
    values = [utility(e.scores, WEIGHTS) for e in archive.history() if e.status == "ok"]
    known = getattr(search.sessions[-1].state, "global_utility", None)
    seen = set(search.sessions[-1].seen)
    if known is not None and seen == {e.candidate.id for e in archive.history()} and search.reason != "iterations":
        require(known <= max(values, default=-math.inf), "the global best is not in the journal")


def replay_is_equal(search: FinishedSearch, archive: Archive) -> None:
    """Async: every position follows from the lines before it, and a replay gives the live search's state."""
    optimizer = search.scenario.optimizer
    if optimizer.schedule == "sync":
        return
    state = optimizer.init(space(DIMENSIONS), search.scenario.seed)
    open_ = {f"{p.iteration}-{p.particle}": p for p in optimizer.ask(state)}
    for evaluation in archive.history():
        candidate = evaluation.candidate
        proposal = open_.pop(candidate.id, None)
        require(proposal is not None, f"{candidate.id} is in the journal before the optimizer proposed it")
        assert proposal is not None
        require(
            tuple(proposal.x_D.tolist()) == candidate.position,
            f"{candidate.id} is not at the position that the journal implies",
        )
        value = utility(evaluation.scores, WEIGHTS) if evaluation.status == "ok" else math.nan
        state, proposals = optimizer.step(state, Observation(proposal.iteration, proposal.particle, value))
        open_ |= {f"{p.iteration}-{p.particle}": p for p in proposals}
    require(same(state, search.sessions[-1].state), "the live search has another state than a replay of its journal")


def equals_undisturbed(search: FinishedSearch, archive: Archive) -> None:
    """Sync: the same candidates, scores, ranking and end as without faults."""
    if search.scenario.optimizer.schedule == "async":
        return
    reason, undisturbed = run_undisturbed(search.scenario, search.folder / "undisturbed")
    undisturbed.journal.close()
    require(reason == search.reason, f"it ended by {search.reason}, the undisturbed run by {reason}")
    require(_by_id(archive) == _by_id(undisturbed), "candidates or scores differ from an undisturbed run's")
    require(_selected(archive) == _selected(undisturbed), "the selection differs from an undisturbed run's")
    ours, theirs = ([e.candidate.id for e in a.ranked(WEIGHTS)] for a in (archive, undisturbed))
    require(ours == theirs, "the ranking differs from an undisturbed run's")


def _by_id(archive: Archive) -> dict[str, tuple[object, ...]]:
    return {e.candidate.id: _content(e) for e in archive.history()}


def _selected(archive: Archive) -> dict[str, tuple[object, ...]]:
    return {r.id: _content(r.evaluation()) for r in archive.scored if r.kind == "select"}


def _content(e: Evaluation) -> tuple[object, ...]:
    return e.candidate.position, e.status, dict(e.scores), dict(e.examples)


def all_selected(search: FinishedSearch, archive: Archive) -> None:
    """Every baseline has a line of the select split, whether it was scored ahead or not."""
    require(not unselected(archive), "a baseline is not scored on the select split")


def end_is_final(search: FinishedSearch, archive: Archive) -> None:
    """A finished search that is run again ends the same way and scores nothing."""

    def no_workers(feed: Feed):  # type: ignore[no-untyped-def]
        require(not feed, "a finished search has another candidate")
        return iter(())

    lines = len(archive.records)
    require(
        search_of(search.scenario, archive, no_workers).run() == search.reason, "a finished search ends in another way"
    )
    require(len(archive.records) == lines, "a finished search writes another line")


INVARIANTS: tuple[Callable[[FinishedSearch, Archive], None], ...] = (
    scored_once,
    budget_kept,
    only_poison_fails,
    respawns_within_budget,
    told_in_order,
    best_is_in_journal,
    replay_is_equal,
    equals_undisturbed,
    all_selected,
    end_is_final,
)


def check_all(search: FinishedSearch) -> None:
    archive = Archive(Path(search.folder) / "journal.jsonl")
    for invariant in INVARIANTS:
        invariant(search, archive)
