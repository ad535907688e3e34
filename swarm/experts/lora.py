"""PEFT LoRA folders, read as updates of the base's parameters.

What PEFT can merge into weights is read: mixed ranks and alphas, rsLoRA, rank and alpha patterns, embeddings, Conv1D,
DoRA, trained biases, trained tokens and modules_to_save. Everything else is refused with a remedy.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from swarm.core.errors import ExpertError
from swarm.experts.adapter_config import FILE
from swarm.experts.dora import dora_value
from swarm.experts.fused_factors import FusedPart
from swarm.experts.recorded_base import equal_but_for_precision
from swarm.experts.safetensors_files import TensorFiles
from swarm.experts.updates import Delta, LowRank, Replacement, Update

LINEAR_PARTS = (".lora_A.weight", ".lora_B.weight")  # what PEFT adds to a module's name for its factors A and B
EMBEDDING_PARTS = (".lora_embedding_A", ".lora_embedding_B")


@dataclass(frozen=True)
class Factors:
    """One parameter's LoRA factors in the adapter's files.

    a: the name of the tensor A, of shape (rank, in).
    b: the name of the tensor B, of shape (out, rank).
    rank: the rows of A.
    scaling: the factor of B @ A.
    transposed: True where the base stores the parameter as (in, out): embeddings, Conv1D.
    embedding: True where they are factors of an embedding.
    magnitude: the name of DoRA's magnitude; "" for plain LoRA.
    part: where they are factors of all experts of a mixture, what they do to this parameter.
    """

    a: str
    b: str
    rank: int
    scaling: float
    transposed: bool
    embedding: bool = False
    magnitude: str = ""
    part: FusedPart | None = None

    @property
    def whole(self) -> bool:
        """True where the update is a whole tensor, computed from them: DoRA, and all experts of a mixture at once."""
        return bool(self.magnitude) or (self.part is not None and self.part.expert is None)


@dataclass(frozen=True)
class Tokens:
    """Rows of an embedding that were trained. rows: which. tensor: the name of their values."""

    rows: tuple[int, ...]
    tensor: str


@dataclass(frozen=True)
class Adapter:
    """A PEFT LoRA folder.

    files: its tensors.
    factors: parameter -> its factors.
    saved: parameter -> the tensor that replaces it: trained biases, and modules that were trained and saved whole.
    copies: parameter -> a copy of the base's own tensor, as PEFT saves it beside the factors of embeddings.
    shifts: bias -> the tensor that is added to it, and its scaling (lora_bias).
    tokens: embedding -> its trained rows.
    base: the base's tensors, which DoRA and trained rows need; None where the base is not known.
    """

    files: TensorFiles
    factors: Mapping[str, Factors]
    saved: Mapping[str, str]
    copies: Mapping[str, str] = field(default_factory=dict)
    shifts: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    tokens: Mapping[str, Tokens] = field(default_factory=dict)
    base: TensorFiles | None = None

    def parameters(self) -> tuple[str, ...]:
        return (*self.factors, *self.saved, *self.shifts, *self.tokens)

    def update(self, parameter: str) -> Update:
        """The parameter's update, read from disk."""
        if parameter in self.saved:
            return Replacement(self.files.read(self.saved[parameter]))
        if parameter in self.shifts:
            tensor, scaling = self.shifts[parameter]
            return Delta(self.files.read(tensor).float() * scaling)
        if parameter in self.tokens:
            return Replacement(self._with_rows(parameter))
        where = self.factors[parameter]
        if where.part is not None:
            return where.part.update(self.files, where.a, where.b, where.scaling)
        factors = LowRank(self.files.read(where.a), self.files.read(where.b), where.scaling, where.transposed)
        if not where.magnitude:
            return factors
        return Replacement(dora_value(self._of_base(parameter), factors, self.files.read(where.magnitude)))

    @property
    def computed(self) -> tuple[str, ...]:
        """Parameters whose full update is in no file and takes memory: of DoRA, fused experts and trained rows."""
        return (*(name for name, where in self.factors.items() if where.whole), *self.tokens)

    @property
    def kind(self) -> str:
        """What it is, in the words of messages and model cards: "adapter" where all updates are low-rank."""
        beside = {"saved biases": self._saved(biases=True), "modules saved whole": self._saved(biases=False)}
        beside |= {"trained biases": bool(self.shifts), "trained tokens": bool(self.tokens)}
        words = " and ".join(word for word, found in beside.items() if found).replace("saved biases", "trained biases")
        name = "DoRA adapter" if any(where.magnitude for where in self.factors.values()) else "adapter"
        return f"{name} with {words}" if words else name

    def rank(self, parameter: str) -> int | None:
        """The rank of the parameter's update; None where it is a full one."""
        where = self.factors.get(parameter)
        return where.rank if where and not where.whole else None

    def shape(self, parameter: str) -> tuple[int, ...]:
        """The shape of the base parameter that the update fits."""
        if parameter in self.saved:
            return self.files.info[self.saved[parameter]].shape
        if parameter in self.shifts:
            return self.files.info[self.shifts[parameter][0]].shape
        if parameter in self.tokens:
            vocabulary = self.base.info[parameter].shape[0] if self.base else 0
            return (vocabulary, *self.files.info[self.tokens[parameter].tensor].shape[1:])
        where = self.factors[parameter]
        if where.part is not None:
            return where.part.shape
        out, inner = self.files.info[where.b].shape[0], self.files.info[where.a].shape[1]
        return (inner, out) if where.transposed else (out, inner)

    def _saved(self, biases: bool) -> bool:
        return any(name.endswith(".bias") == biases for name in self.saved)

    def _of_base(self, parameter: str) -> Tensor:
        assert self.base is not None, "whoever opens an adapter without its base refuses those that need it"
        return self.base.read(parameter)

    def _with_rows(self, parameter: str) -> Tensor:
        value, tokens = self._of_base(parameter), self.tokens[parameter]
        return value.index_copy(0, torch.tensor(tokens.rows), self.files.read(tokens.tensor).to(value.dtype))


def is_adapter(path: Path) -> bool:
    return (path / FILE).is_file()


def check_copies(adapter: Adapter, base: TensorFiles, owner: str) -> None:
    """Raise ExpertError where a copy of the base's tensors in the adapter differs from the base.

    PEFT saves such copies beside the factors of embeddings, and puts them in the base's place on loading.
    """
    for parameter, name in adapter.copies.items():
        if parameter in base.info and not _is_copy(adapter.files, name, base, parameter):
            raise ExpertError(
                f"{owner}: its copy of the base's {parameter} differs from the base "
                f"({list(adapter.files.info[name].shape)} there, {list(base.info[parameter].shape)} in the base); "
                "give the base it was trained on, or merge it into a full checkpoint with PEFT's merge_and_unload"
            )


def _is_copy(files: TensorFiles, name: str, base: TensorFiles, parameter: str) -> bool:
    if base.info[parameter].shape != files.info[name].shape:
        return False
    return equal_but_for_precision(files.read(name), base.read(parameter))
