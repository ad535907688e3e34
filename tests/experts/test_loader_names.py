"""Every tensor of the files is found where transformers' own loader has put it."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

from support.layouts import MIXTURES, ODD, make_fine_tune, make_model, rewrite
from support.models import load
from swarm.core.errors import ExpertError
from swarm.experts.architecture import architecture_of
from swarm.experts.catalog import ExpertSpec, open_base, open_catalog
from swarm.experts.loader_names import Layout, layout_of
from swarm.experts.safetensors_files import TensorFiles


def layout_at(folder: Path) -> Layout:
    return layout_of(architecture_of(folder), TensorFiles.of(folder).info)


def assert_places_hold_the_files(folder: Path) -> None:
    files, live, layout = load_file(folder / "model.safetensors"), load(folder).state_dict(), layout_at(folder)
    assert files.keys() == layout.places.keys()
    assert not layout.missing | layout.converted
    for name, place in layout.places.items():
        assert torch.equal(place.of(live[place.live]), files[name]), name
    assert sum(tensor.numel() for tensor in files.values()) == sum(live[n].numel() for n in layout.of_live)


@pytest.mark.parametrize("kind", [*MIXTURES, *ODD])
def test_places_hold_what_the_files_hold(tmp_path: Path, kind: str) -> None:
    assert_places_hold_the_files(make_model(tmp_path, kind))


@pytest.mark.parametrize(("kind", "prefix"), [("gpt2", "transformer."), ("bloom", "transformer."), ("olmoe", "model.")])
def test_files_without_the_models_prefix(tmp_path: Path, kind: str, prefix: str) -> None:
    make_model(tmp_path, kind)
    rewrite(tmp_path, lambda tensors: {name.removeprefix(prefix): tensor for name, tensor in tensors.items()})
    assert_places_hold_the_files(tmp_path)


def test_what_the_loader_ignores_has_no_place_and_is_not_missed(tmp_path: Path) -> None:
    make_model(tmp_path, "gpt2")
    rewrite(tmp_path, lambda tensors: {**tensors, "transformer.h.0.attn.masked_bias": torch.tensor(-1e4)})
    layout = layout_at(tmp_path)
    assert "transformer.h.0.attn.masked_bias" not in layout.places
    assert not layout.missing


@pytest.mark.parametrize(
    "name", ["model.layers.1.mlp.experts.11.up_proj.weight", "model.layers.1.mlp.gate.weight", "lm_head.weight"]
)
def test_a_missing_tensor_is_named_when_the_base_is_opened(tmp_path: Path, name: str) -> None:
    make_model(tmp_path, "qwen3_moe")
    rewrite(tmp_path, lambda tensors: {key: tensor for key, tensor in tensors.items() if key != name})
    with pytest.raises(ExpertError, match=f"does not hold {name}.*; download or save") as error:
        open_base(tmp_path)
    assert "\n" not in str(error.value)


def test_a_config_of_another_size_is_refused_when_the_base_is_opened(tmp_path: Path) -> None:
    make_model(tmp_path, "qwen3_moe")
    AutoConfig.for_model("qwen3_moe", **{**MIXTURES["qwen3_moe"], "moe_intermediate_size": 16}).save_pretrained(
        tmp_path
    )
    with pytest.raises(ExpertError, match=r"experts\.\d+\.\w+_proj\.weight in .* asks for \[.*16.*; download or save"):
        open_base(tmp_path)


def test_an_expert_that_lacks_one_tensor_is_refused(tmp_path: Path) -> None:
    base = make_model(tmp_path / "base", "mixtral")
    full = make_fine_tune(tmp_path / "full", base, 1)
    rewrite(full, lambda tensors: {name: each for name, each in tensors.items() if "experts.2.w3" not in name})
    with pytest.raises(ExpertError, match=r"expert full: .*does not hold .*experts\.2\.w3\.weight"):
        open_catalog(base, [ExpertSpec("full", full)])


def test_a_large_model_takes_seconds(tmp_path: Path) -> None:
    """Names and shapes alone are handled."""
    AutoConfig.for_model("qwen3_moe", num_hidden_layers=12, num_experts=128).save_pretrained(tmp_path)
    architecture = architecture_of(tmp_path)
    assert sum(each.numel() for each in architecture.model.parameters()) > 5e9
    experts = [f"model.layers.{i}.mlp.experts.{j}.up_proj.weight" for i in range(12) for j in range(128)]
    missing = layout_of(architecture, experts).missing
    assert {"model.layers.11.mlp.experts.127.gate_proj.weight", "model.layers.11.mlp.experts.down_proj"} <= missing


def test_an_image_models_language_part_is_found_under_its_prefix(tmp_path: Path) -> None:
    text = {**MIXTURES["llama4_text"], "model_type": "llama4_text"}
    vision = {"hidden_size": 8, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
              "image_size": 28, "patch_size": 14, "vision_output_dim": 8, "projector_input_dim": 8,
              "projector_output_dim": 8}  # fmt: skip
    config = AutoConfig.for_model("llama4", text_config=text, vision_config=vision)
    AutoModelForImageTextToText.from_config(config).save_pretrained(tmp_path)
    files, layout = load_file(tmp_path / "model.safetensors"), layout_at(tmp_path)
    live = AutoModelForCausalLM.from_pretrained(tmp_path).state_dict()
    assert not layout.missing
    unloaded = {name.split(".")[0] for name in files.keys() - layout.places.keys()}
    assert unloaded == {"vision_model", "multi_modal_projector"}
    for name, place in layout.places.items():
        assert torch.equal(place.of(live[place.live]), files[name]), name
