"""Control layers from preferences: training is what its equation says, the base stays, a kill costs nothing."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, logsigmoid
from transformers import AutoModelForCausalLM, AutoTokenizer

from support.architectures import ARCHITECTURES
from support.builds import make_build
from support.models import make_base
from support.playground import run_cli
from swarm.builders import BUILDERS, ExpertBuilder, PairTokens
from swarm.builders.model_shape import shape_of
from swarm.builders.parts import part_of
from swarm.builders.training import Job, train
from swarm.config.load import load_build
from swarm.experts.catalog import open_base
from swarm.experts.control_layer import CONFIG, WEIGHTS, open_control_layer, with_control_layer
from swarm.experts.layer_copy import control_layer_of, first_layer

TESTS = Path(__file__).parents[1]
SHIPPED = TESTS.parent / "configs" / "build"
STEPS, RATE, BETA = 3, 1e-2, 0.3
PAIRS = [PairTokens((257, 97 + i), (99 + i, 100, 258), (110, 258)) for i in range(4)]


def builder(**settings: object) -> ExpertBuilder:
    return BUILDERS["control"].model_validate({"name": "mine", "type": "control", "data": "pairs.jsonl"} | settings)


def job(base: Path, folder: Path, steps: int, dtype: str = "float32", **settings: object) -> Job:
    made = builder(steps=steps, batch_size=4, learning_rate=RATE, beta=BETA, save_steps=4, **settings)
    return Job(made, base, None, dtype, PAIRS, steps, folder, seed=0, ordered=True)


def quiet(done: int, of: int, loss: float) -> None:
    """Of a step."""


def margin(model: nn.Module, row: PairTokens) -> Tensor:
    """How much likelier the chosen answer is than the rejected one, in nats."""

    def likely(answer: tuple[int, ...]) -> Tensor:
        logits = model(input_ids=torch.tensor([[*row.prompt, *answer]])).logits[0, len(row.prompt) - 1 : -1]
        return -cross_entropy(logits, torch.tensor(answer), reduction="sum")

    return likely(row.chosen) - likely(row.rejected)


def margins(model: nn.Module) -> Tensor:
    return torch.stack([margin(model, row) for row in PAIRS])


def by_hand(base: Path) -> Mapping[str, Tensor]:
    """The layer after STEPS steps of AdamW on all pairs, by equation 7 of Rafailov et al., from the base."""
    reference = AutoModelForCausalLM.from_pretrained(base).requires_grad_(False)
    model = with_control_layer(reference, None)
    layer = control_layer_of(model).requires_grad_(True)
    before = margins(reference)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=RATE, weight_decay=0.0)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = RATE * (0.0 if step == 0 else (STEPS - step) / (STEPS - 1))
        optimizer.zero_grad()
        (-logsigmoid(BETA * (margins(model) - before)).mean()).backward()
        nn.utils.clip_grad_norm_(layer.parameters(), 1.0)
        optimizer.step()
    return {name: each.detach() for name, each in layer.named_parameters()}


@pytest.mark.parametrize("settings", [{}, {"gradient_checkpointing": True}], ids=["kept", "checkpointed"])
def test_training_is_what_its_equation_says(settings: Mapping[str, object], tmp_path: Path) -> None:
    base = make_base(tmp_path / "base", tied=True)
    trained = train(job(base, tmp_path / "work", STEPS, **settings), quiet)
    assert trained.losses[0] == pytest.approx(0.693147, abs=1e-6)
    found = load_file(trained.checkpoint / WEIGHTS)
    expected = by_hand(base)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=2e-5, rtol=1e-3)
    assert not [path for path in trained.checkpoint.iterdir() if path.name.startswith("model")], "the base is not saved"


@pytest.mark.parametrize("kind", ["gemma2", "olmo2", "gpt2", "gpt_neox"])
def test_the_margin_of_other_architectures_rises(kind: str, tmp_path: Path) -> None:
    (found,) = (each for each in ARCHITECTURES if each.name == kind)
    base = found.build(tmp_path / "base")
    trained = train(job(base, tmp_path / "work", 20), quiet)
    model = AutoModelForCausalLM.from_pretrained(base)
    made = with_control_layer(model, load_file(trained.checkpoint / WEIGHTS))
    with torch.no_grad():
        assert (margins(made) > margins(model)).all()


def test_a_base_of_16_bits_is_trained_in_32(tmp_path: Path) -> None:
    """Only the new layer is: the base's weights stay as they are in memory."""
    base = make_base(tmp_path / "base", dtype=torch.bfloat16)
    started = part_of(builder()).started(base, None, "bfloat16")
    dtypes = {each.dtype: each.requires_grad for each in started.parameters()}
    assert dtypes == {torch.bfloat16: False, torch.float32: True}
    trained = train(job(base, tmp_path / "work", 2, "bfloat16"), quiet)
    assert trained.losses[0] == pytest.approx(0.693147, abs=1e-6)
    assert {each.dtype for each in load_file(trained.checkpoint / WEIGHTS).values()} == {torch.float32}


