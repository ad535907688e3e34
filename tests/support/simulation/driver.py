"""A whole search with sessions that are killed: at an order, at an event, in the middle of a journal's line."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from support.landscapes import DIMENSIONS, Landscape
from support.optimizer_runs import space
from support.runs import START
from support.simulation.chance import Chance
from support.simulation.fates import Luck
from support.simulation.machines import Usage, Violation
from support.simulation.scenario import Kill, Scenario
from support.simulation.sim_fleet import SimFleet
from support.simulation.watch import Watched
from swarm.core.candidates import Evaluation, Task
from swarm.core.errors import RunError
from swarm.core.examples import Example
from swarm.core.outcomes import Feed, Outcome
from swarm.evaluation.workload import EncodedExample, Workload
from swarm.journal.archive import Archive
from swarm.journal.file import Journal, Line
from swarm.preferences.weighted_sum import utility
from swarm.search.asynchronous import AsynchronousSearch
from swarm.search.generational import Evaluate, Search
from swarm.workers.scheduling.coordinator import Coordinator

WEIGHTS = {"right": 1.0}
FINALISTS = 4
EXAMPLES = 20
SESSIONS = 40  # more than any search of so few evaluations needs


class Killed(BaseException):
    """The driver's process ended here."""


class Life:
    """Counts a session's steps and lines, and ends it at the last one."""

    def __init__(self, kill: Kill | None) -> None:
        self._kill = kill
        self._steps = self._lines = 0

    def step(self, what: str) -> None:
        self._steps += 1
        if self._kill == Kill("step", self._steps):
            raise Killed(what)

    def last_line(self) -> bool:
        self._steps += 1
        self._lines += 1
        return self._kill in (Kill("step", self._steps), Kill("line", self._lines))


class MortalJournal(Journal):
    """A journal whose process may end before, in and after a line. written: the utility of every id on disk."""

    def __init__(self, archive: Archive, life: Life, chance: Chance, tell: Callable[[str], None]) -> None:
        super().__init__(archive.journal.path)
        self.dropped_bytes = archive.journal.dropped_bytes
        self._life, self._chance, self._tell = life, chance, tell
        self.written: dict[str, float] = {}
        for line in archive.lines:
            self._note(line)

    def append(self, line: Line) -> None:
        if not self._life.last_line():
            self._write(line)
            return
        rng = self._chance.of("torn")
        how = rng.choice(("before", "in", "after"))
        self._tell(f"killed {how} a line")
        if how == "in":
            text = json.dumps(line).encode()
            with self._open() as stream:
                stream.write(text[: rng.randint(1, len(text))])
        elif how == "after":
            self._write(line)
        raise Killed(f"{how} a line")

    def _write(self, line: Line) -> None:
        before = self.path.stat().st_size - self.dropped_bytes
        super().append(line)
        if self.path.stat().st_size <= before:
            raise Violation("a line is not on disk")
        self._tell("line " + " ".join(str(line[key]) for key in ("kind", "id", "attempt", "status") if key in line))
        self._note(line)

    def _note(self, line: Line) -> None:
        if line["kind"] != "evaluation":
            return
        name = str(line["id"])
        if name in self.written:
            raise Violation(f"{name} is evaluated twice")
        scored = line["status"] == "ok"
        self.written[name] = utility(line["scores"], WEIGHTS) if scored else math.nan  # type: ignore[arg-type]


@dataclass(frozen=True)
class Session:
    """How one session ended, and how many lines the journal held then.

    lives: workers that each candidate was the end of. told: ids that the optimizer heard of.
    """

    end: Literal["killed", "refused", "done"]
    words: str
    lines: int
    usage: Usage
    lives: Mapping[str, int]
    told: tuple[str, ...]
    state: object


@dataclass
class Ran:
    """A search that has ended: why, and in how many sessions."""

    scenario: Scenario
    folder: Path
    sessions: list[Session] = field(default_factory=list)

    @property
    def reason(self) -> str:
        return self.sessions[-1].words


