"""A search for all targets at once: each round asks the optimizer for the targets that are furthest from being hit.

Every evaluation has the rates of all domains, so it counts for every target: for each target the optimizer is told all
of them, each worth its lead for that target. The search begins with points all over the bounds, as targets lie in all
corners, where the baselines are not. The journal alone is the state, and the search is resumed from it.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import qmc

from swarm.config.load import dump_config, load_config
from swarm.config.schema import Config
from swarm.core.candidates import Candidate, Evaluation
from swarm.core.errors import ConfigError
from swarm.core.space import Array, Space
from swarm.journal.archive import Archive
from swarm.journal.file import text_of
from swarm.journal.records import EndRecord
from swarm.optimizers import OPTIMIZERS, Optimizer
from swarm.optimizers.base import PriorResult
from swarm.report.targets_page import TargetsResult
from swarm.run.directory import CONFIG, JOURNAL, TARGETS, check_creatable, check_free, config_path, known_run, new_run
from swarm.run.listener import Listener, tell_steps
from swarm.run.plan import Plan, make_plan
from swarm.run.provenance import check_same, start_record
from swarm.run.requirements import check_machine, check_memory, with_particles
from swarm.run.targets import answer_targets, check_finalists, domains_of, scored
from swarm.run.workers import open_pool
from swarm.statistics.targets import Domains, Target, next_targets

DEFAULT_EVALUATIONS = 200  # where the optimizer has no limit
TARGETS_A_ROUND = 5
FIRST_PER_DIMENSION, FIRST_SHARE = 10, 0.25  # points of the first round, at most this share of the budget


@dataclass(frozen=True)
class TargetSearch:
    """Which positions to score next.

    optimizer: proposes positions for one target at a time.
    """

    optimizer: Optimizer[Any]
    space: Space
    domains: Domains
    seed: int

    @property
    def evaluations(self) -> int:
        """The budget."""
        return self.optimizer.evaluations or DEFAULT_EVALUATIONS

    def rounds(self, known: Sequence[Evaluation]) -> list[list[Evaluation]]:
        """The evaluations by their round."""
        found: dict[int, list[Evaluation]] = {}
        for each in known:
            found.setdefault(each.candidate.iteration or 0, []).append(each)
        return [found[i] for i in sorted(found)]

    def next_candidates(self, rounds: Sequence[Sequence[Evaluation]]) -> list[Candidate]:
        """The candidates of the round after these."""
        i = len(rounds)
        known = [each for one in rounds for each in one if each.status == "ok"]
        asked = [x_D for target in self.turns(rounds)[-1] for x_D in self._asked(target, known, i)] if known else []
        positions = dict.fromkeys(tuple(map(float, x_D)) for x_D in (asked or self.first_positions()))
        return [Candidate(f"{i}-{j}", position, i, j) for j, position in enumerate(positions)]

    def first_positions(self) -> list[Array]:
        """The base, each expert alone, and a Latin hypercube over the bounds."""
        space, dimensions = self.space, self.space.dimensions
        most = max(1, int(FIRST_SHARE * self.evaluations))
        sampler = qmc.LatinHypercube(dimensions, rng=np.random.default_rng(self.seed))
        x_ND = space.low_D + sampler.random(FIRST_PER_DIMENSION * dimensions) * (space.high_D - space.low_D)
        return [space.neutral_D, *space.experts_ED, *x_ND][:most]

    def _asked(self, target: Target, known: Sequence[Evaluation], i: int) -> list[Array]:
        """What the optimizer proposes for one target in a round."""
        share = max(1, self.optimizer.population // TARGETS_A_ROUND)
        optimizer = self.optimizer.model_copy(update={"particles": share})
        prior = [PriorResult(np.array(each.candidate.position), self.worth(target, each)) for each in known]
        proposals = optimizer.ask(optimizer.remember(optimizer.init(self.space, self.seed + i), prior))
        return [each.x_D for each in proposals if each.iteration == proposals[0].iteration]

    def turns(self, rounds: Sequence[Sequence[Evaluation]]) -> list[list[Target]]:
        """The targets of each round after the first, the next one included."""
        leads = dict.fromkeys(self.domains.targets(), -1.0)
        tries: dict[Target, int] = {}
        turns: list[list[Target]] = []
        for one in rounds:
            for each in one:
                if each.status == "ok":
                    leads |= {target: max(lead, self.worth(target, each)) for target, lead in leads.items()}
            chosen = next_targets(leads, tries, TARGETS_A_ROUND)
            tries |= {target: tries.get(target, 0) + 1 for target in chosen}
            turns.append(chosen)
        return turns

    def worth(self, target: Target, evaluation: Evaluation) -> float:
        """The smallest lead, by smoothed rates where there are any."""
        rates = evaluation.soft if evaluation.soft.keys() >= evaluation.scores.keys() else evaluation.scores
        return self.domains.lead(target, rates)


def start_targets(config: Config, folder: Path, finalists: int, listener: Listener) -> TargetsResult:
    """Search for all targets in a new directory, and answer them. Raises UserError."""
    check_free(folder)
    check_creatable(folder)
    check_finalists(finalists)
    domains_of(config)
    _check_optimizer(config)
    check_machine(config)
    plan = make_plan(with_particles(config), listener.phase)
    check_memory(plan)
    start = start_record(plan)
    files = {JOURNAL: text_of([start]), CONFIG: dump_config(plan.config), TARGETS: f"finalists: {finalists}\n"}
    with new_run(folder, files) as archive:
        for note in (*plan.notes, *plan.remarks):
            listener.note(note)
        _search(plan, archive, listener)
    return answer_targets(folder, finalists, listener)


def resume_targets(folder: Path, listener: Listener, overrides: Sequence[str] = ()) -> TargetsResult:
    """Continue a stopped search for targets, to the same result. Raises UserError."""
    config = load_config(config_path(folder), overrides)
    with known_run(folder) as archive:
        check_machine(config)
        plan = make_plan(config, listener.phase, resumed=True)
        check_same(archive, plan)
        _search(plan, archive, listener)
    written = (folder / TARGETS).read_text(encoding="utf-8").partition(":")[2].strip()
    return answer_targets(folder, int(written) if written.isdigit() else 1, listener)


def _check_optimizer(config: Config) -> None:
    if not config.optimizer.remembers:
        able = ", ".join(sorted(name for name, kind in OPTIMIZERS.items() if _remembers(kind)))
        raise ConfigError(
            f"optimizer.type: {config.optimizer.type} does not use scores that were made for another target; take one "
            f"of {able}, or swarm search first and then swarm targets RUN_DIR"
        )


def _remembers(kind: type[Optimizer[Any]]) -> bool:
    return kind.remember is not Optimizer.remember


def _search(plan: Plan, archive: Archive, listener: Listener) -> None:
    """Score rounds until the budget is used up."""
    if archive.ended("search"):
        return
    search = TargetSearch(plan.config.optimizer, plan.space, domains_of(plan.config), plan.config.seed)
    limit = search.evaluations
    listener.phase("starting workers")
    with closing(open_pool(plan, listener.note)) as pool:
        pool.load("search", plan.workloads["search"])
        listener.phase("searching")
        tell_steps(listener, archive.evaluations, limit)
        for fresh in _fresh(search, archive, limit):
            for outcome in scored(plan, pool, fresh, "search", archive):
                archive.append_evaluation("evaluation", outcome, margins=True)
                tell_steps(listener, archive.evaluations, limit)
    archive.append(EndRecord(phase="search", reason="evaluations"))


def _fresh(search: TargetSearch, archive: Archive, limit: int) -> Iterator[list[Candidate]]:
    """The candidates of one round after the other, first of all those that the last round of a stopped search lacks."""
    done = len(search.rounds(archive.searched()))
    i = max(0, done - 1)
    while archive.evaluations < limit:
        asked = search.next_candidates(search.rounds(archive.searched())[:i])
        fresh = [each for each in asked if archive.at(each.position) is None]
        if fresh:
            yield fresh[: limit - archive.evaluations]
        elif i >= done:  # nothing new is proposed
            return
        i += 1
