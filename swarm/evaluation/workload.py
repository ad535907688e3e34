"""The examples of a split as an engine is asked them: encoded once a run, by the driver, for all workers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from swarm.core.examples import Example
from swarm.engines import Encoder, Requests
from swarm.engines.encoding import Encoded
from swarm.evaluation.racing import rung_sizes
from swarm.objectives.base import Objective

Examples = Mapping[str, Sequence[Example]]


@dataclass(frozen=True, eq=False)
class EncodedExample:
    """One example of one objective, and the requests that its score is made from."""

    objective: str
    example: Example
    requests: tuple[Encoded, ...]


@dataclass(frozen=True, eq=False)
class Part:
    """Questions that are asked together, and all their requests in order."""

    questions: tuple[EncodedExample, ...]
    requests: Requests


@dataclass(frozen=True, eq=False)
class Workload:
    """Questions by objective, in the split's order. together: candidates that a worker is best given at a time."""

    questions: Mapping[str, tuple[EncodedExample, ...]]
    together: int = 1
    _parts: dict[tuple[int, int], Part] = field(default_factory=dict, repr=False)

    @property
    def sizes(self) -> dict[str, int]:
        return {name: len(questions) for name, questions in self.questions.items()}

    @property
    def tasks(self) -> dict[str, tuple[str, ...]]:
        """The task of every example, in order."""
        return {name: tuple(q.example.task for q in questions) for name, questions in self.questions.items()}

    @property
    def total(self) -> int:
        return sum(self.sizes.values())

    def part(self, start: int, stop: int) -> Part:
        """What the first `stop` questions have beyond the first `start`, counted over all objectives.

        The same object every time, so that an engine can keep what it derives from it.
        """
        if (start, stop) not in self._parts:
            before, after = rung_sizes(start, self.sizes), rung_sizes(stop, self.sizes)
            asked = tuple(q for name, all_of in self.questions.items() for q in all_of[before[name] : after[name]])
            self._parts[start, stop] = Part(asked, Requests(tuple(each for q in asked for each in q.requests)))
        return self._parts[start, stop]


def make_workload(objectives: Sequence[Objective], examples: Examples, encoder: Encoder) -> Workload:
    """Encode a split. Raises DataError for an example that the model cannot take."""
    questions = {
        objective.name: tuple(
            EncodedExample(objective.name, example, encoder.encode(objective.requests(example)).items)
            for example in examples[objective.name]
        )
        for objective in objectives
    }
    return Workload(questions)
