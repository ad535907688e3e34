"""A run: search, select, test, export, report, in one directory, from which it can be resumed at any point.

Every step first asks the archive what is known already: a resumed run and an uninterrupted one are the same code.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from swarm.config.load import dump_config, load_config
from swarm.config.schema import Config
from swarm.core.candidates import Candidate, Evaluation, Task, distinct_positions
from swarm.core.examples import Split
from swarm.core.files import write_text
from swarm.core.outcomes import Failure, closed
from swarm.journal.archive import Archive
from swarm.journal.file import text_of
from swarm.journal.records import EndRecord, Kind
from swarm.journal.summary import Summary
from swarm.report import write_report
from swarm.run.budget_notes import known_note
from swarm.run.continuation import first_lines, open_source
from swarm.run.directory import (
    CONFIG,
    JOURNAL,
    SUMMARY,
    check_creatable,
    check_free,
    config_path,
    known_run,
    new_run,
    read_summary,
)
from swarm.run.finish import FinalStep
from swarm.run.kl_units import with_units
from swarm.run.listener import Listener, tell_scores_so_far, tell_steps, telling_replay
from swarm.run.plan import Plan, make_plan
from swarm.run.provenance import check_open, check_same, start_record
from swarm.run.requirements import check_disk, check_machine, check_memory, with_particles
from swarm.run.selecting import selection_of
from swarm.run.summarise import Result
from swarm.run.tracking import load_trackers, open_counter, open_tracking
from swarm.run.workers import OpenPool, RunWorkers, open_pool
from swarm.search import SCHEDULES
from swarm.search.baselines import Baselines
from swarm.search.loop import Loop
from swarm.search.selection import Selection
from swarm.search.status import Counts, StatusCounter


def prepare(config: Config, folder: Path, on_step: Callable[[str], None] = lambda step: None) -> Plan:
    """Everything that may refuse a new run, before it begins: also what `swarm check` refuses. Raises UserError."""
    check_free(folder)
    check_creatable(folder)
    load_trackers(config)
    check_machine(config)
    plan = make_plan(with_particles(config), on_step)
    check_disk(plan, folder)
    check_memory(plan)
    return plan


def start_run(config: Config, folder: Path, listener: Listener, continue_from: Path | None = None) -> Summary:
    """Run a resolved config in a new directory. continue_from: a run whose scores it starts with. Raises UserError."""
    check_free(folder)
    source = None if continue_from is None else open_source(continue_from)
    plan = with_units(prepare(config, folder, listener.phase), listener)
    lines = [start_record(plan)] if source is None else first_lines(plan, source, listener.note)
    with new_run(folder, {JOURNAL: text_of(lines), CONFIG: dump_config(plan.config)}) as archive:
        return Run(plan, folder, archive, listener).carry_on()


def resume_run(folder: Path, listener: Listener, overrides: Sequence[str] = ()) -> Summary:
    """Continue a stopped run, to the same result as an uninterrupted one; overrides change workers or budgets."""
    config = load_config(config_path(folder), overrides)
    with known_run(folder) as archive:
        if not archive.ended("run"):
            load_trackers(config)
            check_machine(config)
        plan = make_plan(config, listener.phase, resumed=archive.start is not None)
        if archive.journal.dropped_bytes:
            listener.note(f"a crash cut the journal's last line; its {archive.journal.dropped_bytes} bytes are dropped")
        if archive.start is None:
            archive.append(start_record(plan))
        check_same(archive, plan)
        if not archive.ended("run"):
            check_disk(plan, folder)
            check_memory(plan)
        if overrides:
            check_open(archive, overrides)
            write_text(folder / CONFIG, dump_config(config))
        if archive.evaluations and not archive.ended("run"):
            listener.note(known_note(plan.budget(), archive.evaluations))
        return Run(plan, folder, archive, listener).carry_on()


@dataclass
class Run:
    """The steps of a run, all recorded in one archive."""

    plan: Plan
    folder: Path
    archive: Archive
    listener: Listener
    open_pool: OpenPool = open_pool

    @cached_property
    def _workers(self) -> RunWorkers:
        return RunWorkers(self.plan, self.listener, self.open_pool)

    def carry_on(self) -> Summary:
        """Do what has not been done yet. Returns the summary."""
        if self.archive.ended("run") and (self.folder / SUMMARY).is_file():
            return self._finished()
        for note in () if self.archive.evaluations else (*self.plan.notes, *self.plan.remarks):
            self.listener.note(note)
        with open_tracking(self.plan.config, self.folder, self.listener.note) as self._tracking:
            try:
                self._search()
                result = self._select()
                self._test(result)
            finally:
                self._workers.close()
            summary = self._final().run(result)
            self._tracking.finish(summary)
        return summary

    def _finished(self) -> Summary:
        """The summary of a run that has ended: its report is written again, and what is missing is made up for."""
        summary = read_summary(self.folder, self.archive)
        final, result = self._final(), self._known_result(summary.best.id)
        if result is None or final.whole(result, summary):
            write_report(self.folder, self.archive.records, summary)
            return summary
        with open_tracking(self.plan.config, self.folder, self.listener.note) as tracking:
            summary = final.complete(result, summary)
            tracking.finish(summary)
        return summary

    def _known_result(self, winner: str) -> Result | None:
        """The result with the winner of this id, whatever rule chose it. None where the journal does not hold it."""
        best = self.archive.of(winner)
        return None if best is None else self._result_of(selection_of(self.plan, self.archive), best.candidate)

    def _result_of(self, selection: Selection, winner: Candidate) -> Result:
        return Result(selection, winner, self.plan.config.composition.recipe(winner.position, self.plan.catalog))

    def _final(self) -> FinalStep:
        return FinalStep(self.plan, self.folder, self.archive, self.listener)

    def _search(self) -> None:
        if self.archive.ended("search"):
            return
        pool = self._workers.having("search")
        self.listener.phase("searching")
        self._tell("search")
        counter = open_counter(self.plan, self.archive)
        loop = Loop(
            optimizer=self.plan.config.optimizer,
            space=self.plan.space,
            seed=self.plan.config.seed,
            weights=self.plan.weights,
            archive=self.archive,
            evaluate=pool.run,
            on_evaluation=lambda evaluation: self._evaluated(evaluation, counter, pool.workers),
            finalists=self.plan.config.finalists,
            sequential=self.plan.config.racing.sequential,
            together=self.plan.bundle_sizes,
            on_replayed=telling_replay(self.listener, "searching"),
            afterwards=lambda: self._ahead() if pool.workers > 1 else (),
            goals=self.plan.goals if self.plan.goals.several else None,
        )
        reason = SCHEDULES[self.plan.config.optimizer.schedule](loop).run()
        loop.check_failures()
        workers = round(counter.workers(pool.workers), 2)
        self.archive.append(EndRecord(phase="search", reason=reason, workers=workers, notes=pool.notes))

    def _evaluated(self, evaluation: Evaluation, counter: StatusCounter, workers: int) -> None:
        status = counter.take(evaluation, Counts(self.archive.evaluations, self.archive.failures, workers))
        self.listener.evaluated(evaluation, status)
        self._tell("search")
        self._tracking.log(status)

    def _select(self) -> Result:
        ended = self.archive.ended("select")
        if ended and (known := self._known_result(ended.reason)):
            return known
        selection = selection_of(self.plan, self.archive)
        finalists = selection.finalists(self.plan.config.finalists)
        self._score("scoring baselines", selection.baselines.all(), "search", "select", beside=self._ahead)
        self._score("selecting", [*selection.contenders(), *finalists], "select", "select")
        winner = selection.winner(finalists)
        if ended is None:
            predicted = selection.predicted(finalists, winner)
            certain = {name: score for name, score in predicted.items() if score.has_interval}
            self.archive.append(EndRecord(phase="select", reason=winner.id, predicted=certain))
        return self._result_of(selection, winner)

    def _test(self, result: Result) -> None:
        """Score the winner and the baselines on the test split: once, as what is known is not scored again."""
        self._tell("select", result.winner)
        tested = [result.winner, *result.selection.contenders(), *result.selection.members()]
        self._score("testing", tested, "test", "test", result.winner)

    def _ahead(self) -> list[Task]:
        """What the selection scores whatever the search finds, for workers that have nothing else to do."""
        certain = distinct_positions(Baselines.of(self.plan.space).certain())
        unknown = [each for each in certain if self.archive.at(each.position, "select") is None]
        self._workers.having("select")
        return [Task(each, split="select", background=True) for each in unknown]

    def _score(
        self,
        phase: str,
        candidates: Sequence[Candidate],
        split: Split,
        kind: Kind,
        selected: Candidate | None = None,
        beside: Callable[[], Sequence[Task]] = tuple,
    ) -> None:
        """Score candidates on a split and record them in the journal. Nothing is scored twice.

        beside: what other tasks go to workers that these leave nothing to do.
        """
        distinct = distinct_positions(candidates)
        unknown = [c for c in distinct if self.archive.at(c.position, split) is None]
        done = len(distinct) - len(unknown)
        if unknown:
            feed = deque(Task(candidate, split=split) for candidate in unknown)
            pool = self._workers.having(split)
            self.listener.phase(phase)
            tell_steps(self.listener, done, len(distinct))
            feed.extend(beside() if pool.workers > 1 else ())
            with closed(pool.run(feed)) as outcomes:
                for outcome in outcomes:
                    if isinstance(outcome, Failure):
                        self.archive.append_failure(outcome)
                        continue
                    self.archive.append_evaluation(kind, outcome, outcome.split)
                    done += outcome.split == split
                    tell_steps(self.listener, done, len(distinct))
                    self._tell(split, selected)
                    if done == len(distinct):  # what is left beside them goes on in the next phase
                        break
        for candidate in candidates:
            if self.archive.of(candidate.id, split) is None:
                self.archive.append_repeat(kind, candidate, split)

    def _tell(self, split: Split, selected: Candidate | None = None) -> None:
        baselines = Baselines.of(self.plan.space)
        tell_scores_so_far(self.listener, self.archive, baselines, self.plan.weights, split, selected)
