"""The base and its experts: opened from their headers, fingerprinted and checked against each other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from swarm.core.errors import ExpertError
from swarm.core.recipes import ExpertKind
from swarm.core.terminal_text import shortened_path
from swarm.experts.adapter_config import read_adapter_config
from swarm.experts.adapter_reader import open_adapter
from swarm.experts.architecture import check_values
from swarm.experts.base_tokenizer import check_settings
from swarm.experts.checkpoint import open_checkpoint
from swarm.experts.config_check import differing
from swarm.experts.control_layer import is_control_layer, open_control_layer
from swarm.experts.expert import BUFFERS, Base, Expert, UpdateSource
from swarm.experts.expert_checks import check_parameters, check_ties
from swarm.experts.fit_names import fit_adapter, fit_checkpoint
from swarm.experts.lora import is_adapter
from swarm.experts.model_folder import check_folder, is_there
from swarm.experts.own_code import code_notes
from swarm.experts.path_models import BASE, PathModel, files_of, open_pair
from swarm.experts.prepared_together import prepared_together
from swarm.experts.quantised_base import can_stand_beside, open_quantised
from swarm.experts.recorded_base import check_trained_on
from swarm.experts.safetensors_files import read_json
from swarm.experts.saved_copies import check_saved_copies, check_vocabulary_size
from swarm.experts.sparsify import Sparsification
from swarm.experts.tied_adapters import check_tied_uses, one_update_for_both
from swarm.experts.tokenizer_check import check_vocabulary
from swarm.experts.vector_files import open_vector

# The files that hold a vocabulary, of which a tokenizer has at least one.
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model", "sentencepiece.bpe.model")


@dataclass(frozen=True)
class ExpertSpec:
    """What the user says of an expert.

    name: what it is called.
    path: the folder of an adapter or a checkpoint, or the file of an alignment vector.
    sparsification: how much of its updates is kept; everything by default.
    any_base: whether the base may be another one than it was made from, of equal shapes.
    minus: of a pair of models, the folder of the one that is subtracted, or "base"; None for an expert of the base.
    """

    name: str
    path: Path
    sparsification: Sparsification = field(default_factory=Sparsification)
    any_base: bool = False
    minus: Path | None = None

    @property
    def acts_on_logits(self) -> bool:
        """Whether it has no weights of the base's shapes: a pair of models, or a control layer."""
        return self.minus is not None or is_control_layer(self.path)


