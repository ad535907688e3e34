"""A chat is rendered as apply_chat_template renders it; what a template raises is one line that names the example."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError
from transformers import AutoTokenizer

from support.models import make_base
from swarm.core.errors import ChatTemplateError, DataError
from swarm.core.examples import Example, Message
from swarm.engines.chat_template import render_chat
from swarm.engines.encoding import Encoder
from swarm.engines.template_process import TemplateProcess
from swarm.evaluation.workload import make_workload
from swarm.objectives.exact_match import ExactMatch
from swarm.objectives.likelihood import AnswerLikelihood
from swarm.objectives.multiple_choice import MultipleChoice

EXAMPLE = Example("q7", "two and two?", "A", {"A": "four", "B": "five"}, where="quiz.jsonl:8")
THINKING = (
    "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}{% if add_generation_prompt %}"
    "<|assistant|>{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}{% endif %}"
)
KINDS = (MultipleChoice, AnswerLikelihood, ExactMatch)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return Encoder.of(make_base(tmp_path_factory.mktemp("chat") / "base"))


def with_template(encoder: Encoder, template: str) -> Encoder:
    encoder.tokenizer.chat_template = template
    return encoder


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("arguments", [{}, {"enable_thinking": False}, {"enable_thinking": True}])
def test_template_arguments_reach_the_template(encoder: Encoder, kind: type, arguments: dict[str, bool]) -> None:
    objective = kind(name="x", chat=True, template_arguments=arguments)
    held = with_template(encoder, THINKING)
    workload = make_workload([objective], {"x": [EXAMPLE]}, held)
    turns = [{"role": "user", "content": EXAMPLE.prompt}]
    expected = held.tokenizer.apply_chat_template(
        turns, tokenize=True, add_generation_prompt=True, return_dict=False, **arguments
    )
    for request in workload.examples["x"][0].requests:
        assert list(request.prompt) == list(expected)


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ raise_exception('roles must\nalternate') }}", "roles must alternate"),
        ("{% for m in messages %}", "TemplateSyntaxError"),
        ("{{ nothing.there }}", "UndefinedError: 'nothing' is undefined"),
        ("{{ messages + 1 }}", "TypeError"),
        ("{{ messages[0]['content'] | int / 0 }}", "ZeroDivisionError"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "RecursionError"),
        ("{% for i in range(99999) %}{% for j in range(99999) %}on and on {% endfor %}{% endfor %}", "more than"),
        ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "loops more than"),
    ],
)
def test_what_a_template_raises_is_one_line_that_names_the_example(
    encoder: Encoder, template: str, reason: str
) -> None:
    objective = AnswerLikelihood(name="x", chat=True)
    with pytest.raises(DataError, match=reason) as refusal:
        make_workload([objective], {"x": [EXAMPLE]}, with_template(encoder, template))
    assert str(refusal.value).startswith("objectives.x: example 'q7' (quiz.jsonl:8): the base's chat template ")
    assert "set chat: false where prompts are texts" in str(refusal.value)
    assert "\n" not in str(refusal.value)


LOOPS = (
    "{% for a in s %}{% for b in s %}{% for c in s %}{% for d in s %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}"
)


@pytest.fixture(scope="module")
def processes() -> Iterator[dict[bool, TemplateProcess]]:
    """Whether the time is what ends it -> a process: filling a GiB takes a busy machine more than a second."""
    of = {True: TemplateProcess(seconds=1), False: TemplateProcess(seconds=60)}
    yield of
    for process in of.values():
        process.close()


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        pytest.param(  # loops of no range
            "{% set s = messages[0].content * 10 %}" + LOOPS, "takes more than 1 seconds", marks=pytest.mark.slow
        ),
        ("{{ 9 ** (10 ** 9) % 2 }}", "takes more than 1 seconds"),  # one operation, which nothing interrupts
        ("{{ 'a' * 10 ** 11 }}", "needs more than 1 GiB"),
        ("{{ 'a'.ljust(10 ** 11) }}", "needs more than 1 GiB"),
        ("{{ 'a' | center(10 ** 11) }}", "needs more than 1 GiB"),
        ("{% set x = namespace(t='ab') %}{% for i in range(60) %}{% set x.t = x.t ~ x.t %}{% endfor %}", "1 GiB"),
        ("{% set x = 'ab' * 10 ** 7 %}{{ x }}", "writes more than 1,048,"),
        ("{{ range(10 ** 12) | list }}", "loops more than"),
    ],
)
def test_time_and_size_are_limited_in_any_thread(
    encoder: Encoder, processes: dict[bool, TemplateProcess], template: str, reason: str
) -> None:
    """In a thread, as in Ray's workers, and the next rendering is unharmed."""
    process = processes["seconds" in reason]
    tokenizer = with_template(encoder, template).tokenizer
    with ThreadPoolExecutor(1) as threads, pytest.raises(ChatTemplateError, match=reason) as refusal:
        threads.submit(render_chat, tokenizer, [Message("user", "two and two?")], {}, process).result(timeout=240)
    assert "\n" not in str(refusal.value)
    tokenizer.chat_template = "{{ messages[0].content }}!"
    assert render_chat(tokenizer, [Message("user", "four")], {}, process) == "four!"


