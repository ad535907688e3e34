"""Ctrl-C and SIGTERM: the first lets a line of the journal be finished, then ends the run in order; a second ends it
at once. A run goes on from its journal after either.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

CODE = 130
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Interrupts:
    """What has come so far. Signals reach a process, so there is one for all of it."""

    def __init__(self) -> None:
        self.came = self.held = False
        self.whole = 0

    def heed(self, _number: int, _frame: FrameType | None) -> None:
        if self.came:
            os._exit(CODE)
        self.came = True
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
