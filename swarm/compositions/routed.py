"""Composition by routing: coefficients that follow the input, as a fitted router has it (AlignX, arXiv 2602.07381).

An expert's coefficient at a prompt is scale * (1 - strength + strength * s), where s is its share of a softmax over the
router's calibrated probabilities (experts/router.py). At strength 0 the scales are plain coefficients, so that the
base, every expert alone and uniform averages are positions, without a router.

Shape suffixes: E experts, D coordinates: E scales, E biases, strength, sharpness, and those of the scores in use.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from swarm.compositions.base import Composition
from swarm.compositions.paths import ALL, check_base, neutral_weights, path_names
from swarm.compositions.weights import uniform_scales
from swarm.core.errors import ExpertError
from swarm.core.recipes import LogitRecipe, Recipe, RoutingRecipe, WeightRecipe
from swarm.core.space import Array, Baseline, Space
from swarm.experts.catalog import Catalog
from swarm.experts.router import FRACTAL, NATURAL
from swarm.experts.router_files import check_router, fingerprint

Scores = Literal["none", "fractal", "natural", "both"]
USED: dict[Scores, tuple[str, ...]] = {
    "none": (),
    "fractal": ("fractal",),
    "natural": ("natural",),
    "both": ("fractal", "natural"),
}
FITTED = {"fractal": FRACTAL, "natural": NATURAL}
PREFIX = "router."  # of the coordinates that are no expert's
UNIT_OF_BIAS, UNIT_OF_SHARPNESS = 2.0, 2.0  # so that -0.5 to 1.5 spans what is of use
COLDEST = 50.0  # of the logarithm of a temperature, which otherwise would overflow


class Routed(Composition):
    """A coefficient per expert that depends on the prompt, from a router that `swarm fit-router` has written.

    A position of zeros is the base. Its coordinates are, for each expert, its scale and (`router.bias.NAME`) its bias
    in units of 2; `router.strength`, cut to 0 to 1; `router.sharpness` x, for a temperature of exp(-2 x); and for each
    score in use (`router.fractal`, `router.natural`) what is added to its weight of 0.6 or 0.4. A search starts from
    the router as it was fitted, beside the baselines.
    """

    type: Literal["routed"] = "routed"
    paths: ClassVar[tuple[str, ...]] = ("router",)
    router: str = Field(description="folder of a router, as swarm fit-router writes it")
    by: Literal["logits", "clusters"] = Field(
        "logits",
        description="logits: all models run, and each prompt has its own coefficients; clusters: prompts are grouped "
        "by their coefficients, and weights are merged once per group",
    )
    clusters: int = Field(4, ge=1, le=64, description="groups of prompts, with by: clusters")
    scores: Scores = Field("both", description="what the router looks at: none, fractal, natural or both")
    base_share: float = Field(0.0, ge=0, lt=1, description="share of every prompt's softmax that is the base's")
    low: float = Field(-0.5, description="lowest coordinate that a bounded optimizer tries")
    high: float = Field(1.5, description="highest coordinate that a bounded optimizer tries")

    @property
    def bounds(self) -> tuple[float, float]:
        return self.low, self.high

    def decisive(self) -> dict[str, object]:
        """With the router's content in place of its folder."""
        return super().decisive() | {"router": fingerprint(Path(self.router))}

    def on_logits(self, catalog: Catalog) -> tuple[str, ...]:
        return path_names(catalog) if self.by == "logits" else ()

    def check_models(self, catalog: Catalog) -> None:
        if self.by == "clusters":
            super().check_models(catalog)

    def space(self, catalog: Catalog) -> Space:
        check_base(self.type, catalog)
        self.check_models(catalog)
        try:
            check_router(Path(self.router), catalog)
        except ExpertError as error:
            raise ExpertError(f"composition.router: {error}") from None
        names = path_names(catalog)
        coordinates = self._coordinates(names)
        n, d = len(names), len(coordinates)
        return Space(
            coordinates=coordinates,
            low_D=np.full(d, self.low),
            high_D=np.full(d, self.high),
            base=Baseline.base(np.zeros(d)),
            experts=tuple(map(Baseline.expert, names, np.eye(n, d))),
            uniforms=tuple(Baseline.uniform(scale, _first(n, d, scale)) for scale in uniform_scales(n, self.high)),
            starts=self._starts(coordinates, n),
        )

    def recipe(self, position: Sequence[float], catalog: Catalog) -> Recipe:
        names = path_names(catalog)
        coordinates = self._coordinates(names)
        assert len(position) == len(coordinates), "a position has one coordinate per name"
        at = dict(zip(coordinates, map(float, position), strict=True))
        scales = {name: at[name] for name in names}
        strength = min(1.0, max(0.0, at[f"{PREFIX}strength"]))
        if strength == 0.0 or not any(scales.values()):
            return self._everywhere_equal(scales, catalog)
        weights = {score: FITTED[score] + at[PREFIX + score] for score in USED[self.scores]}
        routing = RoutingRecipe(
            router=self.router,
            by=self.by,
            clusters=self.clusters,
            fractal=weights.get("fractal", 0.0),
            natural=weights.get("natural", 0.0),
            temperature=math.exp(min(COLDEST, max(-COLDEST, -UNIT_OF_SHARPNESS * at[f"{PREFIX}sharpness"]))),
            base_share=self.base_share,
            strength=strength,
            biases={name: UNIT_OF_BIAS * at[_bias(name)] for name in names},
            scales=scales,
        )
        return Recipe(neutral_weights(catalog), routing=routing)

    def _everywhere_equal(self, scales: Mapping[str, float], catalog: Catalog) -> Recipe:
        if self.by == "logits":
            return Recipe(neutral_weights(catalog), LogitRecipe("logits", scales))
        return Recipe(WeightRecipe("delta", ALL, {name: (scale,) for name, scale in scales.items()}))

    def _coordinates(self, names: Sequence[str]) -> tuple[str, ...]:
        shared = (f"{PREFIX}{name}" for name in ("strength", "sharpness", *USED[self.scores]))
        return (*names, *map(_bias, names), *shared)

    def _starts(self, coordinates: Sequence[str], n_experts: int) -> tuple[Array, ...]:
        """The router as it was fitted; sharper, up to nearly one expert a prompt; and with each score alone."""
        fitted_D = _first(n_experts, len(coordinates), 1.0)
        fitted_D[coordinates.index(f"{PREFIX}strength")] = 1.0
        found = [fitted_D]
        for sharpness in (0.5, 1.0):
            found.append(_with(fitted_D, coordinates, {f"{PREFIX}sharpness": sharpness}))
        if self.scores == "both":
            for left_out in ("fractal", "natural"):
                alone = {f"{PREFIX}{left_out}": -FITTED[left_out], f"{PREFIX}sharpness": 0.5}
                found.append(_with(fitted_D, coordinates, alone))
        return tuple(np.clip(each, self.low, self.high) for each in found)


def _first(n: int, d: int, value: float) -> Array:
    """D coordinates, the first n of which have this value, and the others 0."""
    return np.where(np.arange(d) < n, value, 0.0)


def _with(position_D: Array, coordinates: Sequence[str], changed: Mapping[str, float]) -> Array:
    made_D = position_D.copy()
    for name, value in changed.items():
        made_D[coordinates.index(name)] = value
    return made_D


def _bias(name: str) -> str:
    return f"{PREFIX}bias.{name}"
