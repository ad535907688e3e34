"""Opens a PEFT LoRA folder: which tensors belong to which of the base's parameters, checked from headers alone."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from swarm.core.errors import ExpertError
from swarm.experts.adapter_config import REMEDY, AdapterConfig, read_adapter_config
from swarm.experts.adapter_names import TensorName, base_name, understood
from swarm.experts.architecture import DTYPES
from swarm.experts.lora import Adapter, Factors, Tokens
from swarm.experts.safetensors_files import TensorFiles

FLOATS = {*DTYPES, "F8_E4M3", "F8_E5M2"}
SAVE_AGAIN = "save the adapter again with PEFT's save_pretrained"


def open_adapter(path: Path, base: TensorFiles | None = None, more: Collection[str] = ()) -> Adapter:
    """Read the folder's configuration and headers. Raises ExpertError.

    base: the base's tensors; without it, adapters that need them are refused. more: names of parameters that the base
    has without a tensor of their own: a tied head.
    """
    config = read_adapter_config(path)
    found = _Tensors(path, config, TensorFiles.of(path, "adapter_model"), base, more)
    adapter = found.adapter()
    if base is None and adapter.computed:
        raise ExpertError(f"{path}: a {adapter.kind} is no update without its base; {REMEDY}")
    if base is None and config.targets:
        raise ExpertError(f"{path}: target_parameters names parts of its base, which is not at hand; {REMEDY}")
    return adapter


@dataclass(frozen=True)
class _Tensors:
    """The tensors of an adapter's folder by what they mean."""

    path: Path
    config: AdapterConfig
    files: TensorFiles
    base: TensorFiles | None
    more: Collection[str]

    def adapter(self) -> Adapter:
        parts = self._parts()
        self.config.check_patterns({name.removesuffix(".weight").removesuffix(".bias") for name in parts})
        if self.config.tokens and not any("tokens" in each for each in parts.values()):
            rows = dict(self.config.tokens)
            raise ExpertError(
                f"{self.config.file}: trainable_token_indices = {rows}, but there are no trained rows; {SAVE_AGAIN}"
            )
        copies = {name: each["original"] for name, each in parts.items() if "original" in each}
        return Adapter(
            files=self.files,
            factors={name: factors for name, each in parts.items() if (factors := self._factors(name, each))},
            saved={name: each["saved"] for name, each in parts.items() if "saved" in each},
            copies=copies,
            shifts={name: self._shift(name, each) for name, each in parts.items() if "lora_B_bias" in each},
            tokens={name: self._tokens(name, each["tokens"]) for name, each in parts.items() if "tokens" in each},
            base=self.base,
        )

    def _parts(self) -> dict[str, dict[str, str]]:
        """Parameter -> part -> the name of its tensor."""
        known = frozenset((*self.base.info, *self.more)) if self.base else None
        found: dict[str, dict[str, str]] = {}
        adapters = set()
        for name in self.files.info:
            meaning = understood(name)
            adapters |= {meaning.adapter} - {""}
            parts, part = found.setdefault(base_name(meaning.parameter, known), {}), self._part(meaning, known)
            if part != "original" and (dtype := self.files.info[name].dtype) not in FLOATS:
                raise ExpertError(f"{self.path}: {name} holds {dtype}, not floating-point numbers; {SAVE_AGAIN}")
            if (first := parts.setdefault(part, name)) != name:
                raise ExpertError(f"{self.path}: {first} and {name} are the same part of one weight; {SAVE_AGAIN}")
        if len(adapters) > 1:
            raise ExpertError(f"{self.path}: it holds several adapters ({', '.join(sorted(adapters))}); save one alone")
        return found

    def _part(self, meaning: TensorName, known: Collection[str] | None) -> str:
        """The part, decided for tensors that are named like parameters: saved in their place, or a copy of the base."""
        if meaning.part not in ("plain", "original"):
            return meaning.part
        if self.config.biases and meaning.parameter.endswith(".bias"):
            return "saved"
        if meaning.part == "plain" and self.config.saves(meaning.module):
            return "saved"
        if meaning.part == "original" or (known and base_name(meaning.parameter, known) in known):
            return "original"
        raise ExpertError(
            f"{self.path}: the tensor {meaning.parameter} is not a LoRA factor that can be read; {REMEDY}"
        )

    def _factors(self, parameter: str, parts: Mapping[str, str]) -> Factors | None:
        """The factors among the parts of a parameter; None where there are none."""
        kind = next((kind for kind in ("lora", "embedding") if {f"{kind}_A", f"{kind}_B"} & parts.keys()), None)
        if kind is None:
            if "magnitude" in parts:
                raise ExpertError(f"{self.path}: {parts['magnitude']} has no factors beside it; {SAVE_AGAIN}")
            return None
        for one, other in ((f"{kind}_A", f"{kind}_B"), (f"{kind}_B", f"{kind}_A")):
            if other not in parts:
                raise ExpertError(f"{self.path}: {parts[one]} has no partner {other}; {SAVE_AGAIN}")
        a, b, magnitude = parts[f"{kind}_A"], parts[f"{kind}_B"], parts.get("magnitude", "")
        rank, module = self._rank(a, b), parameter.removesuffix(".weight")
        if not self.config.targets:  # those of fused experts have the ranks of all experts: fit_names.py checks them
            self.config.check_rank(module, rank)
        transposed = kind == "embedding" or self.config.transposed
        self._check_magnitude(parts, self.files.info[b].shape[0])
        scaling = self.config.scaling(module, rank)
        return Factors(a, b, rank, scaling, transposed, kind == "embedding", magnitude)

    def _rank(self, a: str, b: str) -> int:
        """The rank of two factors, which must be matrices that can be multiplied."""
        for name in (a, b):
            info = self.files.info[name]
            if len(info.shape) != 2 or not info.elements:
                raise ExpertError(
                    f"{self.path}: {name} has the shape {list(info.shape)}, a factor is a matrix (shards were not "
                    f"gathered when it was saved, or it belongs to a convolution); {SAVE_AGAIN}"
                )
        rank, other = self.files.info[a].shape[0], self.files.info[b].shape[1]
        if rank != other:
            raise ExpertError(f"{self.path}: {a} has the rank {rank} and {b} has {other}; {SAVE_AGAIN}")
        return rank

    def _check_magnitude(self, parts: Mapping[str, str], outputs: int) -> None:
        name = parts.get("magnitude")
        if self.config.dora != (name is not None):
            found = (
                f"there is {name}" if name else f"{next(iter(parts.values()))} has no lora_magnitude_vector beside it"
            )
            raise ExpertError(
                f"{self.config.file}: use_dora = {str(self.config.dora).lower()}, but {found}; {SAVE_AGAIN}"
            )
        if name and self.files.info[name].elements != outputs:
            shape = list(self.files.info[name].shape)
            raise ExpertError(
                f"{self.path}: {name} has the shape {shape}, the factors have {outputs} outputs; {SAVE_AGAIN}"
            )

    def _shift(self, bias: str, parts: Mapping[str, str]) -> tuple[str, float]:
        """What is added to a bias by lora_bias: scaled as the weight's factors are."""
        name = parts["lora_B_bias"]
        module = bias.removesuffix(".bias")
        a = name.replace(".lora_B", ".lora_A").removesuffix(".bias") + ".weight"
        if a not in self.files.info:
            raise ExpertError(f"{self.path}: {name} has no factors beside it; {SAVE_AGAIN}")
        return name, self.config.scaling(module, self.files.info[a].shape[0])

    def _tokens(self, embedding: str, name: str) -> Tokens:
        module = embedding.removesuffix(".weight")
        rows = next(
            (rows for key, rows in self.config.tokens.items() if not key or f".{module}".endswith(f".{key}")), ()
        )
        info = self.files.info[name]
        if len(info.shape) != 2 or info.shape[0] != len(rows) or not rows:
            raise ExpertError(
                f"{self.config.file}: trainable_token_indices gives {module} {len(rows)} rows, "
                f"but {name} has the shape {list(info.shape)}; {SAVE_AGAIN}"
            )
        if self.base and embedding in self.base.info and max(rows) >= self.base.info[embedding].shape[0]:
            raise ExpertError(
                f"{self.config.file}: trainable_token_indices names the row {max(rows)}, "
                f"but the base's {embedding} has {self.base.info[embedding].shape[0]}; give the base it was trained on"
            )
        return Tokens(rows, name)
