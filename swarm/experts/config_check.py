"""A checkpoint must have the base's architecture: configs are compared as transformers reads them."""

from collections.abc import Mapping
from pathlib import Path

from transformers import AutoConfig

# Keys of config.json in which a checkpoint must agree with its base.
ARCHITECTURE = (
    "model_type", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "head_dim", "vocab_size", "rms_norm_eps", "hidden_act",
    "rope_theta", "rope_parameters", "rope_scaling", "sliding_window", "n_embd", "n_layer", "n_head",
    "is_encoder_decoder", "d_model", "d_kv", "num_layers", "num_decoder_layers", "num_heads", "feed_forward_proj",
    "relative_attention_max_distance", "scale_decoder_outputs", "encoder_layers", "decoder_layers",
    "encoder_attention_heads", "decoder_attention_heads", "activation_function", "scale_embedding",
    "normalize_before", "layer_norm_epsilon",
)  # fmt: skip


def differing(theirs: Mapping[str, object], ours: Mapping[str, object], path: Path, base: Path) -> str | None:
    """The first key of the architecture in which two configs differ, with both values; None where none does.

    theirs, ours: the contents of config.json. path, base: the folders. Other releases leave out defaults and spell
    keys otherwise, so contents that are not the same are parsed.
    """
    if all(theirs.get(key) == ours.get(key) for key in ARCHITECTURE):
        return None
    one, other = _parsed(path), _parsed(base)
    if one is None or other is None:  # no architecture of transformers' own: what both files say
        one = {key: theirs[key] for key in ARCHITECTURE if key in theirs and key in ours}
        other = {key: ours[key] for key in one}
    for key in ARCHITECTURE:
        if one.get(key) != other.get(key):
            return f"{key} is {one.get(key)!r}, but the base has {other.get(key)!r}"
    return None


def _parsed(folder: Path) -> dict[str, object] | None:
    """What transformers makes of the config; None where it cannot read it."""
    try:
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except Exception:  # a config can be wrong in as many ways as there are architectures; who opens it says which
        return None
    return {key: _plain(getattr(config, key, None)) for key in ARCHITECTURE}


def _plain(value: object) -> object:
    """Rope settings without what says nothing: absent values, and the older name of `rope_type`."""
    if not isinstance(value, Mapping):
        return value
    return {
        key: _plain(each)
        for key, each in value.items()
        if each is not None and not (key == "type" and "rope_type" in value)
    }
