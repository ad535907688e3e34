"""The journal file: one JSON object a line, appended and flushed to disk before anything follows from it.

A last line that a crash has cut is dropped with a word; any other damage is an error. Reading changes nothing, as
somebody may be writing: the cut line goes when the next one is appended.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from swarm.core.errors import RunError
from swarm.core.interrupts import uninterrupted
from swarm.journal.records import LINES

Line = Mapping[str, object]


class Journal:
    """An append-only file of lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dropped_bytes = 0
        self._stream: BinaryIO | None = None

    def read(self) -> list[Line]:
        """Every line. Raises RunError where the file is damaged elsewhere than at its cut end."""
        try:
            whole, newline, cut = self.path.read_bytes().rpartition(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunError(f"{self.path} cannot be read ({error.strerror}); restore it from a copy") from None
        self.dropped_bytes = len(cut)
        return list(self._parse(whole)) if newline else []

    def append(self, line: Line) -> None:
        """Write one line and force it to disk. Raises RunError where that fails."""
        text = json.dumps(line, allow_nan=False).encode() + b"\n"
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
        """The file without the line that was cut, and without a buffer that would be written later, after an error."""
        if self.dropped_bytes:
            os.truncate(self.path, self.path.stat().st_size - self.dropped_bytes)
            self.dropped_bytes = 0
        return self.path.open("ab", buffering=0)

    def _parse(self, whole: bytes) -> Iterator[Line]:
        for number, text in enumerate(whole.split(b"\n"), start=1):
            try:
                line = json.loads(text)
                if (number == 1) != (line["kind"] == "start"):
                    raise ValueError(f"a {line['kind']} line is out of place")
                LINES[line["kind"]].model_validate(line)
            except (ValueError, KeyError, TypeError) as error:
                raise self._corrupt(number, error) from None
            yield line

    def _corrupt(self, number: int, error: Exception) -> RunError:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        return RunError(
            f"{self.path}:{number}: the journal is corrupt ({reason}); restore it from a copy, or cut it "
            f"to its first {number - 1} lines and swarm resume {self.path.parent}"
        )
