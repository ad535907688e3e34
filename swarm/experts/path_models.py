"""What acts on logits alone: a pair of models that share the base's tokenizer, or a control layer in front of the base.

A coefficient c of a pair adds c (l_plus - l_minus) to the base's logits: proxy-tuning, where the pair is small and the
base large (Liu et al. 2024, arXiv 2401.08565). The models of a pair may have any architecture and size.
"""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

from swarm.core.errors import ExpertError
from swarm.experts.checkpoint import open_checkpoint
from swarm.experts.control_layer import ControlLayer
from swarm.experts.expert import Base
from swarm.experts.model_folder import check_folder, is_there
from swarm.experts.safetensors_files import TensorFiles
from swarm.experts.tokenizer_check import FILE, check_vocabulary

BASE = "base"  # what `minus:` says where a model's logits are compared with the base's


@dataclass(frozen=True)
class ModelPair:
    """Two models whose difference of logits has a coefficient.

    plus: the model that is added. minus: the one that is subtracted; None: the base.
    """

    name: str
    plus: Base
    minus: Base | None
    kind: Literal["pair"] = "pair"

    @property
    def path(self) -> Path:
        return self.plus.path

    @property
    def models(self) -> tuple[Base, ...]:
        return (self.plus, self.minus) if self.minus else (self.plus,)

    @property
    def files(self) -> tuple[TensorFiles, ...]:
        return tuple(model.tensors for model in self.models)

    @property
    def fingerprint(self) -> str:
        """Of both models' weights."""
        found = [model.tensors.fingerprint for model in self.models]
        return found[0] if len(found) == 1 else sha256("".join(found).encode()).hexdigest()[: len(found[0])]


PathModel = ModelPair | ControlLayer


def files_of(model: PathModel) -> tuple[TensorFiles, ...]:
    """The weights of a model that acts on logits."""
    return model.files if isinstance(model, ModelPair) else (model.files,)


def folders_of(model: PathModel) -> tuple[tuple[Path, TensorFiles], ...]:
    """The folders that hold it, each with its weights."""
    if isinstance(model, ModelPair):
        return tuple((each.path, each.tensors) for each in model.models)
    return ((model.path, model.files),)


def open_pair(name: str, path: Path, minus: Path | None, base: Base) -> ModelPair:
    """Open both models from their headers. minus: None for the base. Raises ExpertError."""
    if base.architecture.encoder_decoder:
        raise ExpertError(
            f"expert {name}: base {base.path} is an encoder-decoder, whose logits are not combined; give a causal model"
        )
    plus = _open(path, f"expert {name}", base)
    return ModelPair(name, plus, None if minus is None else _open(minus, f"expert {name}: minus", base))


def _open(path: Path, owner: str, base: Base) -> Base:
    if not is_there(path) or not path.is_dir():
        raise ExpertError(f"{owner}: {path} is no folder of a model; give one that has config.json and weights")
    if (path / "adapter_config.json").is_file():
        raise ExpertError(
            f"{owner}: {path} is an adapter, and a pair is of whole models; merge it first (swarm compose), or leave "
            "minus out where it is an adapter of the base"
        )
    check_folder(path, owner)
    model = open_checkpoint(path, owner)
    if model.architecture.encoder_decoder:
        raise ExpertError(f"{owner}: {path} is an encoder-decoder, whose logits are not combined; give a causal model")
    if not (path / FILE).is_file():
        raise ExpertError(f"{owner}: {path} has no {FILE}, so its tokens are not known; save the tokenizer there")
    check_vocabulary(owner, path, base.path)
    return model
