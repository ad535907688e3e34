"""adapter_config.json and the tensors beside it: what is wrong is refused in one line with file, key, value, remedy."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from support.models import make_adapter, make_base
from swarm.core.errors import ExpertError
from swarm.experts.adapter_names import base_name, understood
from swarm.experts.adapter_reader import open_adapter
from swarm.experts.catalog import ExpertSpec, check_finite, open_catalog
from swarm.experts.updates import delta_of

FACTORS = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("config") / "base", layers=1)


@pytest.fixture
def adapter(base: Path, tmp_path: Path) -> Path:
    return make_adapter(tmp_path / "adapter", base, seed=1, targets=["q_proj"])


def refusal(base: Path, adapter: Path) -> str:
    with pytest.raises(ExpertError) as caught:
        open_catalog(base, [ExpertSpec("one", adapter)])
    message = str(caught.value)
    assert "\n" not in message
    assert ";" in message
    return message


def put(adapter: Path, key: str, value: object) -> None:
    file = adapter / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: value}))


def change(adapter: Path, changed: Callable[[dict[str, Tensor]], None]) -> None:
    tensors = load_file(adapter / FACTORS)
    changed(tensors)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, adapter / FACTORS)


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("lora_alpha", None, "null"),
        ("lora_alpha", "", '""'),
        ("lora_alpha", float("nan"), "NaN"),
        ("lora_alpha", float("inf"), "Infinity"),
        ("lora_alpha", 10**400, "1000"),
        ("lora_alpha", 1e39, "1e+39"),
        ("lora_alpha", "sixteen", "sixteen"),
        ("lora_alpha", True, "true"),
        ("lora_alpha", [16], "16"),
        ("alpha_pattern", {"q_proj": None}, "null"),
        ("alpha_pattern", {"q_proj": float("nan")}, "NaN"),
        ("alpha_pattern", {"(q_proj": 4}, "(q_proj"),
        ("alpha_pattern", ["q_proj"], "q_proj"),
        ("rank_pattern", {"q_proj": None}, "null"),
        ("rank_pattern", {"*": 4}, "*"),
        ("rank_pattern", {"q_proj": 0}, "0"),
        ("r", 0, "0"),
        ("r", -4, "-4"),
        ("r", None, "null"),
        ("r", 4.5, "4.5"),
        ("r", 16, "16"),
        ("use_rslora", "yes", "yes"),
        ("fan_in_fan_out", 3, "3"),
        ("bias", "some", "some"),
        ("modules_to_save", 3, "3"),
        ("trainable_token_indices", "five", "five"),
        ("trainable_token_indices", {"embed_tokens": [1, 1]}, "1"),
    ],
    ids=str,
)
def test_wrong_values_are_refused_with_file_key_value_remedy(
    base: Path, adapter: Path, key: str, value: object, shown: str
) -> None:
    put(adapter, key, value)
    message = refusal(base, adapter)
    assert all(word in message for word in (str(adapter / "adapter_config.json"), key, shown)), message


def test_the_remedy_of_a_wrong_value_helps(base: Path, adapter: Path) -> None:
    put(adapter, "lora_alpha", float("nan"))
    assert "write the value that it was trained with" in refusal(base, adapter)
    put(adapter, "lora_alpha", 8)
    assert open_catalog(base, [ExpertSpec("one", adapter)]).parameters()


def test_trained_tokens_that_are_missing_or_not_there_are_refused(base: Path, adapter: Path) -> None:
    put(adapter, "trainable_token_indices", [4, 5])
    assert "trainable_token_indices" in refusal(base, adapter)
    delta = "base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta"
    for rows, tensor in (([4, 5, 6], torch.ones(2, 32)), ([4, 304], torch.ones(2, 32)), ([4], torch.ones(0, 32))):
        put(adapter, "trainable_token_indices", rows)
        change(adapter, lambda tensors, tensor=tensor: tensors.update({delta: tensor}))  # type: ignore[misc]
        assert "trainable_token_indices" in refusal(base, adapter)


A = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
B = A.replace("lora_A", "lora_B")


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        (A, torch.ones(3, 32)),
        (A, torch.tensor(1.0)),
        (A, torch.ones(0, 32)),
        (A, torch.ones(128)),
        (A, torch.ones(4, 32, 1)),
        (A, torch.ones(4, 32, dtype=torch.int8)),
        (B, torch.ones(32, 3)),
        (B, torch.tensor(1.0)),
    ],
    ids=lambda value: str(list(value.shape)) if isinstance(value, Tensor) else value[-8],
)
def test_factors_that_are_no_pair_of_matrices_are_refused(base: Path, adapter: Path, name: str, tensor: Tensor) -> None:
    change(adapter, lambda tensors: tensors.update({name: tensor}))
    assert name in refusal(base, adapter)


def test_factors_of_eight_bits_are_read_and_checked(base: Path, adapter: Path) -> None:
    narrow = {name: tensor.to(torch.float8_e4m3fn) for name, tensor in load_file(adapter / FACTORS).items()}
    save_file(narrow, adapter / FACTORS)
    catalog = open_catalog(base, [ExpertSpec("one", adapter)])
    check_finite(catalog)
    parameter = catalog.parameters()[0]
    expected = 2 * narrow[B].float() @ narrow[A].float()
    torch.testing.assert_close(delta_of(catalog.experts[0].update(parameter, catalog.base), torch.zeros(1)), expected)
    narrow[A] = torch.full(narrow[A].shape, torch.nan).to(torch.float8_e4m3fn)
    save_file(narrow, adapter / FACTORS)
    with pytest.raises(ExpertError, match=r"lora_A\.weight .* holds NaN"):
        check_finite(open_catalog(base, [ExpertSpec("one", adapter)]))


def test_a_missing_or_superfluous_magnitude_is_refused(base: Path, adapter: Path) -> None:
    put(adapter, "use_dora", True)
    assert "lora_magnitude_vector" in refusal(base, adapter)
    put(adapter, "use_dora", False)
    change(adapter, lambda tensors: tensors.update({A.replace("A.weight", "magnitude_vector"): torch.ones(32)}))
    assert "use_dora = false" in refusal(base, adapter)


def test_two_adapters_in_one_file_are_refused(base: Path, adapter: Path) -> None:
    def doubled(tensors: dict[str, Tensor]) -> None:
        tensors |= {name.replace(".weight", ".other.weight"): tensor.clone() for name, tensor in list(tensors.items())}

    change(adapter, doubled)
    assert "same part of one weight" in refusal(base, adapter)


def test_an_adapter_that_needs_its_base_is_not_opened_without_it(base: Path, tmp_path: Path) -> None:
    dora = make_adapter(tmp_path / "dora", base, seed=1, use_dora=True)
    with pytest.raises(ExpertError, match=r"DoRA.*merge_and_unload"):
        open_adapter(dora)


MODULE = "model.layers.0.self_attn.q_proj"


@pytest.mark.parametrize(
    "name",
    [
        f"base_model.model.{MODULE}.lora_A.weight",
        f"{MODULE}.lora_A.weight",
        f"base_model.model.base_model.model.{MODULE}.lora_A.default.weight",
        f"_orig_mod.base_model.model.{MODULE}.lora_A.weight",
        f"module.base_model.model.{MODULE}.lora_A.my-adapter.weight",
        "base_model.model.model._orig_mod.layers.0.self_attn.q_proj.lora_A.weight",
        "base_model.model.layers.0.self_attn.q_proj.lora_A.weight",
        "layers.0.self_attn.q_proj.lora_A.weight",
    ],
)
def test_names_are_read_where_they_can_mean_one_thing(name: str) -> None:
    meaning = understood(name)
    assert meaning.part == "lora_A"
    assert base_name(meaning.parameter, [f"{MODULE}.weight", "lm_head.weight"]) == f"{MODULE}.weight"


def test_names_that_could_mean_two_parameters_are_not_guessed() -> None:
    known = ["model.layers.0.q_proj.weight", "language_model.layers.0.q_proj.weight"]
    assert base_name("layers.0.q_proj.weight", known) not in known
    assert base_name("vision.layers.0.q_proj.weight", known) not in known


@pytest.mark.parametrize(
    "tail",
    ["lora_magnitude_vector", "lora_magnitude_vector.weight", "lora_magnitude_vector.default.weight"],
)
def test_magnitudes_are_read_under_all_names(tail: str) -> None:
    assert understood(f"{MODULE}.{tail}").part == "magnitude"
