"""Prompts as the model sees them, what the base answers, and how that is graded.

The base is loaded in this process, with the config's engine and without experts. It answers the first examples of the
search split; no other split is looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from swarm.compositions.weights import Weights
from swarm.core.errors import ConfigError, EvaluationError
from swarm.core.requests import Answer, Continuation, Generation, Likelihood, Text
from swarm.engines import Encoder, Requests
from swarm.evaluation.evaluator import make_importable
from swarm.evaluation.workload import EncodedExample
from swarm.experts.catalog import open_catalog
from swarm.objectives.base import Objective
from swarm.run.plan import Plan


@dataclass(frozen=True)
class ShownChoice:
    """A continuation whose log-likelihood was asked for.

    key: the choice's key; "" where it is the right answer of an example without choices.
    compared: the value that choices are compared by; None where they are not.
    """

    key: str
    text: str
    log_likelihood: float
    tokens: int
    compared: float | None


@dataclass(frozen=True)
class ShownExample:
    """An example, what the base answers, and how that is graded.

    where: its file and line.
    prompt: as the model sees it, decoded from its tokens.
    written: what the base writes; None where it is not asked to.
    written_tokens: how long that is.
    limit: max_new_tokens; 0 where nothing is written.
    choices: what the base finds likely; empty where it is asked to write.
    found: what is compared with the right answer.
    right: what counts as right.
    score: None where it cannot be scored.
    problem: why it cannot be scored.
    """

    objective: str
    id: str
    where: str
    prompt: str
    prompt_tokens: int
    written: str | None
    written_tokens: int
    limit: int
    choices: tuple[ShownChoice, ...]
    found: str
    right: tuple[str, ...]
    score: float | None
    problem: str = ""

    @property
    def is_cut(self) -> bool:
        """Whether the text is as long as it may be."""
        return self.written is not None and self.written_tokens >= self.limit


def base_answers(plan: Plan, n: int, encoder: Encoder) -> dict[str, list[ShownExample]]:
    """Objective -> the first `n` examples of its search split.

    Raises UserError where the base cannot be loaded or scored here.
    """
    workload = plan.workloads["search"]
    chosen = [each for examples in workload.examples.values() for each in examples[:n]]
    answers = iter(_answers(plan, chosen))
    objectives = {objective.name: objective for objective in plan.config.objectives}
    shown: dict[str, list[ShownExample]] = {name: [] for name in workload.examples}
    for each in chosen:
        own = [next(answers) for _ in each.requests]
        shown[each.objective].append(_shown(objectives[each.objective], each, own, encoder))
    return shown


def _answers(plan: Plan, chosen: Sequence[EncodedExample]) -> tuple[Answer, ...]:
    """The base's answers to all requests of these examples, in order."""
    make_importable(plan.config.objectives, Path(plan.config.modules))
    catalog = open_catalog(plan.catalog.base.path, ())
    requests = Requests(tuple(request for each in chosen for request in each.requests))
    try:
        (reply,) = plan.config.engine.open(catalog).answer([Weights().recipe((), catalog)], requests)
    except EvaluationError as error:
        raise ConfigError(f"--show: the base cannot be scored here ({error}); correct engine, or drop --show") from None
    return reply.answers


def _shown(objective: Objective, each: EncodedExample, answers: Sequence[Answer], encoder: Encoder) -> ShownExample:
    example, request = each.example, each.requests[0]
    text = answers[0] if isinstance(answers[0], Text) else None
    score, found, problem = None, "", ""
    try:
        score = objective.signed_scores([(example, answers)])[0].score
        found = objective.found(example, answers)
    except EvaluationError as error:
        problem = str(error)
    return ShownExample(
        objective=objective.name,
        id=example.id,
        where=example.where,
        prompt=encoder.shown(request.prompt),
        prompt_tokens=len(request.prompt),
        written=text.text if text else None,
        written_tokens=text.n_tokens if text else 0,
        limit=request.request.max_new_tokens if isinstance(request.request, Generation) else 0,
        choices=_choices(objective, each, answers),
        found=found,
        right=objective.right(example),
        score=score,
        problem=problem,
    )


def _choices(objective: Objective, each: EncodedExample, answers: Sequence[Answer]) -> tuple[ShownChoice, ...]:
    compared = objective.compared(each.example, answers)
    keys = list(compared) or [""] * len(answers)
    return tuple(
        ShownChoice(key, item.request.text, answer.log_likelihood, answer.n_tokens, compared.get(key))
        for key, item, answer in zip(keys, each.requests, answers, strict=True)
        if isinstance(item.request, Continuation) and isinstance(answer, Likelihood)
    )
