"""Routers fitted to many splits of examples that are scored once, and measured on the rest.

Shape suffixes: N examples, E experts, H hidden size, S splits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.examples import Example
from swarm.experts.router import Router, uncalibrated
from swarm.experts.router_fit import RouterFit, best_of, fit_router
from swarm.run.fit_router import SPLITS_USED, config_of_routing, score_alone
from swarm.run.plan import make_plan
from swarm.run.router_report import ABLATIONS
from swarm.statistics.calibration import BRIER, ECE, SQUARED
from swarm.statistics.intervals import t_interval

Array = NDArray[np.float64]
MEASURES = {"ECE": ECE, "squared": SQUARED, "Brier": BRIER}
DISJOINT, HALVES = 5, 10  # small splits, random halvings


@dataclass(frozen=True, eq=False)
class Kept:
    """Examples as base and experts alone score them. features_NH: what a router sees of their prompts."""

    ids_N: NDArray[np.str_]
    names_E: NDArray[np.str_]
    layer: int
    features_NH: Array
    base_N: Array
    scores_NE: Array

    def rows(self, ids: Sequence[str]) -> NDArray[np.intp]:
        """Where these examples are."""
        place = {name: i for i, name in enumerate(self.ids_N.tolist())}
        return np.array([place[name] for name in ids])


def scored(config: Path, overrides: Sequence[str], file: Path) -> tuple[Kept, list[Example]]:
    """What `file` keeps, or scores of the search and the select split, and those examples."""
    plan = make_plan(config_of_routing(config, overrides), lambda step: None)
    examples = [e.example for split in SPLITS_USED for own in plan.workloads[split].examples.values() for e in own]
    if not file.exists():
        found, layer = score_alone(plan, None)
        features, base, scores = (
            np.concatenate([getattr(found[split], name) for split in SPLITS_USED])
            for name in ("features_NH", "base_N", "scores_NE")
        )
        names, ids = np.array(plan.catalog.names), np.array([e.id for e in examples])
        np.savez(file, ids_N=ids, names_E=names, layer=layer, features_NH=features, base_N=base, scores_NE=scores)
    with np.load(file) as arrays:
        return Kept(**{**arrays, "layer": int(arrays["layer"])}), examples


def splits_of(n: int) -> list[tuple[str, NDArray[np.intp], NDArray[np.intp]]]:
    """Kind, examples to fit and examples to measure on: small ones that share no example, and random halves of all."""
    order_N = np.random.default_rng(0).permutation(n)
    parts = np.array_split(order_N, DISJOINT)
    found = [("small", part[: len(part) // 2], part[len(part) // 2 :]) for part in parts]
    for seed in range(HALVES):
        order_N = np.random.default_rng(1 + seed).permutation(n)
        found.append(("half", order_N[: n // 2], order_N[n // 2 :]))
    return found


def measured(kept: Kept, fit: NDArray[np.intp], held: NDArray[np.intp]) -> dict[str, object]:
    """Errors and scores of every ablation, and scores of plain choices, on the examples in `held`."""
    platt, scores_NE = router_of(kept, fit), kept.scores_NE[held]
    fractal_NE, natural_NE = platt.scores(kept.features_NH[held])
    best_NE, differ_N = best_of(scores_NE)
    single = int(kept.scores_NE[fit].mean(axis=0).argmax())
    choices = {"best expert": scores_NE[:, single], "uniform": scores_NE.mean(axis=1), "oracle": scores_NE.max(axis=1)}
    found: dict[str, object] = {name: float(x_N.mean()) for name, x_N in choices.items()}
    for name, (router, weights) in ways(platt).items():
        before = uncalibrated(fractal_NE, natural_NE, *weights)
        after = router.probabilities(fractal_NE, natural_NE, *weights)
        found[name] = {
            when: {
                **{
                    key: each.estimate(p_NE[differ_N], best_NE[differ_N].astype(np.float64))
                    for key, each in MEASURES.items()
                },
                "hard": float(scores_NE[np.arange(len(held)), p_NE.argmax(axis=1)].mean()),
                "shares": float((p_NE / p_NE.sum(axis=1, keepdims=True) * scores_NE).sum(axis=1).mean()),
            }
            for when, p_NE in (("before", before), ("after", after))
        }
    return found


def ways(platt: Router) -> dict[str, tuple[Router, tuple[float, float]]]:
    """Name in the tables -> a router and weights of its scores: the ablations, and both scores by isotonic curves."""
    found = {name: (platt, weights) for name, weights in ABLATIONS.items()}
    return {**found, "both, isotonic": (replace(platt, calibration="isotonic"), ABLATIONS["both"])}


def router_of(kept: Kept, rows: NDArray[np.intp]) -> Router:
    """A router of these examples, without the experts' fingerprints."""
    names = tuple(kept.names_E.tolist())
    found = fit_router(kept.features_NH[rows], kept.scores_NE[rows], names, RouterFit())
    parts = {name: getattr(found, name) for name in ("geometry", "spreads", "fractal_ME", "natural_ME")}
    return Router("", dict.fromkeys(names, ""), kept.layer, "platt", **parts, report={})


def interval(values_S: Array, kind: str) -> tuple[float, float, float]:
    """Mean and 95 % interval over splits. Random halves share examples: their variance is that of Nadeau and Bengio
    (2003), (1 / S + held / fitted) s^2, with as many held out as fitted to."""
    found = t_interval(values_S.tolist())
    half = (found.high - found.mean) * (1 + found.n * (kind == "half")) ** 0.5
    return found.mean, found.mean - half, found.mean + half


def series(lines: Sequence[Mapping[str, Any]], kind: str, *keys: str) -> Array:
    """A number of every split of a kind."""

    def value(line: Mapping[str, Any]) -> float:
        found: Any = line
        for key in keys:
            found = found[key]
        return float(found)

    return np.array([value(line) for line in lines if line["kind"] == kind])
