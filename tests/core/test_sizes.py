"""Sizes and durations never read as nothing."""

import pytest

from swarm.core.sizes import duration_text, size_text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0.0 KiB"),
        (12_000, "11.7 KiB"),
        (2**20 * 3.21, "3.2 MiB"),
        (2**30 * 0.35, "358.4 MiB"),
        (2**30 * 1234.5, "1,234.50 GiB"),
    ],
)
def test_a_size_has_the_unit_that_suits_it(size: float, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "under 1 s"), (0.99, "under 1 s"), (12.3, "12 s"), (99, "99 s"), (150, "2 min"), (3 * 3600, "3.0 h")],
)
def test_a_duration_has_the_unit_that_suits_it(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text
