"""Couriers: a tracker in a thread of its own, so that a slow, hanging or failing one never holds a search up."""

import threading
from collections.abc import Callable, Mapping
from types import TracebackType

from swarm.search.status import Status
from swarm.trackers.base import Tracker, first_line

SECONDS_BETWEEN_POINTS = 1.0
SECONDS_TO_FINISH = 30.0

Start = Callable[[], Tracker]
Summary = Mapping[str, object]


class BackgroundThread:
    """Hands one tracker the newest standing, at most one a second; those in between are left out."""

    def __init__(self, start: Start) -> None:
        self.error = ""
        self._start = start
        self._newest: Status | None = None
        self._summary: Summary | None = None
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def log(self, standing: Status) -> None:
        with self._changed:
            self._newest = standing
            self._changed.notify()

    def finish(self, summary: Summary | None) -> None:
        """Hand over what is left, and wait for it."""
        with self._changed:
            self._summary, self._ended = summary, True
            self._changed.notify()
        self._thread.join(SECONDS_TO_FINISH)
        if self._thread.is_alive():
            self.error = f"it has not finished within {SECONDS_TO_FINISH:g} s"

    def _work(self) -> None:
        try:
            tracker = self._start()
            while (standing := self._next()) is not None:
                tracker.log(standing)
            tracker.finish(self._summary)
        except Exception as error:  # foreign code, which must not end a run
            self.error = first_line(error)

    def _next(self) -> Status | None:
        """The newest standing, once there is one; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended, SECONDS_BETWEEN_POINTS)
            self._changed.wait_for(lambda: self._ended or self._newest is not None)
            standing, self._newest = self._newest, None
            return standing


class Tracking:
    """A run's trackers, by name. They start with the first standing: a run that cannot start leaves nothing behind.

    Use it as a context manager: what is not finished at its end was interrupted. One that fails is told of once by
    `note`, and left alone from then on.
    """

    def __init__(self, initial_design: Mapping[str, Start], note: Callable[[str], None]) -> None:
        self._starts = dict(initial_design)
        self._couriers: dict[str, BackgroundThread] = {}
        self._note = note

    def __enter__(self) -> "Tracking":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(None)

    def log(self, standing: Status) -> None:
        self._open()
        for courier in self._couriers.values():
            courier.log(standing)
        self._part()

    def finish(self, summary: Summary) -> None:
        self._open()
        self._end(summary)

    def _open(self) -> None:
        self._couriers |= {name: BackgroundThread(start) for name, start in self._starts.items()}
        self._starts = {}

    def _end(self, summary: Summary | None) -> None:
        for courier in self._couriers.values():
            courier.finish(summary)
        self._part()
        self._starts, self._couriers = {}, {}

    def _part(self) -> None:
        """Tell of those that have failed, and go on without them."""
        for name, error in [(name, courier.error) for name, courier in self._couriers.items() if courier.error]:
            self._note(f"tracker {name}: {error}; the run goes on without it")
            del self._couriers[name]
