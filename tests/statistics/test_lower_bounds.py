"""Lower confidence bounds of means: against scipy, by coverage, and at their edges."""

import numpy as np
import pytest
from scipy import stats

from swarm.statistics.lower_bounds import lower_bound, paired_lower_bound


@pytest.mark.parametrize(("right", "n"), [(0, 10), (10, 10), (7, 10), (180, 200)])
def test_right_and_wrong_have_the_exact_bound(right: int, n: int) -> None:
    """scipy's one-sided Clopper-Pearson interval is the oracle."""
    exact = stats.binomtest(right, n, alternative="greater").proportion_ci(0.96, method="exact").low
    assert lower_bound([1.0] * right + [0.0] * (n - right), 0.96) == pytest.approx(exact)


def test_other_scores_have_students_bound() -> None:
    x = np.random.default_rng(0).normal(3, 2, 50)
    half = stats.ttest_1samp(x, 0, alternative="greater").confidence_interval(0.95).low
    assert lower_bound(list(x), 0.95) == pytest.approx(half)


def test_graded_pairs_have_that_of_their_differences() -> None:
    rng = np.random.default_rng(1)
    ours, theirs = rng.normal(0.8, 0.3, 300), rng.normal(0.7, 0.3, 300)
    oracle = stats.ttest_rel(ours, theirs, alternative="greater").confidence_interval(0.95).low
    assert paired_lower_bound(list(ours), list(theirs), 0.95) == pytest.approx(oracle)


def test_edges() -> None:
    assert lower_bound([0.5], 0.95) == -np.inf
    assert lower_bound([0.5] * 20, 0.95, -np.inf) == 0.5
    assert lower_bound([0.5] * 20, 0.95) == pytest.approx(0.5 * 0.05 ** (1 / 20))
    assert lower_bound([3.0] * 20, 0.95, 1.0) == pytest.approx(1 + 2 * 0.05 ** (1 / 20))
    assert paired_lower_bound([0.3, 0.7], [0.3, 0.7], 0.95) == 0.0
    assert lower_bound([-0.0] * 200, 0.96, -1.0) == pytest.approx(0.04 ** (1 / 200) - 1), "no wrong one is not none"


@pytest.mark.parametrize("won", [0, 200])
def test_pairs_that_agree_throughout_are_not_certain(won: int) -> None:
    """Tango's bound in closed form: -z^2 / (n + z^2) where no pair differs, (n - z^2) / (n + z^2) where all are won."""
    squared = float(stats.norm.ppf(0.96)) ** 2
    ours, theirs = [1.0] * 200, [0.0 if i < won else 1.0 for i in range(200)]
    assert paired_lower_bound(ours, theirs, 0.96) == pytest.approx((won - squared) / (200 + squared), abs=1e-5)


@pytest.mark.parametrize(("wins", "losses"), [(0.0, 0.01), (0.0, 0.02), (0.01, 0.03), (0.1, 0.12), (0.02, 0.2)])
def test_paired_bounds_are_rarely_above_the_truth(wins: float, losses: float) -> None:
    """With few pairs that differ, too, where Student's bound is too high: at most 4 % of 1,000 and three errors."""
    rng = np.random.default_rng(3)
    above = 0
    for won, lost, _ in rng.multinomial(200, [wins, losses, 1 - wins - losses], size=1000):
        ours = [1.0] * won + [0.0] * (200 - won)
        theirs = [0.0] * won + [1.0] * lost + [0.0] * (200 - won - lost)
        above += paired_lower_bound(ours, theirs, 0.96) > wins - losses
    assert above / 1000 <= 0.04 + 3 * np.sqrt(0.04 * 0.96 / 1000)


@pytest.mark.parametrize("p", [0.05, 0.5, 0.9, 0.98])
def test_the_bound_is_rarely_above_the_truth(p: float) -> None:
    """Of 2,000 samples at most 5 % and what 2,000 draws leave to chance (three standard errors)."""
    rng = np.random.default_rng(2)
    above = np.mean([lower_bound(list(rng.binomial(1, p, 60).astype(float)), 0.95) > p for _ in range(2000)])
    assert above <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)
