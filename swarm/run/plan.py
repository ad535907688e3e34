"""From a resolved config to everything that a run needs, opened and checked. Nothing is started or written here."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from swarm.config.schema import Config
from swarm.core.examples import Split
from swarm.core.recipe_places import on_weights
from swarm.core.space import Space
from swarm.data.contamination import contamination_notes
from swarm.data.splits import SPLITS, Splits, make_splits
from swarm.engines import Encoder
from swarm.evaluation.answer_length import answer_length_notes
from swarm.evaluation.bundle_sizes import BundleSizes
from swarm.evaluation.evaluator import EvaluatorSpec, make_importable
from swarm.evaluation.workload import Examples, Workload, make_workload
from swarm.experts.catalog import Catalog, ExpertSpec, check_finite, open_catalog
from swarm.experts.svd_error import change_notes
from swarm.experts.tokenizer_check import tokenizer_notes
from swarm.export import Exported, check_form
from swarm.preferences.goals import Goals
from swarm.run.budget_notes import budget_notes, idle_expert_notes
from swarm.run.recorded_base_notes import recorded_base_notes
from swarm.search.status import Budget
from swarm.statistics.intervals import Range


@dataclass(frozen=True)
class Plan:
    """A resolved config and everything that it names, opened and checked.

    splits: by objective.
    workloads: the encoded examples of all objectives, by split.
    truncations: notes on the base's files, and on experts and answers that are cut.
    contaminations: notes on examples that experts were trained on.
    seconds: that it took to make the plan.
    remarks: what the journal does not hold, as a resumed run may mend it: budgets, and the bases of adapters.
    """

    config: Config
    catalog: Catalog
    space: Space
    splits: Mapping[str, Splits]
    workloads: Mapping[Split, Workload]
    spec: EvaluatorSpec
    truncations: Sequence[str] = ()
    contaminations: Sequence[str] = ()
    remarks: Sequence[str] = ()
    seconds: float = 0.0

    def examples(self, split: Split) -> Examples:
        """The examples of a split, by objective."""
        return examples_of(self.splits, split)

    @property
    def weights(self) -> dict[str, float]:
        """Objective -> its weight in the utility."""
        return {objective.name: objective.weight for objective in self.config.objectives}

    def budget(self, worked: float = 0.0) -> Budget:
        """What the search may spend. worked: seconds that it has taken in earlier sessions."""
        return Budget.of(self.config.optimizer, self.space, self.config.seed, worked)

    @property
    def goals(self) -> Goals:
        """What the search measures beside the utility."""
        return goals_of(self.config, {name: (len(s.search), len(s.select)) for name, s in self.splits.items()})

    @property
    def bundle_sizes(self) -> BundleSizes:
        """How many candidates of the search a worker is best given at a time."""
        engine, catalog = self.config.engine, self.catalog
        return BundleSizes(self.spec, self.workloads["search"], lambda requests: engine.together(catalog, requests))

    @property
    def notes(self) -> list[str]:
        """What the user should know about data and experts."""
        found = (note for splits in self.splits.values() for note in splits.notes)
        return [*found, *self.contaminations, *self.truncations]


def ranges_of(config: Config) -> dict[str, Range]:
    """Objective -> the lowest and the highest score of an example, of which higher ones are better."""
    return {objective.name: objective.signed_range for objective in config.objectives}


def goals_of(config: Config, sizes: Mapping[str, tuple[int, int]]) -> Goals:
    """What a search with this config measures beside the utility.

    sizes: objective -> how many examples its search split has, and its select split.
    """
    objectives, optimizer = config.objectives, config.optimizer
    return Goals(
        weights={o.name: o.weight for o in objectives},
        apart=tuple(o.name for o in objectives if o.weight > 0) if optimizer.holds_apart else (),
        floors={o.name: floor for o in objectives if (floor := o.kept_floor) is not None},
        references={o.name: at for o in objectives if (at := o.signed_reference) is not None},
        soft=optimizer.climbs_soft,
        ranges=ranges_of(config),
        error_ratio={name: math.sqrt(search / select) for name, (search, select) in sizes.items()},
    )


def make_plan(config: Config, on_step: Callable[[str], None] = lambda step: None, resumed: bool = False) -> Plan:
    """Open and check everything that a resolved config names. Raises UserError.

    resumed: the journal has the notes on contamination, and the files that experts were trained on may be gone.
    """
    began = time.perf_counter()
    on_step("reading data")
    make_importable(config.objectives, Path(config.modules))
    splits = {objective.name: _splits(config, i) for i, objective in enumerate(config.objectives)}
    trained_on = {expert.name: [Path(path) for path in expert.trained_on] for expert in config.experts}
    contaminations = () if resumed else contamination_notes(splits, trained_on)
    on_step("checking base and experts")
    catalog = open_experts(config)
    config.engine.check_base(catalog.base)
    space = config.composition.space(catalog)
    remarks = [*budget_notes(config.optimizer, space, config.seed), *idle_expert_notes(catalog)]
    remarks += recorded_base_notes(catalog)
    _check_form(config, catalog, space)
    check_finite(catalog)
    on_step("encoding examples")
    encoder = Encoder.of(catalog.base.path)
    workloads = _workloads(config, splits, encoder)
    spec = EvaluatorSpec(
        base=Path(config.base),
        experts=tuple(specs_of(config)),
        composition=config.composition,
        engine=config.engine,
        objectives=tuple(config.objectives),
        import_path=Path(config.modules),
        racing=config.racing,
    )
    truncations = [
        *catalog.notes,
        *tokenizer_notes(catalog.experts, catalog.base.path),
        *change_notes(catalog),
        *answer_length_notes(workloads.values(), encoder),
    ]
    seconds = time.perf_counter() - began
    return Plan(config, catalog, space, splits, workloads, spec, truncations, contaminations, remarks, seconds)


def _check_form(config: Config, catalog: Catalog, space: Space) -> None:
    """Raise UserError where the form of best/ cannot hold what a search finds; `hf` then becomes a recipe."""
    usual_D = space.starts[0] if space.starts else space.uniforms_UD[0]
    recipe = config.composition.recipe(tuple(usual_D), catalog)
    written = on_weights(recipe) if config.export.format == "hf" else recipe
    check_form(Exported(catalog, written, config.engine.dtype, None, "", ""), config.export.format)


def examples_of(splits: Mapping[str, Splits], split: Split) -> Examples:
    """The examples of a split, by objective."""
    return {name: each.of(split) for name, each in splits.items()}


def _workloads(config: Config, splits: Mapping[str, Splits], encoder: Encoder) -> dict[Split, Workload]:
    """Every split, encoded for the engine. Raises DataError for an example that the model cannot take."""
    return {split: make_workload(config.objectives, examples_of(splits, split), encoder) for split in SPLITS}


def open_experts(config: Config) -> Catalog:
    """Base and experts of a resolved config, opened and checked. Raises ExpertError."""
    return open_catalog(Path(config.base), specs_of(config))


def specs_of(config: Config) -> list[ExpertSpec]:
    """The experts of a resolved config, unopened."""
    return [
        ExpertSpec(
            expert.name,
            Path(expert.path),
            config.sparsification(expert),
            expert.any_base,
            Path(expert.minus) if expert.minus else None,
        )
        for expert in config.experts
    ]


def _splits(config: Config, i: int) -> Splits:
    objective = config.objectives[i]
    given, needs_answer = objective.examples(), objective.needs_answer
    settings, only = config.splits, objective.only_tasks
    splits = make_splits(objective.name, objective.data, settings, config.seed, Path, given, needs_answer, only)
    examples = [*splits.search, *splits.select, *splits.test]
    for example in examples:
        objective.check(example)
    return replace(splits, notes=(*splits.notes, *objective.notes(examples)))
