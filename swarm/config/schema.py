"""The keys of a config: strict, complete, and the only way to set anything.

The settings of each kind are in the kind's own file. The schema is composed of them.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import BaseModel, BeforeValidator, Field, ValidationInfo, field_validator

from swarm.compositions import COMPOSITIONS, Composition
from swarm.compositions.weights import Weights
from swarm.core.settings import Settings
from swarm.data.splits import SplitSettings
from swarm.engines import ENGINES, EngineSettings
from swarm.engines.transformers.engine import TransformersSettings
from swarm.evaluation.racing import Racing
from swarm.experts.preparations import PREPARATIONS, AnyPreparation
from swarm.experts.sparsify import Sparsification
from swarm.objectives import OBJECTIVES
from swarm.objectives.base import Objective
from swarm.optimizers import OPTIMIZERS, Optimizer
from swarm.optimizers.guided_pso import GuidedPSO
from swarm.preferences import RULES, Rule
from swarm.preferences.linear import WeightedSum
from swarm.trackers import TRACKERS, TrackerSettings
from swarm.workers.settings import ClusterSettings, LocalCluster, RayCluster

if TYPE_CHECKING:
    AnyComposition = Composition
    AnyEngine = EngineSettings
    AnyObjective = Objective
    AnyOptimizer = Optimizer[Any]
    AnyTracker = TrackerSettings
else:
    by_type = Field(discriminator="type")
    AnyComposition = Annotated[Union[tuple(COMPOSITIONS.values())], by_type]  # noqa: UP007
    AnyEngine = Annotated[Union[tuple(ENGINES.values())], by_type]  # noqa: UP007
    AnyObjective = Annotated[Union[tuple(OBJECTIVES.values())], by_type]  # noqa: UP007
    AnyOptimizer = Annotated[Union[tuple(OPTIMIZERS.values())], by_type]  # noqa: UP007
    AnyTracker = Annotated[Union[tuple(TRACKERS.values())], by_type]  # noqa: UP007


KINDS: dict[str, type[BaseModel]] = {
    **COMPOSITIONS,
    **ENGINES,
    **OBJECTIVES,
    **OPTIMIZERS,
    **TRACKERS,
    **PREPARATIONS,
    **RULES,
    "ray": RayCluster,
    "local": LocalCluster,
}


DEFAULT_TYPES = {"composition": "weights", "engine": "transformers", "optimizer": "guided_pso", "cluster": "ray"}


OneOrMore = BeforeValidator(lambda v: [v] if isinstance(v, str) else v, json_schema_input_type=str | list[str])


class ExpertSettings(Sparsification):
    """An expert: its path, its name, its sparsification, and what it was trained on."""

    path: str
    name: str = Field("", description="its name in coefficients and reports; empty: the name of its folder or file")
    any_base: bool = Field(
        False, description="take it for another base than it was made from, with the same names and shapes"
    )
    minus: str = Field(
        "",
        description="for a model that acts through its logits: the model to subtract, or base; its coefficient scales "
        "the difference",
    )
    trained_on: Annotated[list[str], OneOrMore] = Field(
        default_factory=list,
        description="files of its training data, of the kinds of data; examples that are in them are noted",
    )


def _with_path(value: object) -> object:
    """The settings of an expert that is given as its path alone."""
    return {"path": value} if isinstance(value, str) else value


PathOrExpert = Annotated[ExpertSettings, BeforeValidator(_with_path, json_schema_input_type=str | ExpertSettings)]
Experts = Annotated[
    list[PathOrExpert],
    BeforeValidator(
        lambda v: [v] if isinstance(v, str) else v,
        json_schema_input_type=str | Annotated[list[str | ExpertSettings], Field(min_length=1)],
    ),
]


def _with_type(value: object) -> object:
    """The settings of a rule that is given by its name alone."""
    return {"type": value} if isinstance(value, str) else value


if TYPE_CHECKING:
    RuleOrName = Rule
else:
    AnyRule = Annotated[Union[tuple(RULES.values())], by_type]  # noqa: UP007
    RuleOrName = Annotated[AnyRule, BeforeValidator(_with_type, json_schema_input_type=str | AnyRule)]


class SelectionSettings(Settings):
    """How the best is chosen."""

    finalists: int = Field(8, ge=1, description="best candidates of the search split, scored again on the select split")
    rule: Literal["pooled", "select"] = Field(
        "pooled",
        description="who wins: the best by the examples of both splits together (without margins guided_pso and"
        " bayesian smooth the search split's scores, where they have a range, with a Gaussian process; with groups of"
        " parameters: by smoothed scores on the select split), or by the scores on the select split alone",
    )
    members: int = Field(
        16, ge=1, description="of a front: so many of its members are scored again on the select split, and on test"
    )
    select: RuleOrName = Field(
        default_factory=WeightedSum, description="of a front: the rule that chooses what best/ holds; others can later"
    )
    compare: Literal["means", "lower_bounds"] = Field(
        "means", description="of a front: whether the rule compares mean scores or, cautiously, their lower bounds"
    )
    floors: Literal["stop", "nearest"] = Field(
        "stop",
        description="where no candidate keeps the floors: stop, with nothing delivered, or deliver the nearest one",
    )


class ExportSettings(Settings):
    """What best/ holds."""

    format: Literal["hf", "adapter", "mergekit", "recipe"] = "hf"
    check_examples: int = Field(
        50, ge=0, description="search examples that the exported model is scored on again, to verify it"
    )


class Config(Settings):
    """One search."""

    base: str = Field(description="zoo:NAME, a local folder, or a hub id")
    experts: Experts = Field(
        min_length=1, description="each a path, a pattern such as adapters/*, or one of these with settings"
    )
    prepare: AnyPreparation | None = Field(None, description="of every expert that has no prepare: of its own")
    composition: AnyComposition = Field(default_factory=Weights, description="how coefficients act on the experts")
    objectives: list[AnyObjective] = Field(min_length=1, description="what is scored, and on which data")
    splits: SplitSettings = Field(default_factory=SplitSettings, description="how the examples are dealt")
    optimizer: AnyOptimizer = Field(default_factory=GuidedPSO, description="who searches, with which budget")
    racing: Racing = Field(default_factory=Racing, description="when a candidate is stopped early")
    selection: SelectionSettings = Field(default_factory=SelectionSettings, description="how the best is chosen")
    engine: AnyEngine = Field(default_factory=TransformersSettings, description="who runs the model")
    cluster: ClusterSettings = Field(
        default_factory=RayCluster, discriminator="type", description="where candidates are scored"
    )
    export: ExportSettings = Field(default_factory=ExportSettings, description="what the run writes at its end")
    trackers: list[AnyTracker] = Field(default_factory=list, description="where else the progress of the run is shown")
    modules: str = Field(".", description="folder of your own modules, for objectives of type function")
    seed: int = Field(0, ge=0, le=2**63 - 1, description="of splits and optimizer")

    @property
    def finalists(self) -> int:
        """How many candidates are scored on the select split, beside the baselines."""
        return self.selection.members if self.optimizer.holds_apart else self.selection.finalists

    @property
    def several_goals(self) -> bool:
        """Whether anything counts beside the utility: a front, or floors."""
        return self.optimizer.holds_apart or any(objective.floor is not None for objective in self.objectives)

    @property
    def models(self) -> list[str]:
        """Base, experts and what pairs subtract, as they are referred to."""
        subtracted = [expert.minus for expert in self.experts if expert.minus not in ("", "base")]
        return [self.base, *(expert.path for expert in self.experts), *subtracted]

    def sparsification(self, expert: ExpertSettings) -> Sparsification:
        """How much of an expert's update is kept."""
        kept = expert.model_dump(include={*Sparsification.model_fields} - {"prepare"})
        return Sparsification(**kept, prepare=expert.prepare or self.prepare)

    def decisive(self, expert: ExpertSettings) -> dict[str, object]:
        """What of an expert decides scores, apart from its files; what earlier versions lacked where it is used."""
        left_out = {"path", "trained_on", "prepare", "minus"} | (set() if expert.any_base else {"any_base"})
        found = expert.model_dump(mode="json", exclude=left_out)
        prepare = self.sparsification(expert).prepare
        return found | ({"prepare": prepare.model_dump(mode="json")} if prepare else {})

    @field_validator("objectives")
    @classmethod
    def _distinct(cls, objectives: list[Objective]) -> list[Objective]:
        names = [objective.name for objective in objectives]
        if len(set(names)) < len(names):
            raise ValueError(f"the names {names} are not distinct; give each objective a name of its own")
        if not any(objective.weight for objective in objectives):
            raise ValueError("every weight is 0, so nothing would be searched for; give one a weight above 0")
        return objectives

    @field_validator("optimizer")
    @classmethod
    def _fits_objectives(cls, optimizer: AnyOptimizer, info: ValidationInfo) -> AnyOptimizer:
        objectives: list[Objective] = info.data.get("objectives", [])
        floored = [objective.name for objective in objectives if objective.floor is not None]
        if floored and not optimizer.keeps_floors:
            raise ValueError(
                f"{optimizer.type} learns nothing of floors, and {floored[0]} has one; take guided_pso or bayesian"
            )
        if optimizer.holds_apart and objectives and sum(objective.weight > 0 for objective in objectives) < 2:
            raise ValueError(
                "goal: front needs at least two objectives with a weight above 0; name another one, or take goal: best"
            )
        return optimizer

    @field_validator("engine")
    @classmethod
    def _composes(cls, engine: AnyEngine, info: ValidationInfo) -> AnyEngine:
        composition = info.data.get("composition")
        if engine.type == "vllm" and composition is not None and composition.type != "weights":
            raise ValueError(
                f"type: vllm merges weights alone, and composition.type is {composition.type}, which combines models "
                "at every token or prompt; take type: transformers"
            )
        return engine

    @field_validator("trackers")
    @classmethod
    def _once(cls, trackers: list[TrackerSettings]) -> list[TrackerSettings]:
        types = [tracker.type for tracker in trackers]
        if len(set(types)) < len(types):
            raise ValueError(f"the types {types} are not distinct; name each tracker once")
        return trackers


def json_schema() -> dict[str, Any]:
    """The config's JSON schema, for editors. Only a section of the default type may leave its type out."""
    schema = Config.model_json_schema()
    for section in schema["$defs"].values():
        kind = section.get("properties", {}).get("type", {}).get("const")
        if kind in KINDS and kind not in DEFAULT_TYPES.values():
            section["required"] = [*section.get("required", []), "type"]
    return schema
