"""What runs in a worker's process: an evaluator."""

from collections.abc import Sequence

import ray
import torch

from swarm.core.candidates import Evaluation, Task
from swarm.core.examples import Split
from swarm.evaluation.evaluator import EvaluatorSpec
from swarm.evaluation.workload import Workload


class Worker:
    """The actor."""

    def where(self) -> str:
        """The id of the node that it got a place on."""
        return str(ray.get_runtime_context().get_node_id())

    def start(self, spec: EvaluatorSpec, name: str, threads: int) -> None:
        """Load base and experts: no part of construction, so that the user's mistakes come back as they are."""
        torch.set_num_threads(threads)
        self._evaluator = spec.open(name)

    def load(self, split: Split, workload: Workload) -> None:
        self._evaluator.load(split, workload)

    def evaluate(self, tasks: Sequence[Task], split: Split) -> list[Evaluation]:
        return self._evaluator.evaluate(tasks, split)
