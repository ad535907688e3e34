"""What must hold of a search that has ended, whatever happened on the way. Each raises Violation."""

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from support.landscapes import DIMENSIONS
from support.optimizer_runs import same, space
from support.simulation.driver import WEIGHTS, Ran, run_straight, search_of
from support.simulation.machines import Violation
from swarm.core.candidates import Evaluation
from swarm.core.outcomes import Feed
from swarm.journal.archive import Archive
from swarm.optimizers import Result
from swarm.preferences.weighted_sum import utility


def hold(condition: bool, words: str) -> None:
    if not condition:
        raise Violation(words)


def once(ran: Ran, archive: Archive) -> None:
    """Every candidate has one evaluation, and what it scores is its own."""
    told = archive.history()
    ids = [evaluation.candidate.id for evaluation in told]
    hold(len(set(ids)) == len(ids), "an id is twice in the journal")
    scored = [e for e in archive.searched() if e.status != "stopped"]
    hold(len({e.candidate.position for e in scored}) == len(scored), "a position is scored twice")


def budget(ran: Ran, archive: Archive) -> None:
    """The budget is kept to the letter."""
    optimizer = ran.scenario.optimizer
    particles = int(getattr(optimizer, "particles", 1))
    if optimizer.evaluations is not None:
        hold(archive.evaluations <= optimizer.evaluations, "more was evaluated than the budget holds")
    if ran.reason == "evaluations":
        hold(archive.evaluations == optimizer.evaluations, f"{archive.evaluations} were evaluated")
    if ran.reason == "iterations" and not getattr(optimizer, "drop_particle", 0.0):
        expected = {f"{i}-{p}" for i in range(optimizer.iterations) for p in range(particles)}
        hold({e.candidate.id for e in archive.history()} == expected, "an iteration is not complete")


def failures(ran: Ran, archive: Archive) -> None:
    """Poison fails, after `attempts` and not many more; nothing else does."""
    poisonous = {e.candidate.id for e in archive.searched() if ran.scenario.poison_of(e.candidate.id)}
    failed = {e.candidate.id for e in archive.searched() if e.status == "failed"}
    hold(failed == poisonous, f"failed: {sorted(failed)}; poison: {sorted(poisonous)}")
    attempts = ran.scenario.cluster.attempts
    for name in failed - {n for n in failed if ran.scenario.poison_of(n) == "failed"}:
        tries, most = _tries(ran, archive, name), attempts + (ran.scenario.together > 1)
        hold(attempts - 1 <= tries <= most, f"{name} failed after {tries} attempts that failed before the last one")
    for session in ran.sessions:
        # Charged alone, with a hedge beside; before that uncharged, as others were there; all that in a bundle too.
        most = (attempts + 3) * (1 + (ran.scenario.together > 1)) + session.usage.preempted
        for name, lives in session.lives.items():
            hold(lives <= most, f"{name} cost {lives} workers their lives")


def _tries(ran: Ran, archive: Archive, name: str) -> int:
    """How often a candidate was charged before the last time, in the session that it was given up in."""
    ends = [0, *(session.lines for session in ran.sessions)]
    for begin, end in pairwise(ends):
        lines = archive.lines[begin:end]
        if any(line["kind"] == "evaluation" and line["id"] == name for line in lines):
            mine = [line for line in lines if line["kind"] == "failure" and line["id"] == name]
            return max((int(str(line["attempt"])) for line in mine), default=0)
    raise Violation(f"{name} is in no session")


def respawns(ran: Ran, archive: Archive) -> None:
    """No more workers than there should be, and none replaced beyond the budget."""
    cluster, world = ran.scenario.cluster, ran.scenario.world
    places = world.nodes * world.slots
    for session in ran.sessions:
        usage = session.usage
        most = places if cluster.workers == "auto" else cluster.workers
        hold(usage.most <= most, f"{usage.most} workers at a time, and {most} are enough")
        paid = most + cluster.respawns * most + usage.preempted + usage.returned
        hold(usage.spawned <= paid, f"{usage.spawned} workers were started, {paid} are paid for")


