"""The keys of a build config, which is a document of its own: a base, and experts that are made from data."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import Field, ValidationInfo, field_validator

from swarm.builders import BUILDERS, ExpertBuilder
from swarm.core.settings import Settings

if TYPE_CHECKING:
    AnyBuilder = ExpertBuilder
else:
    AnyBuilder = Annotated[Union[tuple(BUILDERS.values())], Field(discriminator="type")]  # noqa: UP007

SHAPE = ("full", "rank", "alpha", "target_modules")  # what weights that are trained one after another share


class BuildConfig(Settings):
    """One build."""

    base: str = Field(description="zoo:NAME, a local folder, or a hub id; every expert is made from it")
    out: str = Field("experts", description="the folder that gets a folder of each expert; relative to the config")
    experts: list[AnyBuilder] = Field(min_length=1, description="the experts, built one after another")
    chat: bool | Literal["auto"] = Field(
        "auto", description="prompts in the tokenizer's chat template; auto: where it has one, or prompts are chats"
    )
    forgetting: bool = Field(
        False, description="score every expert on every expert's held-out examples, also trained one after another"
    )
    seed: int = Field(0, ge=0, lt=2**32)

    @field_validator("experts")
    @classmethod
    def _distinct(cls, experts: list[ExpertBuilder]) -> list[ExpertBuilder]:
        folded = [expert.name.lower() for expert in experts]  # some file systems know no case
        if len(set(folded)) < len(folded):
            names = [expert.name for expert in experts]
            raise ValueError(f"the names {names} are not distinct; give each expert a name of its own")
        return experts

    @field_validator("forgetting")
    @classmethod
    def _one_shape(cls, value: bool, info: ValidationInfo) -> bool:
        experts = info.data.get("experts", ())
        if value and (control := [expert.name for expert in experts if expert.part == "control"]):
            raise ValueError(
                f"weights are trained on all experts' data in turn, and {control[0]} is a control layer; build it with "
                "a config of its own, or remove forgetting"
            )
        if value and (key := _differing(experts)):
            raise ValueError(
                f"one adapter is trained on all experts' data in turn, and their {key} differ; give all experts the "
                "same, or remove forgetting"
            )
        return value

    def seed_of(self, expert: ExpertBuilder) -> int:
        return self.seed if expert.seed is None else expert.seed


def is_build(raw: object) -> bool:
    """Whether a config's content is meant as a build config."""
    if not isinstance(raw, dict) or {"objectives", "curate"} & raw.keys():
        return False
    experts = raw.get("experts")
    listed = [each for each in experts if isinstance(each, dict)] if isinstance(experts, list) else []
    return "out" in raw or any({"type", "data"} & each.keys() for each in listed)


def build_json_schema() -> dict[str, Any]:
    """The build config's JSON schema, for editors."""
    schema = BuildConfig.model_json_schema()
    for section in schema["$defs"].values():
        section["required"] = sorted({*section.get("required", []), "type"})
    return schema


def _differing(experts: Sequence[ExpertBuilder]) -> str:
    return next((key for key in SHAPE if len({repr(getattr(expert, key)) for expert in experts}) > 1), "")
