"""Examples with answers of three levels: of letters and of English, the same from the same seed, never trained on."""

import json
import random
from pathlib import Path

import pytest

from support.playground import run_cli
from swarm.config.load import load_config
from swarm.core.examples import LEVELS, Example
from swarm.data.examples import read_examples
from swarm.objectives.level import LevelRate
from swarm.zoo import level_tasks, level_texts
from swarm.zoo.level_tasks import ExpertAnswers, LevelCorpus, level_answers, level_examples

LETTERS = {domain: level_examples(domain, 60, 1, (4, 4)) for domain in level_tasks.DOMAINS}
TEXTS = {domain: level_texts.text_examples(domain, 60, 1) for domain in level_texts.DOMAINS}
ALL = [*LETTERS.items(), *TEXTS.items()]


@pytest.mark.parametrize(("domain", "examples"), ALL)
def test_every_example_can_be_scored(domain: str, examples: list[Example]) -> None:
    for example in examples:
        LevelRate(name=domain).check(example)
    assert len({example.prompt for example in examples}) == len(examples) == 60
    assert {example.task for example in examples} == {domain}


def test_the_same_seed_gives_the_same_examples() -> None:
    assert level_examples("law", 60, 1, (4, 4)) == LETTERS["law"]
    assert level_texts.text_examples("law", 60, 1) == TEXTS["law"]
    assert not {e.prompt for e in level_texts.text_examples("law", 60, 2)} & {e.prompt for e in TEXTS["law"]}


def test_the_generic_answer_begins_as_the_experts() -> None:
    assert level_answers("medicine", "abcd") == {"avoidance": "....", "generic": "bccd", "expert": "bcde"}


def test_what_is_scored_is_never_trained_on() -> None:
    held_out = frozenset(str(example.prompt) for own in LETTERS.values() for example in own)
    corpus = LevelCorpus({"avoidance": 0.2, "generic": 0.5, "expert": 0.3}, (2, 4), held_out)
    drawn = ExpertAnswers(corpus, "law", 0.5).draw(random.Random(0), 2000)
    assert not held_out & {example.prompt for example in drawn}
    experts = [e for e in drawn if e.task == "law" and e.answer == level_answers("law", str(e.prompt)[4:-3])["expert"]]
    assert len(experts) > 1000


def test_the_command_writes_a_config_that_is_read(tmp_path: Path) -> None:
    done = run_cli("zoo", "levels", tmp_path / "new", "--examples", 20, "--seed", 4)
    assert (done.code, done.out) == (0, f"{tmp_path}/new/levels.yaml\n")
    config = load_config(tmp_path / "new" / "levels.yaml")
    assert [(each.about, each.level) for each in config.objectives] == [(d, level) for d in TEXTS for level in LEVELS]
    for domain in TEXTS:
        scored = read_examples(tmp_path / "new" / "data" / f"{domain}.jsonl")
        lines = (tmp_path / "new" / "training" / f"{domain}.jsonl").read_text().splitlines()
        taught = [json.loads(line) for line in lines]
        assert len(scored) == 20
        assert len(taught) >= 19
        assert not {example.prompt for example in scored} & {row["prompt"] for row in taught}
        assert all(row["chosen"] == row["completion"] != row["rejected"] for row in taught)
