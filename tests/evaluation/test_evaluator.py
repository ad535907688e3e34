"""The evaluator: scores are the objectives' own, a failure is data, and no split is reached that was not given."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.runs import ADAPTERS, choices, make_workshop, opened, spec, workload
from swarm.compositions.weights import Weights
from swarm.core.candidates import Candidate, Evaluation, PruningBounds, Task
from swarm.core.errors import ConfigError, DataError, DeviceError, EvaluationError
from swarm.core.examples import Example, Split
from swarm.core.recipes import Recipe
from swarm.core.requests import Answer, Continuation, Likelihood, Reply, Request, Text
from swarm.engines import Encoder, Engine, Requests
from swarm.evaluation.bundle_sizes import BundleSizes
from swarm.evaluation.evaluator import Evaluator
from swarm.evaluation.racing import Racing
from swarm.evaluation.workload import Examples
from swarm.experts.catalog import Catalog
from swarm.objectives.base import Objective, Scored
from swarm.objectives.exact_match import ExactMatch
from swarm.objectives.function import UserFunction
from swarm.objectives.likelihood import AnswerLikelihood
from swarm.objectives.multiple_choice import MultipleChoice

CANDIDATE = Candidate("0-1", (0.5, 0.25, 0.0), 0, 1)
SUMS = [Example(str(i), f"{i}+{i}=", str(2 * i)) for i in range(4)]


class Scripted:
    """An engine that answers by a function of recipe and request."""

    def __init__(self, answer: Callable[[Recipe, Request], Likelihood | Text]) -> None:
        self._answer = answer

    def answer(self, recipes: Sequence[Recipe], requests: Requests) -> list[Reply]:
        asked = [item.request for item in requests.items]
        return [Reply(tuple(self._answer(recipe, request) for request in asked), 100, 0.25, 0.5) for recipe in recipes]

    def joins(self, recipes: Sequence[Recipe], requests: Requests) -> bool:
        return len(recipes) == 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workshop(tmp_path_factory.mktemp("evaluator"))


@pytest.fixture(scope="module")
def catalog(folder: Path) -> Catalog:
    return opened(folder, *ADAPTERS)


def length(recipe: Recipe, request: Request) -> Likelihood | Text:
    """Long texts are likely; twice the prompt's first digit is generated, except for "3"."""
    if isinstance(request, Continuation):
        return Likelihood(-1.0 / len(request.text), len(request.text))
    first = str(request.prompt)[0]
    return Text("?" if first == "3" else str(2 * int(first)), 1)


class Scoring:
    """An evaluator that is given examples and scores one candidate at a time."""

    def __init__(self, engine: Engine, catalog: Catalog, *objectives: Objective) -> None:
        self._spec = replace(spec(catalog.base.path.parent), objectives=objectives)
        self._evaluator = Evaluator(engine, catalog, self._spec, "w")

    def load(self, split: Split, examples: Examples) -> None:
        self._evaluator.load(split, workload(self._spec, examples))

    def evaluate(self, candidate: Candidate, split: Split) -> Evaluation:
        (found,) = self._evaluator.evaluate([Task(candidate, split=split)])
        return found


def evaluator(engine: Engine, catalog: Catalog, *objectives: Objective) -> Scoring:
    return Scoring(engine, catalog, *objectives)


def test_scores_are_the_objectives_own(catalog: Catalog) -> None:
    exact, likely = ExactMatch(name="exact"), AnswerLikelihood(name="likely")
    chosen = MultipleChoice(name="chosen", normalise="none")
    options = [Example("x", "?", "A", {"A": "long", "B": "no"}), Example("y", "?", "A", {"A": "no", "B": "longer"})]
    one = evaluator(Scripted(length), catalog, exact, chosen, likely)
    one.load("search", {"exact": SUMS, "chosen": options, "likely": SUMS[:2]})
    found = one.evaluate(CANDIDATE, "search")
    assert (found.candidate, found.status, found.worker, found.error) == (CANDIDATE, "ok", "w", "")
    assert found.examples == {
        "exact": (1.0, 1.0, 1.0, 0.0),
        "chosen": (1.0, 0.0),
        "likely": pytest.approx((-0.25,) * 2),
    }
    assert found.scores == {"exact": 0.75, "chosen": 0.5, "likely": pytest.approx(-0.25)}
    assert found.outputs["exact"] == ("0", "2", "4", "?")
    assert found.outputs["chosen"] == ("long", "longer")
    assert (found.tokens, found.n_examples) == (100, 8)
    assert (found.compose_seconds, found.forward_seconds) == (0.25, 0.5)


def test_the_engine_is_given_the_meaning_of_the_position(catalog: Catalog) -> None:
    def coefficient(recipe: Recipe, request: Request) -> Likelihood:
        return Likelihood(-recipe.weights.coefficients["two"][0], 1)

    one = evaluator(Scripted(coefficient), catalog, AnswerLikelihood(name="likely"))
    one.load("search", {"likely": SUMS})
    assert one.evaluate(CANDIDATE, "search").scores == {"likely": -0.25}


def test_a_real_engine_gives_what_its_answers_are_scored_to(folder: Path) -> None:
    opened_spec, examples = spec(folder), choices(6)
    one = opened_spec.open("w")
    one.load("search", workload(opened_spec, {"words": examples}))
    (found,) = one.evaluate([Task(CANDIDATE)])
    (objective,) = opened_spec.objectives
    catalog = opened(folder, *ADAPTERS)
    engine = opened_spec.engine.open(catalog)
    recipe = Weights().recipe(CANDIDATE.position, catalog)
    encoder = Encoder.of(folder / "base")
    asked = [encoder.encode(objective.requests(e)) for e in examples]
    replies = [engine.answer([recipe], each)[0] for each in asked]
    expected = [objective.score(e, reply.answers) for e, reply in zip(examples, replies, strict=True)]
    assert found.examples == {"words": tuple(item.score for item in expected)}
    assert found.outputs == {"words": tuple(item.output for item in expected)}
    # A prompt is computed once for its choices, and no choice's last character is fed.
    assert found.tokens == sum(len(e.prompt) + sum(len(c) for c in (e.choices or {}).values()) for e in examples)


