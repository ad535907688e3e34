"""Objective `lm_eval`: scores are those of lm-eval itself on the exported checkpoint, item by item."""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from support.harness_tasks import TASKS, make_tasks
from support.playground import Playground, run_cli
from support.runs import journal
from swarm.core.errors import ConfigError, EvaluationError
from swarm.core.requests import Continuation, Generation, Likelihood, Text
from swarm.objectives.lm_eval import LmEval

pytest.importorskip("lm_eval", reason="the extra lm-eval is not installed")


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("harness")
    os.environ["HF_DATASETS_CACHE"] = str(folder / "cache")
    return make_tasks(folder / "tasks")


def make(tasks: Path, *names: str, **settings: object) -> LmEval:
    return LmEval(name="x", tasks=list(names), include=str(tasks), **settings)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def searched(playground: Playground, tasks: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished search with one objective for each task; the path of `include` counts from the config."""
    config = playground.config(
        objectives=[{"name": name, "type": "lm_eval", "tasks": name, "include": "tasks"} for name in TASKS],
        optimizer={"type": "random", "particles": 3, "iterations": 2},
        splits={"search": 8, "select": 8, "test": "rest"},
    )
    (tasks.parent / "search.yaml").write_text(yaml.safe_dump(config))
    run = tmp_path_factory.mktemp("runs") / "run"
    done = run_cli("search", tasks.parent / "search.yaml", "--run-dir", run)
    assert done.code == 0, done.err
    return run


@pytest.fixture(scope="module")
def theirs(searched: Path, tasks: Path) -> dict[str, dict[int, Mapping[str, Any]]]:
    """Task -> number of the document -> what plain lm-eval says of it, on the exported checkpoint in float32."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    found = simple_evaluate(
        model="hf", model_args={"pretrained": str(searched / "best"), "dtype": "float32"}, tasks=list(TASKS),
        task_manager=TaskManager(include_path=str(tasks), include_defaults=False), device="cpu", batch_size=4,
        bootstrap_iters=0, log_samples=True,
    )  # fmt: skip
    return {name: {sample["doc_id"]: sample for sample in samples} for name, samples in found["samples"].items()}


@pytest.mark.parametrize("name", TASKS)
def test_scores_are_lm_evals_item_by_item(
    searched: Path, theirs: dict[str, dict[int, Mapping[str, Any]]], name: str
) -> None:
    start, *records = journal(searched)
    best = json.loads((searched / "summary.json").read_text())["best"]["id"]
    (tested,) = [each for each in records if each.get("split") == "test" and each.get("id") == best]
    metric = TASKS[name]["metric_list"][0]["metric"]  # type: ignore[index]
    ids = [item["id"] for item in start["items"][name]["test"]]
    assert len(ids) == 14
    expected = [theirs[name][int(each.rpartition("-")[2])] for each in ids]
    prompts = [sample["arguments"][0][0] for sample in expected]
    assert [item["prompt"] for item in start["items"][name]["test"]] == prompts
    assert tested["examples"][name] == pytest.approx([sample[metric] for sample in expected], abs=1e-3)


def test_the_notes_say_that_the_test_split_is_searched_on(searched: Path) -> None:
    notes = json.loads((searched / "summary.json").read_text())["notes"]
    said = "written: the examples are those that lm-eval evaluates, written (test): once they have been searched on"
    assert any(said in note for note in notes)


def test_a_group_is_all_its_tasks(tasks: Path) -> None:
    objective = make(tasks, "picking", metric="acc_norm")
    examples = objective.examples()
    assert {each.task for each in examples} == {"picked", "picked_after_three"}
    assert len(examples) == len({each.id for each in examples}) == 60
    assert objective.range == (0.0, 1.0)
    assert [path.name for path in objective.files(tasks)] == sorted(path.name for path in tasks.iterdir())


def test_margins_of_choices_have_the_sign_of_the_score(tasks: Path) -> None:
    objective = make(tasks, "picked")
    for example in objective.examples():
        requests = objective.requests(example)
        scored = [
            objective.score(example, [Likelihood(-1.0 if i == right else -5.0, 3) for i in range(len(requests))])
            for right in range(len(requests))
        ]
        assert sorted(each.score for each in scored) == [0.0, 0.0, 0.0, 1.0]
        assert all(each.margin is not None and (each.margin > 0) == (each.score == 1) for each in scored)
        (right,) = [each for each in scored if each.score]
        assert (right.output,) == objective.right(example)


