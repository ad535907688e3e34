"""Floors as the config gives them: numbers, and texts that count from the base."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.core.floors import Floor


@pytest.mark.parametrize(
    ("given", "floor"),
    [
        (0.9, Floor(0.9)),
        (0, Floor(0.0)),
        ("0.9", Floor(0.9)),
        ("-1.5", Floor(-1.5)),
        ("base", Floor(0.0, from_base=True)),
        ("base - 0.02", Floor(-0.02, from_base=True)),
        (" base+.5 ", Floor(0.5, from_base=True)),
        ("base -3", Floor(-3.0, from_base=True)),
    ],
)
def test_what_is_read(given: float | str, floor: Floor) -> None:
    assert Floor.read(given) == floor


@pytest.mark.parametrize(
    "given", ["", "high", "base 0.02", "base - -1", "base * 2", "nan", "inf", float("nan"), "base-"]
)
def test_what_is_refused(given: float | str) -> None:
    with pytest.raises(ValueError, match=r'such as 0.9.*"base - 0.02"'):
        Floor.read(given)


@given(st.decimals(-1000, 1000, places=3), st.booleans())
def test_its_text_is_read_back(value: object, from_base: bool) -> None:
    floor = Floor(float(str(value)), from_base)
    assert Floor.read(str(floor)).from_base == from_base
    assert Floor.read(str(floor)).value == pytest.approx(floor.value, rel=1e-5)


def test_a_ceiling_is_the_floor_of_negated_scores() -> None:
    assert Floor.read(0.1).negated == Floor(-0.1)
    assert Floor.read("base + 0.1").negated == Floor(-0.1, from_base=True)