def rendered_or_refused(encoder: Encoder) -> str:
    try:
        return render_chat(encoder.tokenizer, [Message("user", "two and two?")], {})
    except ChatTemplateError as error:
        return str(error)


@pytest.mark.parametrize(
    "reached",
    [
        "''.__class__.__mro__[1].__subclasses__()",
        "messages.__class__",
        "messages | attr('__class__')",
        "'{0.__class__}'.format(messages)",
        "'%s' | format(messages.__init__)",
        "cycler.__init__.__globals__.os.popen('touch reached').read()",
        "raise_exception.__globals__['json']",
        "namespace.__init__.__globals__",
        "messages.append({'role': 'user', 'content': 'more'})",
        "messages[0].update(role='system')",
    ],
)
def test_the_sandbox_gives_no_access_beyond_texts(
    encoder: Encoder, reached: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attribute that is not allowed is empty, and raises where anything is done with it."""
    monkeypatch.chdir(tmp_path)
    for template in ("{{ " + reached + " }}", "{{ (" + reached + ").anything }}"):
        said = rendered_or_refused(with_template(encoder, template))
        assert re.search(r"^$|cannot render it \((SecurityError|UndefinedError): ", said)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_rendering_does_not_answer_the_next_one(
    encoder: Encoder, processes: dict[bool, TemplateProcess]
) -> None:
    process = processes[False]
    tokenizer = with_template(encoder, "{{ messages[0].content }}").tokenizer
    assert render_chat(tokenizer, [Message("user", "one")], {}, process) == "one"
    assert process._process is not None
    process._process.kill()
    with pytest.raises(ChatTemplateError, match="ends the process that renders it"):
        render_chat(tokenizer, [Message("user", "two")], {}, process)
    assert render_chat(tokenizer, [Message("user", "three")], {}, process) == "three"


def test_an_argument_that_the_template_does_not_use_is_refused(encoder: Encoder) -> None:
    objective = AnswerLikelihood(name="x", chat=True, template_arguments={"enable_thinkng": False})
    with pytest.raises(DataError, match="does not use 'enable_thinkng'; correct the name or remove it"):
        make_workload([objective], {"x": [EXAMPLE]}, with_template(encoder, THINKING))


@pytest.mark.parametrize("name", ["messages", "tokenize", "add_generation_prompt", "bos_token", "range", "not-a-name"])
def test_names_that_are_taken_are_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=f"'{name}' is not free for an argument of the template"):
        ExactMatch(name="x", chat=True, template_arguments={name: 1})


def test_arguments_need_a_chat() -> None:
    with pytest.raises(ValidationError, match="set chat: true"):
        ExactMatch(name="x", template_arguments={"enable_thinking": False})


def test_a_long_message_is_no_endless_template(tmp_path: Path) -> None:
    held = Encoder(AutoTokenizer.from_pretrained(make_base(tmp_path / "base")), 1 << 30)
    long = replace(EXAMPLE, prompt=(Message("user", "ab" * 600_000),))
    workload = make_workload([AnswerLikelihood(name="x", chat=True)], {"x": [long]}, held)
    assert len(workload.examples["x"][0].requests[0].prompt) > 1_200_000
