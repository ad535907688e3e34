"""Composition of weights and logits in one particle: experts are merged into the base, and paths act on its logits.

The logits of a path's difference are those of the models as they are: of the expert alone and of the base without
experts. So they do not depend on the coefficients of weights, and are computed once.

Shape suffixes: G groups, D coordinates: those of weights (expert-major), then those of paths.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from swarm.compositions.base import Composition
from swarm.compositions.paths import check_base, neutral_weights, path_names
from swarm.compositions.weights import Weights, uniform_scales
from swarm.core.errors import ConfigError
from swarm.core.recipes import Group, LogitRecipe, Recipe, WeightRecipe
from swarm.core.space import Array, Baseline, Position, Space, position_of
from swarm.experts.catalog import Catalog
from swarm.experts.parameter_groups import GroupSpec
from swarm.experts.updates import Algebra

MERGED, PLACE = "weights", "logits"  # of coordinates: the one group of weights, and paths


class Mixed(Composition):
    """Coefficients on weights for some experts, and on logits for some, which may be the same ones.

    A position is in units of `scales`: a coordinate of x stands for the coefficient x times its scale. They are
    measured when a run begins, and its config keeps them.
    """

    type: Literal["mixed"] = "mixed"
    algebra: Algebra = "delta"
    groups: GroupSpec = Field("all", description="of the coefficients on weights, as in weights")
    weights: list[str] | None = Field(
        None, description="names of the experts that act on weights; default: all that can"
    )
    logits: list[str] | None = Field(
        None, description="names of those that act on logits; default: those that cannot act on weights, else all"
    )
    scales: dict[str, float] = Field(
        default_factory=dict,
        description="coordinate: the coefficient of one unit of a position; measured where none are given",
    )
    units: Literal["kl", "raw"] = Field(
        "kl",
        description="where no scales are given: kl measures them, so that a unit of each coordinate moves the base "
        "equally far (KL divergence); raw: a unit is a coefficient of 1",
    )
    low: float = Field(-0.5, description="lowest coordinate that a bounded optimizer tries")
    high: float = Field(1.5, description="highest coordinate that a bounded optimizer tries")

    @model_validator(mode="after")
    def _positive(self) -> "Mixed":
        for name, scale in self.scales.items():
            if not scale > 0:
                raise ValueError(f"scales.{name}: {scale} must be above 0; correct it, or leave scales out")
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        return self.low, self.high

    def on_weights(self, catalog: Catalog) -> tuple[str, ...]:
        """Names of the experts that act on weights, in the catalog's order."""
        return tuple(name for name in catalog.names if self.weights is None or name in self.weights)

    def on_logits(self, catalog: Catalog) -> tuple[str, ...]:
        """Names of the paths, in the catalog's order."""
        default = [model.name for model in catalog.models] or catalog.names
        wanted = default if self.logits is None else self.logits
        return tuple(name for name in path_names(catalog) if name in wanted)

    def space(self, catalog: Catalog) -> Space:
        check_base(self.type, catalog)
        self._check(catalog)
        names, paths = self.coordinates(catalog), self.on_logits(catalog)
        scale_D = self._scale(names)
        inner = self._weights.space(self._alone(catalog)) if self.on_weights(catalog) else None
        n = len(names) - len(paths)
        # Wide enough for every expert alone, whatever its unit.
        low_D, high_D = np.full(len(names), self.low), np.maximum(self.high, 1.0 / scale_D)

        def at(weights: Array, path: str = "") -> Array:
            on_logits = np.array([float(each == path) for each in paths])
            position_D: Array = np.concatenate([weights, on_logits]) / scale_D
            return position_D

        zeros = np.zeros(n)
        merged = [Baseline(each.id, at(each.position_D), each.scale) for each in inner.experts] if inner else []
        suffix = {name: f"{name}.{PLACE}" if name in self.on_weights(catalog) else name for name in paths}
        alone = [Baseline.expert(suffix[name], at(zeros, name)) for name in paths]
        uniforms = [Baseline.uniform(each.scale, at(each.position_D)) for each in inner.uniforms] if inner else []
        if not uniforms:
            on_logits = np.full(len(paths), 1 / len(paths))
            uniforms = [Baseline.uniform(1 / len(paths), on_logits / scale_D)]
        averages = [np.full(len(paths), scale) for scale in uniform_scales(len(paths), self.high)] if inner else []
        starts = tuple(np.concatenate([zeros, each]) / scale_D for each in averages)
        experts = (*merged, *alone)
        same_model = self._same_model(experts)
        return Space(names, low_D, high_D, Baseline.base(at(zeros)), experts, tuple(uniforms), starts, same_model)

    def _same_model(self, experts: Sequence[Baseline]) -> dict[Position, Position]:
        """An expert alone on logits is the same model as in the weights; factors are left out, which may be merged."""
        if self.algebra != "delta":
            return {}
        merged = {f"{each.id}.{PLACE}": position_of(each.position_D) for each in experts}
        return {position_of(each.position_D): merged[each.id] for each in experts if each.id in merged}

    def recipe(self, position: Sequence[float], catalog: Catalog) -> Recipe:
        names, paths = self.coordinates(catalog), self.on_logits(catalog)
        assert len(position) == len(names), "a position has one coordinate per expert and place"
        # Rounded, so that the position of an expert alone, 1 / scale, is a coefficient of exactly 1.
        scaled = (np.asarray(position, dtype=np.float64) * self._scale(names)).round(12).tolist()
        n, alone = len(names) - len(paths), self._alone(catalog)
        weights = (self._weights.recipe(scaled[:n], alone) if n else Recipe(neutral_weights(alone))).weights
        coefficients = {name: weights.coefficients.get(name, (0.0,) * len(weights.groups)) for name in catalog.names}
        groups = weights.groups if len(weights.groups) > 1 else (Group(MERGED, ("*",)),)
        merged = WeightRecipe(weights.algebra, groups, coefficients)
        return Recipe(merged, LogitRecipe("logits", dict(zip(paths, scaled[n:], strict=True))))

    def coordinates(self, catalog: Catalog) -> tuple[str, ...]:
        """NAME.weights or NAME.GROUP on weights, NAME.logits on logits."""
        experts = self.on_weights(catalog)
        inner = self._weights.space(self._alone(catalog)).coordinates if experts else ()
        merged = [f"{name}.{MERGED}" for name in inner] if len(inner) == len(experts) else inner
        return (*merged, *(f"{name}.{PLACE}" for name in self.on_logits(catalog)))

    @property
    def _weights(self) -> Weights:
        return Weights(algebra=self.algebra, groups=self.groups, low=self.low, high=self.high)

    def _alone(self, catalog: Catalog) -> Catalog:
        """The catalog with those experts alone that act on weights."""
        names = self.on_weights(catalog)
        return Catalog(catalog.base, tuple(expert for expert in catalog.experts if expert.name in names))

    def _scale(self, names: Sequence[str]) -> Array:
        return np.array([self.scales.get(name, 1.0) for name in names])

    def _check(self, catalog: Catalog) -> None:
        known = {"weights": catalog.names, "logits": path_names(catalog)}
        for key, allowed in known.items():
            for name in getattr(self, key) or ():
                if name not in allowed:
                    can = "acts on logits alone" if name in path_names(catalog) else "is no expert"
                    raise ConfigError(f"composition.{key}: {name!r} {can}; name some of {', '.join(allowed) or 'none'}")
        if not self.on_logits(catalog):
            raise ConfigError("composition.logits: nothing acts on logits; name an expert, or use composition weights")
        if not isinstance(self.groups, str) and PLACE in self.groups:
            raise ConfigError(f"composition.groups.{PLACE}: the name is that of coefficients on logits; choose another")
        names = self.coordinates(catalog)
        for name in self.scales:
            if name not in names:
                raise ConfigError(f"composition.scales.{name}: no such coordinate; use some of {', '.join(names)}")
