"""Background threads: each tracker has its own, so that a slow, hanging or failing one never delays a search."""

import threading
from collections.abc import Callable, Mapping
from types import TracebackType

from swarm.journal.summary import Summary
from swarm.search.status import Status
from swarm.trackers.base import Tracker, first_line

SECONDS_BETWEEN_POINTS = 1.0  # denser points show nothing more, and remote servers limit the rate
SECONDS_TO_FINISH = 30.0  # how long the end of a run waits for a tracker

Start = Callable[[], Tracker]


class BackgroundThread:
    """Gives one tracker the newest status, at most once per second; statuses in between are skipped."""

    def __init__(self, start: Start) -> None:
        self.error = ""
        self._start = start
        self._newest: Status | None = None
        self._summary: Summary | None = None
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def log(self, status: Status) -> None:
        with self._changed:
            self._newest = status
            self._changed.notify()

    def finish(self, summary: Summary | None) -> None:
        """Pass on the last status and the summary, and wait for the tracker."""
        with self._changed:
            self._summary, self._ended = summary, True
            self._changed.notify()
        self._thread.join(SECONDS_TO_FINISH)
        if self._thread.is_alive():
            self.error = f"it has not finished within {SECONDS_TO_FINISH:g} s"

    def _work(self) -> None:
        try:
            tracker = self._start()
            while (status := self._next()) is not None:
                tracker.log(status)
            tracker.finish(self._summary)
        except Exception as error:  # code of other packages, which must not end a run
            self.error = first_line(error)

    def _next(self) -> Status | None:
        """Wait for the newest status and return it; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended, SECONDS_BETWEEN_POINTS)
            self._changed.wait_for(lambda: self._ended or self._newest is not None)
            status, self._newest = self._newest, None
            return status


class Tracking:
    """A run's trackers, by name. They start with the first status: a run that cannot start leaves no files.

    Use it as a context manager: a run that leaves it without `finish` was interrupted. A tracker that fails is
    reported once by `note` and dropped.
    """

    def __init__(self, starts: Mapping[str, Start], note: Callable[[str], None]) -> None:
        self._starts = dict(starts)
        self._threads: dict[str, BackgroundThread] = {}
        self._note = note

    def __enter__(self) -> "Tracking":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(None)

    def log(self, status: Status) -> None:
        self._open()
        for thread in self._threads.values():
            thread.log(status)
        self._drop_failed()

    def finish(self, summary: Summary) -> None:
        self._open()
        self._end(summary)

    def _open(self) -> None:
        self._threads |= {name: BackgroundThread(start) for name, start in self._starts.items()}
        self._starts = {}

    def _end(self, summary: Summary | None) -> None:
        for thread in self._threads.values():
            thread.finish(summary)
        self._drop_failed()
        self._starts, self._threads = {}, {}

    def _drop_failed(self) -> None:
        for name, error in [(name, thread.error) for name, thread in self._threads.items() if thread.error]:
            self._note(f"tracker {name}: {error}; the run goes on without it")
            del self._threads[name]
