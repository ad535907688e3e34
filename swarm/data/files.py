"""Opens data files by the kind that their name says, plain or with .gz: JSON lines, JSON, CSV and TSV, Parquet.

A file of another kind, or under another kind's name, is refused by a line that names its kind. Numbers are read as the
texts that they are written as, and still known as numbers.
"""

import gzip
import json
import zlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Literal, NoReturn

from swarm.core.errors import DataError
from swarm.data.shapes import COLUMNS

Kind = Literal["lines", "json", "table", "parquet"]

NAMED = {b"\x1f\x8b": ("gzip", "{}.gz"), b"PAR1": ("Parquet", "{}.parquet")}  # first bytes -> kind, name to give
UNREAD = {
    b"PK\x03\x04": "a zip archive; unpack it",
    b"\x28\xb5\x2f\xfd": "compressed by zstd; unpack it, or compress it with gzip",
    b"BZh": "compressed by bzip2; unpack it, or compress it with gzip",
    b"\xfd7zXZ": "compressed by xz; unpack it, or compress it with gzip",
    b"ARROW1": "an Arrow file; write it as .parquet or .jsonl",
    b"SQLite format 3": "a database of SQLite; write its rows as .jsonl",
    b"\xff\xfe": "UTF-16, not UTF-8; save the file as UTF-8",
    b"\xfe\xff": "UTF-16, not UTF-8; save the file as UTF-8",
    b"version https://git-lfs": "a pointer of Git LFS, and the data are elsewhere; fetch them with git lfs pull",
    b"<!DOCTYPE html": "a web page; download the file itself",
    b"<html": "a web page; download the file itself",
}
KINDS: dict[str, Kind] = {".json": "json", ".parquet": "parquet", ".csv": "table", ".tsv": "table"}
OTHERS = {".xlsx": "Excel", ".xls": "Excel", ".yaml": "YAML", ".yml": "YAML", ".arrow": "Arrow"}
HEAD = 32  # bytes that tell a kind
# A gzip file of more is no data but fills the memory: text packs to a twentieth or so, at best to a hundredth.
MOST_UNPACKED = 64 << 20  # bytes that any file may unpack to
MOST_GROWTH = 200  # times its size, for a larger one
JSON_FILES = (
    'JSON lines (.jsonl) hold one object per line, a .json file one object {"dev": [...], "test": [...]} or one list '
    "of examples"
)


class Number(str):
    """A JSON number, as the text that it is written as."""

    __slots__ = ()


def kind_of(path: Path) -> Kind:
    """The kind of a data file, by its name. Raises DataError for one that is not read."""
    name = path.name.lower().removesuffix(".gz")
    suffix = Path(name).suffix
    if suffix in OTHERS:
        raise DataError(
            f"{path}: is {OTHERS[suffix]} by its name, which is not read; write it as .jsonl, .csv, .tsv or .parquet"
        )
    return KINDS.get(suffix, "lines")


def read_text(path: Path) -> str:
    """The whole text of a file that is not Parquet. Raises DataError."""
    kind_of(path)
    raw = _read(path)
    _refuse_kind(path, raw)
    return _decoded(path, raw)


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file with their numbers, read one by one. Raises DataError."""
    kind_of(path)
    _refuse_device(path)
    try:
        with _unpacked(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if number == 1:
                    _refuse_kind(path, line)
                yield number, _decoded(path, line, number)
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, error) from None


def parquet_rows(path: Path) -> list[tuple[str, object]]:
    """Where each row of a Parquet file is, and the row, with numbers as texts. Raises DataError."""
    _refuse_device(path)
    if path.suffix.lower() == ".gz":
        raise DataError(f"{path}: is Parquet in gzip by its name, which is not read; unpack it")
    try:
        from pyarrow import parquet
    except ImportError:
        raise DataError(
            f"{path}: Parquet is read with pyarrow, which is not installed; pip install 'swarm-experts[parquet]', or "
            "write it as .jsonl"
        ) from None
    try:
        names = parquet.read_schema(path).names
        known = [name for name in names if name in COLUMNS]  # a column of dates, say, may not fit Python's types
        rows = parquet.read_table(path, columns=known or names).to_pylist()
    except Exception as error:  # pyarrow raises many kinds for damaged files
        reason = (str(error).strip() or type(error).__name__).split("\n")[0][:120]
        raise DataError(f"{path}: is not readable as Parquet ({reason}); write it again, or as .jsonl") from None
    return [
        (f"{path}: row {number}", dict.fromkeys(names) | {name: _as_texts(each) for name, each in row.items()})
        for number, row in enumerate(rows, 1)
    ]


def parse(text: str, where: str, remedy: str = JSON_FILES) -> object:
    """The JSON value of `text`, with every number as the text that it is written as."""
    try:
        value: object = json.loads(text, parse_int=Number, parse_float=Number, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: {text.strip()[:40]!r} is not valid JSON ({error}); {remedy}") from None
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _as_texts(value: object) -> object:
    """A row as JSON would give it. A missing value is null."""
    if isinstance(value, dict):
        return {str(key): _as_texts(each) for key, each in value.items()}
    if isinstance(value, list) and value and all(isinstance(each, tuple) for each in value):
        return _as_texts(dict(value))  # a column of maps
    if isinstance(value, list):
        return [_as_texts(each) for each in value]
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return None if value != value else Number(value)
    return value


def _read(path: Path) -> bytes:
    _refuse_device(path)
    try:
        if path.suffix.lower() == ".gz":
            with _unpacked(path) as file:
                return file.read()
        return path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, error) from None


def _refuse_device(path: Path) -> None:
    """Raise DataError for a pipe or a device, which may never end."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise DataError(f"{path}: cannot be read (it is a pipe or a device); give the path of a data file")


def _unpacked(path: Path) -> gzip.GzipFile:
    """A gzip file to read. Raises DataError where it unpacks to far more than data would."""
    most = max(MOST_UNPACKED, MOST_GROWTH * path.stat().st_size)
    with gzip.open(path) as file:
        while file.read(1 << 20):
            if file.tell() > most:
                raise DataError(
                    f"{path}: unpacks to more than {most >> 20} MiB, over {MOST_GROWTH} times its size, which no data "
                    "do; look at it, and give a file of examples"
                )
    return gzip.open(path)


def _unreadable(path: Path, error: Exception) -> DataError:
    if isinstance(error, gzip.BadGzipFile):
        return DataError(f"{path}: is not gzip, as its name says ({error}); name it without .gz")
    if isinstance(error, EOFError | zlib.error):
        return DataError(f"{path}: its gzip data are cut or damaged ({error}); copy the file again")
    reason = error.strerror if isinstance(error, OSError) else error
    return DataError(f"{path}: cannot be read ({reason}); give the path of a data file")


def _refuse_kind(path: Path, raw: bytes) -> None:
    """Raise DataError where the first bytes are those of another kind."""
    head = raw[:HEAD]
    for mark, (kind, name) in NAMED.items():
        if head.startswith(mark):
            twice = "in gzip twice; unpack it" if path.suffix.lower() == ".gz" else ""
            raise DataError(f"{path}: is {twice or f'{kind}: name it {name.format(path.name)}'}")
    for mark, problem in UNREAD.items():
        if head.startswith(mark):
            raise DataError(f"{path}: is {problem}")


def _decoded(path: Path, raw: bytes, number: int = 1) -> str:
    """raw: from line `number` on."""
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        line = number + raw.count(b"\n", 0, error.start)
        raise DataError(f"{path}:{line}: byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8") from None
