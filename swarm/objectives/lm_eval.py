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
from swarm.objectives.lm_eval_loading import content_of, harness_tasks, harness_version
from swarm.objectives.lm_eval_task import HarnessTask, ItemScore


class LmEval(Objective):
    """The score of an item is what the task's metric gives it. Metrics of all items together, such as f1, have none.

    The examples are those that lm-eval evaluates, with the contexts that it makes of them: the test split of the task's
    data, or the validation split where it has no other.
    """

    type: Literal["lm_eval"] = "lm_eval"
    tasks: list[str] = Field(min_length=1, description="names of tasks, groups or tags of lm-eval, or of `include`")
    include: str | None = Field(None, description="a folder with task files of your own, as lm-eval's include_path")
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
        kept = {key: value for key, value in super().decisive().items() if key != "include"}
        return {**kept, "lm_eval": harness_version()}

    def files(self, modules: Path) -> tuple[Path, ...]:
        """All files of `include`: tasks, what they include, and the Python files that they may call."""
        if self.include is None:
            return ()
        found = sorted(path for path in Path(self.include).rglob("*") if path.is_file())
        return tuple(path for path in found if not {"__pycache__", ".git"} & set(path.parts))

    def examples(self) -> list[Example]:
        """The items of all tasks."""
        return [example for task in self._tasks.values() for example in task.examples]

    def check(self, example: Example) -> None:
        """The task has made it."""

    def notes(self, examples: Sequence[Example]) -> list[str]:
        names = ", ".join(f"{name} ({task.split})" for name, task in self._tasks.items())
        found = [
            f"{self.name}: the examples are those that lm-eval evaluates, {names}: once they have been searched on, "
            "scores on them say nothing beside published ones; keep another benchmark for the final comparison"
        ]
        fixed = [name for name, task in self._tasks.items() if self.num_fewshot and task.without_examples]
        return [
            *found,
            *([f"{self.name}: {', '.join(fixed)} take no examples in the prompt, as in lm-eval"] if fixed else []),
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
        return (example.choices[example.answer] if example.choices else example.answer,)

    @property
    def _tasks(self) -> dict[str, HarnessTask]:
        """Raises ConfigError."""
        content = content_of(self.files(Path()))
        tasks = tuple(self.tasks)
        return harness_tasks(self.name, tasks, self.include, self.metric, self.filter, self.num_fewshot, content)


def _rounded(found: ItemScore) -> float | None:
    return None if found.surrogate is None else round(found.surrogate, SURROGATE_DIGITS)
