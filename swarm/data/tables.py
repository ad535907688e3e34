"""Reads CSV and TSV: the first line names the columns, and every other record is an example.

Fields are separated by commas, semicolons or tabs, as the first line tells, and quoted as RFC 4180 has it. An empty
cell is a missing value, and a number is known as one. Columns A, B, C, ... are choices. A cell of choices or of a chat
may hold a list or a map in JSON.
"""

import csv
import io
import re
import string
import sys
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path

from swarm.core.errors import DataError
from swarm.data.files import Number, parse, read_text
from swarm.data.shapes import COLUMNS, NESTED, READ

NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
KNOWN = {name.lower(): name for name in COLUMNS}


def table_rows(path: Path) -> list[tuple[str, dict[str, object]]]:
    """Where each record of a CSV or TSV file is, and the record. Raises DataError naming file and line."""
    text = read_text(path)
    is_tsv = Path(path.name.lower().removesuffix(".gz")).suffix == ".tsv"
    delimiter = "\t" if is_tsv else max(",;\t", key=lambda each: _score(text, each))
    records = _records(path, text, delimiter)
    if not records:
        return []
    (line, header), *rest = records
    names = _names(f"{path}:{line}", header)
    rows = []
    for line, cells in rest:
        where = f"{path}:{line}"
        if len(cells) != len(names):
            raise DataError(
                f"{where}: has {len(cells)} fields where the first line has {len(names)} (separated by {delimiter!r}); "
                f'quote a field that holds {delimiter!r} as "...", or correct the line'
            )
        rows.append((where, _row(where, dict(zip(names, cells, strict=True)))))
    return rows


def _score(text: str, delimiter: str) -> tuple[int, int]:
    """How well the first record reads with this delimiter: known columns, and columns."""
    try:
        header = next(_reader(text, delimiter, spaced=True), [])
    except csv.Error:
        return 0, 0
    return sum(name.strip().lower() in KNOWN for name in header), len(header)


def _reader(text: str, delimiter: str, spaced: bool) -> "Iterator[list[str]]":
    """spaced: a space after a delimiter belongs to it."""
    lines = io.StringIO(text, newline="")
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=spaced, strict=True)


def _records(path: Path, text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """The first line of each record that is not empty, and its cells."""
    head = text.lstrip().split("\n", 1)[0]
    reader = _reader(text, delimiter, spaced=f"{delimiter} " in head and f"{delimiter}  " not in head)
    records, line = [], 1
    limit = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        for cells in reader:
            if any(cells):
                records.append((line, cells))
            line = reader.line_num + 1  # type: ignore[attr-defined]
    except csv.Error as error:
        raise DataError(
            f"{path}:{line}: its quotes are not those of CSV ({error}); close every quote, and write a quote within "
            'quotes twice: "say ""yes"""'
        ) from None
    finally:
        csv.field_size_limit(limit)
    return records


def _names(where: str, header: Sequence[str]) -> list[str]:
    """The columns' names, as they are known. Raises DataError where the first line names none."""
    names = [KNOWN.get(name.strip().lower(), name.strip()) for name in header]
    named = [name for name in names if name]
    twice = next((name for name in named if named.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{where}: names the column {twice!r} twice; rename one of them")
    if not set(named) & set(COLUMNS):
        found = ", ".join(repr(name[:40]) for name in named[:8]) or "none"
        raise DataError(
            f"{where}: names no column that is read (its fields are {found}); write the columns' names in the first "
            f"line: {READ}"
        )
    return names


def _row(where: str, cells: dict[str, str]) -> dict[str, object]:
    """A record as JSON would give it. Cells without a column's name are left out."""
    row = {name: _value(where, name, cell) for name, cell in cells.items() if name}
    letters = list(takewhile(row.get, string.ascii_uppercase))
    if len(letters) > 1 and row.get("choices") is None:
        row["choices"] = [row[letter] for letter in letters]
    return row


def _value(where: str, name: str, cell: str) -> object:
    if not cell.strip():
        return None
    if name in NESTED and cell.lstrip()[0] in "[{":
        return parse(cell, f"{where}: {name}", 'give it as JSON, such as ["yes", "no"]')
    return Number(cell) if NUMBER.fullmatch(cell) else cell
