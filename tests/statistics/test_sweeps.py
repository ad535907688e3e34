"""Curves of a sweep: monotonicity as scipy has it, crossings where they were put, spill-over as a paired difference."""

import numpy as np
import pytest
from scipy import stats

from swarm.statistics.intervals import mean_interval, paired_bootstrap, t_interval
from swarm.statistics.sweeps import Row, crossings, monotonicity, swept

X = [-1.0, -0.5, 0.0, 0.5, 1.0]


def share(p: float, n: int = 100) -> list[float]:
    """Scores whose mean is p."""
    return [float(i < round(p * n)) for i in range(n)]


def rows() -> list[Row]:
    """`low` falls from 80 to 20 %, `high` rises from 10 to 90 %: they cross at -0.125 + ..., between two points."""
    made = []
    for x in X:
        examples = {"low": share(0.5 - 0.3 * x), "high": share(0.5 + 0.4 * x + 0.04)}
        margins = {"high": [x, x + 1.0, x - 0.5]}
        made.append(Row(f"e={x:g}", {"e": x, "f": 0.0}, examples, margins))
    return [*made, Row("f=1", {"e": 0.0, "f": 1.0}, {"low": share(0.3), "high": share(0.54)})]


def test_curves_have_the_intervals_of_the_statistics() -> None:
    found = swept(rows(), ["e", "f"], [("low", "high")])
    curve = next(c for c in found.curves if (c.expert, c.objective) == ("e", "high"))
    assert [point.coefficient for point in curve.points] == X
    assert curve.points[1].score == mean_interval(share(0.34))
    assert curve.points[1].margin == t_interval([-0.5, 0.5, -1.0])
    assert curve.monotonicity == pytest.approx(1.0)
    falling = next(c for c in found.curves if (c.expert, c.objective) == ("e", "low"))
    assert (falling.monotonicity, falling.points[0].margin) == (pytest.approx(-1.0), None)


def test_spill_over_is_the_paired_difference_from_the_base_to_the_expert() -> None:
    found = swept(rows(), ["e", "f"], [])
    assert found.spillover["e"]["low"] == paired_bootstrap(share(0.2), share(0.5))
    assert found.spillover["f"]["low"].difference == pytest.approx(-0.2)
    assert found.spillover["f"]["high"].difference == 0.0


def test_a_crossing_lies_on_the_straight_lines_and_within_its_interval() -> None:
    (found,) = swept(rows(), ["e"], [("low", "high")]).crossings
    assert (found.below, found.above) == ("low", "high")
    assert found.at == pytest.approx(-0.04 / 0.7, abs=1e-6)
    assert found.low is not None
    assert found.high is not None
    assert -0.5 < found.low < found.at < found.high < 0.5


@pytest.mark.parametrize(
    ("d", "expected"),
    [
        ([-1, 1, 1, 1, 1], [-0.75]),
        ([-1, 0, 0, 0, 1], [0.0]),  # equal for long: its middle
        ([-1, 1, -1, -1, 3], [-0.75, -0.25, 0.625]),
        ([0, 0, 1, 0, 1], []),  # touched, not crossed
        ([0, 0, 0, 0, 0], []),
    ],
)
def test_crossings(d: list[float], expected: list[float]) -> None:
    assert crossings(np.array(X), np.array(d, dtype=float)).tolist() == pytest.approx(expected)


def test_monotonicity_is_spearmans() -> None:
    y = [3.0, 1.0, 2.0, 5.0, 4.0]
    assert monotonicity(X, y) == stats.spearmanr(X, y).statistic
    assert monotonicity(X, [1.0] * 5) is None
    assert monotonicity([0.0], [1.0]) is None


def test_t_interval_is_scipys() -> None:
    values = np.random.default_rng(0).normal(size=40)
    test = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    found = t_interval(values)
    assert (found.low, found.high) == (pytest.approx(test.low), pytest.approx(test.high))
    assert t_interval([2.0, 2.0]) == t_interval([2.0]).__class__(2.0, 2.0, 2.0, 2)
