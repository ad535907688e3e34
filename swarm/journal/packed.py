"""Numbers of the journal in arrays: as Python floats in tuples they take up to thirty times the memory."""

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from swarm.core.space import Array

MINUS_ZERO = array("d", [-0.0]).tobytes()
TOP_BYTE = array("f", [1.0]).tobytes().index(0x3F)  # of a number in single precision: it tells 0, -0 and 1 apart
ONES = bytes.maketrans(b"\x3f", b"\x01")


Numbers: TypeAlias = "bytes | array[float]"  # bytes where each number is 0 or 1


class PackedScores(Mapping[str, tuple[float, ...]]):
    """Objective -> one number per example: a map of tuples, each made when it is asked for."""

    __slots__ = ("_arrays",)

    def __init__(self, values: Mapping[str, Iterable[float]]) -> None:
        """Raises ValueError where a value is no list of finite numbers, nor bytes of 0 and 1."""
        self._arrays = {name: _packed(name, numbers) for name, numbers in values.items()}

    @classmethod
    def of(cls, values: object) -> "PackedScores":
        """Raises ValueError where they are no map of lists of finite numbers."""
        if isinstance(values, PackedScores):
            return values
        if not isinstance(values, dict | Mapping):
            raise ValueError("should be a map from objective to a list of numbers")
        return cls(values) if values else NO_SCORES

    def __getitem__(self, name: str) -> tuple[float, ...]:
        numbers = self._arrays[name]
        return tuple(map(float, numbers)) if isinstance(numbers, bytes) else tuple(numbers)

    def __contains__(self, name: object) -> bool:
        return name in self._arrays

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        return repr(dict(self))

    @property
    def sizes(self) -> dict[str, int]:
        """Objective -> how many numbers."""
        return {name: len(numbers) for name, numbers in self._arrays.items()}

    def sum(self, name: str) -> float:
        """The exact sum, rounded once."""
        numbers = self._arrays[name]
        return float(numbers.count(1)) if isinstance(numbers, bytes) else math.fsum(numbers)

    def extremes(self, name: str) -> tuple[float, ...]:
        """The lowest and the highest number; empty where there are none."""
        numbers: Numbers = self._arrays.get(name, b"")
        if isinstance(numbers, bytes):
            return (float(0 not in numbers), float(1 in numbers)) if numbers else ()
        return (min(numbers), max(numbers)) if numbers else ()

    def array(self, name: str) -> Array:
        numbers = self._arrays[name]
        return np.array(np.frombuffer(numbers, np.uint8) if isinstance(numbers, bytes) else numbers, dtype=np.float64)

    @staticmethod
    def table(many: Sequence["PackedScores"], name: str) -> Array:
        """Those of several, of equal sizes, as the rows of one array."""
        rows = [each._arrays[name] for each in many]
        if all(isinstance(row, bytes) for row in rows):
            return np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1).astype(np.float64)
        return np.array([each.array(name) for each in many])


def pack(numbers: Any) -> bytes:
    """Numbers as the bytes of doubles. Raises ValueError where they are no list of finite numbers."""
    return numbers if isinstance(numbers, bytes) else _doubles(numbers).tobytes()


def unpack(packed: bytes) -> tuple[float, ...]:
    return tuple(memoryview(packed).cast("d"))


def unpack_rows(packed: Sequence[bytes]) -> Array:
    """Several lists of numbers, of equal lengths, as the rows of one array."""
    return np.frombuffer(b"".join(packed), np.float64).reshape(len(packed), -1)


def place(numbers: Iterable[float]) -> bytes:
    """The bytes that equal positions share: those of doubles without negative zeros."""
    return array("d", [number + 0.0 for number in numbers]).tobytes()


def place_of_packed(packed: bytes) -> bytes:
    """As `place`; where there is no negative zero, the very same bytes."""
    return place(unpack(packed)) if MINUS_ZERO in packed else packed


def _packed(name: str, numbers: Any) -> Numbers:
    """In the smallest of three forms that holds every number exactly. Raises ValueError."""
    if isinstance(numbers, bytes):
        return numbers
    if isinstance(numbers, list | tuple) and numbers.count(0.0) + numbers.count(1.0) == len(numbers):
        tops = array("f", numbers).tobytes()[TOP_BYTE::4]
        if b"\x80" not in tops:
            return tops.translate(ONES)
    try:
        double = _doubles(numbers)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    single = array("f", double)
    return single if single.tolist() == double.tolist() else double


def _doubles(numbers: Any) -> "array[float]":
    try:
        double = array("d", numbers)
    except (TypeError, OverflowError):
        raise ValueError("should be a list of finite numbers") from None
    if not _is_finite(double):
        raise ValueError("should be a list of finite numbers")
    return double


def _is_finite(numbers: "array[float]") -> bool:
    """Whether the numbers are finite, and small enough for their sum to be."""
    return math.isfinite(sum(numbers))


NO_SCORES = PackedScores({})
