"""Tasks of lm-evaluation-harness: its prompts, filters and metrics, asked through Swarm's engines, item by item."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from swarm.core.errors import EvaluationError
from swarm.core.examples import Example
from swarm.core.requests import Answer, Request
from swarm.objectives.base import SURROGATE_DIGITS, Objective, Scored, likelihoods
from swarm.objectives.lm_eval_task import HarnessTask, ItemScore, harness_tasks


class LmEval(Objective):
    """The score of an item is what the task's metric gives it. Metrics of all items together, such as f1, have none.

    The examples are those that lm-eval evaluates, with the contexts that it makes of them: the test split of the task's
    data, or the validation split where it has no other.
    """

    type: Literal["lm_eval"] = "lm_eval"
    tasks: list[str] = Field(min_length=1, description="names of tasks, groups or tags of lm-eval, or of `include`")
    include: str | None = Field(None, description="a folder with task files of your own, as lm-eval's --include_path")
    metric: str | None = Field(None, description="the metric; default: the first that the task lists")
    filter: str | None = Field(None, description="the pipeline of filters; default: the first that the task lists")
    num_fewshot: int | None = Field(None, ge=0, description="examples in the prompt; default: what the task says")
    paths: ClassVar[tuple[str, ...]] = ("include",)

    @field_validator("tasks", mode="before")
    @classmethod
    def _one_or_more(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _brings_its_examples(self) -> Self:
        if self.data is not None:
            raise ValueError(f"data {self.data!r} is not read, as the tasks bring their examples; remove it")
        if self.chat:
            raise ValueError("chat: true is not known for lm_eval, whose tasks write their prompts; remove it")
        return self

    @property
    def range(self) -> tuple[float, float]:
        ranges = [task.range for task in self._tasks.values()]
        return min(low for low, _ in ranges), max(high for _, high in ranges)

    def decisive(self) -> dict[str, object]:
        return {key: value for key, value in super().decisive().items() if key != "include"}

    def files(self, modules: Path) -> tuple[Path, ...]:
        """The task files of `include`, and the Python files that they may call."""
        if self.include is None:
            return ()
        return tuple(path for path in sorted(Path(self.include).rglob("*")) if path.suffix in (".yaml", ".yml", ".py"))

    def examples(self) -> list[Example]:
        """The items of all tasks."""
        return [example for task in self._tasks.values() for example in task.examples]

    def check(self, example: Example) -> None:
        """The task has made it."""

    def notes(self, examples: Sequence[Example]) -> list[str]:
        tested = [name for name, task in self._tasks.items() if task.is_test_split]
        if not tested:
            return []
        return [
            f"{self.name}: the examples are the test split of {', '.join(tested)}: once it has been searched on, "
            "scores on it say nothing beside published ones; keep another benchmark for the final comparison"
        ]

    def requests(self, example: Example) -> list[Request]:
        return self._tasks[example.task].requests(example)

    def score(self, example: Example, answers: Sequence[Answer]) -> Scored:
        task = self._tasks[example.task]
        if task.asks_likelihoods:
            likelihoods(answers, len(answers))
        try:
            found = task.score(example, answers)
        except Exception as error:  # filters and metrics may be anybody's code
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            raise EvaluationError(f"objectives.{self.name}: {reason}, of lm-eval at item {example.id}") from error
        if not math.isfinite(found.value):
            raise EvaluationError(f"objectives.{self.name}: {example.task} gave {found.value} for {example.id}")
        return Scored(found.value, found.output, _rounded(found), found.margin)

    def right(self, example: Example) -> tuple[str, ...]:
        return (example.answer,)

    @property
    def _tasks(self) -> dict[str, HarnessTask]:
        """Raises ConfigError."""
        return harness_tasks(self.name, tuple(self.tasks), self.include, self.metric, self.filter, self.num_fewshot)


def _rounded(found: ItemScore) -> float | None:
    return None if found.surrogate is None else round(found.surrogate, SURROGATE_DIGITS)