def test_only_what_is_stacked_in_the_first_pass_travels_together(folder: Path) -> None:
    """An engine that stacks up to 40 requests, as three answers to each of 13 examples."""
    what = replace(spec(folder), racing=Racing(rungs=(10, 20)))
    examples = workload(what, {"words": choices(30)})
    sizes = BundleSizes(what, examples, lambda requests: 8 if len(requests.items) <= 40 else 1)
    assert sizes(PruningBounds()) == 1, "scored in full, in one pass"
    stoppable = PruningBounds(-math.inf, 0.9, expected={"words": 0.0})
    assert sizes(stoppable) == 8, "it will probably be stopped after ten examples"
    assert sizes(replace(stoppable, expected={"words": 1.0})) == 1, "it will probably go on to the end"
    assert BundleSizes(replace(what, racing=Racing(rungs=())), examples, lambda requests: 1)(stoppable) == 1
    assert BundleSizes(what, workload(what, {"words": choices(12)}), lambda requests: 8)(PruningBounds()) == 8


def raising(error: Exception) -> Scripted:
    def answer(recipe: Recipe, request: Request) -> Text:
        raise error

    return Scripted(answer)


class Erring(ExactMatch):
    """Raises an error instead of giving a score."""

    error: Any

    def score(self, example: Example, answers: Sequence[Answer]) -> Scored:
        raise self.error


@pytest.mark.parametrize(
    ("error", "reason", "transient"),
    [
        (EvaluationError("the weights overflow\nmore"), "the weights overflow", False),
        (DeviceError("out of device memory"), "out of device memory", True),
        (RuntimeError("CUDA error: something\nstack"), "CUDA error: something", True),
        (NotImplementedError("no kernel for float8"), "no kernel for float8", False),
        (RecursionError("maximum recursion depth exceeded"), "maximum recursion depth exceeded", False),
        (ZeroDivisionError(), "ZeroDivisionError", False),
    ],
)
def test_what_an_engine_raises_is_a_failed_evaluation_and_the_machine_s_doing_by_its_kind(
    catalog: Catalog, error: Exception, reason: str, transient: bool
) -> None:
    one = evaluator(raising(error), catalog, ExactMatch(name="exact"))
    one.load("search", {"exact": SUMS})
    found = one.evaluate(CANDIDATE, "search")
    assert (found.status, found.error, found.worker, found.candidate) == ("failed", reason, "w", CANDIDATE)
    assert (found.scores, found.examples, found.tokens) == ({}, {}, 0)
    assert found.transient == transient


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (EvaluationError("objectives.mine: no\nmore"), "objectives.mine: no"),
        (DeviceError("said by an objective"), "said by an objective"),
        (OverflowError("too large"), "too large"),
    ],
)
def test_what_scoring_raises_is_never_the_machine_s_doing(catalog: Catalog, error: Exception, reason: str) -> None:
    one = evaluator(Scripted(length), catalog, Erring(name="exact", error=error))
    one.load("search", {"exact": SUMS})
    found = one.evaluate(CANDIDATE, "search")
    assert (found.status, found.error, found.transient) == ("failed", reason, False)


@pytest.mark.parametrize("error", [RuntimeError("ours"), NotImplementedError("ours"), KeyError("ours")])
def test_a_bug_in_scoring_comes_through(catalog: Catalog, error: Exception) -> None:
    one = evaluator(Scripted(length), catalog, Erring(name="exact", error=error))
    one.load("search", {"exact": SUMS})
    with pytest.raises(type(error), match="ours"):
        one.evaluate(CANDIDATE, "search")


@pytest.mark.parametrize(("module", "value"), [("infinite", "float('nan')"), ("enormous", "1e200")])
def test_a_score_that_is_no_number_fails_the_evaluation(
    folder: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch, module: str, value: str
) -> None:
    (folder / f"{module}.py").write_text(f"def score(example, output): return {value}")
    monkeypatch.syspath_prepend(folder)
    one = evaluator(Scripted(length), catalog, UserFunction(name="mine", function=f"{module}:score"))
    one.load("search", {"mine": SUMS})
    found = one.evaluate(CANDIDATE, "search")
    assert found.status == "failed"
    assert "mine" in found.error
    assert "example" in found.error


@pytest.mark.parametrize("error", [DataError("example 3"), ConfigError("function")])
def test_the_users_mistakes_come_through(catalog: Catalog, error: Exception) -> None:
    one = evaluator(raising(error), catalog, ExactMatch(name="exact"))
    one.load("search", {"exact": SUMS})
    with pytest.raises(type(error), match=str(error)):
        one.evaluate(CANDIDATE, "search")


def test_a_split_that_was_not_given_is_out_of_reach(catalog: Catalog) -> None:
    one = evaluator(Scripted(length), catalog, ExactMatch(name="exact"))
    one.load("search", {"exact": SUMS})
    with pytest.raises(KeyError, match="test"):
        one.evaluate(CANDIDATE, "test")
    one.load("test", {"exact": SUMS[3:]})
    assert one.evaluate(CANDIDATE, "test").scores == {"exact": 0.0}
    assert one.evaluate(CANDIDATE, "search").scores == {"exact": 0.75}
