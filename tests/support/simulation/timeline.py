"""Virtual time: a heap of what is going to happen, and batches of messages to the driver."""

import heapq
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from random import Random

from support.simulation.chance import Chance
from support.simulation.machines import Violation
from swarm.workers.scheduling.events import Answered, Broken, Event, Lost, Started

QUIET = 6000.0  # seconds without a word after which nothing can come any more
LAG = 20.0  # seconds that a driver may be busy between two looks
Action = Callable[[], None]


def nothing(what: str) -> None:
    """Nobody listens."""


class Timeline:
    """lag: how often the driver is busy while more happens. step: called before everything that a driver may be killed
    at. tell: hears the trace.
    """

    def __init__(self, chance: Chance, lag: float, step: Callable[[str], None], tell: Callable[[str], None]) -> None:
        self._chance, self._often, self._step, self._tell = chance, lag, step, tell
        self._now = self._told = 0.0
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
        """Tell of a worker with the next batch."""
        self._out.append((source, event))
        self._say(f"told {_words(event)}")

    def _say(self, text: str) -> None:
        self._tell(f"{self._now:.3f} {text}")

    def _lag(self) -> float:
        self._batches += 1
        rng = self._chance.of("lag", self._batches)
        return rng.uniform(0.0, LAG) if rng.random() < self._often else 0.0

    def _batch(self) -> list[Event]:
        """What happened, workers mixed."""
        if not self._out:
            if self._now - self._told > QUIET:
                raise Violation("nothing happens any more")
            return []
        self._told = self._now
        streams: dict[str, deque[Event]] = {}
        for source, event in self._out:
            streams.setdefault(source, deque()).append(event)
        self._out = []
        return list(_mixed(list(streams.values()), self._chance.of("order", self._batches)))


def _mixed(streams: list[deque[Event]], rng: Random) -> Iterator[Event]:
    while streams:
        stream = streams[rng.randrange(len(streams))]
        yield stream.popleft()
        if not stream:
            streams.remove(stream)


def _words(event: Event) -> str:
    match event:
        case Started(worker):
            return f"{worker} started"
        case Answered(attempt_id, evaluations):
            return f"answer to {attempt_id}: {', '.join(e.candidate.id for e in evaluations)}"
        case Broken(attempt_id, reason):
            return f"{attempt_id} broken: {reason}"
        case Lost(worker, _, cause):
            return f"{worker} lost, {cause}"
