"""PEFT LoRA folders, read as updates of the base's parameters.

What PEFT can merge into weights is read: mixed ranks and alphas, rsLoRA, rank and alpha patterns, embeddings, Conv1D
and modules_to_save. What is not an exact update of a weight (DoRA, trained biases, ...) is refused with a remedy.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from swarm.core.errors import ExpertError
from swarm.experts.safetensors_files import TensorFiles, read_json
from swarm.experts.updates import LowRank, Replacement, Update

PREFIX = "base_model.model."
LINEAR_PARTS = (".lora_A.weight", ".lora_B.weight")  # what PEFT adds to a module's name for its factors A and B
EMBEDDING_PARTS = (".lora_embedding_A", ".lora_embedding_B")
# Options under which an adapter is not a set of exact updates of the base's weights.
REFUSED = ("use_dora", "lora_bias", "use_qalora", "use_bdlora", "target_parameters", "layer_replication",
           "trainable_token_indices", "arrow_config", "kasa_config", "megatron_config", "alora_invocation_tokens",
           "monteclora_config")  # fmt: skip
# Values of init_lora_weights that change the base's weights before training.
BASE_CHANGING_INITS = ("pissa", "olora", "corda", "loftq", "lora_ga")
BASE_COPY = ".base_layer.weight"
REMEDY = "merge it into a full checkpoint with PEFT's merge_and_unload and give that"


@dataclass(frozen=True)
class Factors:
    """One parameter's LoRA factors in the adapter's files.

    a: the name of the tensor A, of shape (rank, in).
    b: the name of the tensor B, of shape (out, rank).
    rank: the rows of A.
    scaling: the factor of B @ A.
    transposed: True where the base stores the parameter as (in, out): embeddings, Conv1D.
    """

    a: str
    b: str
    rank: int
    scaling: float
    transposed: bool

    @property
    def embedding(self) -> bool:
        """True where they are factors of an embedding."""
        return self.a.endswith(EMBEDDING_PARTS[0])


@dataclass(frozen=True)
class Adapter:
    """A PEFT LoRA folder.

    files: its tensors.
    factors: parameter -> its factors.
    saved: parameter -> the tensor that replaces it, for modules that were trained and saved whole.
    copies: parameter -> the copy of the base's own tensor that PEFT saves beside the factors (embeddings, head).
    """

    files: TensorFiles
    factors: Mapping[str, Factors]
    saved: Mapping[str, str]
    copies: Mapping[str, str] = field(default_factory=dict)

    def parameters(self) -> tuple[str, ...]:
        return (*self.factors, *self.saved)

    def update(self, parameter: str) -> Update:
        """The parameter's update, read from disk."""
        if parameter in self.saved:
            return Replacement(self.files.read(self.saved[parameter]))
        where = self.factors[parameter]
        return LowRank(self.files.read(where.a), self.files.read(where.b), where.scaling, where.transposed)

    def embeds(self, parameter: str) -> bool:
        """True where the parameter is an embedding that the adapter changes."""
        if parameter in self.saved:
            return "embed" in parameter or parameter.endswith("wte.weight")
        return self.factors[parameter].embedding

    def rank(self, parameter: str) -> int | None:
        """The rank of the parameter's factors; None where it was saved whole."""
        return self.factors[parameter].rank if parameter in self.factors else None

    def shape(self, parameter: str) -> tuple[int, ...]:
        """The shape of the base parameter that the update fits."""
        if parameter in self.saved:
            return self.files.info[self.saved[parameter]].shape
        where = self.factors[parameter]
        out, inner = self.files.info[where.b].shape[0], self.files.info[where.a].shape[1]
        return (inner, out) if where.transposed else (out, inner)


def is_adapter(path: Path) -> bool:
    return (path / "adapter_config.json").is_file()


def open_adapter(path: Path) -> Adapter:
    """Read the folder's configuration and headers. Raises ExpertError."""
    config = read_json(path / "adapter_config.json", str(path))
    _refuse(path, config)
    files = TensorFiles.of(path, "adapter_model")
    factors: dict[str, Factors] = {}
    saved: dict[str, str] = {}
    copies = {_copied(name): name for name in files.info if _may_be_copy(name, config)}
    for name in files.info:
        if name not in copies.values():
            _add_tensor(path, name, files, config, factors, saved)
    return Adapter(files, factors, saved, copies)


def recorded_base(path: Path) -> Path | None:
    """The folder of the base that the adapter was trained on, as it records it; None where that is not on disk."""
    recorded = read_json(path / "adapter_config.json", str(path)).get("base_model_name_or_path")
    folder = Path(str(recorded or ""))
    return folder if folder.is_absolute() and (folder / "config.json").is_file() else None


