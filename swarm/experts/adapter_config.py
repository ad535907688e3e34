"""adapter_config.json, read and checked: the scaling of LoRA factors and what else the adapter trains.

A value of the wrong type, or one that is not finite, is refused with its file, key and value. So is what is not an
exact update of the base's weights.
"""

import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from swarm.core.errors import ExpertError
from swarm.core.terminal_text import shortened
from swarm.experts.module_patterns import MOST, check_quick, compiled, value_for
from swarm.experts.safetensors_files import read_json

FILE = "adapter_config.json"
LARGEST = 3.4e38  # of float32, in which weights are composed
DEFAULT = 8  # PEFT's, of r and lora_alpha
# Options under which an adapter is not a set of exact updates of the base's weights.
REFUSED = ("use_qalora", "use_bdlora", "arrow_config", "kasa_config", "megatron_config",
           "alora_invocation_tokens", "monteclora_config")  # fmt: skip
TIED_MODULES = ("lm_head", "embed_out", "embed_tokens", "wte", "embed_in", "word_embeddings")
KNOWN_USES = ("use_rslora", "use_dora")  # the keys use_... that are read; others name methods that are not known here
# Values of init_lora_weights that change the base's weights before training.
BASE_CHANGING_INITS = ("pissa", "olora", "corda", "loftq", "lora_ga")
# Methods that add inputs or modules to a model: no weights could hold what they do.
WITHOUT_WEIGHTS = ("PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING", "MULTITASK_PROMPT_TUNING", "ADAPTION_PROMPT", "CPT",
                   "CARTRIDGE", "XLORA", "POLY")  # fmt: skip
REMEDY = "merge it into a full checkpoint with PEFT's merge_and_unload and give that"
CORRECT = "write the value that it was trained with"


@dataclass(frozen=True)
class AdapterConfig:
    """What adapter_config.json says.

    file: its path.
    r: the rank of every module that rank_pattern does not name; None where the file has none.
    alpha: the numerator of the scaling of every module that alpha_pattern does not name.
    rank_pattern, alpha_pattern: regular expression -> rank or alpha, as PEFT matches them to modules' names.
    rslora: whether alpha is divided by the square root of the rank.
    dora: whether a magnitude per output is trained beside the factors.
    transposed: fan_in_fan_out, whether the base stores linear weights as (in, out).
    biases: whether biases are trained.
    saved: modules that were trained and saved whole.
    ties: whether what is done to a tied embedding is done to the head, too.
    tokens: module -> the rows of its embeddings that were trained; the module "" is the input embedding.
    targets: names of parameters, or their ends, that have factors of their own: fused experts.
    """

    file: Path
    r: int | None
    alpha: float
    rank_pattern: Mapping[str, int]
    alpha_pattern: Mapping[str, float]
    rslora: bool
    dora: bool
    transposed: bool
    biases: bool
    saved: tuple[str, ...]
    ties: bool
    tokens: Mapping[str, tuple[int, ...]]
    targets: tuple[str, ...]

    def scaling(self, module: str, rank: int) -> float:
        """alpha / r, or alpha / sqrt(r) for rsLoRA (arXiv 2312.03732)."""
        alpha = value_for(self.alpha_pattern, module, self.alpha)
        return alpha / (math.sqrt(rank) if self.rslora else rank)

    def check_rank(self, module: str, rank: int) -> None:
        """Raise ExpertError where the factors of a module have another rank than the file says."""
        said = value_for(self.rank_pattern, module, self.r if self.r is not None else rank)
        if said != rank:
            raise ExpertError(
                f"{self.file}: r or rank_pattern give {module} the rank {said}, but its factors have {rank}; {CORRECT}"
            )

    def check_patterns(self, modules: Collection[str]) -> None:
        """Raise ExpertError where the patterns would take for ever on these modules' names."""
        check_quick({**self.rank_pattern, **self.alpha_pattern}, modules, f"{self.file}: rank_pattern or alpha_pattern")

    def saves(self, module: str) -> bool:
        """True where the module, or one that it lies in, was trained and saved whole."""
        if self.ties and self.saved and module.endswith(TIED_MODULES):
            return True
        parts = module.split(".")
        outer = [".".join(parts[: i + 1]) for i in range(len(parts))]
        return any(name.endswith(saved) for name in outer for saved in self.saved)


