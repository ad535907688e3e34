"""`swarm fit-router`: from a search's config to a router of its experts, measured on examples that it has not seen.

Base and every expert alone are scored on the search and the select split, in this process. The router is fitted to the
search split; what is reported is of the select split. The test split is not looked at.

Shape suffixes: N examples, E experts, H hidden size.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from swarm.compositions import Composition
from swarm.compositions.logits import Logits
from swarm.compositions.weights import Weights
from swarm.config.load import load_config
from swarm.config.references import resolve
from swarm.config.schema import Config, ExportSettings
from swarm.core.candidates import Candidate, Task
from swarm.core.errors import ConfigError, ExpertError
from swarm.core.examples import Split
from swarm.core.files import check_free, replaced_directory
from swarm.engines.transformers.router_features import features_of_base
from swarm.evaluation.evaluator import Evaluator
from swarm.evaluation.workload import EncodedExample
from swarm.experts.calibrators import Calibration
from swarm.experts.catalog import Catalog
from swarm.experts.router import Router
from swarm.experts.router_files import write_router
from swarm.experts.router_fit import RouterFit, fit_router
from swarm.experts.router_geometry import Array
from swarm.run.plan import Plan, make_plan, ranges_of, specs_of
from swarm.run.router_report import RouterReport, router_report
from swarm.statistics.intervals import Range

CALIBRATIONS: dict[str, Calibration] = {"platt": "platt", "isotonic": "isotonic"}
SPLITS_USED: tuple[Split, ...] = ("search", "select")
READING, SCORING = "reading prompts with the base", "scoring base and experts on the {split} split"


class OnStep(Protocol):
    """What follows a fit."""

    def __call__(self, text: str, done: int = 0, of: int = 0, /) -> None:
        """The phase, and how many of its steps are done; of is 0 where they are not counted."""


def silent(text: str, done: int = 0, of: int = 0, /) -> None:
    """Follows nothing."""


@dataclass(frozen=True)
class FittedRouter:
    """A router that was fitted and written.

    out: its folder.
    examples, differing: of the search split, and those of them at which experts differ.
    """

    out: Path
    router: Router
    examples: int
    differing: int
    report: RouterReport

    def content(self) -> dict[str, object]:
        """What `--json` prints."""
        fitted = {"examples": self.examples, "differing": self.differing, "layer": self.router.layer}
        return {"out": str(self.out), "fitted": fitted, "select": self.report.content()}

    def lines(self) -> list[str]:
        """The same in words."""
        about = f"layer {self.router.layer}, {self.router.calibration} calibration"
        return [
            f"fitted to    {self.examples:,} examples, at {self.differing:,} of which experts differ; {about}",
            *self.report.lines(),
            f"written      {self.out}",
        ]


@dataclass(frozen=True, eq=False)
class ScoredExamples:
    """Examples of a split, those of the objectives that count one after the other.

    features_NH: what a router sees of their prompts. base_N, scores_NE: how the base and every expert alone score them.
    """

    features_NH: Array
    base_N: Array
    scores_NE: Array


@dataclass(frozen=True)
class RouterOptions:
    """What the command line says. layer: None for the middle one."""

    out: Path
    calibration: str = "platt"
    layer: int | None = None
    overwrite: bool = False

    def check(self) -> None:
        """Raise UserError before anything is read."""
        if self.calibration not in CALIBRATIONS:
            raise ConfigError(f"--calibration: {self.calibration!r} is unknown; use one of {', '.join(CALIBRATIONS)}")
        check_free(self.out, self.overwrite)


def run_fit_router(
    path: Path, overrides: Sequence[str], options: RouterOptions, on_step: OnStep = silent
) -> FittedRouter:
    """Fit, measure and write. path: of a search's config. Raises UserError."""
    options.check()
    plan = make_plan(config_of_routing(path, overrides), on_step)
    if len(plan.catalog.sources) < 2:
        raise ConfigError("experts: a router chooses between at least two; add another expert")
    scored, layer = score_alone(plan, options.layer, on_step)
    on_step("fitting")
    fit, held = scored["search"], scored["select"]
    calibration = CALIBRATIONS[options.calibration]
    router = router_of(plan.catalog, fit.features_NH, fit.scores_NE, layer, calibration, plan.config.seed)
    means_E, within = fit.scores_NE.mean(axis=0), _range_of_all(plan)
    report = router_report(router, held.features_NH, held.base_N, held.scores_NE, means_E, within)
    router = replace(router, report=report.content())
    with replaced_directory(options.out, options.overwrite) as folder:
        write_router(router, folder)
    return FittedRouter(options.out, router, len(fit.base_N), len(router.fractal_ME), report)


