"""The pooled rule: who is best by the examples of both splits together."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from support.optimizer_runs import grouped_space, space
from support.runs import START
from swarm.core.candidates import Candidate, Evaluation
from swarm.core.examples import Split
from swarm.journal.archive import Archive
from swarm.journal.records import EvaluationRecord, KnownRecord
from swarm.search.baselines import Baselines
from swarm.search.selection import Selection

BASELINES = Baselines.of(space(3))
FINALISTS = [Candidate(f"0-{i}", (0.31 + i / 8, 0.2, 0.3), 0, i) for i in range(3)]
LOW = [0.0] * 10
Examples = Mapping[str, Sequence[float]]


class Contest:
    """A journal in which three finalists and the baselines are scored on both splits."""

    def __init__(self, folder: Path, weights: Mapping[str, float]) -> None:
        self.archive = Archive(folder / "journal.jsonl")
        self.archive.append(START)
        self.weights = weights

    def tell(self, candidate: Candidate, split: Split, examples: Examples | None, **soft: float) -> None:
        kind = "select" if split == "select" or candidate.iteration is None else "evaluation"
        means = {name: float(np.mean(scores)) for name, scores in (examples or {}).items()}
        each = {name: tuple(scores) for name, scores in (examples or {}).items()}
        status = "failed" if examples is None else "ok"
        self.archive.append_evaluation(kind, Evaluation(candidate, status, means, each, soft=soft), split)

    def know(self, candidate: Candidate, count: int) -> None:
        """The run that this one continues had scored it on both splits."""
        examples = right(count, 10)
        for kind, split in (("evaluation", "search"), ("select", "select")):
            scored = Evaluation(candidate, "ok", {"x": count / 10}, {"x": tuple(examples["x"])})
            self.archive.append(KnownRecord.of(EvaluationRecord.of(kind, scored, split), f"first/{candidate.id}"))

    def baselines(self, examples: Examples, **soft: float) -> None:
        for candidate in BASELINES.all():
            for split in ("search", "select"):
                self.tell(candidate, split, examples, **soft)

    def selection(self, pooled: bool = True, baselines: Baselines = BASELINES) -> Selection:
        return Selection(self.archive, self.weights, baselines, pooled=pooled)

    def winner(self, pooled: bool = True) -> str:
        return self.selection(pooled).winner(FINALISTS).id


@pytest.fixture
def contest(tmp_path: Path) -> Contest:
    return Contest(tmp_path, {"x": 1.0})


def right(count: int, of: int) -> dict[str, list[float]]:
    return {"x": [1.0] * count + [0.0] * (of - count)}


def test_all_examples_count_the_same_whatever_split_they_are_of(contest: Contest) -> None:
    """The luckiest of ten select examples has 7 of them and 20 of 40; another 6 and 25: 31 of 50 are more than 27."""
    contest.baselines(right(0, 10))
    for candidate, searched, selected in zip(FINALISTS, (20, 25, 24), (7, 6, 6), strict=True):
        contest.tell(candidate, "search", right(searched, 40))
        contest.tell(candidate, "select", right(selected, 10))
    assert contest.winner(pooled=False) == "0-0"
    assert contest.winner() == "0-1"


def test_a_baseline_may_win_and_a_failed_candidate_never_does(contest: Contest) -> None:
    contest.baselines(right(8, 10))
    for candidate, searched in zip(FINALISTS, (10, 8, 8), strict=True):
        contest.tell(candidate, "search", right(searched, 10))
    contest.tell(FINALISTS[0], "select", None)
    contest.tell(FINALISTS[1], "select", right(7, 10))
    contest.tell(FINALISTS[2], "select", right(7, 10))
    assert contest.winner() == "base"


def test_a_finalist_that_failed_changes_no_prediction(contest: Contest) -> None:
    contest.baselines(right(1, 10))
    for candidate, count in zip(FINALISTS, (9, 8, 7), strict=True):
        contest.tell(candidate, "search", right(count, 10))
    contest.tell(FINALISTS[0], "select", right(6, 10))
    contest.tell(FINALISTS[1], "select", {"x": [0.0] * 5 + [1.0] * 5})
    contest.tell(FINALISTS[2], "select", None)
    selection = contest.selection()
    found = selection.predicted(FINALISTS, FINALISTS[0])
    assert found == selection.predicted(FINALISTS[:2], FINALISTS[0])
    assert found["x"].mean < 0.6


def test_smoothed_scores_decide_where_all_have_them(contest: Contest) -> None:
    contest.baselines(right(1, 10), x=0.1)
    for candidate, count, soft in zip(FINALISTS, (6, 5, 5), (0.51, 0.55, 0.52), strict=True):
        contest.tell(candidate, "search", right(count, 10), x=soft)
        contest.tell(candidate, "select", right(count, 10), x=soft)
    assert contest.winner() == "0-1"
    assert contest.winner(pooled=False) == "0-0", "scores alone"


def test_smoothed_scores_are_not_mixed_with_others(contest: Contest) -> None:
    """A select line of a journal of an earlier version has none."""
    contest.baselines(right(1, 10), x=0.1)
    for candidate, count, soft in zip(FINALISTS, (6, 5, 5), (0.51, 0.55, 0.52), strict=True):
        contest.tell(candidate, "search", right(count, 10), x=soft)
        contest.tell(candidate, "select", right(count, 10), **({"x": soft} if candidate.id != "0-2" else {}))
    assert contest.winner() == "0-0"


def test_prior_finalists_are_finalists_and_prior_baselines_stay_baselines(contest: Contest) -> None:
    """A search begins at the single experts, and scores them on the select split as baselines."""
    contest.know(Candidate("5-1", (0.9, 0.8, 0.7)), 5)
    for baseline in BASELINES.all():
        contest.know(baseline, 1)
    for candidate in FINALISTS:
        contest.tell(candidate, "search", right(6, 10))
    assert [each.id for each in contest.selection().finalists(2)] == ["0-0", "0-1", "first/5-1"]


def test_without_a_search_score_smoothed_scores_are_compared_with_smoothed_ones(contest: Contest) -> None:
    """A baseline that failed on search alone."""
    contest.baselines(right(1, 10), x=0.1)
    for candidate in FINALISTS:
        for split in ("search", "select"):
            contest.tell(candidate, split, right(5, 10), x=0.4)
    failed = Candidate("expert:odd", (1.0, 0.5, 0.0))
    contest.tell(failed, "search", None)
    contest.tell(failed, "select", right(5, 10), x=0.39)
    assert contest.selection().winner([*FINALISTS, failed]).id == "0-0"


def test_several_objectives_are_pooled_by_their_weights(tmp_path: Path) -> None:
    """40 search and 10 select examples of each: the utility on search counts four times as much."""
    contest = Contest(tmp_path, {"x": 3.0, "y": 1.0})
    contest.baselines({"x": LOW, "y": LOW})
    for candidate, (x, y), (fresh_x, fresh_y) in zip(
        FINALISTS, ((20, 20), (24, 20), (20, 28)), ((8, 5), (6, 4), (6, 4)), strict=True
    ):
        contest.tell(candidate, "search", right(x, 40) | {"y": right(y, 40)["x"]})
        contest.tell(candidate, "select", right(fresh_x, 10) | {"y": right(fresh_y, 10)["x"]})
    assert contest.winner(pooled=False) == "0-0"
    assert contest.winner() == "0-1"
    found = contest.selection().predicted(FINALISTS, FINALISTS[1])
    assert set(found) == {"x", "y"}
    assert found["x"].mean == pytest.approx(0.6, abs=0.01)


def test_luck_on_few_fresh_examples_costs_less_than_by_them_alone(tmp_path: Path) -> None:
    """Three finalists of which the search overrates all alike, 40 contests: 200 search and 50 select examples."""
    lost = {True: 0.0, False: 0.0}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        (tmp_path / str(seed)).mkdir()
        contest = Contest(tmp_path / str(seed), {"x": 1.0})
        contest.baselines({"x": LOW})
        skill_K = 0.6 + rng.normal(0.0, 0.03, 3)
        for candidate, skill in zip(FINALISTS, skill_K, strict=True):
            contest.tell(candidate, "search", {"x": (rng.random(200) < skill + 0.02).astype(float).tolist()})
            contest.tell(candidate, "select", {"x": (rng.random(50) < skill).astype(float).tolist()})
        for pooled in lost:
            lost[pooled] += skill_K.max() - skill_K[int(contest.winner(pooled)[-1])]
    assert lost[True] < 2 / 3 * lost[False]


def test_with_groups_some_finalists_differ_less_and_the_select_split_alone_decides(contest: Contest) -> None:
    """Of an expert's two groups: apart by 0.8, 0.7, 0.6, 0.4, 0.1 and 0; the search split likes them apart."""
    baselines = Baselines.of(grouped_space(2, 2))
    apart = [
        Candidate(f"0-{i}", (0.5 + off / 2, 0.5 - off / 2, 0.3, 0.3), 0, i)
        for i, off in enumerate((0.8, 0.7, 0.6, 0.4, 0.1, 0.0))
    ]
    for i, candidate in enumerate(apart):
        contest.tell(candidate, "search", right(10 - i, 10))
        contest.tell(candidate, "select", right(9 if candidate.id == "0-4" else 8 if candidate.id == "0-0" else 5, 10))
    for candidate in baselines.all():
        for split in ("search", "select"):
            contest.tell(candidate, split, right(0, 10))
    selection = contest.selection(baselines=baselines)
    assert [each.id for each in selection.finalists(1)] == ["0-0"]
    assert [each.id for each in selection.finalists(2)] == ["0-0", "0-3"]
    assert [each.id for each in selection.finalists(5)] == ["0-0", "0-3", "0-4", "0-1", "0-2"]
    assert [each.id for each in selection.finalists(99)][:4] == ["0-0", "0-3", "0-4", "0-2"]
    assert selection.winner(apart).id == "0-4", "by both splits it would be 0-0"
    assert selection.predicted(apart, apart[4])["x"].mean <= 0.9
