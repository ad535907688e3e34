"""The worst-off objective first: egalitarian choice, and leximin, which carries it on to the second worst."""

from typing import Literal

import numpy as np

from swarm.core.space import Array
from swarm.preferences.base import Rule, gains_in_words
from swarm.preferences.members import Members


class Egalitarian(Rule):
    """max min_k g_k, the smallest normalised gain (Rawls 1971; as a bargaining solution Kalai & Smorodinsky 1975)."""

    type: Literal["egalitarian"] = "egalitarian"

    def criteria(self, members: Members) -> Array:
        worst_M1: Array = members.normalised_gains_MK.min(axis=1, keepdims=True)
        return worst_M1

    def inputs(self, members: Members) -> str:
        return f"{gains_in_words(members)}; all objectives alike"


class Leximin(Rule):
    """The smallest normalised gain, among equals the second smallest, and so on (Sen 1970; Moulin 2003, ch. 3)."""

    type: Literal["leximin"] = "leximin"

    def criteria(self, members: Members) -> Array:
        return np.sort(members.normalised_gains_MK, axis=1)

    def value(self, members: Members) -> None:
        return None

    def inputs(self, members: Members) -> str:
        return f"{gains_in_words(members)}; all objectives alike"
