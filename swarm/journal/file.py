"""The journal file: one JSON object per line, appended and flushed to disk before anything follows from it.

A last line that a crash has cut off is dropped; any other damage is an error. Reading changes nothing, as another
process may be writing: the partial line is removed when the next one is appended.
"""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from swarm.core.errors import RunError
from swarm.core.interrupts import uninterrupted
from swarm.journal.records import JournalRecord, Record, StartRecord, first_problem, read_record


def text_of(records: Iterable[JournalRecord]) -> str:
    """Records as the journal holds them, one a line."""
    return "".join(json.dumps(record.content(), allow_nan=False) + "\n" for record in records)


class JournalFile:
    """An append-only file of records."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dropped_bytes = 0
        self._stream: BinaryIO | None = None

    def read(self) -> list[Record]:
        """Every record. Raises RunError where the file is damaged elsewhere than in a partial last line."""
        try:
            whole, newline, cut = self.path.read_bytes().rpartition(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunError(f"{self.path} cannot be read ({error.strerror}); restore it from a copy") from None
        self.dropped_bytes = len(cut)
        return list(self._parse(whole)) if newline else []

    def append(self, record: JournalRecord) -> None:
        """Write one line and force it to disk. Raises RunError where that fails."""
        text = text_of([record]).encode()
        try:
            if self._stream is None:
                self._stream = self._open()
            with uninterrupted():
                written = 0
                while written < len(text):
                    written += self._stream.write(text[written:])
                os.fsync(self._stream.fileno())
        except OSError as error:
            raise RunError(
                f"{self.path} cannot be written ({error.strerror}); free space or change the folder, "
                f"then swarm resume {self.path.parent}"
            ) from error

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _open(self) -> BinaryIO:
        """The file without its partial last line; unbuffered, so that nothing is written later, after an error."""
        if self.dropped_bytes:
            os.truncate(self.path, self.path.stat().st_size - self.dropped_bytes)
            self.dropped_bytes = 0
        return self.path.open("ab", buffering=0)

    def _parse(self, whole: bytes) -> Iterator[Record]:
        for number, text in enumerate(whole.split(b"\n"), start=1):
            try:
                record = read_record(json.loads(text))
                if (number == 1) != isinstance(record, StartRecord):
                    raise ValueError(f"a line of kind {record.kind!r} is out of place")
            except ValueError as error:
                raise self._corrupt(number, error) from None
            yield record

    def _corrupt(self, number: int, error: ValueError) -> RunError:
        reason = first_problem(error) if isinstance(error, ValidationError) else str(error)
        return RunError(
            f"{self.path}:{number}: the journal is corrupt ({reason}); restore it from a copy, or cut it "
            f"to its first {number - 1} lines and swarm resume {self.path.parent}"
        )
