"""Without margins the search split's scores are smoothed by a Gaussian process: what it says, and who wins by it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from support.optimizer_runs import grouped_space, space
from support.runs import START
from swarm.core.candidates import Candidate, Evaluation
from swarm.core.examples import Split
from swarm.journal.archive import Archive
from swarm.optimizers.gaussian_process import LENGTHS
from swarm.search.baselines import Baselines
from swarm.search.posterior_scores import NOISE, posterior_scores
from swarm.search.selection import Selection

SPACE = space(3)
BASELINES = Baselines.of(SPACE)
WEIGHTS = {"x": 1.0}
TOP = np.array([0.4, 0.3, 0.6])


def skill(x_ND: np.ndarray) -> np.ndarray:
    """The true score: highest at TOP."""
    return 0.7 - 0.3 * np.square(x_ND - TOP).sum(-1)


def evaluation(candidate: Candidate, means: Mapping[str, float], of: int = 200) -> Evaluation:
    examples = {name: tuple([1.0] * round(mean * of) + [0.0] * round((1 - mean) * of)) for name, mean in means.items()}
    return Evaluation(candidate, "ok", dict(means), examples)


def drawn(seed: int, count: int, of: int = 200, around: float = 0.3) -> list[Evaluation]:
    """Evaluations at positions around TOP, each on examples of its own."""
    rng = np.random.default_rng(seed)
    x_ND = TOP + rng.normal(0.0, around, (count, 3))
    return [
        evaluation(Candidate(f"{i}-0", tuple(map(float, x_D)), i, 0), {"x": rng.binomial(of, skill(x_D)) / of}, of)
        for i, x_D in enumerate(x_ND)
    ]


def positions(evaluations: Sequence[Evaluation]) -> list[tuple[float, ...]]:
    return [each.candidate.position for each in evaluations]


def posterior_mean(u_ND: np.ndarray, y_N: np.ndarray, length: float) -> tuple[float, np.ndarray]:
    """The log marginal likelihood and the posterior mean at the observations, by inverse and determinant."""
    r_NN = np.linalg.norm(u_ND[:, None] - u_ND, axis=-1) / length
    kernel_NN = (1 + np.sqrt(5) * r_NN + 5 / 3 * r_NN**2) * np.exp(-np.sqrt(5) * r_NN)
    covariance_NN = kernel_NN + NOISE * np.eye(len(y_N))
    inverse_NN, ones_N = np.linalg.inv(covariance_NN), np.ones(len(y_N))
    constant = ones_N @ inverse_NN @ y_N / (ones_N @ inverse_NN @ ones_N)
    rest_N = y_N - constant
    variance = rest_N @ inverse_NN @ rest_N / len(y_N)
    likelihood = -0.5 * len(y_N) * np.log(variance) - 0.5 * np.linalg.slogdet(covariance_NN)[1]
    return likelihood, constant + kernel_NN @ inverse_NN @ rest_N


class Contest:
    """A journal in which a search, the baselines and the first three candidates on the select split are scored."""

    def __init__(self, folder: Path, searched: Sequence[Evaluation], baseline: float = 0.1) -> None:
        folder.mkdir(exist_ok=True)
        self.archive = Archive(folder / "journal.jsonl")
        self.archive.append(START)
        for each in searched:
            self.archive.append_evaluation("evaluation", each)
        self.finalists = [each.candidate for each in searched[:3]]
        for candidate in BASELINES.all():
            for split in ("search", "select"):
                self.tell(evaluation(candidate, {"x": baseline}), split)

    def tell(self, scored: Evaluation, split: Split = "select") -> None:
        self.archive.append_evaluation("select", scored, split)

    def select(self, *means: float) -> None:
        for candidate, mean in zip(self.finalists, means, strict=False):
            self.tell(evaluation(candidate, {"x": mean}, of=50))

    def selection(self, smoothed: bool = True, baselines: Baselines = BASELINES) -> Selection:
        return Selection(self.archive, WEIGHTS, baselines, pooled=True, smoothed_in=SPACE if smoothed else None)

    def winner(self, smoothed: bool = True) -> str:
        return self.selection(smoothed).winner(self.finalists).id


def test_the_posterior_mean_agrees_with_an_independent_computation() -> None:
    evaluations = drawn(0, 30)
    u_ND, y_N = (np.array(positions(evaluations)) + 0.5) / 2.0, np.array([e.scores["x"] for e in evaluations])
    _, expected_N = max((posterior_mean(u_ND, y_N, length * 3**0.5) for length in LENGTHS), key=lambda pair: pair[0])
    found = posterior_scores(SPACE, evaluations, WEIGHTS, positions(evaluations))
    assert found is not None
    assert [each["x"] for each in found] == pytest.approx(expected_N, abs=1e-6)


def test_the_winner_is_the_best_by_the_posterior_mean_pooled_with_the_select_score(tmp_path: Path) -> None:
    """200 search and 50 select examples, held against the formula for 20 draws."""
    others = 0
    for seed in range(20):
        searched, selected = drawn(seed, 25), np.random.default_rng(seed).binomial(50, 0.65, 3) / 50
        contest = Contest(tmp_path / str(seed), searched)
        contest.select(*selected)
        known = [*searched, *(evaluation(c, {"x": 0.1}) for c in BASELINES.all())]
        told = posterior_scores(SPACE, known, WEIGHTS, positions(searched[:3]))
        assert told is not None
        pooled = [50 * fresh + 200 * each["x"] for fresh, each in zip(selected, told, strict=True)]
        assert contest.winner() == f"{int(np.argmax(pooled))}-0"
        others += contest.winner() != contest.winner(smoothed=False)
    assert others > 2, "pooling plain scores would choose others"


def test_a_winner_is_nearer_to_the_best_than_by_pooling_plain_scores(tmp_path: Path) -> None:
    """60 searches of 40 candidates, each scored on examples of its own; the finalists are the luckiest three."""
    lost = {True: 0.0, False: 0.0}
    for seed in range(60):
        searched = sorted(drawn(100 + seed, 40), key=lambda each: -each.scores["x"])
        true_K = skill(np.array(positions(searched[:3])))
        contest = Contest(tmp_path / str(seed), searched)
        ids = [each.id for each in contest.finalists]
        contest.select(*np.random.default_rng(seed).binomial(50, true_K) / 50)
        for smoothed in lost:
            lost[smoothed] += true_K.max() - true_K[ids.index(contest.winner(smoothed))]
    assert lost[True] < 4 / 5 * lost[False]


def test_the_utility_of_smoothed_objectives_is_the_smoothed_utility() -> None:
    weights = {"x": 3.0, "y": 1.0}
    both = [
        replace(each, scores={**each.scores, "y": 0.5 - each.candidate.position[0] / 5}, examples=each.examples)
        for each in drawn(1, 20)
    ]
    one = [replace(each, scores={"x": 0.75 * each.scores["x"] + 0.25 * each.scores["y"]}) for each in both]
    apart = posterior_scores(SPACE, both, weights, positions(both))
    together = posterior_scores(SPACE, one, WEIGHTS, positions(both))
    assert apart is not None
    assert together is not None
    sums = [0.75 * each["x"] + 0.25 * each["y"] for each in apart]
    assert sums == pytest.approx([each["x"] for each in together], abs=1e-6)


def test_an_objective_on_which_all_are_equal_stays_as_it_is() -> None:
    searched = [replace(each, scores={**each.scores, "y": 0.3}) for each in drawn(2, 6)]
    found = posterior_scores(SPACE, searched, {"x": 1.0, "y": 1.0}, positions(searched))
    assert found is not None
    assert {each["y"] for each in found} == {0.3}


def test_neither_the_order_of_lines_nor_threads_change_anything() -> None:
    searched = drawn(3, 120)
    first = posterior_scores(SPACE, searched, WEIGHTS, positions(searched[:9]))
    with threadpool_limits(4):
        assert posterior_scores(SPACE, searched[::-1], WEIGHTS, positions(searched[:9])) == first


@pytest.mark.parametrize("count", [0, 1, 2])
def test_hardly_any_evaluations(count: int) -> None:
    searched = drawn(4, count)
    found = posterior_scores(SPACE, searched, WEIGHTS, positions(searched) or [(0.0, 0.0, 0.0)])
    assert (found is None) == (count < 2)


def test_where_all_are_equal_there_is_nothing_to_smooth(tmp_path: Path) -> None:
    alike = [replace(each, scores={"x": 0.1}, examples={"x": (1.0,) * 20 + (0.0,) * 180}) for each in drawn(5, 3)]
    contest = Contest(tmp_path, alike)
    contest.select(0.1, 0.3, 0.2)
    assert contest.winner() == contest.winner(smoothed=False) == "1-0"


def test_a_long_search_is_smoothed_by_its_beginning_and_its_best() -> None:
    """Of 450 evaluations 50 are left out: the worst after the first 100, of equals the later."""
    searched = drawn(6, 450)
    worst = sorted(searched[100:], key=lambda each: -each.scores["x"])[300:]
    found = posterior_scores(SPACE, searched, WEIGHTS, positions(searched[:9]))
    changed = [replace(each, scores={"x": 0.0}) if each in worst else each for each in searched]
    assert found == posterior_scores(SPACE, changed, WEIGHTS, positions(searched[:9]))


def test_the_beginning_of_a_search_that_is_continued_counts_first() -> None:
    """Its evaluations have no iteration here: they come in the order in which that search made them."""
    prior = [
        replace(each, candidate=Candidate(f"first/{each.candidate.id}", each.candidate.position))
        for each in drawn(7, 450)
    ]
    worst = sorted(prior[100:], key=lambda each: -each.scores["x"])[300:]
    found = posterior_scores(SPACE, prior, WEIGHTS, positions(prior[:9]))
    changed = [replace(each, scores={"x": 0.0}) if each in worst else each for each in prior]
    assert found == posterior_scores(SPACE, changed, WEIGHTS, positions(prior[:9]))


def test_with_margins_or_groups_nothing_changes(tmp_path: Path) -> None:
    soft = [replace(each, soft={"x": each.scores["x"] / 2}) for each in drawn(7, 25)]
    contest = Contest(tmp_path / "margins", soft)
    contest.select(0.6, 0.62, 0.58)
    plain, smoothed = contest.selection(smoothed=False), contest.selection()
    winner = plain.winner(contest.finalists)
    assert smoothed.winner(contest.finalists) == winner
    assert smoothed.predicted(contest.finalists, winner) == plain.predicted(contest.finalists, winner)
    groups = Baselines.of(grouped_space(3, 1)), replace(BASELINES, groups=Baselines.of(grouped_space(2, 2)).groups)
    contest = Contest(tmp_path / "groups", drawn(7, 25))
    contest.select(0.6, 0.6, 0.6)
    for baselines in groups[1:]:
        plain, smoothed = contest.selection(False, baselines), contest.selection(True, baselines)
        assert smoothed.winner(contest.finalists) == plain.winner(contest.finalists)


def test_stopped_and_failed_candidates_are_left_out_and_never_win(tmp_path: Path) -> None:
    searched = drawn(8, 25)
    odd = [
        replace(searched[0], candidate=Candidate("30-0", (0.41, 0.3, 0.6), 30, 0), status="stopped"),
        Evaluation(Candidate("31-0", (0.4, 0.31, 0.6), 31, 0), "failed", error="out of memory"),
    ]
    told = []
    for name, every in (("without", searched), ("with", [*searched, *odd])):
        contest = Contest(tmp_path / name, every)
        contest.tell(Evaluation(contest.finalists[0], "failed", error="out of memory"))
        contest.tell(evaluation(contest.finalists[1], {"x": 0.6}, of=50))
        contest.tell(evaluation(contest.finalists[2], {"x": 0.6}, of=50))
        winner = contest.selection().winner(contest.finalists)
        told.append((winner, contest.selection().predicted(contest.finalists, winner)))
        assert winner.id != "0-0"
        assert contest.selection().predicted(contest.finalists[1:], winner) == told[-1][1]
    assert told[0] == told[1]


def test_a_journal_read_again_has_the_same_winner_and_prediction(tmp_path: Path) -> None:
    contest = Contest(tmp_path, drawn(9, 40))
    contest.select(0.6, 0.62, 0.64)
    again = Selection(Archive(tmp_path / "journal.jsonl"), WEIGHTS, BASELINES, pooled=True, smoothed_in=SPACE)
    winner = again.winner(contest.finalists)
    assert winner == contest.selection().winner(contest.finalists)
    assert again.predicted(contest.finalists, winner) == contest.selection().predicted(contest.finalists, winner)
