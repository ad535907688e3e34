"""One task of lm-evaluation-harness: its items as examples, its requests as ours, its metric on our answers."""

import copy
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from swarm.core.errors import ConfigError
from swarm.core.examples import Example
from swarm.core.requests import Answer, Continuation, Generation, Likelihood, Request, Text
from swarm.objectives.multiple_choice import log_softmax

FEWSHOT_SEED = 1234  # lm-eval's own default, so that prompts are the same
DEFAULT_TOKENS = 256  # that lm-eval generates where a task does not say
WITHIN_ONE = frozenset({"acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match"})
ASKED = ("loglikelihood", "multiple_choice", "generate_until")
SUMS = frozenset({"perplexity"})  # an item's value is its log-likelihood, whatever the whole metric's direction


@dataclass(frozen=True)
class ItemScore:
    """What a task makes of one item's answers.

    value: higher is better. surrogate, margin: as in Scored; of accuracies over choices alone.
    """

    value: float
    output: str
    surrogate: float | None = None
    margin: float | None = None


class HarnessTask:
    """A task with its contexts built, as `lm_eval` builds them.

    examples: in the order of the task's documents, with the document's number as id.
    """

    def __init__(self, name: str, task: Any, metric: str | None, chosen_filter: str | None) -> None:
        """task: of lm-eval. Raises ValueError for what is not asked item by item."""
        self._task, self.name = task, name
        _check_kind(task)
        self.metric = _named(metric, list(task.aggregation()), "metric")
        self._filters = {each.name: each for each in task._filters}
        self._filter = self._filters[_named(chosen_filter, list(self._filters), "filter")]
        self._needs_greedy = (task.OUTPUT_TYPE == "loglikelihood" and self.metric == "acc") or (
            task.OUTPUT_TYPE == "multiple_choice" and self.metric == "exact_match"
        )
        self._instances: dict[str, list[Any]] = {}
        for instance in task.instances:
            self._instances.setdefault(f"{name}-{instance.doc_id}", []).append(instance)
        self.examples = [self._example(key, of[0]) for key, of in self._instances.items()]

    @property
    def is_test_split(self) -> bool:
        """Whether the examples are of the split that results are published on."""
        return bool(self._task.has_test_docs())

    @property
    def asks_likelihoods(self) -> bool:
        return str(self._task.OUTPUT_TYPE) != "generate_until"

    @property
    def range(self) -> tuple[float, float]:
        return (0.0, 1.0) if self.metric in WITHIN_ONE else (-math.inf, math.inf)

    def requests(self, example: Example) -> list[Request]:
        return [self._request(instance) for instance in self._instances[example.id]]

    def score(self, example: Example, answers: Sequence[Answer]) -> ItemScore:
        instances = [copy.copy(instance) for instance in self._instances[example.id]]
        for instance, answer in zip(instances, answers, strict=True):
            instance.resps, instance.filtered_resps = [_response(answer)], {}
        self._filter.apply(instances)
        document = instances[0].doc
        found = self._task.process_results(document, [each.filtered_resps[self._filter.name] for each in instances])
        value = found[self.metric]
        if isinstance(value, (tuple, list, dict)):
            raise ValueError(f"{self.metric} has no value of one item; choose another metric")
        sign = 1.0 if self.metric in SUMS or self._task.higher_is_better().get(self.metric, True) else -1.0
        output = _output(instances, answers)
        return ItemScore(sign * float(value), output, *self._smooth(document, answers))

    def _smooth(self, document: Any, answers: Sequence[Answer]) -> tuple[float | None, float | None]:
        """Surrogate and margin of an accuracy over choices."""
        if self._task.OUTPUT_TYPE != "multiple_choice" or self.metric not in ("acc", "acc_norm", "acc_bytes"):
            return None, None
        choices = self._task.doc_to_choice(document)
        right = self._task.doc_to_text(document) if self._task.multiple_input else self._task.doc_to_target(document)
        right = choices.index(right) if isinstance(right, str) and right in choices else right
        if not isinstance(right, int) or not 0 <= right < len(choices) or len(choices) < 2:
            return None, None
        lengths = {
            "acc": [1.0] * len(choices),
            "acc_norm": [float(len(text)) for text in choices],
            "acc_bytes": [float(len(text.encode())) for text in choices],
        }[self.metric]
        values = [each.log_likelihood for each in answers[: len(choices)] if isinstance(each, Likelihood)]
        values_C = np.array(values) / np.maximum(lengths, 1.0)
        return float(log_softmax(values_C)[right]), float(values_C[right] - np.delete(values_C, right).max())

    def _request(self, instance: Any) -> Request:
        if instance.request_type == "loglikelihood":
            prompt, text = instance.args[:2]
            return Continuation(prompt, text, greedy=self._needs_greedy)
        prompt, settings = instance.args[:2]
        until = settings.get("until") or ()
        sampled = bool(settings.get("do_sample")) and settings.get("temperature") != 0
        return Generation(
            prompt,
            int(settings.get("max_gen_toks", DEFAULT_TOKENS)),
            stop=(until,) if isinstance(until, str) else tuple(until),
            temperature=float(settings.get("temperature", 1.0)) if sampled else 0.0,
            top_p=float(settings.get("top_p", 1.0)) if sampled else 1.0,
        )

    def _example(self, key: str, instance: Any) -> Example:
        right = self._task.doc_to_target(instance.doc)
        choices = self._task.config.doc_to_choice is not None and self._task.doc_to_choice(instance.doc)
        if choices and isinstance(right, int) and 0 <= right < len(choices):
            right = choices[right]
        return Example(key, instance.args[0], str(right), task=self.name, where=f"lm-eval's {self.name}")


