"""How the experts of `swarm compose` are prepared: a config's `prepare:` and keys of its `experts:`, from options."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, ValidationError

from swarm.config.load import override
from swarm.config.messages import Document, explain, shown
from swarm.config.yaml_files import parse
from swarm.core.errors import ConfigError
from swarm.core.settings import Settings
from swarm.core.terminal_text import shortened
from swarm.experts.preparations import PREPARATIONS, AnyPreparation
from swarm.experts.sparsify import Sparsification

PREPARE = "--prepare"
FORM = "write TYPE:KEY=VALUE,KEY=VALUE, as in ties:density=0.5"
SETTING = "write for example --set experts.0.svd=16"


class ComposedExpert(Sparsification):
    """What may be set of one expert."""

    name: str = Field("", description="its name; empty: the name of its folder or file")
    any_base: bool = Field(False, description="take it for another base than it was made from")


class ComposedExperts(Settings):
    """What may be set of the experts. prepare: of every expert that has none of its own."""

    prepare: AnyPreparation | None = None
    experts: list[ComposedExpert]

    def sparsification(self, i: int) -> Sparsification:
        """How much of the update of the expert at this place is kept."""
        kept = self.experts[i].model_dump(include={*Sparsification.model_fields} - {"prepare"})
        return Sparsification(**kept, prepare=self.experts[i].prepare or self.prepare)


COMPOSED = Document(ComposedExperts, PREPARATIONS, {})


def composed_experts(n: int, prepare: str, overrides: Sequence[str]) -> ComposedExperts:
    """The settings of n experts. prepare: "" or TYPE:KEY=VALUE,...; overrides: `prepare.KEY=V`, `experts.0.KEY=V`.

    Raises ConfigError.
    """
    if isinstance(overrides, str):
        raise ConfigError(f"overrides: {overrides!r} is one text; give a list of them")
    content: dict[str, Any] = {"experts": [{} for _ in range(n)]}
    if prepare:
        content["prepare"] = _preparation(prepare)
        if problem := _problem(content):
            key, _, why = problem.removeprefix("prepare").removeprefix(".").partition(": ")
            why = f"missing; {FORM}" if why.startswith("missing; ") else why
            raise ConfigError(f"{PREPARE}: {key}: {why}" if key else f"{PREPARE}: {why}")
    for each in overrides:
        if "=" not in each:
            raise ConfigError(f"--set {shortened(each)}: not of the form key=value; {SETTING}")
        override(content, each)
    if problem := _problem(content):
        key, _, why = problem.partition(": ")
        why = f"missing; add --set {key}=VALUE" if why.startswith("missing; ") else why
        raise ConfigError(f"--set {key}: {why}")
    found = ComposedExperts.model_validate(content)
    if len(found.experts) != n:
        raise ConfigError(f"--set experts: {len(found.experts)} of {n} experts; set the keys of one: experts.0.svd=16")
    return found


def _problem(content: Mapping[str, Any]) -> str:
    """What is wrong, beginning with its key; "" where nothing is."""
    try:
        ComposedExperts.model_validate(content)
    except ValidationError as error:
        return explain(error.errors(), COMPOSED)
    return ""


def _preparation(text: str) -> dict[str, object]:
    """Its type and settings as the config has them, unchecked."""
    kind, colon, rest = text.partition(":")
    found: dict[str, object] = {"type": kind.strip()}
    for pair in rest.split(",") if colon else ():
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not (equals and key and value):
            raise ConfigError(f"{PREPARE}: {shown(pair)} is not KEY=VALUE; {FORM}")
        if key in found:
            raise ConfigError(f"{PREPARE}: {shortened(key)} is given twice; give it once")
        found[key] = parse(value, f"{PREPARE} ", (key,))
    return found