def read_adapter_config(path: Path) -> AdapterConfig:
    """Of an adapter's folder. Raises ExpertError."""
    content = read_json(path / FILE, str(path))
    _refuse_methods(path, content)
    values = _Values(path / FILE, content)
    return AdapterConfig(
        file=path / FILE,
        r=values.rank("r", content["r"]) if "r" in content else None,
        alpha=values.number("lora_alpha", content.get("lora_alpha", DEFAULT)),
        rank_pattern={key: values.rank("rank_pattern", value) for key, value in values.patterns("rank_pattern")},
        alpha_pattern={key: values.number("alpha_pattern", value) for key, value in values.patterns("alpha_pattern")},
        rslora=values.flag("use_rslora"),
        dora=values.flag("use_dora"),
        transposed=values.flag("fan_in_fan_out"),
        biases=values.biases(),
        saved=values.names("modules_to_save", "modules"),
        ties=values.flag("ensure_weight_tying"),
        tokens=values.tokens(),
        targets=values.names("target_parameters", "parameters"),
    )


def _refuse_methods(path: Path, content: Mapping[str, object]) -> None:
    """Raise ExpertError for a method that is not LoRA, and for options that make LoRA inexact."""
    method = content.get("peft_type")
    if isinstance(method, str) and method in WITHOUT_WEIGHTS:
        raise ExpertError(f"{path}: peft_type {method!r} changes no weight of the base; remove it from experts")
    if method != "LORA":
        raise ExpertError(f"{path}: peft_type {_shown(method)} is not LoRA; {REMEDY}")
    unknown = [key for key in content if key.startswith("use_") and key not in KNOWN_USES]
    for key in (*REFUSED, *unknown):
        if content.get(key):
            raise ExpertError(
                f"{path}: {shortened(key)} = {_shown(content[key])} is not an exact update of a weight; {REMEDY}"
            )
    if content.get("layer_replication"):
        raise ExpertError(
            f"{path}: layer_replication = {_shown(content['layer_replication'])} gives the base more layers, "
            "which PEFT's merge_and_unload cannot merge either; remove it from experts"
        )
    init = str(content.get("init_lora_weights", True)).lower()
    if init.startswith(BASE_CHANGING_INITS):
        raise ExpertError(f"{path}: init_lora_weights = {_shown(init)} changes the base itself; {REMEDY}")


@dataclass(frozen=True)
class _Values:
    """The values of a file, each checked as it is read."""

    file: Path
    content: Mapping[str, object]

    def wrong(self, key: str, value: object, expected: str) -> ExpertError:
        return ExpertError(f"{self.file}: {key} = {_json(value)} is not {expected}; {CORRECT}")

    def number(self, key: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(key, value, "a finite number")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not abs(number) <= LARGEST:  # NaN neither
            raise self.wrong(key, value, "a finite number of float32")
        return number

    def rank(self, key: str, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self.wrong(key, value, "a whole number above 0")
        return value

    def flag(self, key: str) -> bool:
        value = self.content.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(key, value, "true or false")
        return bool(value)

    def patterns(self, key: str) -> list[tuple[str, object]]:
        """Regular expressions and their values, not checked yet."""
        found = self.content.get(key) or {}
        if not isinstance(found, dict):
            raise self.wrong(key, found, "a map from patterns of modules' names to values")
        if len(found) > MOST:
            raise ExpertError(f"{self.file}: {key} has {len(found)} patterns, at most {MOST} are read; {CORRECT}")
        for pattern in found:
            try:
                compiled(pattern)
            except (re.error, OverflowError, RecursionError) as error:
                raise ExpertError(
                    f"{self.file}: {key} has the pattern {_shown(pattern)}, which is no regular expression ({error}); "
                    "write the name of a module, or a valid pattern"
                ) from None
        return list(found.items())

    def biases(self) -> bool:
        bias = self.content.get("bias") or "none"
        if bias not in ("none", "all", "lora_only"):
            raise self.wrong("bias", bias, "none, all or lora_only")
        return bias != "none"

    def names(self, key: str, of: str) -> tuple[str, ...]:
        found = self.content.get(key) or []
        names = [found] if isinstance(found, str) else found
        if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
            raise self.wrong(key, found, f"a list of {of}' names")
        return tuple(names)

    def tokens(self) -> dict[str, tuple[int, ...]]:
        found = self.content.get("trainable_token_indices") or {}
        by_module: dict[str, list[int]] = found if isinstance(found, dict) else {"": found}  # type: ignore[dict-item]
        for rows in by_module.values():
            if not isinstance(rows, list) or not all(type(row) is int and row >= 0 for row in rows):
                raise self.wrong("trainable_token_indices", found, "a list of token ids, or a map from modules to such")
            if len(set(rows)) < len(rows):
                raise self.wrong("trainable_token_indices", found, "without repetitions")
        return {module: tuple(rows) for module, rows in by_module.items()}


def _shown(value: object) -> str:
    """A value as Python writes it, cut where it is long."""
    return shortened(repr(value), 60)


def _json(value: object) -> str:
    """A value as its file has it, cut where it is long."""
    return shortened(json.dumps(value), 60)
