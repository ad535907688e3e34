"""Preparations of experts' updates, under mergekit's names: what is pruned, and how the experts' signs are reconciled.

To add one: a class here and its name in PREPARATIONS.
"""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Annotated, Literal, Union

from pydantic import BeforeValidator, Field, create_model, model_validator
from torch import Tensor

from swarm.core.settings import Settings
from swarm.experts.joint_preparation import Consensus, Election, Rule, Sharing
from swarm.experts.pruning import at_random, by_magnitude, by_magprune, pruned, without_outliers

RESCALE = "raise the entries that are kept, so that their magnitudes add up to those of the whole tensor"


class Preparation(Settings):
    """What all preparations have: frozen settings with pure methods."""

    type: str

    @property
    def rule(self) -> Rule | None:
        """How experts are prepared together; None where each is prepared by itself."""
        return None

    def alone(self, delta: Tensor, key: str) -> Tensor:
        """The update of one parameter, in float32, prepared by itself. key: what random numbers are drawn from."""
        return delta


if TYPE_CHECKING:
    Scaled = Preparation
else:  # no class statement can give a field this name
    Scaled = create_model(
        "Scaled",
        __base__=Preparation,
        **{"lambda": (float, Field(1.0, gt=0, description="factor of the whole update"))},
    )


class Pruned(Scaled, ABC):
    """A share of the entries of each tensor is kept."""

    density: float = Field(gt=0, le=1, description="share of entries kept, of each tensor")
    rescale: bool = Field(False, description=RESCALE)

    def alone(self, delta: Tensor, key: str) -> Tensor:
        if self.density < 1:
            delta = pruned(delta, self.kept(delta, key), self.rescale)
        factor: float = getattr(self, "lambda")
        return delta if factor == 1.0 else delta * factor

    @abstractmethod
    def kept(self, delta: Tensor, key: str) -> Tensor:
        """Which entries are kept."""


class ByMagnitude(Pruned):
    """The largest entries are kept (TIES)."""

    def kept(self, delta: Tensor, key: str) -> Tensor:
        return by_magnitude(delta, self.density)


class AtRandom(Pruned):
    """Entries are dropped at random (DARE)."""

    rescale: bool = Field(True, description=RESCALE)
    seed: int = Field(0, ge=0, description="random numbers follow from it, the expert's name and the tensor's")

    def kept(self, delta: Tensor, key: str) -> Tensor:
        return at_random(delta, self.density, f"{self.seed}/{key}")


class WithoutOutliers(Pruned):
    """The smallest entries and the very largest are dropped (Model Breadcrumbs)."""

    gamma: float = Field(0.01, ge=0, lt=1, description="share of entries dropped for being the largest")

    def kept(self, delta: Tensor, key: str) -> Tensor:
        return without_outliers(delta, self.density, self.gamma)


class ByMagprune(AtRandom):
    """Entries are dropped at random, the smaller of a row more often (DELLA)."""

    epsilon: float = Field(0.15, gt=0, lt=0.5, description="how far the probabilities go from the density")

    @model_validator(mode="after")
    def _possible(self) -> "ByMagprune":
        room = min(self.density, 1 - self.density)
        if self.density < 1 and self.epsilon >= room:
            raise ValueError(
                f"density {self.density:g} and epsilon {self.epsilon:g} give probabilities outside 0 to 1; "
                f"take an epsilon below {room:g}"
            )
        return self

    def kept(self, delta: Tensor, key: str) -> Tensor:
        return by_magprune(delta, self.density, self.epsilon, f"{self.seed}/{key}")


def _once(value: object) -> object:
    if value == "each":
        raise ValueError("a sign elected for each candidate would move what is searched; write once")
    return value


class Elected(Pruned):
    """The experts elect a sign for each entry of their pruned updates, and entries of the other sign are dropped."""

    consensus: Consensus = Field("sum", description="the sign of the sum of all updates, or of the count of signs")
    normalize: bool = Field(
        False, description="divide each entry by the number of experts that keep it: with coefficients of 1 their mean"
    )
    elect: Annotated[Literal["once"], BeforeValidator(_once)] = Field(
        "once", description="signs are elected once, by experts of equal weight, and stay during the search"
    )

    @property
    def rule(self) -> Rule:
        return Election(self.consensus, self.normalize)


class Ties(ByMagnitude, Elected):
    type: Literal["ties"] = "ties"


class DareLinear(AtRandom):
    type: Literal["dare_linear"] = "dare_linear"


class DareTies(AtRandom, Elected):
    type: Literal["dare_ties"] = "dare_ties"


class Breadcrumbs(WithoutOutliers):
    type: Literal["breadcrumbs"] = "breadcrumbs"


class BreadcrumbsTies(WithoutOutliers, Elected):
    type: Literal["breadcrumbs_ties"] = "breadcrumbs_ties"


class DellaLinear(ByMagprune):
    type: Literal["della_linear"] = "della_linear"


class Della(ByMagprune, Elected):
    type: Literal["della"] = "della"


class Ram(Preparation):
    """Entries that several experts change are divided by their number (Reinforced Agent Merging)."""

    type: Literal["ram"] = "ram"
    epsilon: float = Field(1e-5, ge=0, description="an entry of no larger magnitude counts as unchanged")

    @property
    def rule(self) -> Rule:
        return Sharing(self.epsilon)


class RamPlus(Preparation):
    """Those that one expert alone changes are raised besides."""

    type: Literal["ramplus_tl"] = "ramplus_tl"
    epsilon: float = Field(1e-5, ge=0, description="an entry of no larger magnitude counts as unchanged")
    r: float = Field(0.1, ge=0, description="how far entries that one expert alone changes are raised")
    alpha: float = Field(0.2, ge=0, description="the most that the ratio of shared entries to an expert's own counts")

    @property
    def rule(self) -> Rule:
        return Sharing(self.epsilon, self.r, self.alpha)


PREPARATIONS: dict[str, type[Preparation]] = {
    "ties": Ties,
    "dare_linear": DareLinear,
    "dare_ties": DareTies,
    "breadcrumbs": Breadcrumbs,
    "breadcrumbs_ties": BreadcrumbsTies,
    "della_linear": DellaLinear,
    "della": Della,
    "ram": Ram,
    "ramplus_tl": RamPlus,
}

if TYPE_CHECKING:
    AnyPreparation = Preparation
else:
    AnyPreparation = Annotated[Union[tuple(PREPARATIONS.values())], Field(discriminator="type")]  # noqa: UP007
