"""Ctrl-C and SIGTERM: the first lets a line of the journal be finished, then ends the run in order; a second ends it
at once. A run goes on from its journal after either.

Whoever stops a job may signal its whole process group and the process too: what comes within GRACE is one signal.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

CODE = 130
GRACE = 0.5  # seconds
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Interrupts:
    """What has come so far. Signals reach a process, so there is one for all of it."""

    def __init__(self) -> None:
        self.came: float | None = None
        self.held = False
        self.whole = 0

    def heed(self, _number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.came is not None:
            if now - self.came > GRACE:
                os._exit(CODE)
            return
        self.came = now
        if self.whole:
            self.held = True
        else:
            raise KeyboardInterrupt


_interrupts = _Interrupts()


def heed_interrupts() -> None:
    """From now on signals are handled here; one that the process was started to ignore stays ignored."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupts.heed)


def leave() -> None:
    """End the process after an interruption, everything being in order: no finaliser may hang, no late signal count."""
    sys.stdout.flush()
    sys.stderr.flush()
    if _interrupts.came is not None:
        os._exit(CODE)
    sys.exit(CODE)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """What is inside is done to its end before an interruption comes through."""
    _interrupts.whole += 1
    try:
        yield
    finally:
        _interrupts.whole -= 1
        if _interrupts.held and not _interrupts.whole:
            _interrupts.held = False
            raise KeyboardInterrupt


@contextmanager
def same_handlers() -> Iterator[None]:
    """A library that takes the signals for itself gives them back."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is not handler and handler is not None:
                signal.signal(number, handler)
