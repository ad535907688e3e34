"""The base's tokenizer and config as transformers reads them, or one line that says what is wrong with the files."""

import json
from pathlib import Path

from transformers import AutoConfig, AutoTokenizer, GenerationConfig, PreTrainedConfig, PreTrainedTokenizerBase

from swarm.core.errors import ExpertError
from swarm.core.terminal_text import shortened
from swarm.experts.libraries import understood
from swarm.experts.own_code import asked_code, refused_code
from swarm.experts.safetensors_files import read_json

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
                   "vocab.json", "chat_template.json")  # fmt: skip
PROBE = "a"  # a text
# Keys that name the file to read by the version of transformers, and the file that holds the key.
NAMING = {"configuration_files": "config.json", "fast_tokenizer_files": "tokenizer_config.json"}


def load_config(base: Path) -> PreTrainedConfig:
    """The config of a base. Raises ExpertError."""
    return understood(
        lambda: AutoConfig.from_pretrained(str(base), local_files_only=True, trust_remote_code=False),
        lambda reason: ExpertError(
            f"base {base}: transformers cannot load it ({reason} in config.json); check the folder"
        ),
    )


def load_tokenizer(base: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a base, from the folder's files alone and without code of its own. Raises ExpertError."""

    def refused(reason: str) -> ExpertError:
        _check_tokenizer_files(base)
        if "custom code" in reason and (code := asked_code(base)):
            return refused_code(f"base {base}", base, code)
        fast = (base / "tokenizer.json").is_file()
        otherwise = "pip install sentencepiece, or save a tokenizer.json there"
        remedy = "check the folder's tokenizer files" if fast else otherwise
        return ExpertError(f"base {base}: transformers cannot load it ({reason}); {remedy}")

    def loaded() -> PreTrainedTokenizerBase:
        tokenizer = AutoTokenizer.from_pretrained(str(base), local_files_only=True, trust_remote_code=False)
        tokenizer.decode(tokenizer.encode(PROBE))  # some settings are looked at only here
        return tokenizer

    return understood(loaded, refused)


def check_settings(base: Path) -> None:
    """Raise ExpertError where generation_config.json, which transformers ignores when it is damaged, cannot be read,
    where config or tokenizer name files of another folder, and where the index of shards lacks what transformers reads.
    """
    for key, name in NAMING.items():
        named = read_json(base / name, f"base {base}").get(key) if (base / name).is_file() else None
        for file in named if isinstance(named, list) else [named] if named else []:
            if not isinstance(file, str) or Path(file).name != file:
                raise ExpertError(f"base {base}: {key} in {name} is {shortened(repr(file))}, no file's name; remove it")
    _check_index(base)
    file = base / "generation_config.json"
    if file.is_file():
        content = read_json(file, f"base {base}")
        understood(
            lambda: GenerationConfig.from_dict(content),
            lambda reason: ExpertError(f"base {base}: {file} cannot be read ({reason}); correct or remove it"),
        )
        if not _are_tokens(content.get("eos_token_id")):
            value = shortened(repr(content["eos_token_id"]))
            raise ExpertError(f"base {base}: eos_token_id in {file} is {value}, no token's id; correct or remove it")


def _check_index(base: Path) -> None:
    index = base / "model.safetensors.index.json"
    if index.is_file() and not (base / "model.safetensors").is_file():
        metadata = read_json(index, f"base {base}").get("metadata")
        if not isinstance(metadata, dict):
            value = shortened(json.dumps(metadata))
            raise ExpertError(f"base {base}: metadata in {index} is {value}, no map; write {{}} in its place")


def _check_tokenizer_files(base: Path) -> None:
    for name in TOKENIZER_FILES:
        if (base / name).is_file():
            read_json(base / name, f"base {base}")


def _are_tokens(value: object) -> bool:
    """Whether a value of eos_token_id is none, a token's id, or a list of ids."""
    each = value if isinstance(value, list) else [] if value is None else [value]
    return all(type(token) is int for token in each)
