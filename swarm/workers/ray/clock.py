"""The clock of deadlines: it stands still while this process is stopped, and knows nothing of the wall clock."""

import time
from collections.abc import Callable

LONGEST_STEP = 5.0  # seconds between two readings: the coordinator looks every second while it runs


class SteadyClock:
    """Seconds in which this process ran.

    A process that was stopped (Ctrl-Z, SIGSTOP, a debugger) and its workers, which may have been stopped with it, are
    not late: of the time between two readings at most LONGEST_STEP counts. Setting the wall clock changes nothing.
    """

    def __init__(self, source: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._read_at = source()
        self._now = 0.0

    def now(self) -> float:
        read_at = self._source()
        self._now += min(read_at - self._read_at, LONGEST_STEP)
        self._read_at = read_at
        return self._now
