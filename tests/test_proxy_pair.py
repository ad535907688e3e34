"""The study of proxy-tuning on SmolLM2: its facts, the small model that is made from the large one, its table."""

import random
import sys
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

sys.path.append(str(Path(__file__).parent / "benchmarks"))  # the scripts import each other from their own folder

import proxy_tuning
from study import healing, pair, proxy_table, tables
from study.world import capitals, cities, world

from swarm.config.load import load_config

PAGE = proxy_tuning.PAGE
PAIR = Path(pair.__file__).with_suffix(".yaml")


def tiny_llama(layers: int) -> LlamaForCausalLM:
    """With the tied embedding of SmolLM2."""
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2}
    config = LlamaConfig(
        **shape, vocab_size=80, num_hidden_layers=layers, tie_word_embeddings=True, initializer_range=0.2
    )
    return LlamaForCausalLM(config).eval()


def test_the_world_is_divided_and_each_fact_has_one_right_choice() -> None:
    known = world(random.Random(0))
    prompts = {example.prompt for example in known.taught}
    assert len(prompts) == len(known.taught)
    assert not prompts & {example.prompt for example in known.asked}
    right = {*capitals(), *cities()}
    for fact in known.facts:
        assert fact.choices is not None
        assert len(set(fact.choices.values())) == 4
        subject = fact.prompt.removeprefix("The capital of ").removesuffix(" is").removesuffix(" is a city in")
        assert [key for key, name in fact.choices.items() if (subject, name) in right] == [fact.answer]


def test_healing_brings_a_few_layers_nearer_to_the_whole_model() -> None:
    """Eight layers of ten say more of what all of them say, and the frozen ones are as they were."""
    whole = tiny_llama(10)
    rows = torch.randint(1, 80, (400, 8)).tolist()
    said: list[str] = []
    small = healing.heal(lambda: deepcopy(whole), rows, 2, said.append)
    before, after = (float(line.rpartition(" ")[2]) for line in said if line.startswith("divergence"))
    assert after < 0.7 * before
    assert small.config.num_hidden_layers == len(small.model.layers) == 8
    for ours, theirs in zip(small.model.layers[: healing.FROZEN], whole.model.layers[: healing.FROZEN], strict=True):
        for name, weight in ours.state_dict().items():
            assert torch.equal(weight, theirs.state_dict()[name].bfloat16())


def test_the_lesson_of_the_whole_model_is_known_by_itself() -> None:
    whole = tiny_llama(6)
    of = healing.lesson(whole, [[1, 2, 3, 4], [5, 6]])
    assert of.p_NK.shape == (6, healing.KEPT)
    upper = healing.with_layers(deepcopy(whole), list(whole.model.layers[healing.FROZEN :]))
    assert healing.divergence(upper, of).item() == pytest.approx(0.0, abs=1e-3)


def test_a_row_of_the_table_of_proxy_tuning() -> None:
    row = proxy_table.Row("c = 1", 1.0, 0.5, (0.25, 0.2, 0.3), 0.75, (-0.05, -0.1, 0.0), 7)
    assert "| c = 1 | 1.00 | 50.0 | 25.0 (20.0 to 30.0) | 75.0 | -5.0 (-10.0 to +0.0) | 7 |" in proxy_table.table(
        [row], "questions"
    )


def test_the_page_of_proxy_tuning_has_a_place_for_every_zoo() -> None:
    page = PAGE.read_text()
    for begin in (tables.BEGIN, "<!-- figures of SmolLM2 -->"):
        assert tables.filled(page, "new", begin).count("\n\nnew\n\n") == 1


def test_the_config_of_the_pair_is_valid() -> None:
    config = load_config(PAIR)
    assert [(expert.path, expert.minus) for expert in config.experts] == [("small-tuned", "small")]
    assert {objective.name for objective in config.objectives} == {"questions", "facts"}
