"""What a plan needs: of each node files, versions and memory; of this machine an engine that starts, and disk space."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from swarm.config.load import load_config
from swarm.config.schema import Config
from swarm.core.errors import RunError
from swarm.core.sizes import size_text
from swarm.engines.base import Memory
from swarm.engines.transformers.memory import WIDTHS
from swarm.experts.path_models import folders_of
from swarm.run.plan import Plan
from swarm.workers.preflight.checks import HERE, Node, NodeRequirements, RequiredFiles, check_nodes
from swarm.workers.preflight.node_report import NodeReport, free_gpus, free_memory
from swarm.workers.preflight.placement import Placement, place, slots_on
from swarm.workers.ray.connect import address_of, is_joined
from swarm.workers.ray.local import local_resources
from swarm.workers.ray.probe_nodes import check_feasible, count_workers

# The files of a model's folder, beside weights, that scores depend on.
BESIDE_WEIGHTS = (
    "config.json", "generation_config.json", "adapter_config.json", "tokenizer.json", "tokenizer_config.json",
    "tokenizer.model", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
    "chat_template.jinja", "spiece.model", "sentencepiece.bpe.model", "source.spm", "target.spm",
)  # fmt: skip


def load_runnable(path: Path, overrides: Sequence[str] = ()) -> Config:
    """The config of a file, for which this machine has what it takes to start. Raises ConfigError."""
    config = load_config(path, overrides)
    check_machine(config)
    return config


def check_machine(config: Config) -> None:
    """Raise ConfigError where workers or the engine are certain not to start. Takes seconds; nothing is started."""
    cluster = config.cluster.on_ray
    if cluster is None or address_of(cluster) is None:
        config.engine.check_here()
    check_feasible(config.cluster)


def with_particles(config: Config) -> Config:
    """The config with a number for `particles: auto`, from the workers that there are when a run begins: it keeps it.

    Raises ConfigError where the cluster that has to be asked is not there.
    """
    if getattr(config.optimizer, "particles", None) != "auto":
        return config
    return config.model_copy(update={"optimizer": config.optimizer.on(count_workers(config.cluster))})


def needs_of(plan: Plan) -> NodeRequirements:
    """What every node must have: the files and versions that are here, and memory."""
    needed = memory_of(plan)
    return NodeRequirements.of(list(_held(plan)), needed.private, needed.shared)


def memory_of(plan: Plan) -> Memory:
    """What the workers of a node take while they search."""
    workload = plan.workloads["search"]
    requests, composition = workload.slice(0, workload.total).requests, plan.config.composition
    paths, merged = composition.on_logits(plan.catalog), bool(composition.on_weights(plan.catalog))
    return plan.config.engine.needed_memory(plan.catalog, requests, paths, merged)


def cache_of(plan: Plan) -> float:
    """Bytes of temporary files of one worker, for logits that do not depend on coefficients."""
    paths = plan.config.composition.on_logits(plan.catalog)
    if not paths:
        return 0.0
    requests = [each.slice(0, each.total).requests for each in plan.workloads.values()]
    if plan.config.racing.rungs:  # whole for baselines, and in slices for the others
        requests.append(requests[0])
    return plan.config.engine.needed_cache(plan.catalog, requests, paths)


def disk_of(plan: Plan) -> float:
    """Bytes of best/ where it holds a whole model."""
    return float(parameters_of(plan) * WIDTHS[plan.config.engine.dtype])


def parameters_of(plan: Plan) -> int:
    """How many weights the base has."""
    return sum(info.elements for info in plan.catalog.base.tensors.info.values())


def free_disk(folder: Path) -> float:
    """Free bytes on the disk of a folder, which need not exist yet."""
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.is_dir())
    return float(shutil.disk_usage(there).free)


def check_disk(plan: Plan, folder: Path) -> None:
    """Raise RunError where the run directory's disk has no room for best/: after the search it would be too late.

    Only a whole model is checked: other forms of export are small.
    """
    check_room(folder, disk_of(plan) if plan.config.export.format == "hf" else 0.0)


def check_room(folder: Path, needed: float) -> None:
    """Raise RunError where the disk of a run directory has fewer than `needed` bytes free."""
    if (free := free_disk(folder)) < needed:
        raise RunError(
            f"--run-dir: the disk of {folder} has {size_text(free)} free, best/ needs {size_text(needed)}; "
            "free some, name a directory on another disk, or set export.format to recipe"
        )


def check_memory(plan: Plan, free: Callable[[], float | None] = free_memory) -> list[str]:
    """Notes on this machine's memory, where the workers are to run here. Raises ConfigError where it is too small."""
    cluster = plan.config.cluster.on_ray
    if cluster and (address_of(cluster) or is_joined()):
        return []  # the nodes are asked once they are joined
    here = local_resources()
    if cluster:
        placement = place(cluster, [here])
        slots = slots_on([here], placement.cpus, placement.gpus)
    else:
        gpus = min(here["GPU"], 1.0) if plan.config.engine.uses_gpu else 0.0
        placement, slots = Placement(1, int(here["CPU"]), gpus), 1
    plan.config.engine.check_cache(slots * cache_of(plan))
    needed = memory_of(plan)
    report = NodeReport({}, {}, free(), free_gpus() if placement.gpus else None)
    return check_nodes(NodeRequirements((), {}, needed.private, needed.shared), [Node(HERE, slots, report)], placement)


def _held(plan: Plan) -> Iterator[RequiredFiles]:
    base = plan.catalog.base
    yield _folder("base", base.path, base.tensors.files)
    for expert in plan.catalog.experts:
        yield _folder(f"expert {expert.name}", expert.path, expert.source.files.files)
    for model in plan.catalog.models:
        for path, tensors in folders_of(model):
            yield _folder(f"expert {model.name}", path, tensors.files)
    composition = plan.config.composition
    for name in composition.paths:
        folder = Path(getattr(composition, name))
        yield RequiredFiles.of(f"composition.{name}", folder, sorted(filter(Path.is_file, folder.iterdir())))
    modules = Path(plan.config.modules)
    for objective in plan.config.objectives:
        if files := objective.files(modules):
            yield RequiredFiles.of(f"objective {objective.name}", files[0] if len(files) == 1 else modules, files)


def _folder(owner: str, path: Path, weights: tuple[Path, ...]) -> RequiredFiles:
    beside = [*(path / name for name in BESIDE_WEIGHTS), *path.glob("*.safetensors.index.json")]
    return RequiredFiles.of(owner, path, [*weights, *(file for file in beside if file.is_file())])
