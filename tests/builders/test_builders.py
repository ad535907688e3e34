"""Builders: their settings, what they train on, and that training is what its equation says: loops are written here."""

import json
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import PeftModel, get_peft_model
from pydantic import ValidationError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, logsigmoid
from transformers import AutoModelForCausalLM, set_seed

from support import bad_build
from support.bad_inputs import Scene
from support.models import make_base
from support.playground import Playground, run_cli
from swarm.builders import BUILDERS, AnswerTokens, ExpertBuilder, PairTokens
from swarm.builders.axis import AxisBuilder
from swarm.builders.checkpoints import MARK, newest_complete
from swarm.builders.models import load_model
from swarm.builders.parts import part_of
from swarm.builders.trainers import TRAINERS
from swarm.builders.training import Job, train
from swarm.core.examples import Example, Message

PAGE = (Path(__file__).parents[2] / "docs" / "build.md").read_text()
STEPS, RATE, BETA = 3, 1e-2, 0.3
ROWS = [AnswerTokens((257, 97 + i, 98), (99 + i, 258)) for i in range(4)]
PAIRS = [PairTokens((257, 97 + i), (99 + i, 100, 258), (110, 258)) for i in range(4)]


def builder(kind: str, **settings: object) -> ExpertBuilder:
    known = {"name": "mine", "type": kind, "data": "data.jsonl"}
    known |= {"instruction": "Be loud."} if kind == "axis" else {}
    return BUILDERS[kind].model_validate(known | settings)


@pytest.mark.parametrize("kind", sorted(BUILDERS))
def test_every_key_is_on_the_page_with_its_default(kind: str) -> None:
    for name, field in BUILDERS[kind].model_fields.items():
        assert f"| `{name}` |" in PAGE, name
        if isinstance(field.default, int | float) and not isinstance(field.default, bool):
            assert f"| `{name}` | {field.default:g} |" in PAGE, name


@pytest.mark.parametrize("kind", sorted(BUILDERS))
def test_steps_follow_from_epochs(kind: str) -> None:
    two = builder(kind, epochs=2, batch_size=4, gradient_accumulation_steps=2)
    assert [two.steps_for(rows) for rows in (1, 8, 9, 17)] == [2, 2, 4, 6]
    assert builder(kind, steps=7).steps_for(1000) == 7
    assert builder(kind).steps_for(1) >= 1


def test_an_instruction_stands_before_half_of_the_prompts() -> None:
    chat = (Message("user", "hi"),)
    examples = [Example(str(i), "hi" if i % 2 else chat, "HI", context="of old" if i == 0 else "") for i in range(7)]
    axis = builder("axis")
    assert isinstance(axis, AxisBuilder)
    found = axis.arranged(examples, seed=3)
    asked = [each for each in found if each.context.startswith("Be loud.")]
    assert len(asked) == 4
    assert [each.answer for each in found] == ["HI"] * 7
    assert found == axis.arranged(examples, seed=3)
    assert found != axis.arranged(examples, seed=4)
    assert found[0].context in ("of old", "Be loud.\n\nof old")


@pytest.mark.parametrize("share", [0, 1, 1.5, True])
def test_a_share_is_a_share(share: float) -> None:
    with pytest.raises(ValidationError):
        builder("sft", held_out=share)


def test_half_a_checkpoint_does_not_count(tmp_path: Path) -> None:
    for step, whole in ((5, True), (10, True), (15, False)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if whole:
            (tmp_path / f"checkpoint-{step}" / MARK).touch()
    assert newest_complete(tmp_path) == tmp_path / "checkpoint-10"
    assert not (tmp_path / "checkpoint-15").exists()


def by_hand(base: Path, made: ExpertBuilder, loss: Callable[[nn.Module], Tensor]) -> dict[str, Tensor]:
    """LoRA's factors after STEPS steps of AdamW on all rows: warm-up of one step, then a linear decay."""
    set_seed(0)
    model = get_peft_model(load_model(base, "float32"), part_of(made).peft_config)
    trained = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.0)
    model.train()
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = RATE * (0.0 if step == 0 else (STEPS - step) / (STEPS - 1))
        optimizer.zero_grad()
        loss(model).backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
    return {name: each.detach() for name, each in model.named_parameters() if each.requires_grad}


def log_likelihood(model: nn.Module, prompt: tuple[int, ...], answer: tuple[int, ...]) -> Tensor:
    ids = torch.tensor([[*prompt, *answer]])
    logits = model(input_ids=ids).logits[0, len(prompt) - 1 : -1]
    return -cross_entropy(logits, torch.tensor(answer), reduction="sum")


