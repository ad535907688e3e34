"""Virtual time: a heap of future actions, and batches of events for the driver."""

import heapq
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from random import Random

from support.simulation.machines import Violation
from support.simulation.random_streams import RandomStreams
from swarm.workers.scheduling.events import Answered, Errored, Event, Lost, Started

MAX_SILENCE = (
    6000.0  # seconds without an event after which none can come any more: more than twice the longest deadline
)
MAX_LAG = 20.0  # seconds that a driver may be busy between two calls of wait
Action = Callable[[], None]


def ignore(what: str) -> None:
    """Nobody listens."""


class Timeline:
    """The clock and the events of a simulated cluster.

    lag: how often the driver is busy while more happens, from 0 to 1.
    step: called wherever a driver may be killed.
    log: receives the trace.
    """

    def __init__(
        self, streams: RandomStreams, lag: float, step: Callable[[str], None], log: Callable[[str], None]
    ) -> None:
        self._streams, self._lag_rate, self._step, self._trace = streams, lag, step, log
        self._now = self._last_event = 0.0
        self._heap: list[tuple[float, int, Action]] = []
        self._scheduled = self._batches = 0
        self._out: list[tuple[str, Event]] = []

    def now(self) -> float:
        return self._now

    def wait(self, seconds: float) -> Sequence[Event]:
        self._step("wait")
        until = self._now + seconds
        while self._heap and self._heap[0][0] <= until:
            self._now, _, action = heapq.heappop(self._heap)
            quiet = not self._out
            action()
            if quiet and self._out:
                until = self._now + self._lag()
        self._now = until
        return self._batch()

    def _stop(self) -> None:
        self._heap, self._out = [], []

    def _after(self, seconds: float, action: Action) -> None:
        self._scheduled += 1
        heapq.heappush(self._heap, (self._now + seconds, self._scheduled, action))

    def _emit(self, source: str, event: Event) -> None:
        """Report an event of a worker with the next batch."""
        self._out.append((source, event))
        self._log(f"event: {_words(event)}")

    def _log(self, text: str) -> None:
        self._trace(f"{self._now:.3f} {text}")

    def _lag(self) -> float:
        self._batches += 1
        rng = self._streams.of("lag", self._batches)
        return rng.uniform(0.0, MAX_LAG) if rng.random() < self._lag_rate else 0.0

    def _batch(self) -> list[Event]:
        """The events so far. Those of different workers are mixed."""
        if not self._out:
            if self._now - self._last_event > MAX_SILENCE:
                raise Violation(f"no event within {MAX_SILENCE:g} s")
            return []
        self._last_event = self._now
        by_source: dict[str, deque[Event]] = {}
        for source, event in self._out:
            by_source.setdefault(source, deque()).append(event)
        self._out = []
        return list(_mixed(list(by_source.values()), self._streams.of("order", self._batches)))


def _mixed(sources: list[deque[Event]], rng: Random) -> Iterator[Event]:
    while sources:
        source = sources[rng.randrange(len(sources))]
        yield source.popleft()
        if not source:
            sources.remove(source)


def _words(event: Event) -> str:
    match event:
        case Started(worker):
            return f"{worker} started"
        case Answered(attempt_id, evaluations):
            return f"answer to {attempt_id}: {', '.join(e.candidate.id for e in evaluations)}"
        case Errored(attempt_id, reason):
            return f"{attempt_id} broken: {reason}"
        case Lost(worker, _, cause):
            return f"{worker} lost, {cause}"
