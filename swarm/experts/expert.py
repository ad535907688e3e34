"""A base and one expert, opened: what the expert does to each of the base's parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

from torch import Tensor

from swarm.core.recipes import ExpertKind
from swarm.experts.architecture import Architecture
from swarm.experts.joint_preparation import JointPreparation
from swarm.experts.loader_names import Layout
from swarm.experts.lora import Adapter
from swarm.experts.safetensors_files import TensorFiles
from swarm.experts.sparsify import Sparsification, pruned_alone, truncated
from swarm.experts.updates import Delta, Replacement, Update

HEADS = ("lm_head.weight", "embed_out.weight")
BUFFERS = (".inv_freq", ".masked_bias", ".attn.bias")


@dataclass(frozen=True)
class Base:
    """A Hugging Face checkpoint.

    path: its folder.
    config: the content of config.json.
    tensors: its weights, opened lazily; without copies of tensors that are tied.
    architecture: the model that transformers makes of the config.
    layout: where transformers loads the tensors.
    ties: parameter -> the parameter that is the same tensor when the checkpoint is loaded (head -> embeddings).
    unused: tensors in the files that the model does not use.
    in_out: parameters stored as (in, out), where a Linear has (out, in).
    codes: parameters that are stored as codes of a quantisation: nothing can be merged into them.
    """

    path: Path
    config: Mapping[str, object]
    tensors: TensorFiles
    architecture: Architecture
    layout: Layout
    ties: Mapping[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    in_out: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()

    @property
    def tied(self) -> bool:
        """True where the head and the input embeddings are one tensor."""
        return any(name.endswith(HEADS) for name in self.ties)

    def may_lack(self, name: str) -> bool:
        """True for a tensor that a checkpoint may hold or not: what no engine composes, and a buffer."""
        return not self.composes(name) or self.is_buffer(name)

    def composes(self, name: str) -> bool:
        """True for a tensor that engines compose. They leave out what transformers does not load into the model,
        buffers that it makes itself, and copies of tied tensors."""
        return self.layout.loads(name) and not name.endswith(BUFFERS) and name not in self.ties

    def is_buffer(self, name: str) -> bool:
        """True for a tensor that transformers loads as a buffer: a constant, or what is trained without gradients."""
        return name in self.layout.places and self.layout.places[name].live in self.architecture.buffers


class UpdateSource(Protocol):
    """Where an expert's updates come from: an adapter, a checkpoint or a vector file.

    files: the tensors on disk.
    parameters(): the names of the parameters that change.
    shape(parameter): the shape of the base's parameter that the update fits.
    rank(parameter): the rank of the update; None where it has no factors.
    update(parameter): the update, read from disk.
    """

    @property
    def files(self) -> TensorFiles: ...

    def parameters(self) -> tuple[str, ...]: ...

    def shape(self, parameter: str) -> tuple[int, ...]: ...

    def rank(self, parameter: str) -> int | None: ...

    def update(self, parameter: str) -> Update: ...


@dataclass(frozen=True)
class Checkpoint:
    """A full fine-tune: each tensor replaces the base's.

    files: its tensors.
    names: parameter, as the base's files name it -> its name in these files; empty where the names are the same.
    """

    files: TensorFiles
    names: Mapping[str, str] = field(default_factory=dict)

    def parameters(self) -> tuple[str, ...]:
        return tuple(self.names or self.files.info)

    def shape(self, parameter: str) -> tuple[int, ...]:
        return self.files.info[self.names.get(parameter, parameter)].shape

    def rank(self, parameter: str) -> int | None:
        return None

    def update(self, parameter: str) -> Update:
        return Replacement(self.files.read(self.names.get(parameter, parameter)))


@dataclass(frozen=True)
class Vector(Checkpoint):
    """An alignment vector: each tensor is added to the base's."""

    def update(self, parameter: str) -> Update:
        return Delta(self.files.read(parameter))


@dataclass(frozen=True)
class Expert:
    """A named set of updates that fits one base.

    name: its name in the config, in recipes and in the journal.
    path: its folder or file.
    kind: adapter, checkpoint or vector.
    fingerprint: of its files, see TensorFiles.fingerprint.
    source: where its updates are read from.
    sparsification: how much of each update is kept.
    joint: the experts that it is prepared together with; None where it is prepared by itself.
    """

    name: str
    path: Path
    kind: ExpertKind
    fingerprint: str
    source: UpdateSource
    sparsification: Sparsification
    joint: JointPreparation | None = None

    @property
    def is_plain_adapter(self) -> bool:
        """True for a LoRA adapter whose updates are all low-rank and not sparsified."""
        if not isinstance(self.source, Adapter) or self.sparsification.active:
            return False
        return all(self.source.rank(parameter) is not None for parameter in self.source.parameters())

    @property
    def computed(self) -> tuple[str, ...]:
        """The parameters whose full update is computed on loading, so that it takes memory of its own."""
        if not self.sparsification.active:
            return self.source.computed if isinstance(self.source, Adapter) else ()
        return tuple(name for name in self.source.parameters() if self.rank(name) is None)

    def changes(self, parameter: str) -> bool:
        """True where the expert has an update of the parameter."""
        return parameter in self._changed

    @cached_property
    def _changed(self) -> frozenset[str]:
        return frozenset(self.source.parameters())

    def rank(self, parameter: str) -> int | None:
        """The rank of the parameter's update, from headers alone; None where the update has no factors."""
        shape, svd = self.source.shape(parameter), self.sparsification.svd
        if svd is not None and len(shape) == 2:
            return min(svd, *shape)
        return None if self.sparsification.active else self.source.rank(parameter)

    def update(self, parameter: str, base: Base) -> Update:
        """The parameter's update, read from disk and sparsified as the config says."""
        if not self.sparsification.active:
            return self.source.update(parameter)
        return truncated(self.pruned(parameter, base), self.sparsification)

    def pruned(self, parameter: str, base: Base) -> Tensor:
        """The parameter's update in float32, before it is truncated to a rank."""
        return self.joint.update(self.name, parameter) if self.joint else self.pruned_alone(parameter, base)

    def pruned_alone(self, parameter: str, base: Base) -> Tensor:
        """The same, without what other experts make of it."""
        tensor, key = base.tensors.read(parameter), f"{self.name}/{parameter}"
        return pruned_alone(self.source.update(parameter), tensor, self.sparsification, key)
