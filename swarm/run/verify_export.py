"""Verifies an export: loaded without anything of the search, it must give the scores that the search saw."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from swarm.compositions.base import Composition
from swarm.compositions.weights import Weights
from swarm.core.candidates import Candidate, Evaluation, Task
from swarm.core.errors import EvaluationError, ExportError
from swarm.core.examples import Example
from swarm.core.recipes import Recipe
from swarm.core.space import Baseline, Space
from swarm.engines import Encoder
from swarm.evaluation.evaluator import EvaluatorSpec
from swarm.evaluation.workload import Examples, make_workload
from swarm.experts.catalog import Catalog, ExpertSpec
from swarm.experts.quantised_base import can_stand_beside
from swarm.experts.safetensors_files import read_json
from swarm.export.recipe import read_recipe, specs_of
from swarm.journal.summary import ExportCheck, Summary

OnStep = Callable[[int, int], None]  # steps done, steps in all
TOLERANCE = 1e-3  # relative above 1, absolute below: likelihoods of an adapter differ by rounding


def verify_export(
    best: Path,
    export_format: str,
    spec: EvaluatorSpec,
    examples: Examples,
    seen: Evaluation,
    on_step: OnStep = lambda done, of: None,
) -> ExportCheck:
    """Score the exported hf model, adapter or recipe on the first of the examples behind `seen`.

    A recipe is read from its folder, with the base and all that it names; its coefficients alone are used.

    Where scores differ, the search's own engine answers the same examples as the export does: merged, in the same
    batches, and an adapter in float32, as its update is rounded apart from the base's weights. What then still differs
    is no rounding: the export is another model.

    on_step: called with the models that have answered, and how many will: two more where scores differ.

    Objectives that compare with the base are left out where the export is a whole model. Raises UserError where the
    export cannot be loaded, EvaluationError where it cannot be scored.
    """
    on_step(0, 1)
    spec, examples = _comparable(spec, examples, export_format)
    loaded = _loaded(best, export_format, spec)
    position = (1.0,) * len(loaded.experts)  # a recipe's composition has one meaning for all
    found = _evaluate(loaded, position, examples)
    known = {name: seen.examples[name][: len(part)] for name, part in examples.items()}
    n = sum(len(part) for part in examples.values())
    equal = n - len(list(_different(replace(seen, examples=known), found, examples)))
    on_step(1, 1 if equal == n else 3)
    if equal == n:
        return ExportCheck(n=n, equal=n)
    ours, theirs = (_exact(each, export_format) for each in (spec, loaded))
    engine = _evaluate(ours, seen.candidate.position, examples)
    on_step(2, 3)
    export = _evaluate(theirs, position, examples)
    on_step(3, 3)
    return ExportCheck(n=n, equal=equal, differs=_differences(best, spec, engine, export, examples))


def _comparable(spec: EvaluatorSpec, examples: Examples, export_format: str) -> tuple[EvaluatorSpec, Examples]:
    """Without objectives that compare with the base, where the export is a whole model."""
    if export_format != "hf":
        return spec, examples
    alone = tuple(objective for objective in spec.objectives if not objective.compares_with_base)
    return replace(spec, objectives=alone), {each.name: examples[each.name] for each in alone}


def _loaded(best: Path, export_format: str, spec: EvaluatorSpec) -> EvaluatorSpec:
    """What scores the export, with nothing of the search but its engine and objectives. Raises UserError."""
    if export_format == "recipe":
        what = read_recipe(best)
        only = OfRecipe(found=what.recipe)
        return replace(spec, composition=only, base=what.catalog.base.path, experts=specs_of(what))
    if export_format == "adapter":
        return replace(spec, composition=Weights(), experts=(ExpertSpec("best", best),))
    return replace(spec, composition=Weights(), base=best, experts=())


class OfRecipe(Composition):
    """One recipe, whatever the position."""

    type: Literal["recipe"] = "recipe"
    found: Recipe

    @property
    def bounds(self) -> tuple[float, float]:
        return 0.0, 1.0

    def space(self, catalog: Catalog) -> Space:
        n = len(catalog.sources)
        base = Baseline.base(np.zeros(n))
        return Space(tuple(s.name for s in catalog.sources), np.zeros(n), np.ones(n), base, (), ())

    def recipe(self, position: Sequence[float], catalog: Catalog) -> Recipe:
        return self.found


def _differences(
    best: Path, spec: EvaluatorSpec, engine: Evaluation, export: Evaluation, examples: Examples
) -> tuple[str, ...]:
    own = {objective.name for objective in spec.objectives if objective.uses_modules}
    return tuple(
        f"{name}/{example.id}: {old:g} in the search, {new:g} from {best}"
        for name, example, old, new in _different(engine, export, examples, own)
    )


def check_verified(summary: Summary) -> None:
    """Raise ExportError where best/ is not the model that was searched; it stays there to be looked at."""
    if summary.export_check and (differs := summary.export_check.differs):
        raise ExportError(
            f"export: best/ is not the model that was searched: {differs[0]} ({len(differs)} such examples, see "
            "summary.json); do not use best/, and report this"
        )


def _evaluate(spec: EvaluatorSpec, position: tuple[float, ...], examples: Examples) -> Evaluation:
    evaluator = spec.open("verify-export")
    evaluator.load("search", make_workload(spec.objectives, examples, Encoder.of(spec.base)))
    (found,) = evaluator.evaluate([Task(Candidate("best", position))])
    if found.status == "failed":
        raise EvaluationError(found.error)
    return found


def _exact(spec: EvaluatorSpec, export_format: str) -> EvaluatorSpec:
    """With an engine that rounds in one way, however the candidate is put in place."""
    update = {"method": "merged"} if "method" in type(spec.engine).model_fields else {}
    if can_stand_beside(read_json(spec.base / "config.json", "base")):  # nothing can be merged there
        update = {}
    if export_format == "adapter":
        update["dtype"] = "float32"
    return replace(spec, engine=spec.engine.model_copy(update=update))


def _different(
    one: Evaluation, other: Evaluation, examples: Examples, own: Collection[str] = ()
) -> Iterator[tuple[str, Example, float, float]]:
    """Objective, example and both scores where they differ.

    own: objectives that the user's own functions score, perhaps with chance: there the outputs are compared.
    """
    for name, part in examples.items():
        for i, example in enumerate(part):
            old, new = one.examples[name][i], other.examples[name][i]
            same_output = name in own and one.outputs[name][i] == other.outputs[name][i]
            if abs(old - new) > TOLERANCE * max(1.0, abs(old)) and not same_output:
                yield name, example, old, new