def test_a_training_that_goes_on_ends_with_the_same_weights(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base")
    straight = train(job(base, tmp_path / "straight", 9), quiet)

    def stopped(done: int, of: int, loss: float) -> None:
        if done == 6:
            raise KeyboardInterrupt

    again = job(base, tmp_path / "again", 9)
    with pytest.raises(KeyboardInterrupt):
        train(again, stopped)
    assert [path.name for path in again.folder.glob("checkpoint-*")] == ["checkpoint-4"]
    told: list[int] = []
    resumed = train(replace(again), lambda done, of, loss: told.append(done))
    assert told == [5, 6, 7, 8, 9]
    assert (resumed.checkpoint / WEIGHTS).read_bytes() == (straight.checkpoint / WEIGHTS).read_bytes()
    assert resumed.losses == straight.losses


def test_what_is_predicted_of_it_is_one_layer(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base", layers=3)
    model = AutoModelForCausalLM.from_pretrained(base)
    one, all_weights = (sum(each.numel() for each in of.parameters()) for of in (first_layer(model), model))
    shape = shape_of(builder(), base, "float32", "experts.0")
    assert (shape.weights, shape.trained) == (all_weights, one)
    assert shape.held == 4 * all_weights + 16 * one
    assert shape.saved == 12 * one


def make_control_build(folder: Path) -> Path:
    """The build of support.builds, with one control layer in place of its experts."""
    config = make_build(folder)
    content = yaml.safe_load(config.read_text())
    expert = {"name": "loud", "type": "control", "data": "pairs.jsonl", "learning_rate": 5e-3, "steps": 30}
    content |= {"forgetting": False, "experts": [expert | {"save_steps": 8, "batch_size": 8}]}
    config.write_text(yaml.safe_dump(content))
    return config


def content_of(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("control")
    config = make_control_build(folder)
    before = content_of(folder / "base")
    done = run_cli("build", config)
    assert (done.code, done.err.count("Traceback")) == (0, 0), done.err
    assert content_of(folder / "base") == before
    return folder


def test_the_folder_is_a_control_layer_of_the_base(built: Path) -> None:
    folder = built / "straight" / "loud"
    assert {path.name for path in folder.iterdir()} == {WEIGHTS, CONFIG, "build.json", "README.md"}
    opened = open_control_layer("loud", folder, open_base(built / "base"))
    assert json.loads((folder / CONFIG).read_text())["base"] == str(built / "base")
    layer = first_layer(AutoModelForCausalLM.from_pretrained(built / "base"))
    assert opened.tensors().keys() == dict(layer.named_parameters()).keys()
    assert yaml.safe_load((folder / "README.md").read_text().split("---")[1])["tags"] == ["swarm", "control"]
    assert not (built / "straight" / ".build").exists()


def test_the_lines_of_the_card_load_it(built: Path) -> None:
    folder = built / "straight" / "loud"
    code = (folder / "README.md").read_text().split("```python\n")[1].split("```")[0]
    names: dict[str, nn.Module] = {}
    exec(code.replace("PATH_OF_THIS_FOLDER", str(folder)), names)
    assert names["aligned"].config.num_hidden_layers == names["base"].config.num_hidden_layers + 1  # type: ignore[union-attr]
    assert not torch.equal(logits(names["aligned"]), logits(names["base"]))


@torch.no_grad()
def logits(model: nn.Module) -> Tensor:
    return model(input_ids=torch.arange(97, 117)[None]).logits  # type: ignore[no-any-return]


def pairs_of(file: Path) -> list[PairTokens]:
    """Encoded with the base's tokenizer; answers end with its end token."""
    tokenizer = AutoTokenizer.from_pretrained(file.parent / "base")
    found = []
    for line in file.read_text().splitlines():
        prompt, *answers = (tuple(tokenizer.encode(json.loads(line)[key])) for key in ("prompt", "chosen", "rejected"))
        found.append(PairTokens(prompt, *((*answer, tokenizer.eos_token_id) for answer in answers)))
    return found


@torch.no_grad()
def test_more_of_the_layer_is_more_of_the_preference(built: Path) -> None:
    """Logits l0 + lambda (l1 - l0), from -1 to 2, on training pairs and on held-out ones; at 0 and 1 the two paths."""
    base = AutoModelForCausalLM.from_pretrained(built / "base")
    opened = open_control_layer("loud", built / "straight" / "loud", open_base(built / "base"))
    aligned = with_control_layer(base, opened.tensors())

    def at(strength: float) -> nn.Module:
        class Mixed(nn.Module):
            def forward(self, input_ids: Tensor) -> object:
                out = base(input_ids=input_ids)
                out.logits = (1 - strength) * out.logits + strength * aligned(input_ids=input_ids).logits
                return out

        return Mixed()

    for file in ("pairs.jsonl", "held_out.jsonl"):
        pairs = pairs_of(built / file)
        found = [
            sum(float(margin(at(strength), pair)) for pair in pairs) / len(pairs)
            for strength in (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)
        ]
        assert found == sorted(found)
        assert found[4] > found[2] + 1.0
    assert torch.equal(logits(at(1.0)), logits(aligned))
    assert torch.equal(logits(at(0.0)), logits(base))


def test_a_killed_build_ends_with_the_same_bytes(tmp_path: Path) -> None:
    """Killed while its second checkpoint is written, so that it goes on from the first."""
    make_control_build(tmp_path)
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
    event = r"open \.build/loud/checkpoint-16/trainer_state\.json"
    command = [sys.executable, "-m", "support.builds", str(tmp_path), event]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"straight": [[0, ""]], "killed-0": [[-9, ""], [0, ""]]}
    assert content_of(tmp_path / "killed-0") == content_of(tmp_path / "straight")


def test_the_shipped_control_layer_trains_on_what_the_zoo_does_not_ask() -> None:
    """tests/run/test_build_rows.py compares the data with the zoo's examples."""
    config, other = (load_build(SHIPPED / name) for name in ("control.yaml", "experts.yaml"))
    (expert,) = config.experts
    assert (expert.type, config.base) == ("control", other.base)
    assert expert.data in [each.data for each in other.experts if each.trainer_kind == "pairs"]


def test_what_is_built_is_not_built_again(built: Path) -> None:
    before = content_of(built / "straight")
    assert "is built already" in run_cli("build", built / "build.yaml").out
    assert content_of(built / "straight") == before


def test_a_dry_run_counts_the_layer(built: Path, tmp_path: Path) -> None:
    done = run_cli("check", built / "build.yaml", "--set", f"out={tmp_path / 'other'}", "--json")
    assert done.code == 0, done.err
    (expert,) = json.loads(done.out)["experts"]
    model = AutoModelForCausalLM.from_pretrained(built / "base")
    assert expert["trained_weights"] == sum(each.numel() for each in first_layer(model).parameters())
    assert expert["type"] == "control"
    assert expert["seconds"] > 0
