"""A run's dial: a live model that is set to a preference between objectives, or to coefficients, between two calls."""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from swarm.config.load import load_config
from swarm.core.errors import ConfigError
from swarm.core.recipes import Recipe
from swarm.engines.transformers.dial_model import DialModel, Form
from swarm.engines.transformers.engine import DTYPES
from swarm.journal.archive import Archive
from swarm.preferences.base import known
from swarm.preferences.context_map import Blend, ContextMap
from swarm.run.best_expert import Coefficients
from swarm.run.choice import FinishedFront
from swarm.run.directory import JOURNAL, config_path
from swarm.run.plan import open_experts
from swarm.run.provenance import check_settings, check_weights

FORMS: Mapping[str, Form | None] = {"auto": None, "adapter": "adapter", "stacked": "stacked", "merged": "merged"}


class Dial:
    """Base and experts of a run, loaded once. The model is the base until it is set.

        model = run.dial()
        model.set(helpful=0.8, harmless=0.2)
        model.generate("Write a letter.", max_new_tokens=40)

    form: adapter, where a set writes the tensors of `swarm export --format adapter`; stacked, where it changes a small
    tensor, and rows may differ; or merged, where the weights are those of `swarm export --format hf`.
    model: of transformers, which calls may use as they like. tokenizer: the base's.
    """

    def __init__(self, folder: Path, form: str = "auto", device: str = "auto", dtype: str = "") -> None:
        """form: auto, adapter, stacked or merged. dtype: of the weights, "" for the search's. Raises UserError."""
        self.folder = folder
        self._config = load_config(config_path(folder))
        if form not in FORMS:
            raise ConfigError(f"form: {form!r} is unknown; use one of {', '.join(FORMS)}")
        precision = dtype or self._config.engine.dtype
        if precision not in DTYPES:
            raise ConfigError(f"dtype: {precision!r} is unknown; use one of {', '.join(DTYPES)}")
        if (composition := self._config.composition).type != "weights":
            raise ConfigError(
                f"{folder}: a dial moves weights alone, and composition.type is {composition.type}; write a point of "
                "the front with swarm dial or swarm export, and open that with swarm.load"
            )
        archive = Archive(folder / JOURNAL)
        self._catalog = open_experts(self._config)
        check_weights(archive, self._catalog)
        check_settings(archive, self._config)
        self._space = self._config.composition.space(self._catalog)
        self._live = DialModel(self._catalog, DTYPES[precision], device, FORMS[form])
        self.form, self.model, self.tokenizer = self._live.form, self._live.model, self._live.tokenizer

    @cached_property
    def context_map(self) -> ContextMap:
        """From preferences to coefficients. Raises RunError where the run has no front, or has not ended."""
        return FinishedFront.of(self.folder).context_map()

    def set(
        self,
        preference: Mapping[str, float] | None = None,
        *,
        coefficients: Coefficients | None = None,
        **objectives: float,
    ) -> Blend | None:
        """Set the weighting of the calls that follow.

        preference, objectives: weights of at least 0, in any unit; those not named count 0. Between members of the
        front, coefficients are interpolated, and such a point was never scored. Returns what the preference came to.
        coefficients: expert -> coefficient, or expert -> group -> coefficient, instead; those not named are 0.

        Raises ConfigError for unknown names and numbers that do not go, RunError where the run has no front.
        """
        wanted = {**(preference or {}), **objectives}
        if (coefficients is None) == (not wanted):
            raise ConfigError("set: give a weight for one or more objectives, or coefficients=, and not both")
        if coefficients is not None:
            self._live.put([self._recipe(self._position(coefficients))])
            return None
        blend = self.context_map.at(wanted)
        self._live.put([self._recipe(blend.coefficients)])
        return blend

    def set_rows(self, preferences: Sequence[Mapping[str, float]]) -> list[Blend]:
        """Set each row of the next batches to a preference of its own; the stacked form alone can. Raises as `set`."""
        if not preferences:
            raise ConfigError("set_rows: no preference is given; give one for each prompt of a batch")
        blends = [self.context_map.at(each) for each in preferences]
        self._live.put([self._recipe(blend.coefficients) for blend in blends])
        return blends

    def generate(self, prompts: str | Sequence[str], **options: object) -> list[str]:
        """What the model writes after each prompt, which is taken as it is, without a chat template.

        options: of transformers' `generate`, such as max_new_tokens.
        """
        return self._live.generate([prompts] if isinstance(prompts, str) else prompts, options)

    def _recipe(self, position: Sequence[float]) -> Recipe:
        return self._config.composition.recipe(position, self._catalog)

    def _position(self, coefficients: Coefficients) -> list[float]:
        """The position with these coefficients. Raises ConfigError."""
        names = self._catalog.names
        known(coefficients, names, "coefficients", "expert")
        found: list[float] = []
        for name, own in zip(names, self._by_expert(), strict=True):
            given = coefficients.get(name, 0.0)
            if isinstance(given, Mapping):
                known(given, own, f"coefficients.{name}", "group")
                found += [float(given.get(group, 0.0)) for group in own]
            else:
                found += [float(given)] * len(own)
        if not all(map(math.isfinite, found)):
            raise ConfigError(f"coefficients: {dict(coefficients)} holds a number that is not finite; give finite ones")
        return found

    def _by_expert(self) -> list[list[str]]:
        """For each expert the names of its groups; one without groups."""
        groups = [group.name for group in self._recipe(tuple(self._space.neutral_D)).weights.groups]
        return [groups for _ in self._catalog.names]