@cache
def harness_tasks(
    owner: str,
    names: tuple[str, ...],
    include: str | None,
    metric: str | None,
    chosen_filter: str | None,
    num_fewshot: int | None,
) -> dict[str, HarnessTask]:
    """Name -> task, groups and tags expanded. owner: the objective. Raises ConfigError: one line with a remedy."""
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
        managers = [TaskManager(include_path=include, include_defaults=False)] if include else []
        if not managers or not set(names) <= set(managers[0].all_tasks):
            managers = [TaskManager(include_path=include)]
        for name, task in managers[0].load(list(names))["tasks"].items():
            if num_fewshot is not None:
                task.set_config(key="num_fewshot", value=num_fewshot)
            task.set_fewshot_seed(FEWSHOT_SEED)
            _check_kind(task)
            task.build_all_requests()
            found[name] = HarnessTask(name, task, metric, chosen_filter)
    except Exception as error:  # its parsers, data sets and the functions of tasks raise anything
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ConfigError(f"{key}: {', '.join(names)} cannot be asked ({reason})") from error
    return found


def _check_kind(task: Any) -> None:
    """Raise ValueError where no item can be scored on its own, or scoring would run what a model writes."""
    if task.OUTPUT_TYPE not in ASKED:
        raise ValueError(f"{task.OUTPUT_TYPE} has no score of an item; choose a task of {', '.join(ASKED)}")
    if getattr(task, "UNSAFE_CODE", False):
        raise ValueError("it runs code that the model writes; choose another task")
    if getattr(task, "MULTIMODAL", False):
        raise ValueError("it asks about images or sounds; choose a task of texts")
    if (task.config.repeats or 1) > 1:
        raise ValueError(f"it asks every item {task.config.repeats} times; set repeats: 1 in its file")


def _named(given: str | None, known: list[str], what: str) -> str:
    if given is None and known:
        return known[0]
    if given not in known:
        raise ValueError(f"{what} {given!r} is not one of {', '.join(known)}; choose one of these")
    return str(given)


def _response(answer: Answer) -> object:
    """As a model of lm-eval answers."""
    return (answer.log_likelihood, bool(answer.greedy)) if isinstance(answer, Likelihood) else answer.text


def _output(instances: Sequence[Any], answers: Sequence[Answer]) -> str:
    """What the model said: the text, or the likeliest of the continuations."""
    if isinstance(answers[0], Text):
        return answers[0].text
    values: Mapping[int, float] = {i: a.log_likelihood for i, a in enumerate(answers) if isinstance(a, Likelihood)}
    return str(instances[max(values, key=lambda i: values[i])].args[1]).strip()