@dataclass(frozen=True)
class Scorer:
    """What candidates score: the same wherever and however often. A race stops what changes nothing."""

    scenario: Scenario
    landscape: Landscape

    @classmethod
    def of(cls, scenario: Scenario) -> "Scorer":
        return cls(scenario, Landscape.drawn(scenario.seed, {"right": EXAMPLES}))

    def __call__(self, task: Task, worker: str = "") -> Evaluation:
        if self.scenario.poison_of(task.candidate.id):
            return Evaluation(task.candidate, "failed", worker=worker, error="poison")
        right = tuple(self.landscape.right(task.candidate.position, self.landscape.search["right"]).tolist())
        scores = {"right": math.fsum(right) / len(right)}
        full = Evaluation(task.candidate, "ok", scores, {"right": right}, worker=worker, tokens=5)
        harmless = task.pruning.low <= utility(scores, WEIGHTS) <= task.pruning.high
        return replace(full, status="stopped") if self.scenario.racing and harmless else full

    def straight(self, feed: Feed) -> Iterator[Outcome]:
        """Without a cluster."""
        while feed:
            yield self(feed.popleft())


def opened(folder: Path) -> Archive:
    """The folder's archive; a new journal begins with its start line."""
    archive = Archive(folder / "journal.jsonl")
    if archive.start is None:
        archive.append("start", **START)
        archive.journal.close()
    return archive


def search_of(scenario: Scenario, archive: Archive, evaluate: Evaluate) -> Search:
    kind = AsynchronousSearch if scenario.optimizer.schedule == "async" else Search
    return kind(
        optimizer=scenario.optimizer,
        space=space(DIMENSIONS),
        seed=scenario.seed,
        weights=WEIGHTS,
        archive=archive,
        evaluate=evaluate,
        on_evaluation=lambda evaluation: None,
        finalists=FINALISTS,
    )


def run_straight(scenario: Scenario, folder: Path) -> tuple[str, Archive]:
    """The search as it goes where nothing goes wrong and nobody waits."""
    folder.mkdir(parents=True, exist_ok=True)
    archive = opened(folder)
    return search_of(scenario, archive, Scorer.of(scenario).straight).run(), archive


def run(scenario: Scenario, folder: Path, tell: Callable[[str], None]) -> Ran:
    """The search on the simulated cluster, resumed until it ends by itself."""
    folder.mkdir(parents=True, exist_ok=True)
    ran = Ran(scenario, folder)
    while not ran.sessions or ran.sessions[-1].end != "done":
        if len(ran.sessions) == SESSIONS:
            raise Violation(f"{SESSIONS} sessions, and no end: {ran.sessions[-1].words}")
        tell(f"session {len(ran.sessions)}")
        ran.sessions.append(_session(scenario, len(ran.sessions), folder, tell))
        tell(f"{ran.sessions[-1].end}: {ran.sessions[-1].words}")
    return ran


def _session(scenario: Scenario, number: int, folder: Path, tell: Callable[[str], None]) -> Session:
    chance = scenario.chance.within("session", number)
    life = Life(scenario.kills[number] if number < len(scenario.kills) else None)
    luck = Luck(scenario.cluster.attempts, scenario.poison_of)
    scorer = Scorer.of(scenario)
    backend = SimFleet(scenario.world, chance, scorer, luck, scenario.cluster.prefetch + 1, life.step, tell)
    archive = opened(folder)
    journal = MortalJournal(archive, life, chance, tell)
    archive.journal = journal
    watched = Watched(scenario.optimizer, journal.written)
    try:
        end, words = "done", _searched(scenario, archive, backend, watched)
    except Killed as killed:
        end, words = "killed", str(killed)
    except RunError as error:
        if not str(error).startswith("cluster"):
            raise
        end, words = "refused", str(error)
    finally:
        journal.close()
        backend.close()
    lines = folder.joinpath("journal.jsonl").read_bytes().count(b"\n")
    return Session(end, words, lines, backend.usage, luck.lives, tuple(watched.told), watched.state)  # type: ignore[arg-type]


def asked(examples: int, together: int = 1) -> Workload:
    """A split of so many examples; nobody asks here what they say."""
    questions = tuple(EncodedExample("right", Example(str(i), "", ""), ()) for i in range(examples))
    return Workload({"right": questions}, together)


def _searched(scenario: Scenario, archive: Archive, backend: SimFleet, watched: Watched) -> str:
    coordinator = Coordinator(backend, scenario.cluster)
    coordinator.load("search", asked(EXAMPLES, scenario.together))
    search = search_of(scenario, archive, lambda feed: coordinator.run(feed, "search"))
    return replace(search, optimizer=watched).run()  # type: ignore[arg-type]
