"""The zoo of sizes: its models have one tokenizer, are found by reference, and know what they were taught."""

import json
import random
from pathlib import Path

import pytest
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from swarm import zoo
from swarm.core.errors import ExpertError
from swarm.core.examples import Example
from swarm.experts.catalog import ExpertSpec, open_catalog
from swarm.zoo.base import Builder, BuildPaths, Progress, Schedule
from swarm.zoo.facts import LettersAndFacts, fact_prompt, facts
from swarm.zoo.sizes import RECIPE, SizeRecipe
from swarm.zoo.sizes_build import make
from swarm.zoo.store import build_at
from swarm.zoo.string_tasks import TASKS, Corpus, evaluation_examples, prompts

MODELS = ("small", "small-tuned", "large-tuned")


def quiet(_message: str, share: float) -> None:
    assert 0.0 <= share <= 1.0


def hasty(size: SizeRecipe) -> SizeRecipe:
    """A size that is trained for two steps."""
    short = Schedule(steps=2, batch=4, rate=1e-3)
    return size.model_copy(update={"base": short, "tuned": short})


def hasty_make(paths: BuildPaths, progress: Progress) -> None:
    make(HASTY, paths, progress)


HASTY = RECIPE.model_copy(
    update={
        "large": hasty(RECIPE.large),
        "small": hasty(RECIPE.small),
        "experts": tuple(
            each.model_copy(update={"schedule": Schedule(steps=2, batch=4, rate=1e-3)}) for each in RECIPE.experts
        ),
    }
)


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The zoo in a cache of its own, with hardly any training."""
    monkeypatch.setenv("SWARM_CACHE", str(tmp_path))
    return build_at(Builder(HASTY, hasty_make), "sizes", tmp_path / "zoo" / "sizes", quiet)


def test_references_find_models_experts_and_data(built: Path) -> None:
    assert zoo.locate("zoo:sizes") == built / "base"
    assert [zoo.locate(f"zoo:sizes/{name}") for name in MODELS] == [built / "models" / name for name in MODELS]
    assert zoo.locate("zoo:sizes/letters") == built / "experts" / "letters"
    assert zoo.locate("zoo:sizes/data/facts.jsonl") == built / "data" / "facts.jsonl"
    with pytest.raises(ExpertError, match="small-tuned"):
        zoo.locate("zoo:sizes/small-tunned")


def test_the_models_are_pairs_for_the_base(built: Path) -> None:
    models = built / "models"
    specs = [
        ExpertSpec("proxy", models / "small-tuned", minus=models / "small"),
        ExpertSpec("direct", models / "large-tuned", minus=Path("base")),
        ExpertSpec("letters", built / "experts" / "letters"),
    ]
    catalog = open_catalog(built / "base", specs)
    assert [model.name for model in catalog.models] == ["proxy", "direct"]
    assert catalog.names == ("letters",)
    vocabularies = {(folder / "tokenizer.json").read_bytes() for folder in (built / "base", *models.iterdir())}
    assert len(vocabularies) == 1


def test_tuning_starts_from_the_untuned_model(built: Path) -> None:
    """Two steps move no weight far, while models of other seeds or sizes have nothing in common."""
    for untuned, tuned in (("base", "models/large-tuned"), ("models/small", "models/small-tuned")):
        before, after = (load_file(built / name / "model.safetensors") for name in (untuned, tuned))
        moved = [float((after[name] - before[name]).abs().max()) for name in before]
        assert 0 < max(moved) < 0.01


def test_no_evaluation_example_is_used_in_training() -> None:
    examples = evaluation_examples(1, 40, (3, 3), RECIPE.tasks)
    assert {example.task for example in examples} == set(RECIPE.tasks)
    known = facts(20, 1)
    corpus = Corpus(RECIPE.trust, (3, 3), prompts(examples), RECIPE.tasks)
    drawn = LettersAndFacts(corpus, known, 0.5).draw(random.Random(0), 2000)
    assert not prompts(examples) & {example.prompt for example in drawn}
    assert {example.task for example in drawn} == {"facts", *RECIPE.tasks}
    assert 900 < sum(example.task == "facts" for example in drawn) < 1100


def test_facts_are_the_same_from_the_same_seed_and_have_one_answer_each() -> None:
    found = facts(120, 1)
    assert found == facts(120, 1) != facts(120, 2)
    assert len({example.prompt for example in found}) == 120
    assert all(example.prompt == fact_prompt(str(example.prompt)[8:-1]) for example in found)


@pytest.mark.slow
def test_who_knows_what(tmp_path: Path) -> None:
    """Greedy answers of plain transformers: tuning teaches the tasks, and facts are the large base's own."""
    built = zoo.build("sizes", tmp_path / "sizes", quiet)
    data = {name: _read(built / "data" / f"{name}.jsonl") for name in ("examples", "facts")}
    score = {
        (name, kind): _share_right(built / name, rows)
        for name in ("base", *(f"models/{each}" for each in MODELS))
        for kind, rows in data.items()
    }
    assert score["models/large-tuned", "examples"] - score["base", "examples"] >= 0.2
    assert score["models/small-tuned", "examples"] - score["models/small", "examples"] >= 0.2
    assert score["base", "facts"] > 0.6
    assert score["base", "facts"] - score["models/large-tuned", "facts"] > 0.1
    assert max(score["models/small", "facts"], score["models/small-tuned", "facts"]) < 0.2


def _read(path: Path) -> list[Example]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    if rows[0]["task"] in TASKS:
        assert all(row["answer"] == TASKS[row["task"]](row["prompt"].split()[1].rstrip("=")) for row in rows)
    return [Example(**row) for row in rows]


def _share_right(folder: Path, examples: list[Example]) -> float:
    """The share of answers that greedy generation writes exactly."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    given = tokenizer([str(example.prompt) for example in examples], return_tensors="pt", padding=True)
    ids = model.generate(**given, max_new_tokens=6, do_sample=False)[:, given["input_ids"].shape[1] :]
    texts = tokenizer.batch_decode(ids, skip_special_tokens=True)
    return sum(t == e.answer for t, e in zip(texts, examples, strict=True)) / len(examples)
