"""Whether floors are kept: by true values, by what a whole search delivers.

Each search maximises the first of two or three conflicting objectives and holds a floor on the second: half the way
from the lowest baseline to the highest value that any weighting reaches. Search, selection and test are drawn with the
noise of 200 answers each. Two rules of choice are compared: the program's (lower bounds on the select split, shared
among all members), and the luckiest (the highest first objective among those whose search score keeps the floor).

Printed for each problem: how many deliveries truly break the floor under either rule, in how many searches nobody keeps
it for certain, and the true first objective delivered over the best that keeps the floor (of a long search).
"""

import argparse
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from common import Metric, main, options

PROBLEMS = ("two-5", "two-10", "two-20", "three-10")
ITEMS, EVALUATIONS, FINALISTS = 200, 100, 16


def run(arguments: argparse.Namespace) -> Iterable[Metric]:
    broken = searches = 0
    for name in arguments.problems:
        trials = [trial(name, seed) for seed in range(arguments.seeds)]
        delivered = [each for each in trials if each["delivered"] is not None]
        lucky = sum(each["lucky"] < each["floor"] for each in trials)
        bad = sum(each["delivered"] < each["floor"] for each in delivered)
        broken, searches = broken + bad, searches + len(delivered)
        yield Metric("floors", f"{name}: deliveries that truly break the floor", bad, f"of {len(delivered)}")
        yield Metric("floors", f"{name}: luckiest candidates that do", lucky, f"of {len(trials)}")
        yield Metric("floors", f"{name}: searches where nobody keeps it", len(trials) - len(delivered), "searches")
        shares = [each["first"] / each["best"] for each in delivered]
        if shares:
            yield Metric("floors", f"{name}: first objective, of the best possible", sum(shares) / len(shares), "share")
    yield Metric("floors", "all: share of deliveries that break a floor", broken / max(1, searches), "share", "<= 0.05")


def trial(name: str, seed: int) -> dict[str, float | None]:
    import numpy as np
    from fronts_bed import PROBLEMS as BED

    from swarm.core.candidates import Candidate, Evaluation, Task
    from swarm.core.floors import Floor
    from swarm.core.outcomes import Feed
    from swarm.journal.archive import Archive
    from swarm.journal.records import StartRecord
    from swarm.optimizers.guided_pso import GuidedPSO
    from swarm.preferences.goals import Goals
    from swarm.preferences.linear import WeightedSum
    from swarm.search.baselines import Baselines
    from swarm.search.front_selection import FrontSelection
    from swarm.search.generational import GenerationalSearch
    from swarm.search.loop import Loop

    problem = BED[name]
    names = [f"o{k}" for k in range(problem.objectives)]
    dense_NK = problem.truth(dense(problem))
    floor = float((problem.reference_K[1] + dense_NK[:, 1].max()) / 2)
    weights = {each: float(each == "o0") for each in names}

    def scored(candidate: Candidate, split: int) -> Evaluation:
        key = abs(hash(candidate.position)) % 2**31
        rng = np.random.default_rng([seed, split, key])
        truth_K = problem.truth(np.array([candidate.position]))[0]
        examples = {
            each: tuple((rng.uniform(size=ITEMS) < p).astype(float)) for each, p in zip(names, truth_K, strict=True)
        }
        return Evaluation(candidate, "ok", {n: float(np.mean(x)) for n, x in examples.items()}, examples)

    def evaluate(feed: Feed) -> Iterator[Evaluation]:
        while feed:
            task: Task = feed.popleft()
            yield scored(task.candidate, 0)

    goals = Goals(weights, (), {"o1": Floor(floor)}, unproven={"o1": 1.0})
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        archive = Archive(Path(folder) / "journal.jsonl")
        source = {"path": "base", "fingerprint": "0"}
        archive.append(
            StartRecord(
                time="", version="", seed=seed, optimizer="", coordinates=(), base=source, experts={}, items={}
            )
        )
        optimizer = GuidedPSO(evaluations=EVALUATIONS, patience=None, soft=False)
        loop = Loop(
            optimizer, problem.space, seed, weights, archive, evaluate, lambda e: None, finalists=FINALISTS, goals=goals
        )
        GenerationalSearch(loop).run()
        baselines = Baselines.of(problem.space)
        for candidate in baselines.all():
            if archive.at(candidate.position) is None:
                archive.append_evaluation("select", scored(candidate, 0))
        selection = FrontSelection(
            archive, weights, baselines, space=problem.space, goals=goals, rule=WeightedSum(), nearest=True
        )
        finalists = selection.finalists(FINALISTS)
        for candidate in [*finalists, *selection.contenders()]:
            if archive.at(candidate.position, "select") is None:
                archive.append_evaluation("select", scored(candidate, 1), "select")
        front = selection.front(finalists)
        assert front is not None
        keeps = bool(front.keeps_floors().any())
        winner = selection.winner(finalists)
        luckiest = max(
            archive.searched(), key=lambda e: (e.scores["o1"] >= floor, e.scores["o0"] if e.scores["o1"] >= floor else e.scores["o1"])
        ).candidate
    true_K, lucky_K = problem.truth(np.array([winner.position, luckiest.position]))
    return {
        "floor": floor,
        "delivered": float(true_K[1]) if keeps else None,
        "first": float(true_K[0]),
        "lucky": float(lucky_K[1]),
        "best": float(dense_NK[dense_NK[:, 1] >= floor, 0].max()),
    }


_dense: dict[str, object] = {}


def dense(problem: "object") -> "object":
    """Positions of a long search on the true values of the first two objectives. Shape ND."""
    import numpy as np

    from swarm.optimizers.front_acquisition import directions, scalarised

    name = problem.name
    if name not in _dense:
        rng = np.random.default_rng(0)
        x_ND = problem.dense_start(400)
        w_WK = directions(60, 2, rng)
        low_D, high_D = problem.space.low_D, problem.space.high_D
        for step in np.geomspace(0.3, 0.01, 60):
            y_NK = problem.truth(x_ND)[:, :2] - problem.reference_K[:2]
            best_WD = x_ND[scalarised(y_NK, w_WK).argmax(axis=0)]
            moved = np.repeat(best_WD, 6, axis=0) + rng.normal(0, step, (360, len(low_D))) * (high_D - low_D)
            x_ND = np.vstack([best_WD, np.clip(moved, low_D, high_D)])
        _dense[name] = x_ND
    return _dense[name]


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--problems", nargs="+", default=list(PROBLEMS))
    main(run, parser)
