"""A function of the user's scores what the model wrote."""

import importlib
import math
from collections.abc import Callable, Sequence
from functools import cache
from numbers import Real
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from swarm.core.errors import ConfigError, EvaluationError
from swarm.core.examples import Example
from swarm.core.interrupts import interrupted
from swarm.core.requests import Answer
from swarm.objectives.base import Scored, generated
from swarm.objectives.generating import GeneratingObjective
from swarm.objectives.user_modules import module_files


class UserFunction(GeneratingObjective):
    """`function(example, output)` returns the score: a finite number, higher is better."""

    type: Literal["function"] = "function"
    function: str = Field(pattern=r"^[\w.]+:\w+$", description="module:function, called with (example, output)")
    lowest: float | None = Field(None, description="the lowest score it can return; racing uses it where it is given")
    highest: float | None = Field(None, description="the highest score it can return")

    @property
    def range(self) -> tuple[float, float]:
        return (
            -math.inf if self.lowest is None else self.lowest,
            math.inf if self.highest is None else self.highest,
        )

    @property
    def uses_modules(self) -> bool:
        return True

    def files(self, modules: Path) -> tuple[Path, ...]:
        """The function's module and the modules in the same folder that it imports; none where it is installed."""
        return module_files(self.function.partition(":")[0], modules)

    def check(self, example: Example) -> None:
        super().check(example)
        load(self.function)

    def score(self, example: Example, answers: Sequence[Answer]) -> Scored:
        output = generated(answers).text
        function = load(self.function)
        try:
            value = function(example, output)
            number = _finite(value)
        except BaseException as error:  # sys.exit() in the user's code ends the evaluation, not the run
            if isinstance(error, KeyboardInterrupt) and interrupted():
                raise
            raise self._failure(example, f"raised {type(error).__name__}: {_text(error)}") from error
        if number is None:
            raise self._failure(example, f"returned {_text(value, repr)}, which is not a finite number")
        low, high = self.range
        if not low <= number <= high:
            raise self._failure(example, f"returned {number}, outside lowest and highest ({low} to {high})")
        return Scored(number, output)

    def _failure(self, example: Example, problem: str) -> EvaluationError:
        return EvaluationError(f"objectives.{self.name}.function: {self.function} {problem} (example {example.id!r})")


def _text(value: object, write: Callable[[object], str] = str) -> str:
    """What the user's object says of itself, as far as it can."""
    try:
        return write(value)[:200]
    except Exception:
        return f"<{type(value).__name__}>"


def _finite(value: object) -> float | None:
    if not isinstance(value, Real | np.bool_):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


@cache
def load(name: str) -> Callable[[Example, str], object]:
    """The function that "module:function" names. Raises ConfigError where it cannot be imported."""
    module_name, _, function_name = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and interrupted():
            raise
        raise ConfigError(
            f"function: {name}: {module_name} cannot be imported ({type(error).__name__}: {_text(error)}); "
            "write module:function, with the module where Python finds it"
        ) from error
    function: object = getattr(module, function_name, None)
    if not callable(function):
        raise ConfigError(f"function: {name}: {module_name} has no function {function_name}; correct the name")
    return function
