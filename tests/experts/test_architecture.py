"""The meta model has the names, shapes, module types and ties of the model that transformers loads."""

import json
from pathlib import Path

import pytest
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    Mistral3Config,
    Mistral3ForConditionalGeneration,
    MistralConfig,
    MistralForCausalLM,
    PixtralVisionConfig,
    Qwen2VLConfig,
    WhisperConfig,
)

from swarm.core.errors import ExpertError
from swarm.experts.architecture import architecture_of


@pytest.mark.parametrize("tied", [True, False])
def test_names_shapes_and_ties_are_those_of_the_loaded_model(tmp_path: Path, tied: bool) -> None:
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=40, hidden_size=8, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
            tie_word_embeddings=tied,
        )
    )  # fmt: skip
    model.config.save_pretrained(tmp_path)
    found = architecture_of(tmp_path)
    assert found.parameters == {name: tuple(each.shape) for name, each in model.named_parameters()}
    assert found.tied == ({"lm_head.weight": "model.embed_tokens.weight"} if tied else {})
    assert all(each.is_meta for each in found.model.parameters())
    assert architecture_of(tmp_path) is found, "built once"


def test_module_types_tell_conv1d_from_linear(tmp_path: Path) -> None:
    model = GPT2LMHeadModel(GPT2Config(vocab_size=40, n_embd=8, n_layer=1, n_head=2, n_positions=16))
    model.config.save_pretrained(tmp_path)
    types = architecture_of(tmp_path).module_types
    assert (types["transformer.h.0.attn.c_attn"], types["lm_head"]) == ("Conv1D", "Linear")


def test_a_changed_config_is_read_again(tmp_path: Path) -> None:
    config = GPT2Config(vocab_size=40, n_embd=8, n_layer=1, n_head=2, n_positions=16)
    config.save_pretrained(tmp_path)
    before = architecture_of(tmp_path)
    GPT2Config(vocab_size=48, n_embd=8, n_layer=1, n_head=2, n_positions=16).save_pretrained(tmp_path)
    assert architecture_of(tmp_path).parameters != before.parameters


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (WhisperConfig().to_dict(), "no encoder-decoder for text of model_type 'whisper'"),
        (Qwen2VLConfig().to_dict(), "no causal language model of model_type 'qwen2_vl'"),
        ({"model_type": "no-such-model"}, "no-such-model"),
        ({"hidden_size": 3}, "model_type"),
        ({"model_type": "llama", "hidden_size": 30, "num_attention_heads": 4}, "30"),
    ],
)
def test_what_is_no_language_model_is_refused_in_one_line(
    tmp_path: Path, config: dict[str, object], words: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config, default=str))
    with pytest.raises(ExpertError, match=words) as error:
        architecture_of(tmp_path)
    assert "\n" not in str(error.value)
    assert "; " in str(error.value)


def test_the_language_model_of_an_image_model_is_a_base_of_its_own(tmp_path: Path) -> None:
    """The remedy of the message: the same logits as the whole model's."""
    text = MistralConfig(
        vocab_size=40, hidden_size=8, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, head_dim=4, tie_word_embeddings=False,
    )  # fmt: skip
    vision = PixtralVisionConfig(
        hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2, image_size=16, patch_size=8
    )
    whole = Mistral3ForConditionalGeneration(Mistral3Config(text_config=text, vision_config=vision)).eval()
    whole.config.save_pretrained(tmp_path / "whole")
    with pytest.raises(ExpertError, match="give its language model alone"):
        architecture_of(tmp_path / "whole")
    alone = MistralForCausalLM(whole.config.text_config).eval()
    alone.model.load_state_dict(whole.model.language_model.state_dict())
    alone.lm_head.load_state_dict(whole.lm_head.state_dict())
    alone.save_pretrained(tmp_path / "alone")
    assert "lm_head.weight" in architecture_of(tmp_path / "alone").parameters
    ids = torch.arange(20)[None]
    assert torch.equal(alone(ids).logits, whole(ids).logits)
