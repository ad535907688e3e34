"""The study of mixed compositions: its script runs its config, and its questions have the right answers."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent / "benchmarks"))  # the scripts import each other from their own folder

import mixed

from swarm.config.load import load_config
from swarm.zoo.store import cache_directory

QUESTIONS = [json.loads(line) for line in mixed.DATA.read_text().splitlines()]


def test_the_script_runs_the_config_and_changes_the_composition_alone() -> None:
    config = load_config(mixed.CONFIG)
    (evaluations,) = mixed.BENCHES["smollm2"].evaluations
    for name in mixed.BENCHES["smollm2"].variants:
        found = load_config(mixed.CONFIG, mixed.overrides(name, evaluations, config.seed))
        assert found.composition.type == name
        assert found.model_copy(update={"composition": config.composition}) == config
    assert found == config, "the last variant is the config itself"


@pytest.mark.parametrize("question", QUESTIONS[::10], ids=lambda question: question["id"])
def test_the_right_choice_is_the_answer(question: dict[str, object]) -> None:
    """By arithmetic, and by counting."""
    choices, prompt = question["choices"], str(question["prompt"])
    assert isinstance(choices, dict)
    assert len(set(choices.values())) == 3
    if question["task"] == "products":
        left, right = re.findall(r"(-?\d+)", prompt)
        expected = int(left) * int(right)
    else:
        letter, text = re.findall(r'"([^"]+)"', prompt)
        expected = text.lower().count(letter)
    assert int(choices[str(question["answer"])]) == expected


def test_both_tasks_have_as_many_questions() -> None:
    tasks = [question["task"] for question in QUESTIONS]
    assert [tasks.count(task) for task in mixed.TASKS] == [mixed.QUESTIONS] * 2


@pytest.mark.real
def test_the_questions_are_those_of_the_zoo() -> None:
    zoo = cache_directory() / "smollm2"
    if not (zoo / "data").is_dir():
        pytest.skip("zoo:smollm2 is not built")
    assert list(mixed.questions(zoo)) == QUESTIONS


def record(seed: int, name: str, *scores: list[list[float]]) -> dict[str, object]:
    """A front of two members, scored on four examples of two objectives that count from 0."""
    held = dict(zip("ab", scores, strict=True))
    return {"seed": seed, "name": name, "evaluations": 30, "reference": {"a": 0.0, "b": 0.0}, "scores": held}


def test_hypervolumes_and_their_differences_by_hand() -> None:
    """Members at (1, 1/2) and (1/2, 1) cover 3/4, one at (1/2, 1/2) twice a quarter; equal fronts differ by 0."""
    ones, halves = [1.0] * 4, [0.5] * 4
    wide, narrow = record(0, "mixed", [ones, halves], [halves, ones]), record(0, "logits", [halves] * 2, [halves] * 2)
    covered, less = mixed.volumes(wide), mixed.volumes(narrow)
    assert covered == pytest.approx(np.full(mixed.DRAWS + 1, 0.75))
    assert mixed.apart([covered, less], [less, less]) == pytest.approx((0.25, 0.25, 0.25))
    assert mixed.apart([covered], [covered]) == (0.0, 0.0, 0.0)
    rows = mixed.by_seed(mixed.BENCHES["smollm2"], [wide, narrow])
    assert rows[2:] == ["| 30 | 0 | – | 0.250 | 0.750 | – | +0.500 (+0.500 to +0.500) | – |"]


def test_the_row_of_all_seeds_has_those_with_every_variant() -> None:
    """Seed 2 has no weights: the means of the other two, for all three kinds."""
    ones, halves = [1.0] * 4, [0.5] * 4
    wide, narrow = [[ones, halves], [halves, ones]], [[halves] * 2, [halves] * 2]
    made = [record(seed, name, *narrow) for seed in (0, 1) for name in ("weights", "logits", "mixed")]
    alone = [record(2, name, *wide) for name in ("logits", "mixed")]
    *_, last, whole = mixed.by_seed(mixed.BENCHES["smollm2"], [*made, *alone])
    assert last.startswith("| 30 | 2 | – | 0.750 | 0.750 | – |")
    assert whole.startswith("| 30 | all | 0.250 | 0.250 | 0.250 |")
    assert not any("all" in row for row in mixed.by_seed(mixed.BENCHES["smollm2"], [*made[:3], *alone])[2:])


def test_the_table_by_composition_by_hand() -> None:
    """Hypervolumes of weights .1, .2 and .3 above logits: the mean is .2, its standard error .0577 and t 4.303."""
    records = [
        {"seed": seed, "name": name, "evaluations": evaluations, "hypervolume": value}
        for evaluations in (30, 60)
        for name in mixed.BENCHES["interfering"].variants
        for seed, value in enumerate((0.6, 0.7, 0.8) if name == "weights" else (0.5, 0.5, 0.5))
    ]
    rows = mixed.by_composition(mixed.BENCHES["interfering"], records, 3)
    assert rows[2] == "| weights | 30 | 0.700 |  | +0.200 (-0.048 to +0.448) |"
    assert rows[5].endswith(" +0.000 (+0.000 to +0.000) |")


def test_both_tables_have_their_places_on_the_page() -> None:
    page = mixed.PAGE.read_text()
    for bench in mixed.BENCHES.values():
        assert page.count(bench.begin) == 1
        table = page.partition(bench.begin)[2].partition("<!-- end of figures -->")[0]
        assert mixed.filled(page, table.strip(), bench.begin) == page
