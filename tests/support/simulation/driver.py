"""A whole search whose sessions are killed: at an order, at an event, in the middle of a line of the journal."""

import json
import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from support.landscapes import DIMENSIONS, Landscape
from support.optimizer_runs import space
from support.runs import START
from support.simulation.checked_optimizer import CheckedOptimizer
from support.simulation.faults import FaultBudget
from support.simulation.machines import Usage, Violation
from support.simulation.random_streams import RandomStreams
from support.simulation.scenario import Kill, Scenario
from support.simulation.sim_backend import SimBackend
from swarm.core.candidates import Evaluation, Task
from swarm.core.errors import RunError
from swarm.core.examples import Example
from swarm.core.outcomes import Failure, Feed, Outcome, closed
from swarm.evaluation.workload import EncodedExample, Workload
from swarm.journal.archive import Archive
from swarm.journal.file import JournalFile
from swarm.journal.records import EvaluationRecord, Record
from swarm.preferences.weighted_sum import utility
from swarm.search import SCHEDULES
from swarm.search.asynchronous import AsynchronousSearch
from swarm.search.baselines import Baselines
from swarm.search.generational import GenerationalSearch
from swarm.search.loop import Evaluate, Loop
from swarm.workers.scheduling.coordinator import Coordinator

WEIGHTS = {"right": 1.0}
FINALISTS = 4
EXAMPLES = 20
MAX_SESSIONS = 40  # more than any search of so few evaluations needs


class Killed(BaseException):
    """The driver's process was killed here."""


class KillSwitch:
    """Counts a session's steps and lines, and kills it at the last one."""

    def __init__(self, kill: Kill | None) -> None:
        self._kill = kill
        self._steps = self._lines = 0

    def step(self, what: str) -> None:
        self._steps += 1
        if self._kill == Kill("step", self._steps):
            raise Killed(what)

    def last_line(self) -> bool:
        """Count a line. True if the process is killed at it."""
        self._steps += 1
        self._lines += 1
        return self._kill in (Kill("step", self._steps), Kill("line", self._lines))


class KillableJournal(JournalFile):
    """A journal whose process may be killed before, in or after a line. written: the utility of every id on disk."""

    def __init__(
        self, archive: Archive, switch: KillSwitch, streams: RandomStreams, log: Callable[[str], None]
    ) -> None:
        super().__init__(archive.journal.path)
        self.dropped_bytes = archive.journal.dropped_bytes
        self._switch, self._streams, self._log = switch, streams, log
        self.written: dict[str, float] = {}
        self._known: set[tuple[str, str]] = set()
        for record in archive.records:
            self._remember(record)

    def append(self, record: Record) -> None:  # type: ignore[override]
        if not self._switch.last_line():
            self._write(record)
            return
        rng = self._streams.of("torn")
        how = rng.choice(("before", "in", "after"))
        self._log(f"killed {how} a line")
        if how == "in":
            text = json.dumps(record.content()).encode()
            with self._open() as stream:
                stream.write(text[: rng.randint(1, len(text))])
        elif how == "after":
            self._write(record)
        raise Killed(f"{how} a line")

    def _write(self, record: Record) -> None:
        before = self.path.stat().st_size - self.dropped_bytes
        super().append(record)
        if self.path.stat().st_size <= before:
            raise Violation("a line is not on disk")
        line = record.content()
        self._log("line " + " ".join(str(line[key]) for key in ("kind", "id", "attempt", "status") if key in line))
        self._remember(record)

    def _remember(self, record: Record) -> None:
        if not isinstance(record, EvaluationRecord):
            return
        if (record.kind, record.id) in self._known:
            raise Violation(f"{record.id} is evaluated twice")
        self._known.add((record.kind, record.id))
        if record.kind != "evaluation":
            return
        self.written[record.id] = utility(record.scores, WEIGHTS) if record.status == "ok" else math.nan


@dataclass(frozen=True)
class Session:
    """How one session ended.

    end: "killed"; "refused", if the coordinator gave up; or "done".
    reason: why.
    lines: the lines of the journal at that time.
    deaths: per candidate, the workers that died while they scored it.
    seen: the ids whose results the optimizer received, in order.
    state: the optimizer's last state.
    """

    end: Literal["killed", "refused", "done"]
    reason: str
    lines: int
    usage: Usage
    deaths: Mapping[str, int]
    seen: tuple[str, ...]
    state: object


@dataclass
class FinishedSearch:
    """A search that has ended, with its sessions."""

    scenario: Scenario
    folder: Path
    sessions: list[Session] = field(default_factory=list)

    @property
    def reason(self) -> str:
        return self.sessions[-1].reason


@dataclass(frozen=True)
class Scorer:
    """What candidates score: the same at every worker and every time. A race stops those that change nothing."""

    scenario: Scenario
    landscape: Landscape

    @classmethod
    def of(cls, scenario: Scenario) -> "Scorer":
        return cls(scenario, Landscape.drawn(scenario.seed, {"right": EXAMPLES}))

    def __call__(self, task: Task, worker: str = "") -> Evaluation:
        if self.scenario.poison_of(task.candidate.id):
            return Evaluation(task.candidate, "failed", worker=worker, error="poison", split=task.split)
        right = tuple(self.landscape.right(task.candidate.position, self.landscape.search["right"]).tolist())
        scores = {"right": math.fsum(right) / len(right)}
        full = Evaluation(task.candidate, "ok", scores, {"right": right}, worker=worker, tokens=5, split=task.split)
        prunable = task.pruning.low <= utility(scores, WEIGHTS) <= task.pruning.high
        return replace(full, status="stopped") if self.scenario.racing and prunable else full

    def undisturbed(self, feed: Feed) -> Iterator[Outcome]:
        """Without a cluster."""
        while feed:
            yield self(feed.popleft())