def test_requests_are_those_of_the_task(tasks: Path) -> None:
    objective = make(tasks, "written")
    (request,) = objective.requests(objective.examples()[0])
    assert isinstance(request, Generation)
    assert (request.max_new_tokens, request.stop, request.temperature) == (6, ("h", "\n"), 0.0)
    right = objective.examples()[0].answer
    assert [objective.score(objective.examples()[0], [Text(f"{text}Z", 2)]).score for text in (right, "?")] == [
        1.0,
        0.0,
    ]
    for name, metric, greedy in (("spelled", None, False), ("spelled", "acc", True), ("picked", "acc", False)):
        objective = make(tasks, name, metric=metric)
        requests = objective.requests(objective.examples()[0])
        assert all(isinstance(each, Continuation) and each.greedy == greedy for each in requests)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"tasks": ["pickd"]}, "'pickd' is no task; did you mean 'picked'?"),
        ({"metric": "f2"}, "metric 'f2' is not one of acc, acc_norm; choose one of these"),
        ({"filter": "strict"}, "filter 'strict' is not one of none"),
    ],
)
def test_what_cannot_be_asked_is_one_line(tasks: Path, settings: dict[str, object], problem: str) -> None:
    objective = LmEval.model_validate(
        {"name": "x", "type": "lm_eval", "tasks": ["picked"], "include": str(tasks)} | settings
    )
    with pytest.raises(ConfigError, match=r"^objectives\.x\.tasks: ") as refusal:
        objective.examples()
    assert problem in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"output_type": "loglikelihood_rolling"}, "loglikelihood_rolling has no score of an item"),
        ({"unsafe_code": True}, "it runs code that the model writes"),
        ({"repeats": 4}, "it asks every item 4 times"),
        (
            {
                "output_type": "multiple_choice",
                "doc_to_target": "{{place}}",
                "doc_to_choice": "{{choices}}",
                "metric_list": [{"metric": "f1"}],
            },
            "metric 'f1' has no value of one item; choose another task",
        ),
        (
            {
                "output_type": "generate_until",
                "generation_kwargs": {"until": ["h"], "top_k": 5},
                "metric_list": [{"metric": "exact_match"}],
            },
            "its generation_kwargs have top_k, which is not asked here",
        ),
    ],
)
def test_tasks_without_a_score_of_an_item_are_refused(
    tasks: Path, tmp_path: Path, content: dict[str, object], problem: str
) -> None:
    (tmp_path / "mine").mkdir()
    known = yaml.safe_load((tasks / "spelled.yaml").read_text())
    (tmp_path / "mine" / "mine.yaml").write_text(yaml.safe_dump(known | {"task": "mine"} | content))
    with pytest.raises(ConfigError, match=problem):
        make(tmp_path / "mine", "mine").examples()


def changed(tasks: Path, folder: Path, name: str, **content: object) -> LmEval:
    """An objective on a task of the tests', with some of its keys replaced."""
    folder.mkdir()
    known = yaml.safe_load((tasks / f"{name}.yaml").read_text())
    (folder / "mine.yaml").write_text(yaml.safe_dump(known | {"task": "mine"} | content))
    return make(folder, "mine")


OWN_RULE = """
def process_results(doc, results):
    import numpy as np
    shares = np.exp([likelihood for likelihood, _ in results])
    return {"acc": float(shares[0] / shares.sum())}
"""


def test_a_task_that_scores_by_its_own_rule_has_no_margin(tasks: Path, tmp_path: Path) -> None:
    """As truthfulqa_mc2, whose accuracy is a share of probability."""
    objective = changed(tasks, tmp_path / "own", "picked", metric_list=[{"metric": "acc"}])
    file = tmp_path / "own" / "mine.yaml"
    (tmp_path / "own" / "rules.py").write_text(OWN_RULE)
    file.write_text(file.read_text() + "process_results: !function rules.process_results\n")
    example = objective.examples()[0]
    scored = objective.score(example, [Likelihood(-2.0, 1), *[Likelihood(-1.0, 1)] * 3])
    assert 0 < scored.score < 0.2
    assert (scored.margin, scored.surrogate) == (None, None)


def test_generation_is_read_as_lm_eval_reads_it(tasks: Path, tmp_path: Path) -> None:
    asked = {"until": "h", "max_new_tokens": 5, "temperature": 0.8}
    objective = changed(tasks, tmp_path / "sampled", "written", generation_kwargs=asked)
    (request,) = objective.requests(objective.examples()[0])
    assert isinstance(request, Generation)
    assert (request.max_new_tokens, request.stop, request.temperature) == (5, ("h",), 0.8)


def test_a_task_that_wants_no_examples_gets_none(tasks: Path, tmp_path: Path) -> None:
    plain = changed(tasks, tmp_path / "none", "picked", num_fewshot=0)
    asked = LmEval.model_validate(plain.model_dump() | {"num_fewshot": 2})
    assert [each.prompt for each in asked.examples()] == [each.prompt for each in plain.examples()]
    assert any("mine take no examples in the prompt" in note for note in asked.notes(asked.examples()))


def test_a_changed_task_file_is_read_again(tasks: Path, tmp_path: Path) -> None:
    objective = changed(tasks, tmp_path / "edited", "picked")
    before = objective.examples()[0].prompt
    file = tmp_path / "edited" / "mine.yaml"
    file.write_text(file.read_text().replace("backwards:", "reversed:"))
    assert objective.examples()[0].prompt != before


def test_what_was_taken_is_what_the_metric_compares(tasks: Path) -> None:
    objective = make(tasks, "picked", metric="acc_norm")
    example = objective.examples()[0]
    assert example.choices
    lengths = [len(text) for text in example.choices.values()]
    longest = lengths.index(max(lengths))
    answers = [Likelihood(-1.0 * (1.05 if i == longest else 1.0), 2) for i in range(len(lengths))]
    assert objective.score(example, answers).output == list(example.choices.values())[longest]


def test_keys_that_it_has_no_use_for_are_refused(tasks: Path) -> None:
    with pytest.raises(ValidationError, match="the tasks bring their examples; remove it"):
        make(tasks, "picked", data="mine.jsonl")
    with pytest.raises(ValidationError, match="chat: true is not known"):
        make(tasks, "picked", chat=True)
    objective = make(tasks, "picked")
    example = objective.examples()[0]
    with pytest.raises(EvaluationError, match="log-likelihood is nan"):
        objective.score(example, [Likelihood(float("nan"), 2)] * 4)