def _range_of_all(plan: Plan) -> Range:
    """The lowest and the highest score that any objective can give."""
    lows, highs = zip(*ranges_of(plan.config).values(), strict=True)
    return min(lows), max(highs)


def score_alone(plan: Plan, layer: int | None, on_step: OnStep = silent) -> tuple[dict[Split, ScoredExamples], int]:
    """The search and the select split as base and experts alone have them, and the layer: the middle one for None."""
    on_step(READING)
    prompts = {split: [each.requests[0].prompt for each in _examples(plan, split)] for split in SPLITS_USED}
    rows = [row for split in SPLITS_USED for row in prompts[split]]
    base, dtype = plan.catalog.base.path, plan.config.engine.dtype
    features_NH, chosen = features_of_base(base, dtype, rows, layer, partial(on_step, READING))
    parts = np.split(features_NH, np.cumsum([len(prompts[split]) for split in SPLITS_USED])[:-1])
    evaluator = plan.spec.open("fit-router")
    found: dict[Split, ScoredExamples] = {}
    for split, part_NH in zip(SPLITS_USED, parts, strict=True):
        scores = _scores(plan, evaluator, split, on_step)
        found[split] = ScoredExamples(part_NH, scores[:, 0], scores[:, 1:])
    return found, chosen


def config_of_routing(path: Path, overrides: Sequence[str]) -> Config:
    """The config with a composition in which every expert is alone somewhere; its own may name this very router."""
    config = load_config(path, overrides)
    plain = config.model_copy(update={"composition": Weights(), "export": ExportSettings(format="recipe")})
    resolved = resolve(plain, path.resolve().parent)
    composition: Composition = Logits() if any(spec.acts_on_logits for spec in specs_of(resolved)) else Weights()
    return resolved.model_copy(update={"composition": composition})


def _examples(plan: Plan, split: Split) -> list[EncodedExample]:
    """Of the objectives that count, one after the other."""
    workload = plan.workloads[split]
    return [each for name, weight in plan.weights.items() if weight for each in workload.examples[name]]


def _scores(plan: Plan, evaluator: Evaluator, split: Split, on_step: OnStep) -> Array:
    """The score of the base and of every expert alone at each example, shape (N, 1 + E)."""
    evaluator.load(split, plan.workloads[split])
    columns: list[list[float]] = []
    baselines = (plan.space.base, *plan.space.experts)
    for baseline in baselines:
        on_step(SCORING.format(split=split), len(columns), len(baselines))
        candidate = Candidate(baseline.id, tuple(map(float, baseline.position_D)))
        (found,) = evaluator.evaluate([Task(candidate, split=split)])
        if found.status != "ok":
            raise ExpertError(f"{baseline.id} cannot be scored on the {split} split ({found.error}); leave it out")
        columns.append([x for name, weight in plan.weights.items() if weight for x in found.examples[name]])
    on_step(SCORING.format(split=split), len(columns), len(baselines))
    return np.array(columns, dtype=np.float64).T


def router_of(
    catalog: Catalog, features_NH: Array, scores_NE: Array, layer: int, calibration: Calibration, seed: int
) -> Router:
    """A router of the catalog's experts, whose order that of the scores is. Raises DataError as `fit_router` does."""
    names = tuple(source.name for source in catalog.sources)
    found = fit_router(features_NH, scores_NE, names, RouterFit(calibration=calibration, seed=seed))
    return Router(
        base=catalog.base.tensors.fingerprint,
        experts={source.name: source.fingerprint for source in catalog.sources},
        layer=layer,
        calibration=calibration,
        geometry=found.geometry,
        spreads=found.spreads,
        fractal_ME=found.fractal_ME,
        natural_ME=found.natural_ME,
        report={},
    )
