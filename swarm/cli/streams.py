"""Standard output and error that never end a command: a closed one, a full disk, a reader that left, an encoding that
lacks a character. A run goes on without its display.
"""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO


class LenientStream:
    """A stream that drops what it cannot write.

    problem: the first error that is worth telling. That the reader of a pipe has left is none.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lost = False
        self.problem = ""

    def write(self, text: str) -> int:
        self._attempt(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._attempt(self._stream.flush)

    def let_go(self) -> None:
        """Flush. What a broken stream still holds goes nowhere, so that Python does not complain at its end."""
        self.flush()
        if self._lost:
            with open(os.devnull, "w", encoding="utf-8") as nowhere:
                os.dup2(nowhere.fileno(), self._stream.fileno())

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def _attempt(self, action: Callable[[], object]) -> None:
        if self._lost:
            return
        try:
            action()
        except OSError as error:
            self._lost = True
            self.problem = "" if error.errno == errno.EPIPE else error.strerror or str(error)


@contextmanager
def lenient_streams() -> Iterator[Callable[[], str]]:
    """A block with lenient streams. Gives a function that says why stdout could not be written; "" where it could."""
    _fill_standard_descriptors()
    before = sys.stdout, sys.stderr
    out, err = (LenientStream(_writable(stream)) for stream in before)

    def lost() -> str:
        out.flush()
        return out.problem

    sys.stdout, sys.stderr = out, err  # type: ignore[assignment]
    try:
        yield lost
    finally:
        out.let_go()
        err.let_go()
        sys.stdout, sys.stderr = before


def _writable(stream: TextIO | None) -> TextIO:
    """The stream, which escapes characters that its encoding lacks; where there is none, one to nowhere."""
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    if reconfigure := getattr(stream, "reconfigure", None):
        reconfigure(errors="backslashreplace")
    return stream


def _fill_standard_descriptors() -> None:
    """Open the descriptors 0 to 2 where they are closed: or else a file of the run gets one, and stray output."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    os.close(descriptor)