@dataclass(frozen=True)
class Catalog:
    """The base and its experts, in the config's order.

    experts: those that change the base's weights.
    models: those that act on logits alone.
    """

    base: Base
    experts: tuple[Expert, ...]
    models: tuple[PathModel, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Of the experts that change the base's weights."""
        return tuple(expert.name for expert in self.experts)

    @property
    def sources(self) -> tuple[Expert | PathModel, ...]:
        """All that has a coefficient: first what changes weights, then what acts on logits alone."""
        return (*self.experts, *self.models)

    def parameters(self) -> tuple[str, ...]:
        """Every parameter that at least one expert changes, in the base's order.

        Buffers count where they differ from the base's. What Base.composes leaves out does not count.
        """
        changed = {name for expert in self.experts for name in expert.source.parameters()}
        return tuple(name for name in self.base.tensors.info if name in changed and self.base.composes(name))

    @property
    def notes(self) -> list[str]:
        """What the user should know about the files of base and experts."""
        of_base, architecture = f"base {self.base.path}", self.base.architecture
        found = []
        if unused := [name for name in self.base.unused if not name.endswith(BUFFERS)]:
            found.append(f"{of_base}: the model does not use {len(unused)} of its tensors, such as {unused[0]}")
        if architecture.encoder_decoder:
            found.append(
                f"{of_base}: an encoder-decoder: candidates are merged one after another, without shared prefixes"
            )
        if self.base.codes:
            found.append(f"{of_base}: quantised: adapters stand beside its codes, nothing is merged")
        folders = {of_base: self.base.path, **{f"expert {expert.name}": expert.path for expert in self.experts}}
        return found + code_notes(folders, type(architecture.model).__name__)


def open_catalog(base: Path, specs: Sequence[ExpertSpec]) -> Catalog:
    """Open base and experts from their headers and check that they fit. Raises ExpertError."""
    opened = open_base(base)
    experts = [open_expert(spec, opened) for spec in specs if not spec.acts_on_logits]
    models = [_open_model(spec, opened) for spec in specs if spec.acts_on_logits]
    names = [spec.name for spec in specs]
    for name in names:
        if names.count(name) > 1:
            raise ExpertError(f"experts: the name {name!r} is given twice; set name: on one of them")
    return Catalog(opened, prepared_together(experts, opened), tuple(models))


def _open_model(spec: ExpertSpec, base: Base) -> PathModel:
    if spec.sparsification.active:
        raise ExpertError(
            f"expert {spec.name}: {spec.path} acts on logits, so no update of it can be pruned or truncated; remove "
            "trim, dare, svd and prepare"
        )
    if spec.minus is None:
        return open_control_layer(spec.name, spec.path, base)
    return open_pair(spec.name, spec.path, None if str(spec.minus) == BASE else spec.minus, base)


def check_finite(catalog: Catalog, progress: Callable[[str], None] = lambda name: None) -> None:
    """Read every tensor once and raise ExpertError at a NaN or an infinity. `progress` is called with each name."""
    progress("base")
    catalog.base.tensors.check_finite(f"base {catalog.base.path}")
    for expert in catalog.experts:
        progress(expert.name)
        expert.source.files.check_finite(f"expert {expert.name}")
    for model in catalog.models:
        progress(model.name)
        for files in files_of(model):
            files.check_finite(f"expert {model.name}")


def open_base(path: Path) -> Base:
    """Open a base checkpoint. Raises ExpertError where the folder is not one."""
    if not is_there(path):
        place = shortened_path(path)
        raise ExpertError(f"base {place}: {place}/config.json does not exist; give the folder of a saved model")
    if is_adapter(path):
        raise ExpertError(f"base: {path} is an adapter; give the checkpoint it was trained on and list it in experts")
    if not path.is_dir():
        raise ExpertError(f"base: {path} is no folder; give the folder of a saved model")
    check_folder(path, f"base {path}")
    config = read_json(path / "config.json", f"base {path}")
    check_settings(path)
    if not any((path / name).is_file() for name in TOKENIZERS):
        raise ExpertError(f"base: {path} holds no tokenizer; save the base's tokenizer there")
    return open_quantised(path, config, "base") if can_stand_beside(config) else open_checkpoint(path, "base")


def open_expert(spec: ExpertSpec, base: Base) -> Expert:
    """Open an expert and check its architecture, shapes and tokenizer against the base. Raises ExpertError."""
    owner = f"expert {spec.name}"
    if not is_there(spec.path):
        raise ExpertError(f"{owner}: {shortened_path(spec.path)} does not exist; correct the path in experts")
    if spec.path.is_dir():
        check_folder(spec.path, owner)
    kind, source = _open_source(spec, base, owner)
    check_parameters(owner, kind, source, base)
    if spec.path.is_dir():
        check_vocabulary(owner, spec.path, base.path)
    expert = Expert(spec.name, spec.path, kind, source.files.fingerprint, source, spec.sparsification)
    if base.codes and not expert.is_plain_adapter:
        raise _needs_weights(owner, base)
    return expert


def _needs_weights(owner: str, base: Base) -> ExpertError:
    return ExpertError(
        f"{owner}: base {base.path} is quantised, and only plain LoRA adapters can stand beside its codes; "
        "give the 16-bit checkpoint that the base was made from"
    )


def factors_problem(catalog: Catalog) -> str | None:
    """Why `algebra: factors` cannot be used with these experts, or None where it can."""
    ranks: dict[str, tuple[int | None, str]] = {}
    for expert in catalog.experts:
        if not expert.is_plain_adapter:
            return f"expert {expert.name} is not a plain LoRA adapter"
        for parameter in expert.source.parameters():
            rank = expert.rank(parameter)
            known, owner = ranks.setdefault(parameter, (rank, expert.name))
            if known != rank:
                return f"{parameter} has rank {known} in {owner} and {rank} in {expert.name}"
    return None


def _open_source(spec: ExpertSpec, base: Base, owner: str) -> tuple[ExpertKind, UpdateSource]:
    if base.codes and not is_adapter(spec.path):
        raise _needs_weights(owner, base)
    if spec.path.is_file():
        return "vector", open_vector(spec.path, base, owner, spec.any_base)
    if is_adapter(spec.path):
        if not spec.any_base:
            check_trained_on(spec.path, base.tensors, owner)
        adapter = open_adapter(spec.path, base.tensors, tuple(base.ties))
        adapter = fit_adapter(adapter, base, read_adapter_config(spec.path))
        check_saved_copies(adapter, base, owner)
        if base.architecture.encoder_decoder:
            check_tied_uses(adapter, base.ties, owner)
            return "adapter", adapter
        return "adapter", one_update_for_both(adapter, tuple(base.ties), owner) if base.ties else adapter
    if spec.any_base:
        raise ExpertError(
            f"{owner}: {spec.path} is a checkpoint, whose update depends on its own base; make it a vector with "
            "swarm vector BASE CHECKPOINT -o FILE, and give that"
        )
    config = read_json(spec.path / "config.json", owner)
    check_values(spec.path, owner)
    check_vocabulary_size(owner, config.get("vocab_size"), base.config.get("vocab_size"))
    if problem := differing(config, base.config, spec.path, base.path):
        raise ExpertError(
            f"{owner}: {problem}; an expert must be made from this base, and one that acts on logits needs minus:"
        )
    checkpoint = open_checkpoint(spec.path, owner)
    check_ties(owner, checkpoint, base)
    return "checkpoint", fit_checkpoint(checkpoint, base)
