"""Compositions: what a position means.

To add one: write `swarm/compositions/NAME.py` with a `Composition` subclass whose `type` is a Literal of its
name, and add one line to COMPOSITIONS. Config, schema, resume and the registry's tests follow from that.
"""

from swarm.compositions.base import Composition
from swarm.compositions.weights import Weights

COMPOSITIONS: dict[str, type[Composition]] = {
    "weights": Weights,
}

__all__ = ["COMPOSITIONS", "Composition"]