def open_archive(folder: Path) -> Archive:
    """The archive in a folder. A new journal gets its start line."""
    archive = Archive(folder / "journal.jsonl")
    if archive.start is None:
        archive.append(START)
        archive.journal.close()
    return archive


def search_of(
    scenario: Scenario, archive: Archive, evaluate: Evaluate, optimizer: CheckedOptimizer | None = None
) -> AsynchronousSearch | GenerationalSearch:
    loop = Loop(
        optimizer=optimizer or scenario.optimizer,  # type: ignore[arg-type]
        space=space(DIMENSIONS),
        seed=scenario.seed,
        weights=WEIGHTS,
        archive=archive,
        evaluate=evaluate,
        on_evaluation=lambda evaluation: None,
        finalists=FINALISTS,
        together=lambda bounds: scenario.together,
        afterwards=lambda: unselected(archive, background=True),
    )
    return SCHEDULES[scenario.optimizer.schedule](loop)


def unselected(archive: Archive, background: bool = False, dimensions: int = DIMENSIONS) -> list[Task]:
    """The baselines that have no score on the select split yet."""
    certain = Baselines.of(space(dimensions)).certain()
    unknown = [each for each in certain if archive.at(each.position, "select") is None]
    return [Task(each, split="select", background=background) for each in unknown]


def select(archive: Archive, evaluate: Evaluate) -> None:
    """Score the baselines on the select split, as far as the search left workers no time for it."""
    with closed(evaluate(deque(unselected(archive)))) as outcomes:
        for outcome in outcomes:
            if isinstance(outcome, Failure):
                archive.append_failure(outcome)
            else:
                archive.append_evaluation("select", outcome, outcome.split)


def run_undisturbed(scenario: Scenario, folder: Path) -> tuple[str, Archive]:
    """The search without faults and without a cluster."""
    folder.mkdir(parents=True, exist_ok=True)
    archive = open_archive(folder)
    score = Scorer.of(scenario).undisturbed
    reason = search_of(scenario, archive, score).run()
    select(archive, score)
    return reason, archive


def run(scenario: Scenario, folder: Path, log: Callable[[str], None]) -> FinishedSearch:
    """The search on the simulated cluster, resumed until it ends by itself."""
    folder.mkdir(parents=True, exist_ok=True)
    search = FinishedSearch(scenario, folder)
    while not search.sessions or search.sessions[-1].end != "done":
        if len(search.sessions) == MAX_SESSIONS:
            raise Violation(f"no end within {MAX_SESSIONS} sessions: {search.sessions[-1].reason}")
        log(f"session {len(search.sessions)}")
        search.sessions.append(_session(scenario, len(search.sessions), folder, log))
        log(f"{search.sessions[-1].end}: {search.sessions[-1].reason}")
    return search


def _session(scenario: Scenario, number: int, folder: Path, log: Callable[[str], None]) -> Session:
    streams = scenario.streams.within("session", number)
    switch = KillSwitch(scenario.kills[number] if number < len(scenario.kills) else None)
    budget = FaultBudget(scenario.cluster.attempts, scenario.poison_of)
    scorer = Scorer.of(scenario)
    backend = SimBackend(scenario.model, streams, scorer, budget, scenario.cluster.prefetch + 1, switch.step, log)
    archive = open_archive(folder)
    journal = KillableJournal(archive, switch, streams, log)
    archive.journal = journal
    optimizer = CheckedOptimizer(scenario.optimizer, journal.written)
    try:
        end, reason = "done", _searched(scenario, archive, backend, optimizer)
    except Killed as killed:
        end, reason = "killed", str(killed)
    except RunError as error:
        if not str(error).startswith("cluster"):
            raise
        end, reason = "refused", str(error)
    finally:
        journal.close()
        backend.close()
    lines = folder.joinpath("journal.jsonl").read_bytes().count(b"\n")
    return Session(end, reason, lines, backend.usage, budget.deaths, tuple(optimizer.seen), optimizer.state)  # type: ignore[arg-type]


def workload_of(examples: int) -> Workload:
    """A split of so many empty examples."""
    encoded = tuple(EncodedExample("right", Example(str(i), "", ""), ()) for i in range(examples))
    return Workload({"right": encoded})


def _searched(scenario: Scenario, archive: Archive, backend: SimBackend, optimizer: CheckedOptimizer) -> str:
    coordinator = Coordinator(backend, scenario.cluster)
    for split in ("search", "select"):
        coordinator.load(split, workload_of(EXAMPLES))  # type: ignore[arg-type]
    reason = search_of(scenario, archive, coordinator.run, optimizer).run()
    select(archive, coordinator.run)
    return reason
