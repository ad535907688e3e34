"""The search for targets on a landscape that is known: all targets are found, from the bounds' corners, repeatably."""

import numpy as np
import pytest

from swarm.core.candidates import Candidate, Evaluation
from swarm.core.space import Baseline, Space
from swarm.optimizers import OPTIMIZERS
from swarm.run.target_search import TARGETS_A_ROUND, TargetSearch
from swarm.statistics.targets import Domains

LEVELS = ("avoidance", "generic", "expert")
DOMAINS = Domains({name: {level: f"{name}-{level}" for level in LEVELS} for name in ("x", "y")})
SPACE = Space(
    ("x", "y"),
    np.full(2, -1.0),
    np.full(2, 1.0),
    Baseline.base(np.zeros(2)),
    (Baseline.expert("x", np.array([1.0, 0.0])), Baseline.expert("y", np.array([0.0, 1.0]))),
    (),
)


def evaluated(candidate: Candidate) -> Evaluation:
    """Each coordinate moves its own domain through the three levels, and the other one a little."""
    scores = {}
    for name, at in zip(("x", "y"), np.array([[1.0, 0.2], [-0.2, 1.0]]) @ np.array(candidate.position), strict=True):
        heights = np.exp(-np.square((at - np.array([-0.8, 0.0, 0.8])) / 0.4))
        scores |= dict(zip([f"{name}-{level}" for level in LEVELS], heights / heights.sum(), strict=True))
    return Evaluation(candidate, "ok", scores={name: float(value) for name, value in scores.items()})


def searched(kind: str, evaluations: int, seed: int = 0) -> list[list[Evaluation]]:
    optimizer = OPTIMIZERS[kind].model_validate({"type": kind, "particles": 10, "evaluations": evaluations})
    search = TargetSearch(optimizer, SPACE, DOMAINS, seed)
    rounds: list[list[Evaluation]] = []
    while sum(map(len, rounds)) < evaluations:
        rounds.append([evaluated(candidate) for candidate in search.next_candidates(rounds)])
    return rounds


@pytest.mark.parametrize("kind", ["guided_pso", pytest.param("bayesian", marks=pytest.mark.slow)])
def test_nearly_every_target_is_hit(kind: str) -> None:
    rounds = searched(kind, 50)
    best = [max(DOMAINS.lead(t, e.scores) for one in rounds for e in one) for t in DOMAINS.targets()]
    assert sum(lead > 0.3 for lead in best) >= 8, best


def test_it_is_the_same_again_and_begins_all_over_the_bounds() -> None:
    first, again = searched("guided_pso", 24), searched("guided_pso", 24)
    assert [e.candidate for one in first for e in one] == [e.candidate for one in again for e in one]
    assert [e.candidate.position for e in first[0][:3]] == [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]
    assert len(first[0]) == 6  # a quarter of the budget
    assert all(-1 <= c <= 1 for one in first for e in one for c in e.candidate.position)
    assert {e.candidate.id for e in first[1]} == {f"1-{j}" for j in range(len(first[1]))}
    assert 1 <= len(first[1]) <= 2 * TARGETS_A_ROUND  # two for each, those that coincide once
    assert [e.candidate for e in searched("guided_pso", 6, seed=1)[0]] != [e.candidate for e in first[0]]
