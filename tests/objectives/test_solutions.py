"""Right answers are kept whole, worked solutions are scored as they are written, thinking is left out."""

import time
from dataclasses import replace

import pytest
from pydantic import ValidationError

from swarm.core.errors import DataError
from swarm.core.examples import Example
from swarm.core.requests import Text
from swarm.objectives.exact_match import ExactMatch
from swarm.objectives.extraction import EXTRACTIONS, same_number, without_thinking
from swarm.objectives.latex import same_math

FREE = Example("f", "1 + 4 =", "5")


def objective(**settings: object) -> ExactMatch:
    return ExactMatch.model_validate({"name": "x", "stop": [], **settings})


def score(answer: str, text: str, **settings: object) -> float:
    return objective(**settings).score(replace(FREE, answer=answer), [Text(text, 1)]).score


@pytest.mark.parametrize(
    ("answer", "wrong", "right"),
    [
        ("1/4", "3/4", "so 1/4"),
        ("1.6e-19", "The charge is 9.9e-19", "1.6e-19 C"),
        ("12:30", "at 11:30", "at 12:30"),
        ("2024-01-05", "2019-12-05", "on 2024-01-05"),
        ("6.02 x 10^23", "1.1 x 10^23", "6.02 × 10^{23}"),
        ("2 1/2", "7 3/2", "it takes 2 1/2 hours"),
        ("1e-05", "9e-05", "0.00001"),
        ("50%", "5%", "50"),
        ("-1/2", "1/2", "-0.5"),
        (r"\frac{3}{4}", r"\frac{1}{4}", "3/4"),
        ("$1,234.50", "234.50", "$1234.5"),
        ("1.5.2", "2.5.2", "version 1.5.2"),
    ],
)
def test_numbers_are_compared_whole(answer: str, wrong: str, right: str) -> None:
    objective(extract="last_number").check(replace(FREE, answer=answer))
    assert score(answer, wrong, extract="last_number") == 0.0
    assert score(answer, right, extract="last_number") == 1.0


@pytest.mark.parametrize(
    "answer",
    [
        *["5 apples", "5km", "$5", "5 €", "+5", "(5)", "x = 5", "2 + 3 = 5", "The answer is 5.", "Answer: 5"],
        *["a\n#### 5", r"\boxed{5}", "USD 5", "5 (five)", "5°C", "He has 3 apples and buys 2, which makes 5 in all"],
    ],
)
def test_units_and_worked_solutions_are_not_cut(answer: str) -> None:
    objective(extract="last_number").check(replace(FREE, answer=answer))
    assert score(answer, "5", extract="last_number") == 1.0


def test_huge_exponents_and_zero_denominators_have_no_value() -> None:
    assert same_number("1e999999999", "1e999999999")
    assert not same_number("1e999999999", "1e999999998")
    assert not same_number("1/0", "2/0")
    assert not same_number("1" * 5000, "2" * 5000)


SOLUTION = Example("g", "Q", "2 and 5.\nIn all 2 + 5 = 7.\n#### 7")


def test_a_solution_that_stop_ends_early_is_noted_with_the_setting() -> None:
    cut = ExactMatch(name="g", extract="after_hash")
    cut.check(SOLUTION)
    (note,) = cut.notes([SOLUTION, replace(SOLUTION, id="h"), replace(SOLUTION, answer="7")])
    assert note.startswith("g: 2 of 3 solutions would score 0 themselves (that of example g): stop '\\n' ends the text")
    assert "set stop: []" in note
    assert cut.score(SOLUTION, [Text(SOLUTION.answer.split("\n")[0], 1)]).score == 0.0
    mended = ExactMatch(name="g", extract="after_hash", stop=())
    assert mended.notes([SOLUTION]) == []
    assert mended.score(SOLUTION, [Text(SOLUTION.answer, 1)]).score == 1.0


def test_plain_answers_get_no_note() -> None:
    assert ExactMatch(name="g", extract="last_number").notes([FREE]) == []
    assert ExactMatch(name="g").notes([FREE]) == []


def test_what_a_model_writes_after_its_answer_does_not_count() -> None:
    run_on = "2 + 5 = 7\n#### 7\n\nQuestion: 1 dog and 1 cat?\nAnswer: 1 + 1 = 2\n#### 2"
    assert score("#### 7", run_on, extract="after_hash") == 1.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<think>\n4?\n</think>\n5", "\n5"),
        ("<think>4</think>6<think>7</think>5", "5"),
        ("the prompt opened it: 4</think>5", "5"),
        ("<think>is it 5", ""),
        ("<think>4</think>5<think>is it", ""),
        ("5", "5"),
    ],
)
def test_thinking_is_left_out(text: str, said: str) -> None:
    assert without_thinking(text) == said


@pytest.mark.parametrize(
    "unit", ["1", "1:", "1,111", "1-", " ", "<think>", "\\boxed{", "answer is ", "(", "\n", "1 x 10^"]
)
def test_a_model_that_repeats_itself_is_read_at_once(unit: str) -> None:
    text = f"The answer{unit * 20_000}"
    started = time.perf_counter()
    for extract in EXTRACTIONS:
        assert score("B", text, extract=extract, strip_thinking=True) == 0.0
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}", True),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}12\end{pmatrix}", False),
        (r"\\frac{1}{2}", r"\frac{1}{2}", True),
        ("2m", "2", False),
        (r"3\text{ PM}", r"3\text{ AM}", False),
        (r"\sqrt[3]{2}", r"\sqrt{2}", False),
        ("[0,1)", "[0,1]", False),
        (r"-\frac{1}{2}", r"\frac{-1}{2}", True),
        (r"\frac{\sqrt3}{2}", r"\frac{\sqrt{3}}{2}", True),
        ("", "", False),
    ],
)
def test_latex_is_compared_as_it_is_meant(one: str, other: str, equal: bool) -> None:
    assert same_math(one, other) == same_math(other, one) == equal


def test_strip_thinking_is_an_option() -> None:
    thought = "<think>4? no</think>5"
    assert score("5", thought) == 0.0
    assert score("5", thought, strip_thinking=True) == 1.0
    assert score("5", "<think>5", strip_thinking=True, extract="last_number") == 0.0
    assert objective(strip_thinking=True).targets(FREE) == ()
    with pytest.raises(ValidationError, match=r"set stop: \[\]"):
        ExactMatch(name="x", strip_thinking=True)


def test_every_right_answer_counts() -> None:
    example = replace(FREE, answer="yes", aliases=("aye",))
    assert [objective().score(example, [Text(text, 1)]).score for text in ("yes", "aye", "no")] == [1.0, 1.0, 0.0]
    with pytest.raises(DataError, match="'3 to 5' is cut to '5'"):
        objective(extract="last_number").check(replace(FREE, aliases=("3 to 5",)))


@pytest.mark.parametrize("text", ["b", "(b)", "b.", "The answer is b", "The answer is (B).", "answer: b.", "**B**"])
def test_letters_may_be_small(text: str) -> None:
    assert score("B", text, extract="letter") == score("b", text, extract="letter") == 1.0


@pytest.mark.parametrize("text", ["the answer is a dog", "a dog", "it is a", "The answer I gave"])
def test_words_of_one_letter_are_no_answer(text: str) -> None:
    assert score("A", text, extract="letter") == score("I", text, extract="letter") == 0.0
