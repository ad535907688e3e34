"""Who wins a search, and what the summary says of it: counts by hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.optimizer_runs import space
from support.runs import START
from swarm.core.candidates import Candidate, Evaluation
from swarm.core.errors import RunError
from swarm.core.examples import Split
from swarm.core.outcomes import Failure
from swarm.core.recipes import Group, Recipe, WeightRecipe
from swarm.journal.archive import Archive
from swarm.journal.records import EndRecord
from swarm.run.summarise import Result, summarise
from swarm.search.baselines import Baselines
from swarm.search.selection import Selection

EXPERTS = ("a", "b", "c")


BASELINES = Baselines.of(space(3, names=EXPERTS))


ALL = Recipe(WeightRecipe("delta", (Group("all", ("*",)),), {"a": (0.1,), "b": (0.2,), "c": (0.3,)}))


Scores = Sequence[float] | Mapping[str, Sequence[float]]


class Story:
    """A journal written by hand: who scored what on which split."""

    def __init__(self, folder: Path, weights: Mapping[str, float]) -> None:
        self.archive = Archive(folder / "journal.jsonl")
        self.archive.append(START)
        self.selection = Selection(self.archive, weights, BASELINES)

    def tell(self, candidate: Candidate, split: Split, scores: Scores | None) -> None:
        """`scores` of one objective called "x", or by objective, or None where it failed."""
        kind = "evaluation" if candidate.iteration is not None and split == "search" else "select"
        examples = scores if isinstance(scores, Mapping) else {"x": scores or ()}
        if scores is None:
            evaluation = Evaluation(candidate, "failed", error="it broke", seconds=0.01)
        else:
            means = {name: float(np.mean(values)) for name, values in examples.items()}
            each = {name: tuple(values) for name, values in examples.items()}
            evaluation = Evaluation(candidate, "ok", means, each, {}, 10, 0.02, 0.003, 0.007)
        self.archive.append_evaluation("test" if split == "test" else kind, evaluation, split)  # type: ignore[arg-type]

    def baselines(self, split: Split, scores: Scores) -> None:
        for candidate in BASELINES.all():
            if self.archive.at(candidate.position, split) is None:
                self.tell(candidate, split, scores)

    def summary(self, winner: Candidate) -> dict[str, Any]:
        return summarise(Result(self.selection, winner, ALL)).content()


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path, {"x": 1.0})


def particle(i: int, x: float = 0.0, iteration: int = 0) -> Candidate:
    return Candidate(f"{iteration}-{i}", (x or 0.31 + i / 8, 0.2, 0.3), iteration, i)


def test_finalists_are_the_best_that_did_not_fail(story: Story) -> None:
    for i, scores in enumerate([[0.4], [0.9], None, [0.4], [0.6]]):
        story.tell(particle(i), "search", scores)
    assert [candidate.id for candidate in story.selection.finalists(3)] == ["0-1", "0-4", "0-0"]
    assert len(story.selection.finalists(99)) == 4


def test_a_search_in_which_all_failed_says_why(story: Story) -> None:
    story.tell(particle(0), "search", None)
    with pytest.raises(RunError, match="every candidate failed; the first said: it broke"):
        story.selection.finalists(3)


def test_the_uniform_baseline_has_the_scale_that_does_best_on_search(story: Story) -> None:
    uniforms = list(BASELINES.uniforms.values())
    for candidate, scores in zip(uniforms, ([0.3], [0.8], None), strict=True):
        story.tell(candidate, "search", scores)
    assert story.selection.uniform() == (round(uniforms[1].position[0], 6), uniforms[1])
    contenders = [candidate.id for candidate in story.selection.contenders()]
    assert contenders == ["base", "expert:a", "expert:b", "expert:c", uniforms[1].id]


@pytest.mark.parametrize(
    ("select", "search", "winner"),
    [
        ({"0-0": [0.5], "0-1": [0.7], "others": [0.1]}, {"0-0": [0.9], "0-1": [0.6]}, "0-1"),
        ({"0-0": [0.7], "0-1": [0.7], "others": [0.7]}, {"0-0": [0.6], "0-1": [0.9]}, "0-1"),
        ({"0-0": [0.7], "0-1": [0.7], "others": [0.7]}, {"0-0": [0.6], "0-1": [0.6]}, "0-0"),
        ({"0-0": None, "0-1": [0.05], "others": [0.01]}, {"0-0": [0.9], "0-1": [0.6]}, "0-1"),
        ({"0-0": [0.1], "0-1": [0.1], "others": [0.8]}, {"0-0": [0.9], "0-1": [0.6]}, "base"),
    ],
    ids=["best on select", "then best on search", "then the earlier", "never a failed one", "a baseline may win"],
)
def test_who_wins(story: Story, select: dict[str, Any], search: dict[str, Any], winner: str) -> None:
    finalists = [particle(0), particle(1)]
    for candidate in finalists:
        story.tell(candidate, "search", search[candidate.id])
        story.tell(candidate, "select", select[candidate.id])
    story.baselines("search", [0.05])
    story.baselines("select", select["others"])
    assert story.selection.winner(finalists).id == winner


def test_where_all_failed_on_select_nobody_wins(story: Story) -> None:
    finalists = [particle(0), *BASELINES.all()]
    for candidate in finalists:
        story.tell(candidate, "search", [0.5])
        story.tell(candidate, "select", None)
    with pytest.raises(RunError, match="every finalist failed on the select split: it broke"):
        story.selection.winner(finalists[:1])


def summary_of(story: Story, best: Scores, others: Scores) -> dict[str, Any]:
    """A whole run: two particles of which the first wins, one failed, one failed attempt."""
    winner = particle(0)
    story.tell(winner, "search", best)
    story.tell(particle(1), "search", None)
    story.archive.append_repeat("evaluation", Candidate("1-0", winner.position, 1, 0), "search")
    story.archive.append_failure(Failure(particle(2), 1, "died", "w"))
    story.tell(particle(2), "search", others)
    story.archive.append(EndRecord(phase="search", reason="iterations", workers=1))
    for split in ("search", "select", "test"):
        if split != "search":
            story.tell(winner, split, best)
        story.baselines(split, others)
    return story.summary(winner)


KEYS = {
    *("best", "baselines", "paired", "verdict", "predicted", "optimism", "emergence", "counts", "seconds", "versions"),
}


def test_the_summary_of_one_objective(story: Story) -> None:
    summary = summary_of(story, [1.0, 1.0, 1.0, 0.0], [1.0, 0.0, 0.0, 1.0])
    assert set(summary) == KEYS
    assert set(summary["best"]) == {"id", "source", "coefficients", "search", "select", "test"}
    assert (summary["best"]["id"], summary["best"]["source"]) == ("0-0", "search")
    assert summary["best"]["coefficients"] == {"a": 0.1, "b": 0.2, "c": 0.3}
    assert set(summary["best"]["test"]) == {"mean", "low", "high", "n"}
    assert summary["best"]["test"]["mean"] == 0.75
    assert list(summary["baselines"]) == ["base", "expert:a", "expert:b", "expert:c", "uniform"]
    assert summary["baselines"]["uniform"]["coefficient"] == pytest.approx(1 / 3, abs=1e-6)
    assert set(summary["paired"]) == set(summary["baselines"])
    assert set(summary["paired"]["base"]) == {"difference", "low", "high", "corrected"}
    assert set(summary["paired"]["base"]["corrected"]) == {"low", "high"}
    assert summary["paired"]["base"]["difference"] == 0.25
    assert set(summary["verdict"]) == {"found", "text"}
    assert summary["emergence"] == {"newly_right": 2, "newly_wrong": 1, "n": 4, "chance": 0.0}
    assert summary["optimism"] == 0.0


def test_the_summary_of_two_objectives(tmp_path: Path) -> None:
    story = Story(tmp_path, {"x": 1.0, "y": 3.0})
    summary = summary_of(story, {"x": [1.0, 0.0], "y": [0.2, 0.4, 0.6]}, {"x": [0.0, 0.0], "y": [0.2, 0.2, 0.2]})
    assert set(summary) == KEYS
    for scores in (summary["best"], *summary["baselines"].values()):
        assert all(set(scores[split]) == {"x", "y"} for split in ("search", "select", "test"))
    assert summary["best"]["test"]["y"]["mean"] == pytest.approx(0.4)
    assert summary["best"]["test"]["y"]["n"] == 3
    assert summary["paired"]["uniform"]["x"]["difference"] == 0.5
    assert summary["paired"]["uniform"]["y"]["difference"] == pytest.approx(0.2)
    assert set(summary["verdict"]) == {"x", "y"}
    assert not summary["verdict"]["y"]["found"], "three examples are too few"
    assert summary["emergence"]["n"] == 5


def test_counts_are_exact(story: Story) -> None:
    """Three of the search, of which one failed, seven baselines on three splits, the best on two: 4 examples each."""
    summary = summary_of(story, [1.0, 1.0, 1.0, 0.0], [1.0, 0.0, 0.0, 1.0])
    scored = 2 + 7 * 3 + 2
    assert summary["counts"] == {
        "evaluations": 3,
        "stopped": 0,
        "example_evaluations": 4 * scored,
        "tokens": 10 * scored,
        "failures": 2,
    }


@pytest.mark.parametrize("workers", [1, 8])
def test_seconds_add_up_to_the_total(story: Story, workers: int) -> None:
    """Also where earlier sessions had more workers than the last one, and so more seconds than the clock."""
    story.archive.append(EndRecord(phase="search", reason="iterations", workers=workers))
    for i in range(40):
        story.tell(particle(i), "search", [0.5])
    story.baselines("search", [0.5])
    seconds = story.summary(particle(0))["seconds"]
    assert set(seconds) == {"total", "compose", "forward", "idle", "other"}
    assert sum(value for name, value in seconds.items() if name != "total") == pytest.approx(seconds["total"])
    assert min(seconds.values()) >= -1e-9
    assert seconds["forward"] == pytest.approx(seconds["compose"] * 7 / 3)


def test_optimism_is_search_minus_test(story: Story) -> None:
    winner = particle(0)
    story.tell(winner, "search", [0.8, 0.9])
    story.tell(winner, "select", [0.7])
    story.tell(winner, "test", [0.6, 0.7])
    story.baselines("search", [0.1])
    assert story.summary(winner)["optimism"] == pytest.approx(0.2)


def test_what_failed_on_test_has_no_score(story: Story) -> None:
    winner = particle(0)
    story.tell(winner, "search", [0.8])
    story.baselines("search", [0.1])
    story.tell(winner, "test", [1.0])
    story.tell(BASELINES.base, "test", None)
    summary = story.summary(winner)
    assert summary["baselines"]["base"]["test"] is None
    assert summary["paired"]["base"] is None
    assert summary["emergence"] is None
    assert not summary["verdict"]["found"]


@pytest.mark.parametrize(("theirs", "found"), [(0.0, True), (1.0, False)])
def test_the_verdict_is_by_the_corrected_intervals_of_all_baselines(story: Story, theirs: float, found: bool) -> None:
    """Better than all, or than all but one."""
    story.tell(BASELINES.experts["expert:b"], "test", [theirs, 1.0] * 20)
    summary = summary_of(story, [1.0] * 40, [0.0, 1.0] * 20)
    assert summary["verdict"]["found"] is found
    assert found == all(one["corrected"]["low"] > 0 for one in summary["paired"].values())
    assert ("expert b" in summary["verdict"]["text"]) is not found


def test_a_baseline_that_wins_is_compared_with_itself_and_found_nothing(story: Story) -> None:
    for split in ("search", "select", "test"):
        story.tell(BASELINES.experts["expert:a"], split, [1.0] * 40)
        story.baselines(split, [0.0, 1.0] * 20)
    summary = story.summary(BASELINES.experts["expert:a"])
    assert summary["best"]["source"] == "expert:a"
    same = {"low": 0.0, "high": 0.0}
    assert summary["paired"]["expert:a"] == {"difference": 0.0, **same, "corrected": same}
    assert not summary["verdict"]["found"]
    assert "only baselines were scored, and of these expert a" in summary["verdict"]["text"]
    story.tell(particle(0), "search", [0.0] * 40)
    assert "the result is expert a" in story.summary(BASELINES.experts["expert:a"])["verdict"]["text"]


def test_grouped_coefficients_are_maps(story: Story) -> None:
    groups = (Group("mlp", ("*mlp*",)), Group("rest", ("*",)))
    grouped = Recipe(WeightRecipe("delta", groups, {"a": (0.1, 0.2), "b": (0.3, 0.4), "c": (0.0, 0.0)}))
    story.tell(particle(0), "search", [0.8])
    story.baselines("search", [0.1])
    best = summarise(Result(story.selection, particle(0), grouped)).best
    assert best.coefficients["b"] == {"mlp": 0.3, "rest": 0.4}