def order(ran: Ran, archive: Archive) -> None:
    """Each session told the optimizer what the journal has, in its order where that matters, all but the last line."""
    ids = [str(line["id"]) if line["kind"] == "evaluation" else None for line in archive.lines]
    for session in ran.sessions:
        known = [name for name in ids[: session.lines] if name is not None]
        if ran.scenario.optimizer.schedule == "async":
            hold(list(session.told) == known[: len(session.told)], "the steps are not in the journal's order")
            done = session.end != "refused" and bool(session.told)
            hold(not done or len(session.told) >= len(known) - 1, "steps of the journal were not taken")
        hold(set(session.told) <= set(known), "told, and not in the journal")


def best(ran: Ran, archive: Archive) -> None:
    """The best that the optimizer knows is the best in the journal."""
    values = [utility(e.scores, WEIGHTS) for e in archive.history() if e.status == "ok"]
    known = getattr(ran.sessions[-1].state, "global_utility", None)
    told = set(ran.sessions[-1].told)
    if known is not None and told == {e.candidate.id for e in archive.history()} and ran.reason != "iterations":
        hold(known <= max(values, default=-math.inf), "a best that the journal does not have")


def replayed(ran: Ran, archive: Archive) -> None:
    """Async: every position follows from the lines before it, and the live search came to the journal's state."""
    optimizer = ran.scenario.optimizer
    if optimizer.schedule == "sync":
        return
    state = optimizer.init(space(DIMENSIONS), ran.scenario.seed)
    open_ = {f"{p.iteration}-{p.particle}": p for p in optimizer.ask(state)}
    for evaluation in archive.history():
        candidate = evaluation.candidate
        proposal = open_.pop(candidate.id, None)
        hold(proposal is not None, f"{candidate.id} is in the journal before anybody asks for it")
        assert proposal is not None
        hold(tuple(proposal.x_D.tolist()) == candidate.position, f"{candidate.id} is not where the journal leads to")
        value = utility(evaluation.scores, WEIGHTS) if evaluation.status == "ok" else math.nan
        state, proposals = optimizer.step(state, Result(proposal.iteration, proposal.particle, value))
        open_ |= {f"{p.iteration}-{p.particle}": p for p in proposals}
    hold(same(state, ran.sessions[-1].state), "the live search came to another state than its journal")


def straight(ran: Ran, archive: Archive) -> None:
    """Sync: the same candidates, scores, ranking and end as where nothing goes wrong."""
    if ran.scenario.optimizer.schedule == "async":
        return
    reason, undisturbed = run_straight(ran.scenario, ran.folder / "straight")
    undisturbed.journal.close()
    hold(reason == ran.reason, f"it ended by {ran.reason}, undisturbed by {reason}")
    hold(_by_id(archive) == _by_id(undisturbed), "candidates or scores differ from an undisturbed run's")
    ours, theirs = ([e.candidate.id for e in a.ranked(WEIGHTS)] for a in (archive, undisturbed))
    hold(ours == theirs, "the ranking differs from an undisturbed run's")


def _by_id(archive: Archive) -> dict[str, tuple[object, ...]]:
    def content(e: Evaluation) -> tuple[object, ...]:
        return e.candidate.position, e.status, dict(e.scores), dict(e.examples)

    return {e.candidate.id: content(e) for e in archive.history()}


def finished(ran: Ran, archive: Archive) -> None:
    """A search that has ended ends the same when it is run again, and scores nothing."""

    def nobody(feed: Feed):  # type: ignore[no-untyped-def]
        hold(not feed, "a finished search wants more")
        return iter(())

    lines = len(archive.lines)
    hold(search_of(ran.scenario, archive, nobody).run() == ran.reason, "a finished search ends otherwise")
    hold(len(archive.lines) == lines, "a finished search writes more")


INVARIANTS: tuple[Callable[[Ran, Archive], None], ...] = (
    once,
    budget,
    failures,
    respawns,
    order,
    best,
    replayed,
    straight,
    finished,
)


def check_all(ran: Ran) -> None:
    archive = Archive(Path(ran.folder) / "journal.jsonl")
    for invariant in INVARIANTS:
        invariant(ran, archive)
