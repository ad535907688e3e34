"""One task of lm-evaluation-harness: its items as examples, its requests as ours, its metric on our answers."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.examples import Example
from swarm.core.requests import Answer, Continuation, Generation, Likelihood, Request, Text
from swarm.objectives.choosing import log_softmax

DEFAULT_TOKENS = 256  # that lm-eval generates where a task does not say
WITHIN_ONE = frozenset({"acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match"})
GENERATION = {"until", "max_gen_toks", "do_sample", "temperature", "top_p"}  # keys of generation_kwargs that are asked
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
        self.metric = _named(metric, list(task.aggregation()), "metric")
        filters = {each.name: each for each in task._filters}
        self._filter = filters[_named(chosen_filter, list(filters), "filter")]
        self._needs_greedy = (task.OUTPUT_TYPE == "loglikelihood" and self.metric == "acc") or (
            task.OUTPUT_TYPE == "multiple_choice" and self.metric == "exact_match"
        )
        self._instances: dict[str, list[Any]] = {}
        for instance in task.instances:
            self._instances.setdefault(f"{name}-{instance.doc_id}", []).append(instance)
        self.examples = [self._example(key, of[0]) for key, of in self._instances.items()]
        self._check_metric()

    @property
    def split(self) -> str:
        """The split that lm-eval evaluates, whose scores are published."""
        return "test" if self._task.has_test_docs() else "validation"

    @property
    def without_examples(self) -> bool:
        """Whether the task says that its prompts hold no examples, which lm-eval does not override."""
        return bool(self._task.get_config("num_fewshot") == 0)

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
        sign = 1.0 if self.metric in SUMS or self._task.higher_is_better().get(self.metric, True) else -1.0
        value = sign * float(value)
        values_C = self._compared(document, answers)
        return ItemScore(value, self._said(document, answers, values_C), *self._smooth(document, value, values_C))

    def _check_metric(self) -> None:
        """Raise ValueError where the metric has no value of one item, as an answer that is made up shows."""
        if not self.examples:
            raise ValueError("it has no items; choose another task")
        example = self.examples[0]
        made_up: list[Answer] = [
            Text("", 0) if isinstance(request, Generation) else Likelihood(-1.0 - i, 1, False)
            for i, request in enumerate(self.requests(example))
        ]
        try:
            self.score(example, made_up)
        except (KeyError, TypeError):
            others = [name for name in self._task.aggregation() if name != self.metric]
            remedy = f"; choose another, such as {others[0]}" if others else "; choose another task"
            raise ValueError(f"metric {self.metric!r} has no value of one item{remedy}") from None
        except Exception:  # a metric that cannot take an empty answer: the items tell
            return

    def _smooth(
        self, document: Any, value: float, values_C: NDArray[np.float64] | None
    ) -> tuple[float | None, float | None]:
        """Surrogate and margin of an accuracy over choices; none where the task scores by rules of its own."""
        if values_C is None or len(values_C) < 2 or callable(self._task.config.process_results):
            return None, None
        choices = self._task.doc_to_choice(document)
        right = self._task.doc_to_text(document) if self._task.multiple_input else self._task.doc_to_target(document)
        right = choices.index(right) if isinstance(right, str) and right in choices else right
        if not isinstance(right, int) or not 0 <= right < len(choices):
            return None, None
        margin = float(values_C[right] - np.delete(values_C, right).max())
        if margin and (margin > 0) != (value == 1.0):
            return None, None
        return float(log_softmax(values_C)[right]), margin

    def _compared(self, document: Any, answers: Sequence[Answer]) -> NDArray[np.float64] | None:
        """The values by which choices are compared, as the metric divides them; None where none are."""
        if self._task.OUTPUT_TYPE != "multiple_choice":
            return None
        choices = self._task.doc_to_choice(document)
        lengths = {
            "acc_norm": [float(len(text)) for text in choices],
            "acc_bytes": [float(len(text.encode())) for text in choices],
        }.get(self.metric, [1.0] * len(choices))
        values = [each.log_likelihood for each in answers[: len(choices)] if isinstance(each, Likelihood)]
        return np.array(values) / np.maximum(lengths, 1.0)

    def _said(self, document: Any, answers: Sequence[Answer], values_C: NDArray[np.float64] | None) -> str:
        """What the model said: the text, or the choice that was taken; of a likelihood alone nothing is said."""
        if isinstance(answers[0], Text):
            return answers[0].text
        return "" if values_C is None else str(self._task.doc_to_choice(document)[int(np.argmax(values_C))]).strip()

    def _request(self, instance: Any) -> Request:
        if instance.request_type == "loglikelihood":
            prompt, text = instance.args[:2]
            return Continuation(prompt, text, greedy=self._needs_greedy)
        from lm_eval.models.utils import normalize_gen_kwargs  # type: ignore[import-untyped]

        prompt, given = instance.args[:2]
        settings = dict(normalize_gen_kwargs(given, DEFAULT_TOKENS))
        if unknown := settings.keys() - GENERATION:
            raise ValueError(
                f"its generation_kwargs have {', '.join(sorted(unknown))}, which is not asked here; remove it"
            )
        sampled = bool(settings.get("do_sample"))
        return Generation(
            prompt,
            int(settings["max_gen_toks"]),
            stop=tuple(text for text in settings["until"] if text),
            temperature=float(settings.get("temperature", 0.0)) if sampled else 0.0,
            top_p=float(settings.get("top_p", 1.0)) if sampled else 1.0,
        )

    def _example(self, key: str, instance: Any) -> Example:
        """With its choices, where the right one is one of them, so that equal items are known as such."""
        right, where = self._task.doc_to_target(instance.doc), f"lm-eval's {self.name}"
        prompt = instance.args[0]
        begins = self._question_at(instance.doc, prompt)
        if self._task.OUTPUT_TYPE == "multiple_choice" and not self._task.multiple_input:
            choices = {str(i): str(text) for i, text in enumerate(self._task.doc_to_choice(instance.doc))}
            right = next((name for name, text in choices.items() if text == right), right)
            if str(right) in choices:
                return Example(key, prompt, str(right), choices, task=self.name, where=where, question_at=begins)
        return Example(key, prompt, str(right), task=self.name, where=where, question_at=begins)

    def _question_at(self, document: Any, prompt: str) -> int:
        """Where the question begins, after the description and the solved examples; 0 where it has no text."""
        asked = self._task.doc_to_text(document)
        if self._task.multiple_input:
            asked = self._task.doc_to_choice(document)[0]
        return max(prompt.rfind(asked), 0) if isinstance(asked, str) and asked.strip() else 0


def _named(given: str | None, known: list[str], what: str) -> str:
    if given is None and known:
        return known[0]
    if given not in known:
        raise ValueError(f"{what} {given!r} is not one of {', '.join(known)}; choose one of these")
    return str(given)


def _response(answer: Answer) -> object:
    """As a model of lm-eval answers."""
    return (answer.log_likelihood, bool(answer.greedy)) if isinstance(answer, Likelihood) else answer.text
