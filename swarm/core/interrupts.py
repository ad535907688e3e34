"""Ctrl-C, SIGTERM and SIGHUP (the terminal was closed). The first lets a line of the journal be finished, then ends the
run in an orderly way; a second ends the process at once. After either, the run can be resumed from its journal.

Job managers may signal a process and its process group both: signals within GRACE_SECONDS count as one.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

CODE = 130  # the exit code by which shells know an interrupted process: 128 + SIGINT
GRACE_SECONDS = 0.5  # longer than a manager takes for both signals, shorter than a person takes for a second Ctrl-C
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Interrupts:
    """The signals of this process, of which there is one instance, as signals are per process.

    first: when the first signal came; None before.
    pending: whether it came in an uninterrupted block and is yet to be raised.
    depth: how many uninterrupted blocks are being executed, one in another.
    """

    def __init__(self) -> None:
        self.first: float | None = None
        self.pending = False
        self.depth = 0

    def handle(self, _number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.first is not None:
            if now - self.first > GRACE_SECONDS:
                os._exit(CODE)
            return
        self.first = now
        if self.depth:
            self.pending = True
        else:
            raise KeyboardInterrupt


_interrupts = _Interrupts()


def heed_interrupts() -> None:
    """Handle signals here from now on. One that the process was started to ignore stays ignored."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupts.handle)


def interrupted() -> bool:
    """Whether a signal has come, so that a KeyboardInterrupt is the user's and not one that some code raises."""
    return _interrupts.first is not None


def leave() -> None:
    """End the process after an interruption, once everything is closed: without finalisers, which might hang."""
    sys.stdout.flush()
    sys.stderr.flush()
    if _interrupts.first is not None:
        os._exit(CODE)
    sys.exit(CODE)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """A block that is executed to its end before an interruption is raised."""
    _interrupts.depth += 1
    try:
        yield
    finally:
        _interrupts.depth -= 1
        if _interrupts.pending and not _interrupts.depth:
            _interrupts.pending = False
            raise KeyboardInterrupt


@contextmanager
def same_handlers() -> Iterator[None]:
    """A block after which the signal handlers are what they were, whatever a library sets in it."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is not handler and handler is not None:
                signal.signal(number, handler)
