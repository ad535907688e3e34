"""Targets of a finished search: for every combination of levels, the candidate that reaches it best.

All targets share one archive. The best candidates of each on the search split are scored on the select split, which
chooses among them; what is chosen is measured on the test split, once. New lines go to `targets/journal.jsonl` in the
run's directory: what is known there, or in the run itself, is not scored again.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from swarm.config.load import load_config
from swarm.config.schema import Config
from swarm.core.candidates import Candidate, Evaluation, PruningBounds, Task, distinct_positions
from swarm.core.errors import ConfigError, RunError
from swarm.core.examples import LEVELS, Split
from swarm.core.outcomes import Failure, closed
from swarm.evaluation.bundle_sizes import BundleSizes
from swarm.journal.archive import Archive
from swarm.journal.records import Kind
from swarm.journal.summary import SPLITS
from swarm.objectives.level import LevelRate
from swarm.report.targets_page import Reached, TargetResult, TargetsResult, write_targets
from swarm.run.directory import JOURNAL, config_path
from swarm.run.listener import Listener, tell_steps
from swarm.run.lock import locked
from swarm.run.plan import Plan, make_plan
from swarm.run.provenance import check_same, start_record
from swarm.run.summarise_front import recipe_coefficients
from swarm.run.workers import open_pool
from swarm.statistics.intervals import mean_interval
from swarm.statistics.targets import Domains, Target, pooled
from swarm.workers.pool import Pool

FOLDER = "targets"

RATES = (0.0, 1.0)  # between which the scores of levels are


def domains_of(config: Config) -> Domains:
    """The domains of the config's objectives of levels. Raises ConfigError where a domain lacks a level."""
    found: dict[str, dict[str, str]] = {}
    for objective in config.objectives:
        if isinstance(objective, LevelRate):
            other = found.setdefault(objective.about, {}).setdefault(objective.level, objective.name)
            if other != objective.name:
                raise ConfigError(
                    f"objectives.{objective.name}: domain {objective.about} has level {objective.level} in {other}, "
                    "too; set another domain"
                )
    if not found:
        raise ConfigError("objectives: none has the type level, and targets are levels; add them (docs/vectors.md)")
    for domain, levels in found.items():
        for level in LEVELS:
            if level not in levels:
                raise ConfigError(
                    f"objectives: domain {domain} has no objective of level {level}; add one with type: level, "
                    f"level: {level} and its data"
                )
    return Domains({domain: {level: levels[level] for level in LEVELS} for domain, levels in found.items()})


def check_finalists(finalists: int) -> None:
    """Raise ConfigError where there can be none."""
    if finalists < 1:
        raise ConfigError(f"--finalists: {finalists} is below 1; give the number of candidates for each target")


def answer_targets(folder: Path, finalists: int, listener: Listener) -> TargetsResult:
    """The targets of a run or sweep whose search has ended. Raises UserError."""
    check_finalists(finalists)
    config = load_config(config_path(folder))
    domains = domains_of(config)
    with locked(folder):
        archive = Archive(folder / JOURNAL)
        if archive.ended("search") is None:
            raise RunError(f"{folder}: the search has not ended; swarm resume {folder} finishes it, then ask again")
        plan = make_plan(config, listener.phase, resumed=True)
        check_same(archive, plan)
        with opened(folder, plan) as own:
            return Answers(plan, domains, archive, own, listener).all(folder, finalists)


@contextmanager
def opened(folder: Path, plan: Plan) -> Iterator[Archive]:
    """The archive of what is scored for the targets of a run."""
    try:
        (folder / FOLDER).mkdir(exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder / FOLDER} cannot be made ({error.strerror}); make {folder} writable") from None
    archive = Archive(folder / FOLDER / JOURNAL)
    with closing(archive.journal):
        if archive.start is None:
            archive.append(start_record(plan).model_copy(update={"optimizer": "targets"}))
        check_same(archive, plan)
        yield archive


