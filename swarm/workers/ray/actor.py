"""The actor: one evaluator in a process of its own."""

from collections.abc import Sequence

import ray
import torch

from swarm.core.candidates import Evaluation, Task
from swarm.core.examples import Split
from swarm.evaluation.evaluator import EvaluatorSpec
from swarm.evaluation.workload import Workload


class Worker:
    """The class of the actors."""

    def node_id(self) -> str:
        """The id of the node that the actor was placed on."""
        return str(ray.get_runtime_context().get_node_id())

    def start(self, spec: EvaluatorSpec, name: str, threads: int) -> tuple[str, ...]:
        """Load the base and the experts. Not part of the constructor, so that a UserError arrives as it is.

        Returns the notes of the engine.
        """
        torch.set_num_threads(threads)
        self._evaluator = spec.open(name)
        return self._evaluator.notes

    def load(self, split: Split, workload: Workload) -> None:
        self._evaluator.load(split, workload)

    def evaluate(self, tasks: Sequence[Task]) -> list[Evaluation]:
        return self._evaluator.evaluate(tasks)
