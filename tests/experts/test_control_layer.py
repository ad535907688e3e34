"""Control layers: an exact identity at the start, what they are once trained, what is shared, and what is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import AutoConfig, LlamaForCausalLM

from support.architectures import ARCHITECTURES
from support.architectures import load as loaded
from support.models import load, make_base, make_gpt2
from support.tokenizers import byte_level, make_pair_kind
from swarm.core.errors import ExpertError
from swarm.experts.catalog import Catalog, check_finite, open_base
from swarm.experts.control_layer import (
    CONFIG,
    WEIGHTS,
    ControlLayer,
    is_control_layer,
    open_control_layer,
    with_control_layer,
    write_control_layer,
)
from swarm.experts.expert import Base
from swarm.experts.layer_copy import control_layer_of, first_layer
from swarm.experts.safetensors_files import TensorFiles

COPIED = (
    "llama", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "phi", "phi3", "olmo", "olmo2", "glm4", "granite", "cohere",
    "mistral", "gpt2", "gpt_neo", "gpt_neox", "gptj", "opt", "bloom", "mpt", "falcon", "smollm3", "llama_dynamic",
)  # fmt: skip
REFUSED = ("mixtral", "qwen2_moe", "gpt_oss", "mamba", "lfm2", "falcon_h1", "rwkv", "gemma3n", "t5", "bart")
BY_NAME = {each.name: each for each in ARCHITECTURES}


def tensors_of(layer: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in layer.named_parameters()}


@torch.no_grad()
def answers(model: nn.Module) -> list[Tensor]:
    """Logits of padded rows, and of a text that is read in parts of 11, 1 and 8 tokens with a cache."""
    ids = torch.randint(256, (3, 40), generator=torch.Generator().manual_seed(3))
    mask = torch.ones_like(ids)
    mask[0, :13] = 0
    found = [model(input_ids=ids, attention_mask=mask, use_cache=False).logits]
    cache = None
    for part in ids[:1, :20].split((11, 1, 8), dim=1):
        out = model(input_ids=part, past_key_values=cache, use_cache=True)
        cache = out.past_key_values
        found.append(out.logits)
    found.append(model.generate(ids[:1, :9], max_new_tokens=12, do_sample=False, pad_token_id=0))
    return found


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", COPIED)
def test_the_copy_starts_as_an_identity_bit_for_bit(name: str, dtype: torch.dtype, tmp_path: Path) -> None:
    model = loaded(BY_NAME[name].build(tmp_path)).to(dtype)
    made = with_control_layer(model, None)
    for one, other in zip(answers(made), answers(model), strict=True):
        assert torch.equal(one, other)
    assert made.config.num_hidden_layers == model.config.num_hidden_layers + 1


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_identity_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    model = loaded(BY_NAME[name].build(tmp_path))
    with pytest.raises(ExpertError, match="cannot be copied as a control layer") as refused:
        with_control_layer(model, None)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", COPIED)
def test_all_of_a_copy_can_learn(name: str, tmp_path: Path) -> None:
    """At the start the last map of each branch has a gradient; once those are off zero, all tensors have one."""
    layer = control_layer_of(made := with_control_layer(loaded(BY_NAME[name].build(tmp_path)), None))

    def moved() -> set[str]:
        made.zero_grad()
        made(input_ids=torch.arange(60, 90)[None], use_cache=False).logits.logsumexp(-1).sum().backward()
        return {name for name, each in layer.named_parameters() if each.grad is not None and each.grad.any()}

    first = moved()
    assert first
    with torch.no_grad():
        for parameter in layer.parameters():
            if parameter.grad is not None:
                parameter.sub_(1e-3 * parameter.grad.sign())
    silent = {name for name, _ in layer.named_parameters()} - moved()
    # Softmax does not see what is added to all of its logits.
    assert not [name for name in silent if not name.endswith(("k_proj.bias", "key.bias"))], silent


def test_the_model_and_its_copy_share_all_but_the_new_layer(tmp_path: Path) -> None:
    model = load(make_base(tmp_path / "base", tied=True))
    before = {name: each.clone() for name, each in model.state_dict().items()}
    made = with_control_layer(model, None)
    assert isinstance(made, LlamaForCausalLM)
    own = {id(each) for each in control_layer_of(made).parameters()}
    theirs = {id(each) for each in model.parameters()}
    assert {id(each) for each in made.parameters()} == own | theirs
    assert not own & theirs
    assert {id(each) for each in model.buffers()} <= {id(each) for each in made.buffers()}
    assert made.lm_head.weight is made.model.embed_tokens.weight is model.lm_head.weight
    assert [layer.self_attn.layer_idx for layer in made.model.layers] == [0, 1, 2]
    assert [layer.self_attn.layer_idx for layer in model.model.layers] == [0, 1]
    assert model.config.num_hidden_layers == 2
    assert all(module.config is made.config for module in made.modules() if hasattr(module, "config"))
    with torch.no_grad():
        control_layer_of(made).self_attn.o_proj.weight.fill_(1.0)
    assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())


@pytest.mark.parametrize(("make", "place"), [(make_base, "model.layers"), (make_gpt2, "transformer.h")])
def test_with_its_own_first_layer_it_is_the_checkpoint_of_one_more_layer(
    make: Callable[[Path], Path], place: str, tmp_path: Path
) -> None:
    """The layers 0, 0, 1, as transformers loads them. In other memory a product may end with another last bit."""
    model = load(make(tmp_path / "base"))
    made = with_control_layer(model, tensors_of(first_layer(model)))
    longer = AutoConfig.from_pretrained(tmp_path / "base")
    longer.num_hidden_layers = 3
    expected = type(model)(longer)
    state = model.state_dict()
    for to, of in ((0, 0), (1, 0), (2, 1)):
        start = f"{place}.{of}."
        found = [name.removeprefix(start) for name in model.state_dict() if name.startswith(start)]
        state |= {f"{place}.{to}.{name}": model.state_dict()[start + name] for name in found}
    expected.load_state_dict(state)
    expected.save_pretrained(tmp_path / "longer")
    torch.testing.assert_close(answers(made), answers(load(tmp_path / "longer")), atol=1e-6, rtol=0.0)
    assert not torch.equal(answers(made)[0], answers(model)[0])


@pytest.fixture
def base(tmp_path: Path) -> Base:
    return open_base(make_base(tmp_path / "base"))


@pytest.fixture
def layer(base: Base, tmp_path: Path) -> Path:
    folder = tmp_path / "control"
    folder.mkdir()
    torch.manual_seed(1)
    tensors = {name: torch.randn_like(each) for name, each in tensors_of(first_layer(load(base.path))).items()}
    write_control_layer(folder, tensors, str(base.path), base.tensors.fingerprint)
    return folder


def test_what_is_written_is_read(base: Base, layer: Path) -> None:
    opened = open_control_layer("kind", layer, base)
    torch.manual_seed(1)
    expected = {name: torch.randn_like(each) for name, each in tensors_of(first_layer(load(base.path))).items()}
    assert opened.tensors().keys() == expected.keys()
    assert all(torch.equal(each, expected[name]) for name, each in opened.tensors().items())
    assert (opened.name, opened.kind, opened.path) == ("kind", "control", layer)
    assert opened.fingerprint == TensorFiles.of(layer / WEIGHTS).fingerprint
    made = with_control_layer(load(base.path), opened.tensors())
    assert all(torch.equal(each, expected[name]) for name, each in control_layer_of(made).named_parameters())


def test_a_folder_is_known_by_its_files(layer: Path, base: Base) -> None:
    assert is_control_layer(layer)
    assert not is_control_layer(base.path)
    assert not is_control_layer(Path("x" * 5000))
    (layer / CONFIG).unlink()
    assert is_control_layer(layer), "a part of one, which is told when it is opened"


def refusal(base: Base, layer: Path) -> str:
    with pytest.raises(ExpertError) as refused:
        open_control_layer("kind", layer, base)
    message = str(refused.value)
    assert message.startswith("expert kind: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("file", [WEIGHTS, CONFIG])
def test_a_missing_file_is_named(base: Base, layer: Path, file: str) -> None:
    (layer / file).unlink()
    assert f"holds no {file}" in refusal(base, layer)


def test_a_link_to_elsewhere_is_refused(base: Base, layer: Path, tmp_path: Path) -> None:
    shutil.move(layer / WEIGHTS, tmp_path / "elsewhere")
    (layer / WEIGHTS).symlink_to(tmp_path / "elsewhere")
    assert "outside of the model's folder" in refusal(base, layer)


def test_another_base_is_refused(base: Base, layer: Path, tmp_path: Path) -> None:
    other = open_base(make_base(tmp_path / "other", seed=1))
    message = refusal(other, layer)
    assert base.tensors.fingerprint in message
    assert other.tensors.fingerprint in message
    assert "give the base it was trained on" in message


@pytest.mark.parametrize(
    ("key", "value"),
    [("format", "lora"), ("version", 2), ("version", True), ("layer", 3), ("layer", False), ("base_fingerprint", None)],
)
def test_a_config_of_something_else_is_refused(base: Base, layer: Path, key: str, value: object) -> None:
    content = json.loads((layer / CONFIG).read_text())
    (layer / CONFIG).write_text(json.dumps(content | {key: value}))
    assert str(value) in refusal(base, layer)


def test_a_config_that_is_no_json_is_refused(base: Base, layer: Path) -> None:
    (layer / CONFIG).write_text("[1, 2")
    assert "cannot be read as JSON" in refusal(base, layer)


@pytest.mark.parametrize("mistake", ["missing", "unknown", "shape", "integers"])
def test_wrong_tensors_are_named(base: Base, layer: Path, mistake: str) -> None:
    tensors = dict(open_control_layer("kind", layer, base).tensors())
    name = "self_attn.q_proj.weight"
    old = tensors.pop(name)
    made = {"missing": {}, "unknown": {name: old, "mlp.fc1.weight": old}, "shape": {name: old[:-1]}}
    made["integers"] = {name: old.to(torch.int8)}
    write_control_layer(layer, tensors | made[mistake], str(base.path), base.tensors.fingerprint)
    assert ("mlp.fc1.weight" if mistake == "unknown" else name) in refusal(base, layer)


def test_what_is_not_finite_is_neither_written_nor_taken(base: Base, layer: Path) -> None:
    opened = open_control_layer("kind", layer, base)
    broken = {**opened.tensors(), "self_attn.q_proj.weight": torch.full((32, 32), torch.nan)}
    before = (layer / WEIGHTS).read_bytes()
    with pytest.raises(ExpertError, match=r"q_proj\.weight is not finite"):
        write_control_layer(layer, broken, "", "")
    assert (layer / WEIGHTS).read_bytes() == before
    data = bytearray(before)
    data[-4:] = torch.tensor([torch.inf]).numpy().tobytes()
    (layer / WEIGHTS).write_bytes(data)
    catalog = Catalog(base, (), (open_control_layer("kind", layer, base),))
    with pytest.raises(ExpertError, match=r"expert kind: tensor .* holds NaN or infinite values"):
        check_finite(catalog)


def test_a_base_without_such_a_layer_is_refused(layer: Path, tmp_path: Path) -> None:
    paired = open_base(make_pair_kind(tmp_path / "t5", byte_level()))
    assert "encoder-decoder" in refusal(paired, layer)
    assert "cannot be copied" in refusal(open_base(BY_NAME["mamba"].build(tmp_path / "mamba")), layer)


def test_a_quantised_base_is_refused(base: Base, layer: Path) -> None:
    codes = Base(**{**vars(base), "codes": frozenset({"model.layers.0.self_attn.q_proj.weight"})})
    assert "quantised" in refusal(codes, layer)


def test_a_control_layer_is_hashable_by_its_fields(base: Base, layer: Path) -> None:
    one, other = open_control_layer("kind", layer, base), open_control_layer("kind", layer, base)
    assert one == other == ControlLayer("kind", layer, one.fingerprint, one.files)
