"""Notes on right answers that are longer than max_new_tokens."""

from pathlib import Path

from support.models import make_base
from swarm.core.examples import Example
from swarm.engines import Encoder
from swarm.evaluation.answer_length import answer_length_notes
from swarm.evaluation.workload import make_workload
from swarm.objectives.exact_match import ExactMatch


def test_right_answers_that_are_too_long_are_noted(tmp_path: Path) -> None:
    """A token is a byte here: three of them hold what is three characters long, whatever would end it."""
    encoder = Encoder.of(make_base(tmp_path / "base"))
    examples = [Example(str(i), "say", answer) for i, answer in enumerate(["abcd", "abc", "x", "abcdefgh"])]
    whole = ExactMatch(name="words", max_new_tokens=3)
    worked_out = ExactMatch(name="worked", max_new_tokens=3, extract="last_number")
    splits = [{each.name: part for each in (whole, worked_out)} for part in (examples[:3], examples[3:])]
    workloads = [make_workload([whole, worked_out], split, encoder) for split in splits]
    assert answer_length_notes(workloads, encoder) == [
        "words: 2 of 4 right answers are longer than max_new_tokens: 3 (that of example 0: 4 tokens); raise it to 8"
    ]
    enough = ExactMatch(name="words", max_new_tokens=8)
    assert answer_length_notes([make_workload([enough], {"words": examples}, encoder)], encoder) == []
