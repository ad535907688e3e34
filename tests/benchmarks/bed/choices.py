"""Rules that choose the winner, replayed: one search with all its positions, and many select samples of each size.

A rule is the program's own `Selection`. What it loses is what the best of finalists and baselines has more, by true
scores, than the one that it chooses.

Shape suffixes: P examples.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bed.problem import Problem, Sampled
from bed.trial import FINALISTS, MEMORY, UNRACED, WEIGHTS, Scoring, complete, search
from swarm.core.candidates import Candidate, Evaluation, distinct_positions
from swarm.core.examples import Split
from swarm.evaluation.smoothed_accuracy import smoothed
from swarm.journal.archive import Archive
from swarm.optimizers.guided_pso import GuidedPSO
from swarm.search.baselines import Baselines
from swarm.search.selection import Selection

SELECT, POOLED, SMOOTHED = "select", "pooled", "smoothed"  # the rules: see rules()
SIZES = (50, 100, 200)  # of the select split
SAMPLES = 40  # of the select split, of each search
FIRST_SEED = 1_000_000  # of the samples: no search draws from these
Fresh = Mapping[tuple[float, ...], Evaluation]


class Replayed(Archive):
    """An archive whose select split is drawn anew again and again."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.fresh: Fresh = {}

    def at(self, position: Sequence[float], split: Split = "search") -> Evaluation | None:
        return self.fresh.get(tuple(position)) if split == "select" else super().at(position, split)


@dataclass(frozen=True)
class Choices:
    """Of one search with one size of the select split, means over the samples.

    lost: rule -> points that its choice is below the best of finalists and baselines, by true scores.
    covered: rule -> the share of predicted intervals that hold the true score.
    gap: rule -> points that the predicted score is above the true one.
    """

    lost: Mapping[str, float]
    covered: Mapping[str, float]
    gap: Mapping[str, float]


def rules(archive: Archive, problem: Problem, soft: bool) -> dict[str, Selection]:
    """The select split alone; both splits pooled; and as a run of guided PSO does it, with all that belongs to it."""
    made = archive, WEIGHTS, Baselines.of(problem.space), soft
    return {
        SELECT: Selection(*made),
        POOLED: Selection(*made, pooled=True),
        SMOOTHED: Selection(*made, pooled=True, smoothed_in=problem.space),
    }


def replayed(problem: Problem, evaluations: int, seed: int, margins: bool) -> dict[int, Choices]:
    """Size of the select split -> what the rules chose, after a search by the default."""
    optimizer = GuidedPSO(evaluations=evaluations, iterations=evaluations, patience=None, soft=margins)
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        archive = Replayed(Path(folder) / "journal.jsonl")
        scoring = Scoring(problem, seed, UNRACED, margins)
        search(archive, problem, optimizer, scoring, seed)
        complete(archive, scoring, Baselines.of(problem.space).all(), "search")
        chosen_by = rules(archive, problem, optimizer.climbs_soft)
        finalists = chosen_by[POOLED].finalists(FINALISTS)
        candidates = distinct_positions([*finalists, *chosen_by[POOLED].contenders()])
        true = {each.position: problem.truth(np.array(each.position)) for each in candidates}
        found = {size: list[dict[str, tuple[float, float, bool]]]() for size in SIZES}
        for fresh in samples(problem, candidates, FIRST_SEED + SAMPLES * seed, margins):
            for size, archive.fresh in fresh.items():
                found[size].append({rule: outcome(by, finalists, true) for rule, by in chosen_by.items()})
    return {size: summary(outcomes) for size, outcomes in found.items()}


def samples(problem: Problem, candidates: list[Candidate], first: int, margins: bool) -> Iterator[dict[int, Fresh]]:
    """Size -> the evaluations on the first examples of a sample, sample by sample."""
    split: Sampled = "select"
    for seed in range(first, first + SAMPLES):
        scorer = problem.scorer(seed, split)
        scored = {each: scorer(np.array(each.position)) for each in candidates}
        yield {
            size: {each.position: evaluation(each, margins_P[:size], margins) for each, margins_P in scored.items()}
            for size in SIZES
        }


def evaluation(candidate: Candidate, margins_P: np.ndarray, margins: bool) -> Evaluation:
    right_P = (margins_P > 0).astype(float)
    soft = {"right": smoothed(margins_P.tolist())} if margins else {}
    return Evaluation(candidate, "ok", {"right": float(right_P.mean())}, {"right": tuple(right_P.tolist())}, soft=soft)


def outcome(
    by: Selection, finalists: list[Candidate], true: Mapping[tuple[float, ...], float]
) -> tuple[float, float, bool]:
    """What the rule loses, how much it predicts too high, and whether the predicted interval holds the true score."""
    winner = by.winner(finalists)
    predicted, truth = by.predicted(finalists, winner)["right"], true[winner.position]
    return max(true.values()) - truth, predicted.mean - truth, predicted.low <= truth <= predicted.high


def summary(outcomes: list[dict[str, tuple[float, float, bool]]]) -> Choices:
    lost, gap, covered = (
        {rule: factor * float(np.mean([each[rule][at] for each in outcomes])) for rule in outcomes[0]}
        for at, factor in ((0, 100.0), (1, 100.0), (2, 1.0))
    )
    return Choices(lost, covered, gap)
