"""Whether a checkpoint is quantised: its weights are codes, which cannot be composed or compared."""

from collections.abc import Mapping

# Keys of config.json under which quantised checkpoints say so: transformers, llm-compressor, MLX.
QUANTISED = ("quantization_config", "compression_config", "quantization")


def quantisation(config: Mapping[str, object]) -> str:
    """How the checkpoint with this config is quantised ("fp8"); "" where it is not."""
    text = config.get("text_config")
    for owner in (config, text if isinstance(text, Mapping) else {}):
        for key in QUANTISED:
            if settings := owner.get(key):
                named = settings.get("quant_method") if isinstance(settings, Mapping) else None
                return f"{key}: {named}" if named else key
    return ""
