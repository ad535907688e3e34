"""The examples of a split as requests to an engine: encoded once per run, by the driver, for all workers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from swarm.core.errors import DataError
from swarm.core.examples import Example
from swarm.core.requests import Request
from swarm.engines import Encoder, Requests
from swarm.engines.encoding import Encoded
from swarm.evaluation.racing import rung_sizes
from swarm.objectives.base import Objective

Examples = Mapping[str, Sequence[Example]]


@dataclass(frozen=True, eq=False)
class EncodedExample:
    """One example of one objective, and the requests whose answers it is scored by.

    shared: whether equal requests of other such examples are answered once.
    """

    objective: str
    example: Example
    requests: tuple[Encoded, ...]
    shared: bool = False


@dataclass(frozen=True, eq=False)
class WorkloadSlice:
    """Examples that are scored in one go, and the requests of all of them, in order.

    places: for each example, where its requests are.
    """

    examples: tuple[EncodedExample, ...]
    requests: Requests
    places: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class Workload:
    """All examples of a split. examples: objective -> its examples, in the split's order."""

    examples: Mapping[str, tuple[EncodedExample, ...]]
    _slices: dict[tuple[int, int], WorkloadSlice] = field(default_factory=dict, repr=False)

    @property
    def sizes(self) -> dict[str, int]:
        return {name: len(examples) for name, examples in self.examples.items()}

    @property
    def tasks(self) -> dict[str, tuple[str, ...]]:
        """Objective -> the task of every example, in order."""
        return {name: tuple(each.example.task for each in examples) for name, examples in self.examples.items()}

    @property
    def total(self) -> int:
        return sum(self.sizes.values())

    def slice(self, start: int, stop: int) -> WorkloadSlice:
        """The first `stop` examples without the first `start`, counted over all objectives.

        The same object every time, so that an engine can keep what it derives from it.
        """
        if (start, stop) not in self._slices:
            before, after = rung_sizes(start, self.sizes), rung_sizes(stop, self.sizes)
            chosen = tuple(each for name, own in self.examples.items() for each in own[before[name] : after[name]])
            self._slices[start, stop] = _slice_of(chosen)
        return self._slices[start, stop]


def _slice_of(examples: tuple[EncodedExample, ...]) -> WorkloadSlice:
    requests: list[Encoded] = []
    known: dict[Request, int] = {}
    places = []
    for each in examples:
        own = []
        for request in each.requests:
            place = known.get(request.request, len(requests)) if each.shared else len(requests)
            if place == len(requests):
                requests.append(request)
                if each.shared:
                    known[request.request] = place
            own.append(place)
        places.append(tuple(own))
    return WorkloadSlice(examples, Requests(tuple(requests)), tuple(places))


def make_workload(objectives: Sequence[Objective], examples: Examples, encoder: Encoder) -> Workload:
    """Encode a split. Raises DataError for an example that the model cannot take."""
    encoded = {
        objective.name: tuple(
            EncodedExample(objective.name, example, _encoded(objective, example, encoder), objective.shares_requests)
            for example in examples[objective.name]
        )
        for objective in objectives
    }
    return Workload(encoded)


def _encoded(objective: Objective, example: Example, encoder: Encoder) -> tuple[Encoded, ...]:
    try:
        return encoder.encode(objective.requests(example)).items
    except DataError as error:
        raise DataError(f"objectives.{objective.name}: example {example.named}: {error}") from error
