"""The journal file: one JSON object per line, appended and flushed to disk before anything follows from it.

A last line that a crash has cut off is dropped; any other damage is an error. Reading changes nothing, as another
process may be writing: the partial line is removed when the next one is appended.
"""

import codecs
import errno
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NoReturn

from pydantic import ValidationError
from pydantic_core import from_json

from swarm import __version__
from swarm.core.errors import RunError
from swarm.core.interrupts import uninterrupted
from swarm.core.terminal_text import one_line
from swarm.journal.plain_lines import read_plainly
from swarm.journal.records import Record, StartRecord, first_problem, read_record
from swarm.journal.strict_json import read_json
from swarm.journal.zeros_and_ones import read_quickly

BEGINNING = b'{"kind": "start"'  # of the first line
SPACE = "free space or change the folder"
WRITABLE = "make the file and its folder writable"
BUFFER = 2**16  # bytes that are read at a time
SHOWN = 160  # characters of a reason


def text_of(records: Iterable[Record]) -> str:
    """Records as the journal holds them, one a line."""
    return "".join(json.dumps(record.content(), allow_nan=False) + "\n" for record in records)


class JournalFile:
    """An append-only file of records."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dropped_bytes = 0
        self._stream: BinaryIO | None = None
        self._version = __version__
        self._read_bytes = self._read_lines = 0
        self._last_line = b""

    def read(self) -> list[Record]:
        """Every record. Raises RunError where the file is damaged elsewhere than in a partial last line."""
        return list(self.records())

    def records(self) -> Iterator[Record]:
        """As `read`, one by one: the n-th record is line n, counted from 1. Called again, those that came since.

        Raises RunError also where the lines that were read before are no longer there.
        """
        self.dropped_bytes = 0
        try:
            with self.path.open("rb", buffering=BUFFER) as stream:
                self._check_last_line(stream)
                for line in stream:
                    if not line.endswith(b"\n"):
                        self._drop(self._read_lines + 1, line)
                        return
                    yield self._record(self._read_lines + 1, line)
                    # Only now: a line that is refused is refused again.
                    self._read_bytes, self._read_lines = self._read_bytes + len(line), self._read_lines + 1
                    self._last_line = line
        except FileNotFoundError:
            if self._read_lines:
                self._changed("removed")
            return
        except OSError as error:
            raise RunError(f"{self.path} cannot be read ({error.strerror}); restore it from a copy") from None

    def append(self, record: Record) -> None:
        """Write one line and force it to disk. Raises RunError where that fails."""
        text = text_of([record]).encode()
        try:
            if self._stream is None:
                self._stream = self._open()
            with uninterrupted():
                _write(self._stream, text)
        except OSError as error:
            remedy = WRITABLE if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) else SPACE
            raise RunError(
                f"{self.path} cannot be written ({error.strerror}); {remedy}, then swarm resume {self.path.parent}"
            ) from error

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _check_last_line(self, stream: BinaryIO) -> None:
        """Go to the end of what was read, past the last of its lines, which must still be there."""
        stream.seek(self._read_bytes - len(self._last_line))
        if stream.read(len(self._last_line)) != self._last_line:
            self._changed("cut or replaced")

    def _changed(self, how: str) -> NoReturn:
        raise RunError(
            f"{self.path} was {how} after {self._read_lines} of its lines had been read; "
            "open the run again to see what is left of it"
        )

    def _open(self) -> BinaryIO:
        """The file without its partial last line; unbuffered, so that nothing is written later, after an error."""
        if self.dropped_bytes:
            os.truncate(self.path, self.path.stat().st_size - self.dropped_bytes)
            self.dropped_bytes = 0
        return self.path.open("ab", buffering=0)

    def _drop(self, number: int, line: bytes) -> None:
        """Take a line without its end for what a crash has left; of a first line only where it can be that."""
        if number == 1 and line.strip(b"\0") and not line.startswith(BEGINNING[: len(line)]):
            self.corrupt(number, ValueError("it does not begin as a journal does"))
        self.dropped_bytes = len(line)

    def _record(self, number: int, line: bytes) -> Record:
        if number > 1 and (plain := read_plainly(line)) is not None:
            return plain
        try:
            record = read_record(_parsed(line))
            if (number == 1) != isinstance(record, StartRecord):
                raise ValueError(f"a line of kind {record.kind!r} is out of place")
        except ValueError as error:
            self.corrupt(number, error)
        if isinstance(record, StartRecord):
            self._version = record.version
        return record

    def corrupt(self, number: int, error: ValueError) -> NoReturn:
        """Raise the RunError for a line that cannot be what the run wrote."""
        reason = first_problem(error) if isinstance(error, ValidationError) else str(error)
        reason = reason if len(reason) <= SHOWN else f"{reason[:SHOWN]}…"
        if self._version != __version__:
            reason += f"; swarm {self._version[:SHOWN]!r} made this run, and this is {__version__!r}"
        first = f"first {number - 1} lines" if number > 2 else "first line"
        remedy = f"or cut it to its {first} and swarm resume {self.path.parent}"
        raise RunError(
            f"{self.path}:{number}: the journal is corrupt ({one_line(reason)}); restore it from a copy, "
            f"{remedy if number > 1 else 'or start a new run in another directory'}"
        ) from None


def _write(stream: BinaryIO, text: bytes) -> None:
    """Append and force to disk, or restore what was there: a partial line would be damage, were another to follow."""
    size = os.fstat(stream.fileno()).st_size
    try:
        written = 0
        while written < len(text):
            written += stream.write(text[written:])
        os.fsync(stream.fileno())
    except OSError:
        with suppress(OSError):
            os.ftruncate(stream.fileno(), size)
        raise


def _parsed(line: bytes) -> object:
    """A line's JSON. Raises ValueError, also for the NaN and Infinity that Python's own reader takes."""
    if (content := read_quickly(line)) is not None:
        return content
    line = line.removeprefix(codecs.BOM_UTF8)
    try:
        return from_json(line, allow_inf_nan=False)
    except ValueError as error:
        reason = _explained(line, str(error))
    if line.isascii():
        with suppress(ValueError):  # halves of characters, as in paths that are no UTF-8: only Python's reader has them
            return read_json(line)
    raise ValueError(reason)


def _explained(line: bytes, reason: str) -> str:
    """What is wrong with a line, for somebody who sees it in an editor."""
    if not line.strip():
        return "an empty line"
    if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "it is UTF-16 text, not UTF-8"
    if " at line 2 column " in reason:
        return "the line is cut short"
    found = re.search(r" at line \d+ column (\d+)$", reason)
    at = int(found[1]) if found else 0
    wrong = re.match(rb"-?(NaN|Infinity)", line[max(0, at - 2) :].lstrip(b": [,"))
    what = f"{wrong[0].decode()} is no number of JSON," if wrong else reason[: found.start()] if found else reason
    return f"{what} at character {at}" if found else what
