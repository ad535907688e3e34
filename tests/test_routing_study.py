"""The routing study's splits, intervals and tables, by hand."""

import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent / "benchmarks"))  # the scripts import each other from their own folder

from study import routing_splits, routing_tables
from study.kept_search import Scorer, best_of
from study.routing_splits import Kept

from support.optimizer_runs import space
from swarm.core.candidates import Evaluation, Task
from swarm.optimizers import OPTIMIZERS


def lines(kind: str, befores: list[float], afters: list[float]) -> list[dict[str, object]]:
    def side(value: float) -> dict[str, float]:
        return dict.fromkeys(("ECE", "squared", "Brier", "hard", "shares"), value)

    names = ("both", "natural", "fractal", "none", "both, isotonic")
    choices = {"best expert": 0.5, "uniform": 0.25, "oracle": 0.75}
    return [
        {"kind": kind, "fit": 7, "held": 9, **choices, **{n: {"before": side(b), "after": side(a)} for n in names}}
        for b, a in zip(befores, afters, strict=True)
    ]


def test_small_splits_share_no_example_and_halves_take_all() -> None:
    found = routing_splits.splits_of(100)
    small = np.concatenate([part for kind, *parts in found if kind == "small" for part in parts])
    assert sorted(small.tolist()) == list(range(100))
    halves = [(fit, held) for kind, fit, held in found if kind == "half"]
    assert len(halves) == 10
    for fit, held in halves:
        assert sorted([*fit.tolist(), *held.tolist()]) == list(range(100))
    assert len({tuple(fit.tolist()) for fit, _ in halves}) == 10


def test_the_interval_of_halves_is_wider_by_the_root_of_eleven() -> None:
    """(1 / 10 + 1) s^2 in place of s^2 / 10."""
    values_S = np.arange(10.0)
    small, half = (routing_splits.interval(values_S, kind) for kind in ("small", "half"))
    assert small[0] == half[0] == 4.5
    assert half[2] - 4.5 == pytest.approx((small[2] - 4.5) * 11**0.5)
    assert small[2] - 4.5 == pytest.approx(2.2622 * values_S.std(ddof=1) / 10**0.5, abs=1e-3)


def test_a_split_table_has_changes_and_counts_falls() -> None:
    found = routing_tables.split_table("tiny", "small", lines("small", [0.3, 0.3, 0.1], [0.1, 0.1, 0.2]))
    assert "`zoo:tiny`, 3 splits, fitted to 7, measured on 9 others; best expert 0.500" in found[0]
    assert any(line.startswith("| both | ECE | 0.2333 | 0.1333 | -0.1000 (") for line in found)
    assert sum(line.endswith("| 2 of 3 |") for line in found) == 25
    assert found[-1].startswith("Isotonic less logistic, both scores: ECE +0.0000 (+0.0000 to +0.0000), squared ")


def test_isotonic_curves_are_compared_split_by_split() -> None:
    """Differences of 1, 2 and 3 hundredths: .02, its standard error .00577 and t 4.303."""
    made = lines("small", [0.3] * 3, [0.1] * 3)
    for i, line in enumerate(made):
        line["both, isotonic"] = {"after": dict.fromkeys(("ECE", "squared", "Brier", "hard"), 0.1 + 0.01 * (i + 1))}
    assert "Brier +0.0200 (-0.0048 to +0.0448)" in routing_tables.isotonic_less_logistic(made, "small")


def test_a_search_table_pairs_seeds_that_have_both() -> None:
    plain = {"base": [0.0], "best expert": [0.1], "hard": [0.2], "oracle": [0.9], "uniform": [0.1]}

    def line(name: str, seed: int, score: float) -> dict[str, object]:
        return {"name": name, "seed": seed, "evaluations": 5, "test": {"delivered": [score, score], **plain}}

    records = [line("one", 0, 0.5), line("routed", 0, 0.75), line("one", 1, 0.5), line("routed", 1, 0.5)]
    records.append(line("one", 2, 0.9))
    assert routing_tables.gains(records) == [0.25, 0.0]
    found = routing_tables.search_table("tiny", records)
    assert "`tiny`, 2 seeds, 5 evaluations a search" in found[0]
    assert "| routed, searched | 0.625 |  |  |" in found
    assert any(
        row.startswith("| one weighting, searched | 0.500 | +0.125 (") and "+0.250 (+0.250 to +0.250), +0.000 (" in row
        for row in found
    )


def test_a_router_of_kept_scores_is_measured_on_others() -> None:
    """Prompts of three kinds, each of which has an expert: the natural score finds it."""
    random = np.random.default_rng(0)
    kind_N = np.arange(300) % 3
    features_NH = random.normal(size=(300, 8)) + 4 * np.eye(8)[kind_N]
    kept = Kept(np.arange(300).astype(str), np.array(["a", "b", "c"]), 1, features_NH, np.zeros(300), np.eye(3)[kind_N])
    found = routing_splits.measured(kept, np.arange(150), np.arange(150, 300))
    assert found["oracle"] == 1.0
    natural = found["natural"]
    assert isinstance(natural, dict)
    assert natural["after"]["hard"] > 0.95
    assert natural["after"]["Brier"] < natural["before"]["Brier"]
    assert kept.rows(["7", "3"]).tolist() == [7, 3]


def scores_by_position(tasks: Sequence[Task]) -> list[Evaluation]:
    """Four examples: the first coefficient's distance from .7; those above .9 fail."""
    found = []
    for task in tasks:
        x = task.candidate.position[0]
        examples = {"answers": (-abs(x - 0.7),) * 4}
        found.append(
            Evaluation(task.candidate, "failed", error="too large")
            if x > 0.9
            else Evaluation(task.candidate, "ok", {"answers": -abs(x - 0.7)}, examples)
        )
    return found


@pytest.mark.parametrize("dimensions", [4, 12])
@pytest.mark.parametrize("evaluations", [31, 34])
def test_a_search_of_kept_scores_keeps_its_budget(dimensions: int, evaluations: int) -> None:
    """The last generation is cut, in any number of dimensions; what failed is never what is delivered."""
    scorer, places = Scorer(scores_by_position, 4, {}), np.arange(4)
    optimizer = OPTIMIZERS["guided_pso"](type="guided_pso", evaluations=evaluations)
    found_P = best_of(space(dimensions), scorer, optimizer, 0, search=places[:2], select=places[2:])
    searched = set(scorer.known) - {tuple(each.position_D) for each in space(dimensions).baselines}
    assert evaluations - len(space(dimensions).baselines) <= len(searched) <= evaluations
    assert len(scorer.known) == evaluations
    assert any(np.isnan(x_P).all() and len(x_P) == 4 for x_P in scorer.known.values())
    assert found_P.mean() == max(x_P.mean() for x_P in scorer.known.values() if not math.isnan(x_P[0]))