def supervised(model: nn.Module) -> Tensor:
    """Mean over the answers' tokens of all rows; the prompts' do not count."""
    total = sum(log_likelihood(model, row.prompt, row.answer) for row in ROWS)
    return -total / sum(len(row.answer) for row in ROWS)  # type: ignore[return-value]


def preferring(model: PeftModel) -> Tensor:
    """Equation 7 of Rafailov et al."""

    def margin(row: PairTokens) -> Tensor:
        return log_likelihood(model, row.prompt, row.chosen) - log_likelihood(model, row.prompt, row.rejected)

    now = torch.stack([margin(row) for row in PAIRS])
    with model.disable_adapter(), torch.no_grad():
        reference = torch.stack([margin(row) for row in PAIRS])
    return -logsigmoid(BETA * (now - reference)).mean()


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_training_is_what_its_equation_says(kind: str, tmp_path: Path) -> None:
    base = make_base(tmp_path / "base")
    settings = {"steps": STEPS, "batch_size": 4, "learning_rate": RATE, **({"beta": BETA} if kind == "dpo" else {})}
    made = builder(kind, **settings)
    rows = ROWS if kind == "sft" else PAIRS
    seen: list[tuple[int, int]] = []
    job = Job(made, base, None, "float32", rows, STEPS, tmp_path / "work", seed=0, ordered=True)
    trained = train(job, lambda done, of, _: seen.append((done, of)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    found = load_file(trained.checkpoint / "adapter_model.safetensors")
    expected = by_hand(base, made, supervised if kind == "sft" else preferring)
    assert len(found) == len(expected) == 28
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name.replace(".default", "")], tensor, atol=2e-5, rtol=1e-3)
    model = AutoModelForCausalLM.from_pretrained(base)
    assert trained.losses[0] == pytest.approx(0.693147 if kind == "dpo" else float(supervised(model)), abs=1e-5)


@pytest.mark.parametrize("kind", sorted(TRAINERS))
def test_what_is_changed_of_a_trainer_is_there(kind: str) -> None:
    """Else a newer trl would send telemetry, or lose the checks, without a word."""
    ours = TRAINERS[kind]
    theirs = ours.__mro__[2]
    assert theirs.__module__.startswith("trl.")
    changed = {name for owner in ours.__mro__[:2] for name, each in vars(owner).items() if callable(each)}
    own = {"dataset", "collator", "config"}
    assert {name for name in changed - own if not hasattr(theirs, name)} == set()
    assert {"_send_telemetry", "_save_checkpoint", "training_step", "create_model_card"} <= changed


def test_a_full_disk_stops_a_build_that_goes_on_when_there_is_room(playground: Playground, tmp_path: Path) -> None:
    words = bad_build.build(Scene(tmp_path, playground, tmp_path))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, before[1]))
    try:
        done = run_cli(*words)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert done.code == 2
    assert "a checkpoint cannot be written" in done.err
    assert "free disk space or choose another out" in done.err
    assert done.err.count("\n") == 1
    assert [path.name for path in (tmp_path / "experts").iterdir() if not path.name.startswith(".")] == []
    assert run_cli(*words).code == 0
    assert sorted(path.name for path in (tmp_path / "experts").iterdir()) == [".lock", "mine"]


def test_a_dry_run_predicts_and_leaves_nothing(playground: Playground, tmp_path: Path) -> None:
    words = bad_build.build(Scene(tmp_path, playground, tmp_path), {"steps": 50})
    before = sorted(tmp_path.iterdir())
    done = run_cli(*words, "--dry-run")
    assert (done.code, done.err) == (0, "")
    keys = [line.split()[0] for line in done.out.splitlines()]
    assert keys == ["base", "prompts", "mine", "time", "memory", "disk"]
    assert "2 examples; 50 steps, " in done.out
    assert sorted(tmp_path.iterdir()) == before


def test_check_knows_a_build_config(playground: Playground, tmp_path: Path) -> None:
    _, config = bad_build.build(Scene(tmp_path, playground, tmp_path))
    done = run_cli("check", config, "--json")
    assert done.code == 0
    found = json.loads(done.out)
    (expert,) = found["experts"]
    assert (expert["name"], expert["examples"], expert["steps"]) == ("mine", 2, 1)
    assert found["seconds"] > expert["seconds"] > 0
    assert 0.05 < expert["memory_gib"] < 20
    assert run_cli("check", config, "--show", "2").err.startswith("swarm: --show: ")