@dataclass
class Answers:
    """What it takes to answer all targets.

    searched: the archive of the search. own: that of the targets.
    """

    plan: Plan
    domains: Domains
    searched: Archive
    own: Archive
    listener: Listener
    _pool: Pool | None = field(default=None, init=False)

    def all(self, folder: Path, finalists: int) -> TargetsResult:
        """Choose, measure and write the result."""
        searched = self._of_search()
        if not searched:
            raise RunError(f"{folder}: every candidate failed; correct that and start a new run")
        try:
            chosen = self.choose(searched, finalists)
            self._score(list(chosen.values()), "test", "test")
        finally:
            if self._pool is not None:
                self._pool.close()
        found = TargetsResult(
            domains=self.domains.names,
            results=tuple(self._result(target, candidate) for target, candidate in chosen.items()),
            candidates=len(searched),
            examples={split: self.plan.workloads[split].sizes for split in SPLITS},
            optimizer=self.searched.start.optimizer if self.searched.start else "",
        )
        write_targets(folder / FOLDER, found)
        return found

    def choose(self, searched: Sequence[Evaluation], finalists: int) -> dict[Target, Candidate]:
        """Target -> the best candidate on the select split, or on both, as `selection.rule` says."""
        best = {target: self._leading(target, searched)[:finalists] for target in self.domains.targets()}
        candidates = {each.candidate.position: each.candidate for own in best.values() for each in own}
        self._score(list(candidates.values()), "select", "select")
        return {target: self._best(target, [each.candidate for each in own]) for target, own in best.items()}

    def _leading(self, target: Target, searched: Sequence[Evaluation]) -> list[Evaluation]:
        """The best for the target first; of equals the earlier one."""
        return sorted(searched, key=lambda each: self.domains.better(target, each.scores), reverse=True)

    def _best(self, target: Target, candidates: Sequence[Candidate]) -> Candidate:
        known = [(each, rates) for each in candidates if (rates := self._choice_rates(each)) is not None]
        if not known:
            raise RunError("every finalist of a target failed on the select split; correct that and ask again")
        return max(known, key=lambda pair: self.domains.better(target, pair[1]))[0]

    def _choice_rates(self, candidate: Candidate) -> Mapping[str, float] | None:
        """The rates that decide between finalists."""
        splits: tuple[Split, ...] = ("search", "select") if self.plan.config.selection.rule == "pooled" else ("select",)
        parts = []
        for split in splits:
            found = self._at(candidate, split)
            if found is None:
                return None
            parts.append((found.scores, {name: len(values) for name, values in found.examples.items()}))
        return pooled(parts)

    def _result(self, target: Target, candidate: Candidate) -> TargetResult:
        recipe = self.plan.config.composition.recipe(candidate.position, self.plan.catalog)
        reached = {split: self._reached(target, candidate, split) for split in SPLITS}
        coefficients = recipe_coefficients(recipe, self.plan.space.coordinates, candidate.position)
        return TargetResult(target, candidate.id, coefficients, reached)

    def _reached(self, target: Target, candidate: Candidate, split: Split) -> Reached | None:
        found = self._at(candidate, split)
        if found is None:
            return None
        lead = self.domains.lead(target, found.scores)
        worst = self.domains.worst(target, found.scores)
        return Reached(lead > 0, lead, worst, mean_interval(found.examples[worst], RATES), dict(found.scores))

    def _of_search(self) -> list[Evaluation]:
        """Everything that was scored in full on the search split, each position once."""
        scored = (record.evaluation() for record in self.searched.scored if record.split == "search")
        return list({e.candidate.position: e for e in scored if e.status == "ok"}.values())

    def _at(self, candidate: Candidate, split: Split) -> Evaluation | None:
        found = self.own.at(candidate.position, split) or self.searched.at(candidate.position, split)
        return found if found and found.status == "ok" else None

    def _score(self, candidates: Sequence[Candidate], split: Split, kind: Kind) -> None:
        """Score what is not known, and record it."""
        unknown = [
            each
            for each in distinct_positions(candidates)
            if self.own.at(each.position, split) is None and self.searched.at(each.position, split) is None
        ]
        if not unknown:
            return
        if self._pool is None:
            self.listener.phase("starting workers")
            self._pool = open_pool(self.plan, self.listener.note)
        self._pool.load(split, self.plan.workloads[split])
        self.listener.phase({"select": "selecting", "test": "testing"}[kind])
        for done, outcome in enumerate(scored(self.plan, self._pool, unknown, split, self.own), 1):
            self.own.append_evaluation(kind, outcome, split, margins=True)
            tell_steps(self.listener, done, len(unknown))


def scored(
    plan: Plan, pool: Pool, candidates: Sequence[Candidate], split: Split, archive: Archive
) -> Iterator[Evaluation]:
    """The candidates' evaluations on a split that the pool has loaded, as they come; failed attempts are recorded."""
    engine, catalog = plan.config.engine, plan.catalog
    sizes = BundleSizes(plan.spec, plan.workloads[split], lambda requests: engine.together(catalog, requests))
    together = sizes(PruningBounds())
    with closed(pool.run(deque(Task(each, together=together, split=split) for each in candidates))) as outcomes:
        for outcome in outcomes:
            if isinstance(outcome, Failure):
                archive.append_failure(outcome)
            else:
                yield outcome
