"""Solved examples in front of a question: they make no two items different, and test items among them are noted."""

from dataclasses import replace
from pathlib import Path

import pytest

from support.harness_tasks import make_tasks
from swarm.core.examples import Example
from swarm.data.duplicates import content_key, prompt_key
from swarm.data.solved_examples import shown_in_front
from swarm.data.splits import SPLITS, Splits, SplitSettings, make_splits


def item(n: int, front: str = "") -> Example:
    question = f"Q: What is {n} plus one?\nA:"
    return Example(f"i{n}", front + question, str(n + 1), question_at=len(front))


def solved(*numbers: int) -> str:
    return "Sums.\n\n" + "".join(f"Q: What is {n} plus one?\nA: {n + 1}\n\n" for n in numbers)


def split(given: list[Example], seed: int = 0) -> Splits:
    return make_splits("sums", None, SplitSettings(), seed, Path, given)


def test_what_stands_in_front_of_a_question_makes_no_other_item() -> None:
    one, other = item(7, solved(1, 2)), replace(item(7, solved(3)), id="again")
    assert one.prompt != other.prompt
    assert prompt_key(one) == prompt_key(other) == prompt_key(item(7))
    assert content_key(one) == content_key(other) != content_key(replace(other, answer="9"))
    given = [item(n, solved(100 + n)) for n in range(40)] + [
        replace(item(n, solved(200 + n)), id=f"r{n}") for n in range(8)
    ]
    splits = split(given)
    assert sum(len(splits.of(name)) for name in SPLITS) == 40
    assert splits.notes[0] == "8 exact duplicates dropped from sums"


def test_the_order_of_items_is_that_of_all_that_is_read() -> None:
    """So that searches that began before questions were known apart are resumed."""
    given = [item(n, solved(100 + n)) for n in range(40)]
    known, unknown = split(given), split([replace(each, question_at=0) for each in given])
    for name in SPLITS:
        assert [each.id for each in known.of(name)] == [each.id for each in unknown.of(name)]


def test_items_that_are_shown_with_their_answers_are_found() -> None:
    fronts = [item(50, solved(3, 60)), item(51, solved(4)), item(52, solved(4, 3))]
    tested = [item(n) for n in (1, 3, 4, 5)]
    found = shown_in_front(tested, [*fronts, *tested])
    assert [(each.example.id, each.by.id) for each in found] == [("i3", "i50"), ("i4", "i51")]


@pytest.mark.parametrize(
    "front",
    [
        "Q: What is 3 plus one?\nA: 5\n\n",  # another answer
        "Q: What is 13 plus one?\nA: 4\n\n",  # another number that ends alike
        "Q: What is 3 plus one?\nA: 40\n\n",
        "Q: What is 3 plus one? Think.\nA: 4\n\n",
        "",
    ],
)
def test_what_is_nearly_an_item_is_not_the_item(front: str) -> None:
    assert shown_in_front([item(3)], [item(50, front)]) == []


def test_shown_items_are_noted() -> None:
    given = [item(n, solved(n + 1)) for n in range(40)]
    (note,) = [each for each in split(given).notes if "in front of questions" in each]
    tested = {each.id for each in split(given).test}
    expected = [f"i{n}" for n in range(1, 40) if f"i{n}" in tested]
    assert note.startswith(f"{len(expected)} test examples can be read, with the answer, in front of questions")
    assert not any("in front of" in each for each in split([item(n) for n in range(40)]).notes)


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("lm_eval", reason="the extra lm-eval is not installed")
    folder = make_tasks(tmp_path_factory.mktemp("repeated") / "tasks")
    lines = (folder / "test.jsonl").read_text().splitlines()
    (folder / "test.jsonl").write_text("\n".join(lines + lines[:5]) + "\n")
    return folder


@pytest.mark.parametrize("name", ["spelled", "spelled_after_two", "picked", "picked_after_three"])
def test_repeated_items_of_a_task_are_dropped_whatever_examples_lm_eval_draws(
    tasks: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from swarm.objectives.lm_eval import LmEval

    monkeypatch.setenv("HF_DATASETS_CACHE", str(tasks.parent / "cache"))
    found = LmEval(name="x", tasks=[name], include=str(tasks)).examples()
    assert len(found) == 35
    if "after" in name:
        assert len({each.prompt for each in found}) > 30, "the examples in front differ"
    splits = split(found)
    assert sum(len(splits.of(each)) for each in SPLITS) == 30
    assert "5 exact duplicates dropped from sums" in splits.notes


def test_a_task_that_draws_its_examples_from_test_says_so(tasks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from swarm.objectives.lm_eval import LmEval

    monkeypatch.setenv("HF_DATASETS_CACHE", str(tasks.parent / "cache"))
    known = (tasks / "spelled_after_two.yaml").read_text()
    own = tasks.parent / "own"
    own.mkdir()
    (own / "own.yaml").write_text(
        known.replace("fewshot_split: train", "fewshot_split: test").replace("task: spelled_after_two", "task: own")
    )
    for name, folder, noted in (("own", own, True), ("spelled_after_two", tasks, False)):
        splits = split(LmEval(name="x", tasks=[name], include=str(folder)).examples())
        assert any("test examples can be read, with the answer" in note for note in splits.notes) == noted
