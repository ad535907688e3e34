"""How a router does on examples that it was not fitted to: are its probabilities calibrated, and does it choose well?

Shape suffixes: N examples, M those at which experts differ, E experts.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from swarm.experts.router import FRACTAL, NATURAL, Router, uncalibrated
from swarm.experts.router_fit import best_of
from swarm.experts.router_geometry import Array, Marks
from swarm.journal.by_objective import nan_as_null
from swarm.statistics.calibration import BRIER, ECE, SQUARED, Measure, change, with_interval
from swarm.statistics.intervals import ANY, Difference, Range, Score, mean_interval, paired_bootstrap

ABLATIONS = {
    "both": (FRACTAL, NATURAL),
    "natural": (0.0, NATURAL),
    "fractal": (FRACTAL, 0.0),
    "none": (0.0, 0.0),
}
MEASURES = {"ece": "ECE", "squared": "squared error", "brier": "Brier"}  # fields of Calibrated


@dataclass(frozen=True)
class Changed:
    """A measure of P(an expert is among the best) before calibration (softmax of r) and after it.

    change: after - before, paired by example.
    """

    before: Score
    after: Score
    change: Difference


@dataclass(frozen=True)
class Calibrated:
    """How well calibrated the probabilities are; lower is better.

    ece: the expected calibration error, biased upwards where examples are few.
    squared: the squared calibration error without bias, by which a change should be judged.
    brier: the Brier score.
    """

    ece: Changed
    squared: Changed
    brier: Changed


@dataclass(frozen=True)
class Ablation:
    """The router with some of its scores.

    calibrated: None where no expert differs from another at any example.
    hard: the mean score where each prompt goes to the likeliest expert.
    routed: where it goes to each expert with its share of the softmax (temperature 1).
    gain: hard, less the single expert that was best on the search split.
    over_uncalibrated: hard, less the choice of the expert whose r is the highest.
    over_uniform: routed, less uniform.
    """

    calibrated: Calibrated | None
    hard: Score
    routed: Score
    gain: Difference
    over_uncalibrated: Difference
    over_uniform: Difference


@dataclass(frozen=True)
class RouterReport:
    """What was measured on the select split.

    examples, differing: how many there are, and at how many of them experts differ.
    best_expert: the single expert with the highest mean on the search split.
    choices: base, best expert, uniform (each expert equally often), oracle (always one of the best) -> mean score.
    ablations: by the scores in use.
    """

    examples: int
    differing: int
    best_expert: str
    choices: Mapping[str, Score]
    ablations: Mapping[str, Ablation]

    def content(self) -> dict[str, object]:
        """As plain data."""
        found: dict[str, object] = {key: nan_as_null(value) for key, value in asdict(self).items()}
        return found

    def lines(self) -> list[str]:
        """The same in words."""
        heads = {"base": "base", "best_expert": f"expert {self.best_expert}", "uniform": "uniform", "oracle": "oracle"}
        found = [f"select       {self.examples:,} examples, at {self.differing:,} of which experts differ"]
        found += [f"{heads[name]:<22} {_shown(score)}" for name, score in self.choices.items()]
        for name, each in self.ablations.items():
            hard = f"{_over(each.gain, self.best_expert)}; {_over(each.over_uncalibrated, 'uncalibrated')}"
            found.append(f"{name + ', hard':<22} {_shown(each.hard)}; {hard}")
            found.append(f"{name + ', routed':<22} {_shown(each.routed)}; {_over(each.over_uniform, 'uniform')}")
            if each.calibrated is not None:
                for field, words in MEASURES.items():
                    found.append(f"{f'{name}, {words}':<22} {_told(getattr(each.calibrated, field))}")
        return found


def router_report(
    router: Router, features_NH: Array, base_N: Array, scores_NE: Array, means_E: Array, within: Range = ANY
) -> RouterReport:
    """features_NH, base_N, scores_NE: of the examples that the router was not fitted to; higher scores are better.

    means_E: each expert's mean on the examples that it was fitted to, from which the single expert is chosen.
    within: the lowest and the highest score that there can be.
    """
    best_NE, differ_N = best_of(scores_NE)
    single = int(np.argmax(means_E))
    choices = {
        "base": base_N,
        "best_expert": scores_NE[:, single],
        "uniform": scores_NE.mean(axis=1),
        "oracle": scores_NE.max(axis=1),
    }
    fractal_NE, natural_NE = router.scores(features_NH)

    def ablation(fractal: float, natural: float) -> Ablation:
        p_NE = router.probabilities(fractal_NE, natural_NE, fractal, natural)
        before_NE = uncalibrated(fractal_NE, natural_NE, fractal, natural)
        hard_N, unlearnt_N = (scores_NE[np.arange(len(scores_NE)), x_NE.argmax(axis=1)] for x_NE in (p_NE, before_NE))
        routed_N = (p_NE / p_NE.sum(axis=1, keepdims=True) * scores_NE).sum(axis=1)
        return Ablation(
            _calibrated(before_NE[differ_N], p_NE[differ_N], best_NE[differ_N]) if differ_N.any() else None,
            mean_interval(hard_N.tolist(), within),
            mean_interval(routed_N.tolist(), within),
            paired_bootstrap(hard_N.tolist(), choices["best_expert"].tolist()),
            paired_bootstrap(hard_N.tolist(), unlearnt_N.tolist()),
            paired_bootstrap(routed_N.tolist(), choices["uniform"].tolist()),
        )

    return RouterReport(
        len(scores_NE),
        int(differ_N.sum()),
        list(router.experts)[single],
        {name: mean_interval(each.tolist(), within) for name, each in choices.items()},
        {name: ablation(*weights) for name, weights in ABLATIONS.items()},
    )


def _calibrated(before_ME: Array, after_ME: Array, best_ME: Marks) -> Calibrated:
    def changed(measure: Measure) -> Changed:
        before, after = (with_interval(measure, p_ME, best_ME) for p_ME in (before_ME, after_ME))
        return Changed(before, after, change(measure, before_ME, after_ME, best_ME))

    return Calibrated(changed(ECE), changed(SQUARED), changed(BRIER))


def _shown(score: Score) -> str:
    return f"{score.mean:.3f} ({score.low:.3f} to {score.high:.3f})" if score.has_interval else f"{score.mean:.3f}"


def _told(found: Changed) -> str:
    """Four places, as squares of probabilities are small."""
    by = found.change
    told = f"{found.before.mean:.4f} before calibration, {found.after.mean:.4f} after"
    return f"{told}; {by.difference:+.4f} ({by.low:+.4f} to {by.high:+.4f})"


def _over(gain: Difference, name: str) -> str:
    return f"{gain.difference:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}) over {name}"
