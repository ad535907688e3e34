r"""Answers as people have them: right answer, text of the model, and the grades that lm-eval and Swarm give.

The grades of lm-eval are literal. They were confirmed once with the functions of lm-eval 0.4.13 itself: its GSM8K
filters strict-match (`after_hash`) and flexible-extract (`last_number`) with that task's exact_match, `is_equiv` of
Hendrycks' MATH on the last box (`boxed`), and the filter of MMLU-Pro (`letter`). docs/extraction.md says why the grades
differ where they do.
"""

import pytest

from swarm.core.examples import Example
from swarm.core.requests import Text
from swarm.objectives.exact_match import ExactMatch

PAIRS = [  # extract, right answer, text, lm-eval's grade, Swarm's grade
    ("after_hash", "#### 7", " 2 + 5 = 7\n#### 7\n\nQuestion: 1 dog?\nAnswer: 2\n#### 2", 1, 1),
    ("after_hash", "#### 7", "#### 7 ... Question: and 2? #### 2", 1, 1),
    ("after_hash", "#### 7", "#### 8\n#### 7", 0, 0),
    ("after_hash", "#### 1,234", "so\n#### 1234", 1, 1),
    ("after_hash", "#### 1234", "so\n#### $1,234.", 0, 1),
    ("after_hash", "#### 5", "#### 5 apples", 1, 1),
    ("after_hash", "#### 5", "#### 5.0", 0, 1),
    ("after_hash", "#### 5", "####5", 0, 1),
    ("after_hash", "#### -3", "#### -3", 1, 1),
    ("after_hash", "#### 5", "the answer is 5", 0, 0),
    ("after_hash", "#### 5", "#### 15", 0, 0),
    ("after_hash", "#### 3/4", "#### 1/4", 0, 0),
    ("after_hash", "#### 50%", "#### 50", 0, 1),
    ("after_hash", "#### 50", "#### 50%", 1, 1),
    ("after_hash", "#### 12:30", "#### 11:30", 0, 0),
    ("after_hash", "#### 5", "#### five", 0, 0),
    ("after_hash", "#### 18", "#### 18.", 1, 1),
    ("after_hash", "#### 2", "#### 2-3", 1, 0),
    ("after_hash", "#### .5", "#### 0.5", 0, 1),
    ("last_number", "#### 7", "2 + 5 = 7", 1, 1),
    ("last_number", "7", "It is 7 apples.", 1, 1),
    ("last_number", "7", "7, not 8", 0, 0),
    ("last_number", "1,234", "that makes $1,234.", 1, 1),
    ("last_number", "1234", "1,234.0", 0, 1),
    ("last_number", "-5", "x = -5", 1, 1),
    ("last_number", "5", "10-5", 0, 1),
    ("last_number", "5", "15", 0, 0),
    ("last_number", "50%", "50", 0, 1),
    ("last_number", "1/4", "3/4", 0, 0),
    ("last_number", "1/4", "0.25", 0, 1),
    ("last_number", "1.6e-19", "The charge is 9.9e-19", 0, 0),
    ("last_number", "1.6e-19", "1.6 x 10^-19", 0, 1),
    ("last_number", "12:30", "at 11:30", 0, 0),
    ("last_number", "12:30", "at 12:30", 0, 1),
    ("last_number", "2024-01-05", "2019-12-05", 0, 0),
    ("last_number", "6.02 x 10^23", "1.1 x 10^23", 0, 0),
    ("last_number", "2 1/2", "7 3/2", 0, 0),
    ("last_number", "1e-05", "9e-05", 0, 0),
    ("last_number", "30", "at 12:30", 1, 0),
    ("last_number", "4", "the share is 3/4", 1, 0),
    ("boxed", r"\frac{1}{2}", r"so \boxed{\dfrac{1}{2}}", 1, 1),
    ("boxed", r"\frac{1}{2}", r"so \boxed{\tfrac12}", 1, 1),
    ("boxed", r"\frac{1}{2}", r"so \boxed{\frac12}", 1, 1),
    ("boxed", r"\frac{1}{2}", r"\boxed{1/2}", 1, 1),
    ("boxed", r"\frac{1}{2}", r"\boxed{0.5}", 1, 1),
    ("boxed", r"\frac{1}{4}", r"\boxed{0.25}", 0, 1),
    ("boxed", r"\frac{1}{72}", r"\boxed{\frac1{72}}", 1, 1),
    ("boxed", "7", r"so $\boxed 7$", 1, 1),
    ("boxed", "5", r"so \fbox{5}", 0, 1),
    ("boxed", "5", r"$\boxed{5\text{ cm}}$", 1, 1),
    ("boxed", "5", r"$\boxed{5\text{cm}}$", 0, 1),
    ("boxed", "5", r"$\boxed{5\mbox{ cm}^2}$", 0, 1),
    ("boxed", "10", r"\boxed{10^\circ}", 1, 1),
    ("boxed", "10", r"\boxed{10^{\circ}}", 1, 1),
    ("boxed", "1,2", r"\boxed{1, 2}", 1, 1),
    ("boxed", "x=5", r"\boxed{5}", 1, 1),
    ("boxed", "1{,}000", r"\boxed{1000}", 0, 1),
    ("boxed", r"1\!000", r"\boxed{1000}", 1, 1),
    ("boxed", r"1,\!000", r"\boxed{1{,}000}", 0, 1),
    ("boxed", "1,000", r"\boxed{1000}", 0, 1),
    ("boxed", "5", r"\boxed{ 5 }", 1, 1),
    ("boxed", "5", r"\boxed{5.}", 0, 1),
    ("boxed", "50", r"\boxed{50\%}", 1, 1),
    ("boxed", "18", r"\boxed{\$18}", 1, 1),
    ("boxed", r"\sqrt{3}", r"\boxed{\sqrt3}", 1, 1),
    ("boxed", r"\left(1, 2\right)", r"\boxed{(1,2)}", 1, 1),
    ("boxed", r"\text{east}", r"\boxed{east}", 0, 1),
    ("boxed", "x^2", r"\boxed{y^2}", 0, 0),
    ("boxed", "x^{2}", r"\boxed{x^2}", 0, 1),
    ("boxed", "5", r"\boxed{\boxed{5}}", 1, 1),
    ("boxed", "4", r"\boxed{3} or \boxed{4}", 1, 1),
    ("boxed", r"\frac{a}{b}", r"\boxed{\frac{b}{a}}", 0, 0),
    ("boxed", r"10\text{ million}", r"\boxed{10\text{ billion}}", 1, 0),
    ("boxed", ".5", r"\boxed{0.5}", 1, 1),
    ("boxed", "2", r"\boxed{2.0}", 0, 1),
    ("boxed", "(1,2)", r"\boxed{(2,1)}", 0, 0),
    ("boxed", r"\{1,2\}", r"\boxed{\{1,2\}}", 1, 1),
    ("boxed", "5", "5", 0, 0),
    ("letter", "B", "The answer is b", 0, 1),
    ("letter", "C", "The answer is (C).", 1, 1),
    ("letter", "D", "answer: D.", 0, 1),
    ("letter", "D", "Answer: D", 0, 1),
    ("letter", "C", "(C)", 0, 1),
    ("letter", "B", "The answer is A. Wait, the answer is B.", 0, 1),
    ("letter", "A", "the answer is a dog", 0, 0),
    ("letter", "C", "**Answer: C**", 0, 1),
    ("letter", "B", "B", 0, 1),
    ("letter", "C", r"the answer is \boxed{C}", 0, 1),
    ("letter", "B", "The best option is B", 0, 1),
    ("letter", "B", "The answer is (B) because A is wrong", 1, 1),
    ("letter", "A", "A or B", 0, 0),
    ("letter", "b", "The answer is (b)", 0, 1),
]
DIFFERING = 36  # pairs on which the two grades differ, each of a kind that docs/extraction.md lists


@pytest.mark.parametrize(("extract", "answer", "text", "lm_eval", "ours"), PAIRS)
def test_grades(extract: str, answer: str, text: str, lm_eval: int, ours: int) -> None:
    objective, example = ExactMatch(name="x", extract=extract, stop=()), Example("i", "p", answer)
    objective.check(example)
    assert objective.score(example, [Text(text, 1)]).score == ours


def test_there_are_enough_pairs_and_their_grades_differ_where_it_is_said() -> None:
    assert len(PAIRS) >= 60
    assert sum(lm_eval != ours for *_, lm_eval, ours in PAIRS) == DIFFERING
