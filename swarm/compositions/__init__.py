"""Compositions: what a position means, and the space of positions that a search moves in.

A composition sees the experts' catalog. It imports `swarm.core` and `swarm.experts`; never an optimizer, an engine or
an objective: to these a position is an array, and its meaning a recipe.

To add one: write `swarm/compositions/NAME.py` with a `Composition` subclass whose `type` is a Literal of its name, and
add one line to COMPOSITIONS. Config, schema, resume and the registry's tests follow from that.
"""

from swarm.compositions.base import Composition
from swarm.compositions.control import Control
from swarm.compositions.logits import Logits
from swarm.compositions.mixed import Mixed
from swarm.compositions.routed import Routed
from swarm.compositions.weights import Weights

COMPOSITIONS: dict[str, type[Composition]] = {
    "weights": Weights,
    "logits": Logits,
    "control": Control,
    "mixed": Mixed,
    "routed": Routed,
}

__all__ = ["COMPOSITIONS", "Composition"]