def check_trained_on(path: Path, base: Path, tensors: TensorFiles, owner: str) -> None:
    """Raise ExpertError where the base that the adapter records is on disk and differs from this one."""
    folder = recorded_base(path)
    if folder is None or folder.resolve() == base.resolve():
        return
    recorded = TensorFiles.of(folder).fingerprint
    if recorded != tensors.fingerprint:
        raise ExpertError(
            f"{owner}: it was trained on {folder} (fingerprint {recorded}), the base {base} has "
            f"{tensors.fingerprint}; give the base it was trained on"
        )


def check_copies(adapter: Adapter, base: TensorFiles, owner: str) -> None:
    """Raise ExpertError where a copy of the base's embeddings in the adapter differs from the base.

    PEFT saves such copies beside the factors of embeddings, and puts them in the base's place on loading.
    """
    for parameter, name in adapter.copies.items():
        if not _is_copy(adapter.files, name, base, parameter):
            raise ExpertError(
                f"{owner}: its copy of the base's {parameter} differs from the base; "
                "give the base it was trained on, or merge it into a full checkpoint with PEFT's merge_and_unload"
            )


def _is_copy(files: TensorFiles, name: str, base: TensorFiles, parameter: str) -> bool:
    if parameter not in base.info or base.info[parameter].shape != files.info[name].shape:
        return False
    pristine = base.read(parameter)
    return bool((files.read(name).to(pristine.dtype) == pristine).all())


def _may_be_copy(name: str, config: Mapping[str, object]) -> bool:
    """True for a tensor that is the base's own where the adapter is sound: see `check_copies`."""
    whole = name.endswith(".weight") and ".lora_" not in name and not config.get("modules_to_save")
    return whole or name.endswith(BASE_COPY)


def _copied(name: str) -> str:
    return name.removeprefix(PREFIX).replace(BASE_COPY, ".weight")


def _refuse(path: Path, config: Mapping[str, object]) -> None:
    if config.get("peft_type") != "LORA":
        raise ExpertError(f"{path}: peft_type {config.get('peft_type')!r} is not LoRA; {REMEDY}")
    for key in REFUSED:
        if config.get(key):
            raise ExpertError(f"{path}: {key} = {config[key]!r} is not an exact update of a weight; {REMEDY}")
    if config.get("bias", "none") != "none":
        raise ExpertError(f"{path}: bias = {config['bias']!r} trains biases; {REMEDY}")
    init = str(config.get("init_lora_weights", True)).lower()
    if init.startswith(BASE_CHANGING_INITS):
        raise ExpertError(f"{path}: init_lora_weights = {init!r} changes the base itself; {REMEDY}")


def _add_tensor(
    path: Path,
    name: str,
    files: TensorFiles,
    config: Mapping[str, object],
    factors: dict[str, Factors],
    saved: dict[str, str],
) -> None:
    """Add one tensor of the adapter to `factors` or `saved`; a factor B is added together with its A."""
    stem = name.removeprefix(PREFIX)
    for a_part, b_part in (LINEAR_PARTS, EMBEDDING_PARTS):
        if stem.endswith(b_part):
            return
        if stem.endswith(a_part):
            module = stem.removesuffix(a_part)
            b_name = name.removesuffix(a_part) + b_part
            if b_name not in files.info:
                raise ExpertError(f"{path}: {name} has no partner {b_name}; save the adapter again")
            rank = files.info[name].shape[0]
            transposed = a_part == EMBEDDING_PARTS[0] or bool(config.get("fan_in_fan_out"))
            factors[f"{module}.weight"] = Factors(name, b_name, rank, _scaling(module, rank, config), transposed)
            return
    if config.get("modules_to_save") and ".lora_" not in stem:
        saved[stem.replace(".modules_to_save.default", "").replace(".modules_to_save", "")] = name
        return
    raise ExpertError(f"{path}: the tensor {name} is not a LoRA factor that can be read; {REMEDY}")


def _scaling(module: str, rank: int, config: Mapping[str, object]) -> float:
    """alpha / r, or alpha / sqrt(r) for rsLoRA (arXiv 2312.03732); alpha_pattern as PEFT matches it."""
    alpha = float(str(config.get("lora_alpha", 8)))
    patterns = config.get("alpha_pattern")
    if isinstance(patterns, dict):
        matches = (key for key in patterns if re.match(rf"(.*\.)?({key})$", module))
        alpha = float(patterns.get(next(matches, ""), alpha))
    return alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
