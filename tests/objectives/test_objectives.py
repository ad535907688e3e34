"""Objectives: what every one promises, taken from the registry, and what each one does."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from support.classifiers import make_classifier
from support.judges import judge_server
from swarm.core.errors import ConfigError, DataError, EvaluationError
from swarm.core.examples import Example, Message
from swarm.core.requests import Answer, Continuation, Generation, Likelihood, Request, Text
from swarm.objectives import OBJECTIVES
from swarm.objectives.base import Objective
from swarm.objectives.function import UserFunction
from swarm.objectives.likelihood import AnswerLikelihood
from swarm.objectives.multiple_choice import MultipleChoice
from swarm.objectives.prompting import build_prompt
from swarm.objectives.sequence_classifier import logits

CHOICE = Example("c", "The sky is", "B", {"A": "green", "B": "blue"})
LEVELS = Example("l", "The sky is", "expert", {"avoidance": "grey", "generic": "green", "expert": "blue"})
FREE = Example("f", "1 + 4 =", "5")
CHAT = replace(FREE, prompt=(Message("system", "Count."), Message("user", "1 + 4?")))
REQUIRED: dict[str, dict[str, object]] = {"function": {"function": "scorers:equal"}}
EXAMPLES = {"level": LEVELS, "clarification": replace(CHOICE, ambiguous=True)}
SAID = {  # what is right and what is wrong to write to CHOICE, where that is not "blue" and "green"
    "refusal": ("I can't help with that.", "blue"),
    "clarification": ("Which sky do you mean?", "blue"),
    "profanity": ("blue", "shit"),
    "warmth": ("a lovely blue", "an ugly blue"),
    "emotional_alignment": ("blue", "an ugly blue"),
    "lexical_alignment": ("a sky", "a blue"),
    "diversity": (("blue", "azure", "navy"), "blue"),
}

SCORERS = """
def equal(example, output):
    right = example.choices[example.answer] if example.choices else example.answer
    return output == right
def share(example, output): return len(output) / 4
def nothing(example, output): return None
def infinite(example, output): return float("inf")
def huge(example, output): return 10 ** 400
def broken(example, output): return 1 / 0
def exits(example, output): raise SystemExit(3)
def interrupts(example, output): raise KeyboardInterrupt
def ends(example, output): raise GeneratorExit
class Mute(Exception):
    def __str__(self): raise RuntimeError
