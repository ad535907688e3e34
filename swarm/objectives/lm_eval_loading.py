"""Loads tasks of lm-evaluation-harness, each once, with the contexts that lm-eval builds."""

import hashlib
import io
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from difflib import get_close_matches
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from swarm.core.errors import ConfigError
from swarm.objectives.lm_eval_task import HarnessTask

FEWSHOT_SEED = 1234  # lm-eval's own default, so that prompts are the same
ASKED = ("loglikelihood", "multiple_choice", "generate_until")


@cache
def harness_tasks(
    owner: str,
    names: tuple[str, ...],
    include: str | None,
    metric: str | None,
    chosen_filter: str | None,
    num_fewshot: int | None,
    content: str,
) -> dict[str, HarnessTask]:
    """Name -> task, groups and tags expanded. owner: the objective. content: of the task files, so that changed ones
    are read again. Raises ConfigError: one line with a remedy.
    """
    key = f"objectives.{owner}.tasks"
    try:
        from lm_eval.tasks import TaskManager
    except ImportError as error:
        raise ConfigError(
            f"{key}: lm_eval cannot be imported ({error}); pip install 'swarm-experts[lm-eval]'"
        ) from None
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    found = {}
    try:
        with _quiet():
            for name, task in _loaded(TaskManager, list(names), include).items():
                if num_fewshot is not None and task.get_config("num_fewshot") != 0:  # lm-eval keeps to 0, too
                    task.set_config(key="num_fewshot", value=num_fewshot)
                task.set_fewshot_seed(FEWSHOT_SEED)
                _check_kind(task)
                task.build_all_requests()
                found[name] = HarnessTask(name, task, metric, chosen_filter)
    except ConfigError:
        raise
    except Exception as error:  # its parsers, data sets and the functions of tasks raise anything
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ConfigError(f"{key}: {', '.join(names)} cannot be asked ({reason})") from error
    return found


def _loaded(manager_of: Any, names: list[str], include: str | None) -> dict[str, Any]:
    """The tasks: of `include` alone where it has them all, else those of lm-eval beside them. Raises ValueError."""
    if include:
        own = manager_of(include_path=include, include_defaults=False)
        if set(names) <= set(own.all_tasks):
            try:
                return dict(own.load(names)["tasks"])
            except Exception:  # a group of its own that names a task of lm-eval
                logging.getLogger(__name__).debug("with lm-eval's own tasks", exc_info=True)
    every = manager_of(include_path=include)
    for name in names:
        if name not in every.all_tasks:
            near = get_close_matches(name, every.all_tasks, n=1)
            raise ValueError(
                f"{name!r} is no task; {f'did you mean {near[0]!r}?' if near else 'lm-eval ls tasks lists them'}"
            )
    return dict(every.load(names)["tasks"])


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the progress bars of lm-eval and of the library that reads its data."""
    from datasets.utils import logging as bars

    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        if shown:
            bars.enable_progress_bar()


def _check_kind(task: Any) -> None:
    """Raise ValueError where no item can be scored on its own, or scoring would run what a model writes."""
    if task.OUTPUT_TYPE not in ASKED:
        raise ValueError(f"{task.OUTPUT_TYPE} has no score of an item; choose a task of {', '.join(ASKED)}")
    if getattr(task, "UNSAFE_CODE", False):
        raise ValueError("it runs code that the model writes; choose another task")
    if getattr(task, "MULTIMODAL", False):
        raise ValueError("it asks about images or sounds; choose a task of texts")
    if (task.config.repeats or 1) > 1:
        raise ValueError(f"it asks every item {task.config.repeats} times; ask it once in its file (repeats)")


def content_of(files: Sequence[Path]) -> str:
    """What tells two contents of task files apart: their names, sizes and times."""
    found = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(repr(found).encode()).hexdigest()


def harness_version() -> str:
    """The release of lm-eval, which decides prompts and filters; "" where it is not installed."""
    try:
        return version("lm_eval")
    except PackageNotFoundError:
        return ""
