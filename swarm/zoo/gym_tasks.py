"""Examples from reasoning-gym: for evaluation, and for training without any prompt of the evaluation."""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import reasoning_gym

from swarm.core.examples import Example
from swarm.zoo.smollm2 import GymTask


@dataclass(frozen=True)
class GymMixture:
    """The training examples of an expert.

    task: the task that it is mainly trained on.
    share: that task's share of the examples; the other tasks share the rest equally.
    pools: task -> the examples to draw from.
    """

    task: str
    share: float
    pools: Mapping[str, Sequence[Example]]

    def draw(self, rng: random.Random, count: int) -> list[Example]:
        others = [task for task in self.pools if task != self.task]
        tasks = [self.task if rng.random() < self.share else rng.choice(others) for _ in range(count)]
        return [rng.choice(self.pools[task]) for task in tasks]


def gym_examples(task: GymTask, count: int, seed: int) -> list[Example]:
    """`count` examples with different prompts. The answer is the line after "Answer:"."""
    data = reasoning_gym.create_dataset(task.name, size=20 * count, seed=seed, **task.options)
    found: dict[str, Example] = {}
    for i in range(20 * count):
        if len(found) == count:
            break
        text = f"Question: {_shorten(data[i]['question'], task.drop)}\nAnswer:\n"
        found.setdefault(text, Example(f"{task.name}-{len(found)}", text, str(data[i]["answer"]), task=task.name))
    return list(found.values())


def pools(tasks: Sequence[GymTask], count: int, seed: int, held_out: Sequence[Example]) -> dict[str, list[Example]]:
    """Task -> up to `count` training examples, none of which has the prompt of a held-out one."""
    known = {example.prompt for example in held_out}
    return {task.name: [e for e in gym_examples(task, count, seed) if e.prompt not in known] for task in tasks}


def _shorten(question: str, drop: str) -> str:
    """The question on one line."""
    line = " ".join(question.split())
    return re.sub(drop, "", line) if drop else line
