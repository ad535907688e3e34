"""From a resolved build config to everything that a build needs, opened and checked. Nothing is trained or written."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from swarm.builders import ExpertBuilder
from swarm.config.build_schema import BuildConfig
from swarm.config.references import HUB_ID
from swarm.core.errors import ConfigError, ExpertError
from swarm.core.sizes import size_text
from swarm.experts.base_tokenizer import load_config
from swarm.experts.catalog import open_base
from swarm.experts.expert import Base
from swarm.experts.quantisation import quantisation
from swarm.run.build_rows import ExpertRows, RowMaker
from swarm.workers.preflight.node_report import free_gpus, free_memory

if TYPE_CHECKING:
    from swarm.builders.model_shape import ModelShape

DTYPES = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}
LEAST_TRL = (1, 16)
INSTALL = "pip install 'swarm-experts[build]'"
PACKAGES = ("torch", "transformers", "peft", "trl", "datasets")
OWN = {
    "name",
    "data",
    "held_out",
    "curate",
    "save_steps",
    "seed",
    "steps",
    "epochs",
}  # told otherwise, or without effect


@dataclass(frozen=True)
class ExpertPlan:
    """One expert to build.

    steps: of its training.
    shape: how many weights are trained.
    record: all on which its weights depend; where these are the same, it is built already.
    """

    builder: ExpertBuilder
    rows: ExpertRows
    steps: int
    seed: int
    shape: "ModelShape"
    record: Mapping[str, object] = field(repr=False)


@dataclass(frozen=True)
class BuildPlan:
    """A build.

    base_name: the hub id or the folder of the base, for cards.
    dtype: of most of the base's weights.
    seconds: that it took to load libraries and make the plan.
    """

    config: BuildConfig
    base: Base
    base_name: str
    dtype: str
    chat: bool
    experts: tuple[ExpertPlan, ...]
    seconds: float = 0.0

    @property
    def out(self) -> Path:
        return Path(self.config.out)

    @property
    def on_hub(self) -> bool:
        return self.base_name != str(self.base.path)

    @property
    def notes(self) -> list[str]:
        """What the user should know about the data."""
        return [note for expert in self.experts for note in expert.rows.notes]


def check_extra() -> None:
    """Raise ConfigError where what a build needs is not installed."""
    for package in ("trl", "datasets"):
        if find_spec(package) is None:
            raise ConfigError(f"swarm build needs {package}, which is not installed; {INSTALL}")
    found = version("trl")
    if tuple(int(part) for part in found.split(".")[:2] if part.isdigit()) < LEAST_TRL:
        least = ".".join(map(str, LEAST_TRL))
        raise ConfigError(f"swarm build needs trl {least} or newer, and {found} is installed; {INSTALL}")


def make_build_plan(config: BuildConfig, base_name: str) -> BuildPlan:
    """Open and check everything that a resolved build config names. base_name: the base as the user names it.

    Raises UserError.
    """
    began = time.perf_counter()
    check_extra()
    base = _open_trainable(Path(config.base))
    maker = RowMaker(config)
    known = base_name if HUB_ID.fullmatch(base_name) and _in_hub_cache(base.path) else str(base.path)
    dtype = _dtype_of(base)
    rows = [maker.rows_of(i) for i in range(len(config.experts))]
    experts = tuple(_planned(config, i, rows[i], base, dtype, maker.chat) for i in range(len(rows)))
    return BuildPlan(config, base, known, dtype, maker.chat, experts, time.perf_counter() - began)


def check_memory(plan: BuildPlan) -> None:
    """Raise ConfigError where weights and optimizer alone need more memory than there is."""
    gpus = free_gpus()
    free, where = (max(gpus), "the GPU") if gpus else (free_memory(), "this machine")
    for i, expert in enumerate(plan.experts):
        if free is not None and expert.shape.held > free:
            all_weights = expert.builder.part == "all"
            key = f"experts.{i}.full: true" if all_weights else f"experts.{i}: {expert.builder.trains}"
            remedy = "set full: false" if all_weights else "give a smaller base, or a larger machine"
            raise ConfigError(
                f"{key} needs {size_text(expert.shape.held)} of memory for weights and optimizer, and {where} has "
                f"{size_text(free)} free; {remedy}"
            )


def _planned(config: BuildConfig, i: int, rows: ExpertRows, base: Base, dtype: str, chat: bool) -> ExpertPlan:
    from swarm.builders.model_shape import shape_of

    builder, seed = config.experts[i], config.seed_of(config.experts[i])
    steps = builder.steps_for(len(rows.rows))
    shape = shape_of(builder, base.path, dtype, f"experts.{i}")
    record = {
        "base": base.tensors.fingerprint,
        "data": rows.data_hash,
        "examples": len(rows.rows),
        "held_out": len(rows.held_out),
        "tokens": rows.fingerprint,
        "chat": chat,
        "steps": steps,
        "seed": seed,
        "settings": builder.model_dump(mode="json", exclude=OWN) | {"learning_rate": builder.rate},
    }
    return ExpertPlan(builder, rows, steps, seed, shape, record)


def library_versions() -> dict[str, str]:
    """The versions of the libraries that train."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found


def _open_trainable(path: Path) -> Base:
    base = open_base(path)
    if base.codes or (method := quantisation(base.config)):
        method = quantisation(base.config) or "codes"
        raise ExpertError(
            f"base: {path} is quantised ({method}), and codes cannot be trained; give the 16-bit checkpoint that it "
            "was made from"
        )
    if load_config(path).is_encoder_decoder:
        raise ExpertError(f"base: {path} is an encoder-decoder, which is not trained here; give a causal model")
    base.tensors.check_finite(f"base {path}")
    return base


def _dtype_of(base: Base) -> str:
    """The dtype of most of the weights."""
    count: Counter[str] = Counter()
    for info in base.tensors.info.values():
        count[info.dtype] += info.elements
    return DTYPES.get(count.most_common(1)[0][0], "float32")


def _in_hub_cache(path: Path) -> bool:
    return "snapshots" in path.parts and any(part.startswith("models--") for part in path.parts)
