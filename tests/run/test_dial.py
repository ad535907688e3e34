"""A run's dial: preferences and coefficients set on a live model, which is that of an export."""

import shutil
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

import swarm
from support.front_runs import front_run, trade_off
from support.models import load
from support.playground import EXPERTS, Playground, run_cli
from swarm.core.errors import ConfigError, RunError
from swarm.run.choice import FinishedFront
from swarm.run.dial import Dial

NEW = {"max_new_tokens": 6, "do_sample": False}
PROMPTS = ["abcd=", "hgfe=", "dada="]


@pytest.fixture(scope="module")
def run(playground: Playground, tmp_path_factory: pytest.TempPathFactory) -> Path:
    copied = shutil.copytree(front_run(playground), tmp_path_factory.mktemp("dial") / "run")
    trade_off(copied)
    return copied


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_merged_weights_are_those_of_an_export(
    run: Path, playground: Playground, tmp_path: Path, dtype: str
) -> None:
    coefficients = {"far_red": 0.37, "far_green": -0.2, "far_blue": 1.1}
    dial = Dial(run, form="merged", dtype=dtype)
    for other in (-0.3, 0.8):
        dial.set(coefficients={"far_red": other})
    dial.set(coefficients=coefficients)
    swarm.compose(
        playground.base,
        {front_run(playground).parent / name: c for name, c in coefficients.items()},
        tmp_path / "out",
        dtype=dtype,
    )
    live = dial.model.state_dict()
    for name, tensor in load_file(tmp_path / "out" / "model.safetensors").items():
        assert torch.equal(live[name], tensor), name


def test_a_preference_gives_the_weights_of_swarm_dial(run: Path, tmp_path: Path) -> None:
    assert run_cli("dial", run, "--prefer", "a=0.8,b=0.2", "-o", tmp_path / "out").code == 0
    dial = swarm.Run.load(run).dial(form="merged")
    blend = dial.set(a=0.8, b=0.2)
    assert blend is not None
    assert blend.coefficients == FinishedFront.of(run).context_map().at({"a": 0.8, "b": 0.2}).coefficients
    for name, tensor in load_file(tmp_path / "out" / "model.safetensors").items():
        assert torch.equal(dial.model.state_dict()[name], tensor), name


def test_the_usual_form_is_the_adapter_of_swarm_dial(run: Path, playground: Playground, tmp_path: Path) -> None:
    asked = ("dial", run, "--prefer", "a=0.8,b=0.2", "-o", tmp_path / "out", "--format", "adapter")
    assert run_cli(*asked).code == 0
    dial = swarm.Run.load(run).dial()
    assert dial.form == "adapter"
    dial.set(a=0.1, b=0.9)
    dial.set(a=0.8, b=0.2)
    peft = PeftModel.from_pretrained(load(playground.base), tmp_path / "out").eval()
    ids = torch.arange(40, 52)[None]
    with torch.no_grad():
        assert torch.equal(dial.model(input_ids=ids).logits, peft(input_ids=ids).logits)
    written = peft.generate(input_ids=ids, **NEW)[:, ids.shape[1] :]
    assert torch.equal(dial.model.generate(input_ids=ids, **NEW)[:, ids.shape[1] :], written)


@pytest.mark.parametrize("form", ["adapter", "stacked", "merged"])
def test_at_zero_it_is_the_base_again(run: Path, playground: Playground, form: str) -> None:
    base = load_file(playground.base / "model.safetensors")
    dial = Dial(run, form=form)
    before = dial.generate(PROMPTS, **NEW)
    dial.set(coefficients=dict.fromkeys((f"far_{name}" for name in EXPERTS), 2.0))
    assert dial.generate(PROMPTS, **NEW) != before
    dial.set(coefficients=dict.fromkeys(("far_red",), 0.0))
    assert dial.generate(PROMPTS, **NEW) == before
    live = {name.replace(".base_layer", ""): tensor for name, tensor in dial.model.state_dict().items()}
    for name, tensor in base.items():
        assert torch.equal(live[name], tensor), name


def logits(dial: Dial, rows: int) -> torch.Tensor:
    """Of the same tokens in every row."""
    ids = torch.arange(40, 52).repeat(rows, 1)
    return dial.model(input_ids=ids).logits


def test_rows_with_different_dials_are_as_one_by_one(run: Path) -> None:
    dial = Dial(run, form="stacked")
    preferences = [{"a": 1.0}, {"a": 0.3, "b": 0.7}, {"b": 1.0}]
    alone = []
    for preference in preferences:
        dial.set(preference)
        alone.append(logits(dial, 1))
    dial.set_rows(preferences)
    together = logits(dial, 3)
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(together[0], together[2], atol=1e-2), "the dials differ"
    texts = dial.generate([PROMPTS[0]] * 3, **NEW)
    for preference, text in zip(preferences, texts, strict=True):
        dial.set(preference)
        assert dial.generate(PROMPTS[0], **NEW) == [text]


def test_stacked_and_merged_agree(run: Path) -> None:
    stacked, merged = Dial(run, form="stacked"), Dial(run, form="merged")
    for dial in (stacked, merged):
        dial.set(a=0.4, b=0.6)
    torch.testing.assert_close(logits(stacked, 1), logits(merged, 1), atol=1e-3, rtol=1e-3)


def test_mistakes_are_told(run: Path, finished_run: Path) -> None:
    dial = Dial(run)
    with pytest.raises(ConfigError, match="'c' is no objective"):
        dial.set(c=1.0)
    with pytest.raises(ConfigError, match="at least 0"):
        dial.set(a=-1.0)
    with pytest.raises(ConfigError, match="'red' is no expert; did you mean 'far_red'"):
        dial.set(coefficients={"red": 1.0})
    with pytest.raises(ConfigError, match="not both"):
        dial.set(a=1.0, coefficients={"far_red": 1.0})
    with pytest.raises(ConfigError, match="not finite"):
        dial.set(coefficients={"far_red": float("nan")})
    for each in (dial, Dial(run, form="merged")):
        with pytest.raises(ConfigError, match=f"need form stacked, and this dial's is {each.form}; open it with"):
            each.set_rows([{"a": 1.0}, {"b": 1.0}])
    stacked = Dial(run, form="stacked")
    stacked.set_rows([{"a": 1.0}, {"b": 1.0}])
    with pytest.raises(ConfigError, match="2 weightings are set, and the batch has 3 rows"):
        stacked.generate(PROMPTS, **NEW)
    with pytest.raises(ConfigError, match="'mixed' is unknown"):
        Dial(run, form="mixed")
    with pytest.raises(ConfigError, match="'int8' is unknown"):
        Dial(run, dtype="int8")
    without = Dial(finished_run)
    without.set(coefficients={"red": 0.5})
    with pytest.raises(RunError, match="there is no front"):
        without.set(a=1.0)
