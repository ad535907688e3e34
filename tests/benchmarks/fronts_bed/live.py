"""Problems on live models: an objective is the accuracy on a group of tasks. bed/live.py says how an answer is scored.

Every candidate of a seed is scored on the same 200 examples, 25 of each task. The hidden population comes from another
seed, 100 examples of each task: smaller than that of discovery.py, as the search for the best known front scores it
thousands of times.

Shape suffixes: N positions, D coordinates, K objectives, P examples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from bed.live import HIDDEN_SEED, LENGTHS, Live

from fronts_bed.problem import FrontProblem, Scorer, Scores, counted
from swarm.core.examples import Example
from swarm.core.space import Array, Space
from swarm.zoo.string_tasks import evaluation_examples
from swarm.zoo.training import TrainingBatch

PER_TASK, HIDDEN_PER_TASK = 25, 100
LETTERS, TABLES, VOWELS = ("upper", "next", "prev"), ("mirror", "rot", "digit"), ("vowel", "kind")


@dataclass(frozen=True)
class LiveFront(FrontProblem):
    """A problem on the zoo named `zoo`, with an objective for each group of tasks."""

    name: str
    zoo: str
    groups: tuple[tuple[str, ...], ...]
    dense: tuple[int, int] = (60, 40)

    @cached_property
    def space(self) -> Space:
        return self._live.space

    def truth(self, x_ND: Array) -> Array:
        return np.array([self._true(x_D) for x_D in x_ND])

    def scorer(self, seed: int) -> Scorer:
        examples = evaluation_examples(1000 + seed, PER_TASK, LENGTHS)
        batch, rows = self._live._batch(examples), self._rows(examples)
        items_K = np.array([len(each) for each in rows])

        def scored(x_ND: Array) -> Scores:
            right_NP = np.array([self._live._margins(x_D, batch) > 0 for x_D in x_ND])
            right_NK = np.stack([right_NP[:, each].sum(axis=1) for each in rows], axis=1)
            return counted(right_NK, items_K, self.slacks(x_ND))

        return scored

    @cached_property
    def _truths(self) -> dict[bytes, Array]:
        """Position -> its true values: searches meet the same reference points again."""
        return {}

    @cached_property
    def _live(self) -> Live:
        return Live(self.name, self.zoo)

    @cached_property
    def _hidden(self) -> tuple[TrainingBatch, Sequence[Sequence[int]]]:
        examples = evaluation_examples(HIDDEN_SEED, HIDDEN_PER_TASK, LENGTHS)
        return self._live._batch(examples), self._rows(examples)

    def _true(self, x_D: Array) -> Array:
        if (key := x_D.tobytes()) not in self._truths:
            batch, rows = self._hidden
            right_P = self._live._margins(x_D, batch) > 0
            self._truths[key] = np.array([right_P[each].mean() for each in rows])
        return self._truths[key]

    def _rows(self, examples: Sequence[Example]) -> Sequence[Sequence[int]]:
        """For each objective the rows of its examples."""
        group: Mapping[str, int] = {task: k for k, tasks in enumerate(self.groups) for task in tasks}
        return [
            [row for row, example in enumerate(examples) if group.get(example.task or "") == k]
            for k in range(len(self.groups))
        ]


LIVE: tuple[FrontProblem, ...] = (
    LiveFront("zoo-tiny", "tiny", (LETTERS, TABLES, VOWELS)),
    LiveFront("zoo-interfering", "interfering", (("upper", "kind", "vowel"), ("mirror", "digit"))),
)