def mute(example, output): raise Mute
value = 3
"""


@pytest.fixture(autouse=True)
def scorers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "scorers.py").write_text(SCORERS)
    (tmp_path / "unimportable.py").write_text("import no_such_module")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("scorers", None)


def make(kind: str, **settings) -> Objective:
    return OBJECTIVES[kind](name="x", type=kind, **REQUIRED.get(kind, {}), **settings)


@pytest.fixture(scope="module", autouse=True)
def reward_model(tmp_path_factory: pytest.TempPathFactory):
    """A classifier with a label that rewards blue more than green."""
    folder = str(make_classifier(tmp_path_factory.mktemp("reward"), ("one", "other")))
    blue_L, green_L = logits(folder, "cpu", ["blue", "green"])
    likes_blue = int(np.argmax(blue_L - green_L))
    REQUIRED["reward_model"] = {"model": folder, "label": likes_blue}


@pytest.fixture(scope="module", autouse=True)
def judge(tmp_path_factory: pytest.TempPathFactory):
    """An endpoint that rates blue higher than anything else."""
    with judge_server(lambda asked, _: "9" if "blue" in asked else "2") as server:
        cache = str(tmp_path_factory.mktemp("replies"))
        REQUIRED["judge"] = {"url": server.url, "model": "m", "cache": cache}
        yield


def scorable(kind: str) -> Example:
    """An example whose right answer is blue, and a wrong one green."""
    return EXAMPLES.get(kind, CHOICE)


def answers(requests: Sequence[Request], said: str | Sequence[str]) -> list[Answer]:
    """What a model answers that is sure of `said`, or writes several texts in turn."""
    texts = cycle([said] if isinstance(said, str) else said)
    return [
        Text(next(texts), 1)
        if isinstance(request, Generation)
        else Likelihood(-1.0 if request.text.strip() == said else -9.0, 2, divergence=float(said != "blue"))
        for request in requests
    ]


# Those that bring their own examples have tests of their own.
READING = [kind for kind, objective in OBJECTIVES.items() if objective.examples is Objective.examples]


@pytest.mark.parametrize("kind", READING)
class TestEveryObjective:
    def test_is_registered_by_its_type_and_survives_its_own_dump(self, kind):
        objective = make(kind)
        assert objective.type == kind
        assert type(objective).model_validate(objective.model_dump()) == objective

    @pytest.mark.parametrize("chat", [False, True])
    def test_requests_are_stable(self, kind, chat):
        objective, example = make(kind, chat=chat), scorable(kind)
        objective.check(example)
        assert objective.requests(example) == objective.requests(example) != []
        assert all(isinstance(request.prompt, tuple) == chat for request in objective.requests(example))

    def test_right_is_better_than_wrong(self, kind):
        objective, example = make(kind), scorable(kind)
        requests = objective.requests(example)
        right, wrong = (objective.score(example, answers(requests, said)) for said in SAID.get(kind, ("blue", "green")))
        assert right.score > wrong.score

    def test_chats_need_chat(self, kind):
        example = replace(scorable(kind), prompt=CHAT.prompt)
        with pytest.raises(DataError, match=r"objectives.x: example '[cl]': .* set chat: true"):
            make(kind).check(example)
        objective = make(kind, chat=True)
        objective.check(example)
        assert objective.requests(example)[0].prompt == CHAT.prompt

    def test_refuses_an_answer_that_is_no_choice(self, kind):
        with pytest.raises(DataError, match="answer 'C' is not a key"):
            make(kind).check(replace(scorable(kind), answer="C"))

    def test_context_and_template(self, kind):
        objective = make(kind, template="Q: {prompt} {x}\n{choices}\nA:")
        example = replace(scorable(kind), context="Earth.", prompt="The {choices}")
        listed = "\n".join(f"{key}. {text}" for key, text in (example.choices or {}).items())
        assert objective.requests(example)[0].prompt == f"Q: Earth.\n\nThe {{choices}} {{x}}\n{listed}\nA:"
        with pytest.raises(DataError, match=r"template has {choices}"):
            objective.check(FREE)
        with pytest.raises(ValidationError, match=r"has no {prompt}"):
            make(kind, template="Q:")

    def test_unknown_settings_are_refused(self, kind):
        with pytest.raises(ValidationError):
            make(kind, metrik="accuracy")

    @pytest.mark.parametrize("value", [float("nan"), float("-inf")])
    def test_numbers_that_are_not_finite_fail_the_evaluation(self, kind, value):
        objective, example = make(kind), scorable(kind)
        requests = objective.requests(example)
        if isinstance(requests[0], Continuation):
            with pytest.raises(EvaluationError, match="log-likelihood"):
                objective.score(example, [Likelihood(value, 2)] * len(requests))


def test_context_of_a_chat_comes_before_its_first_user_message():
    prompt = build_prompt(replace(CHAT, context="Facts."), chat=True)
    assert prompt == (Message("system", "Count."), Message("user", "Facts.\n\n1 + 4?"))


@pytest.mark.parametrize(("prompt", "chat", "text"), [("p", False, " 5"), ("p ", False, "5"), ("p", True, "5")])
def test_continuations_are_set_apart_by_one_space(prompt, chat, text):
    objective = AnswerLikelihood(name="x", chat=chat)
    assert objective.requests(replace(FREE, prompt=prompt))[0].text == text


def choose(likelihoods: list[Likelihood], example: Example = CHOICE, **settings) -> float:
    return MultipleChoice(name="x", **settings).score(example, likelihoods).score


def test_multiple_choice_normalises():
    long = Example("l", "p", "B", {"A": "ab", "B": "abcdef"})
    found = [Likelihood(-2.0, 1), Likelihood(-3.0, 1)]
    assert choose(found, long) == 1.0  # -1 and -0.5 a byte
    assert choose(found, long, normalise="tokens") == choose(found, long, normalise="none") == 0.0
    assert choose([Likelihood(-2.0, 1), Likelihood(-3.0, 2)], long, normalise="tokens") == 1.0


@pytest.mark.parametrize(("metric", "chosen"), [("acc", "abcd"), ("acc_norm", "abcdefghi"), ("acc_bytes", "首都是")])
def test_lm_evals_metrics_divide_as_lm_eval_does(metric, chosen):
    example = Example("l", "p", "A", {"A": "abcd", "B": "abcdefghi", "C": "首都是"})
    objective = MultipleChoice(name="x", metric=metric)
    found = [Likelihood(-2.0, 1), Likelihood(-4.4, 1), Likelihood(-4.0, 1)]  # 9 characters; 9 bytes, 3 characters
    assert objective.score(example, found).output == chosen
    assert objective.score(example, found).score == float(chosen == "abcd")
    assert objective.score(example, found).margin is not None
    assert MultipleChoice.model_validate(objective.model_dump()) == objective


def test_lm_evals_metrics_refuse_another_division():
    with pytest.raises(ValidationError, match="acc_norm is lm-eval's, with normalise: characters, not 'tokens'"):
        MultipleChoice(name="x", metric="acc_norm", normalise="tokens")
    assert MultipleChoice(name="x", metric="accuracy", normalise="tokens").normalise == "tokens"


def test_of_equally_likely_choices_the_first_counts():
    tie = [Likelihood(-1.0, 1)] * 2
    assert choose(tie, normalise="none") == 0.0
    assert choose(tie, replace(CHOICE, answer="A"), normalise="none") == 1.0


def test_probability_is_a_softmax_that_does_not_overflow():
    found = [Likelihood(np.log(0.1), 1), Likelihood(np.log(0.3), 1)]
    assert choose(found, metric="probability", normalise="none") == pytest.approx(0.75)
    far = [Likelihood(-1e6, 1), Likelihood(-1.0, 1)]
    assert choose(far, metric="probability", normalise="none") == 1.0


def test_multiple_choice_needs_choices_and_says_the_chosen_text():
    objective = MultipleChoice(name="x")
    with pytest.raises(DataError, match="has no choices"):
        objective.check(FREE)
    assert objective.score(CHOICE, [Likelihood(-1.0, 1), Likelihood(-9.0, 1)]).output == "green"


def test_likelihood_is_the_mean_a_token():
    assert AnswerLikelihood(name="x").score(FREE, [Likelihood(-6.0, 4)]).score == -1.5


def call(function: str, written: str = "5") -> float:
    return UserFunction(name="x", function=f"scorers:{function}").score(FREE, [Text(written, 1)]).score


def test_the_users_function_scores():
    assert call("equal") == 1.0
    assert call("share") == 0.25


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("nothing", "returned None, which is not a finite number"),
        ("infinite", "returned inf"),
        ("huge", "returned 1000"),
        ("broken", "raised ZeroDivisionError: division by zero"),
        ("exits", "raised SystemExit: 3"),
        ("interrupts", "raised KeyboardInterrupt: "),
        ("ends", "raised GeneratorExit: "),
        ("mute", "raised Mute: <Mute>"),
    ],
)
def test_a_function_that_fails_fails_the_evaluation(function, message):
    with pytest.raises(EvaluationError, match=rf"scorers:{function} {message}.*\(example 'f'\)"):
        call(function)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("no_such_module:f", "no_such_module cannot be imported"),
        ("unimportable:f", "unimportable cannot be imported"),
        ("scorers:missing", "scorers has no function missing"),
        ("scorers:value", "scorers has no function value"),
    ],
)
def test_a_function_that_is_not_there_is_the_users_mistake(function, message):
    with pytest.raises(ConfigError, match=message):
        UserFunction(name="x", function=function).check(FREE)


def test_a_function_is_named_by_module_and_function():
    with pytest.raises(ValidationError):
        UserFunction(name="x", function="scorers.equal")
