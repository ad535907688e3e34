"""Selection where several things count: members, domination with significance, floors by lower bounds, the rule."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from support.optimizer_runs import space
from support.runs import START
from swarm.core.candidates import Candidate, Evaluation
from swarm.core.errors import RunError
from swarm.core.examples import Split
from swarm.core.floors import Floor
from swarm.journal.archive import Archive
from swarm.preferences import Rule
from swarm.preferences.cvar import CVaR
from swarm.preferences.goals import Goals
from swarm.preferences.linear import WeightedSum
from swarm.preferences.worst_off import Egalitarian
from swarm.search.baselines import Baselines
from swarm.search.front_selection import FrontSelection

SPACE = space(3)
BASELINES = Baselines.of(SPACE)
N = 200
WEIGHTS = {"kind": 1.0, "right": 1.0}
A, B, C = (Candidate(f"1-{i}", (0.2 + i / 8, 0.7 - i / 8, 0.3), 1, i) for i in range(3))


def right(count: int, of: int = N) -> list[float]:
    """So many right ones among the examples, the first ones."""
    return [1.0] * count + [0.0] * (of - count)


def scattered(count: int, seed: int, of: int = N) -> list[float]:
    return [float(x) for x in np.random.default_rng(seed).permutation(right(count, of))]


class Contest:
    """A journal in which the baselines and some candidates are scored on both splits."""

    def __init__(self, folder: Path) -> None:
        self.archive = Archive(folder / "journal.jsonl")
        self.archive.append(START)

    def tell(self, candidate: Candidate, split: Split, kind_scores: Sequence[float], right_: Sequence[float]) -> None:
        kind = "select" if split == "select" or candidate.iteration is None else "evaluation"
        examples = {"kind": tuple(kind_scores), "right": tuple(right_)}
        means = {name: float(np.mean(scores)) for name, scores in examples.items()}
        self.archive.append_evaluation(kind, Evaluation(candidate, "ok", means, examples), split)

    def both(self, candidate: Candidate, kind: int, right_: int) -> None:
        for split in ("search", "select"):
            self.tell(candidate, split, scattered(kind, 1), scattered(right_, 2))

    def baselines(self, kind: int = 40, right_: int = 160) -> None:
        for candidate in BASELINES.all():
            self.both(candidate, kind, right_)

    def selection(self, rule: Rule | None = None, front: bool = True, **settings: object) -> FrontSelection:
        floors = settings.pop("floors", {})
        goals = Goals(WEIGHTS, tuple(WEIGHTS) if front else (), floors)  # type: ignore[arg-type]
        return FrontSelection(
            self.archive, WEIGHTS, BASELINES, space=SPACE, goals=goals, rule=rule or WeightedSum(), **settings
        )  # type: ignore[arg-type]


@pytest.fixture
def contest(tmp_path: Path) -> Contest:
    contest = Contest(tmp_path)
    contest.baselines()
    return contest


def test_members_are_the_front_not_the_highest_sums(contest: Contest) -> None:
    """A and C are ends of a front whose middle, B, lies below the line between them; D is worse than B in both."""
    d = Candidate("2-0", (0.9, 0.9, 0.1), 2, 0)
    for candidate, kind, right_ in ((A, 180, 60), (B, 110, 120), (C, 60, 190), (d, 100, 60)):
        contest.both(candidate, kind, right_)
    ids = [candidate.id for candidate in contest.selection().finalists(3)]
    assert set(ids) == {A.id, B.id, C.id}


def test_the_rule_chooses(tmp_path: Path) -> None:
    contest = Contest(tmp_path)
    contest.baselines(kind=40, right_=40)
    for candidate, kind, right_ in ((A, 190, 60), (B, 120, 125), (C, 60, 180)):
        contest.both(candidate, kind, right_)
    finalists = [A, B, C]
    assert contest.selection(WeightedSum(weights={"kind": 1})).winner(finalists).id == A.id
    assert contest.selection(WeightedSum(weights={"right": 1})).winner(finalists).id == C.id
    assert contest.selection(Egalitarian()).winner(finalists).id == B.id


def test_who_is_dominated_with_significance_leaves(contest: Contest) -> None:
    """B beats A in both objectives by far on the select split; C is behind B by one example, which is chance."""
    contest.both(A, 100, 100)
    contest.both(B, 150, 150)
    contest.both(C, 149, 150)
    front = contest.selection().front([A, B, C])
    assert front is not None
    by = dict(zip((c.id for c in front.candidates), front.dominated(), strict=True))
    assert front.candidates[by[A.id]].id == B.id
    assert by[B.id] == by[C.id] == -1
    kept = {front.candidates[row].id for row in front.eligible()}
    assert A.id not in kept
    assert {B.id, C.id} <= kept


def test_a_floor_is_held_by_the_lower_bound(contest: Contest) -> None:
    """170 of 200 are 0.85: above a floor of 0.8 by the mean, but not for certain. 190 of 200 are."""
    contest.both(A, 180, 170)
    contest.both(B, 100, 190)
    selection = contest.selection(WeightedSum(weights={"kind": 1}), floors={"right": Floor(0.8)}, front=False)
    assert selection.winner([A, B]).id == B.id
    free = contest.selection(WeightedSum(weights={"kind": 1}), floors={"right": Floor(0.5)}, front=False)
    assert free.winner([A, B]).id == A.id


def test_a_floor_from_the_base_compares_the_same_examples(contest: Contest) -> None:
    """The base has 160 of 200 right. A has the same ones less 2: within 0.05. B lost 16 of them: not for certain."""
    base = scattered(160, 2)
    for candidate, lost, kind in ((A, 2, 100), (B, 16, 180)):
        scores, missing = list(base), lost
        for place, score in enumerate(base):
            if score and missing:
                scores[place], missing = 0.0, missing - 1
        for split in ("search", "select"):
            contest.tell(candidate, split, scattered(kind, 1), scores)
    floors = {"right": Floor(-0.05, from_base=True)}
    selection = contest.selection(WeightedSum(weights={"kind": 1}), floors=floors, front=False)
    assert selection.winner([A, B]).id == A.id
    front = selection.front([A, B])
    assert front is not None
    kept = {c.id for c, kept in zip(front.candidates, front.keeps_floors(), strict=True) if kept}
    assert "base" in kept, "the base is not below itself"
    assert B.id not in kept


def test_nobody_keeps_the_floor(contest: Contest) -> None:
    contest.both(A, 180, 170)
    contest.both(B, 100, 175)
    floors = {"right": Floor(0.97)}
    with pytest.raises(RunError, match=r"no candidate keeps the floors.*1-1.*selection\.floors=nearest"):
        contest.selection(floors=floors).winner([A, B])
    assert contest.selection(floors=floors, nearest=True).winner([A, B]).id == B.id


def test_cautious_choice_prefers_the_surer_score(tmp_path: Path) -> None:
    """Two members with the same mean utility on graded scores: one varies much, the other hardly."""
    contest = Contest(tmp_path)
    contest.baselines(kind=10, right_=10)
    rng = np.random.default_rng(0)
    wild = np.clip(rng.choice([0.0, 1.0], N), 0.0001, 0.9999)
    for candidate, kind in ((A, wild), (B, np.full(N, wild.mean() - 0.005) + rng.normal(0, 0.01, N))):
        for split in ("search", "select"):
            contest.tell(candidate, split, list(kind), scattered(100, 2))
    rule = WeightedSum(weights={"kind": 1})
    assert contest.selection(rule).winner([A, B]).id == A.id
    assert contest.selection(rule, cautious=True).winner([A, B]).id == B.id


def test_groups_are_what_their_examples_say(contest: Contest) -> None:
    """The first half of the examples is of group x: A is right there alone, B everywhere in three of four."""
    half = right(100)
    for split in ("search", "select"):
        contest.tell(A, split, half, half)
        contest.tell(B, split, scattered(150, 3), scattered(150, 3))
    labels = {name: ["x"] * 100 + ["y"] * 100 for name in WEIGHTS}
    selection = contest.selection(CVaR(alpha=0.5), labels=labels)
    front = selection.front([A, B])
    assert front is not None
    groups, rows = front.members().groups, {c.id: row for row, c in enumerate(front.candidates)}
    assert [groups[label][rows[A.id]] for label in "xy"] == [1.0, 0.0]
    assert selection.winner([A, B]).id == B.id


def test_the_prediction_is_less_than_what_was_seen(contest: Contest) -> None:
    """Twelve candidates of equal worth: the luckiest is chosen, and predicted to be worse than it looked."""
    crowd = [Candidate(f"3-{i}", (0.1 + i / 20, 0.5, 0.4), 3, i) for i in range(12)]
    for i, candidate in enumerate(crowd):
        contest.tell(candidate, "search", scattered(120, 50 + i), scattered(120, 70 + i))
        rng = np.random.default_rng(i)
        contest.tell(candidate, "select", list(rng.binomial(1, 0.6, N) * 1.0), list(rng.binomial(1, 0.6, N) * 1.0))
    selection = contest.selection()
    winner = selection.winner(crowd)
    seen = contest.archive.of(winner.id, "select")
    assert seen is not None
    predicted = selection.predicted(crowd, winner)
    assert sum(score.mean for score in predicted.values()) < sum(seen.scores.values()) - 0.01


def test_the_order_of_the_journal_changes_nothing(tmp_path: Path) -> None:
    winners = []
    for order in (1, -1):
        folder = tmp_path / str(order)
        folder.mkdir()
        contest = Contest(folder)
        contest.baselines()
        for candidate, kind, right_ in ((A, 150, 100), (B, 125, 125), (C, 100, 150))[::order]:
            contest.both(candidate, kind, right_)
        selection = contest.selection(Egalitarian())
        winners.append((selection.winner(selection.finalists(3)).id, [c.id for c in selection.members()]))
    assert winners[0] == winners[1]
