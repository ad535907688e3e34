"""From a config to everything a run needs, checked: nothing is started or written here."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from swarm import zoo
from swarm.config.schema import Config, ExpertSettings
from swarm.core.errors import ConfigError, DataError, ExpertError
from swarm.core.examples import Split
from swarm.core.space import Space
from swarm.data.contamination import contamination_notes
from swarm.data.splits import SPLITS, Splits, make_splits
from swarm.engines import Encoder
from swarm.evaluation.answer_length import answer_length_notes
from swarm.evaluation.evaluator import EvaluatorSpec, make_importable
from swarm.evaluation.workload import Examples, Workload, make_workload
from swarm.experts.catalog import Catalog, ExpertSpec, check_finite, open_catalog
from swarm.experts.sparsify import Thinning
from swarm.experts.svd_error import truncation_notes
from swarm.export import Exported, check_form
from swarm.optimizers import Optimizer
from swarm.workers.settings import ClusterSettings, LocalCluster

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
HUB_FILES = ["model*.safetensors", "adapter_model*.safetensors", "*.json", "*.txt", "*.model", "*.jinja"]
PROMPT_CHARACTERS = 240
BUDGETS = set(Optimizer.model_fields) - {"type", "schedule"}


@dataclass(frozen=True)
class Plan:
    """A resolved config and what it names, opened and checked."""

    config: Config
    catalog: Catalog
    space: Space
    splits: Mapping[str, Splits]
    workloads: Mapping[Split, Workload]
    spec: EvaluatorSpec
    truncations: Sequence[str] = ()
    contaminations: Sequence[str] = ()

    def examples(self, split: Split) -> Examples:
        """The examples of a split, by objective."""
        return examples_of(self.splits, split)

    @property
    def weights(self) -> dict[str, float]:
        """The objectives' shares in the utility."""
        return {objective.name: objective.weight for objective in self.config.objectives}

    @property
    def notes(self) -> list[str]:
        """What the user should know about data and experts."""
        found = (note for splits in self.splits.values() for note in splits.notes)
        return [*found, *self.contaminations, *self.truncations]


def settings_of(config: Config) -> str:
    """A fingerprint of what decides scores and positions beside weights and data; budgets and workers are free."""
    decisive = {
        "composition": config.composition.model_dump(mode="json"),
        "objectives": [objective.model_dump(mode="json", exclude={"data"}) for objective in config.objectives],
        "experts": [expert.model_dump(mode="json", exclude={"path", "trained_on"}) for expert in config.experts],
        "optimizer": config.optimizer.model_dump(
            mode="json", exclude=set(Optimizer.model_fields) - {"type", "schedule"}
        ),
        "dtype": config.engine.dtype,
        "method": [getattr(config.engine, name, None) for name in ("method", "particles", "adapters")],
        # Races stop with the finalists in mind; with the exact bound alone, its rungs change nothing.
        "finalists": config.selection.finalists if config.racing.rungs else None,
        "racing": config.racing.model_dump(mode="json") if config.racing.sequential else {},
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]


def resolve(config: Config, folder: Path) -> Config:
    """The config with every reference as an absolute path. `folder`: where the config file lies."""
    experts = [_resolve_expert(expert, folder, f"experts.{i}") for i, expert in enumerate(config.experts)]
    objectives = [
        objective.model_copy(update={"data": _resolve_data(objective.data, folder, f"objectives.{i}.data")})
        for i, objective in enumerate(config.objectives)
    ]
    splits = config.splits.model_copy(
        update={
            split: str(find(name, folder, f"splits.{split}"))
            for split in ("search", "select", "test")
            if (name := config.splits.file_of(split)) is not None
        }
    )
    return config.model_copy(
        update={
            "base": str(find(config.base, folder, "base")),
            "experts": experts,
            "objectives": objectives,
            "splits": splits,
            "modules": str((folder / config.modules).resolve()),
            "cluster": _cluster(config),
        }
    )


def _resolve_expert(expert: ExpertSettings, folder: Path, key: str) -> ExpertSettings:
    return expert.model_copy(
        update={
            "path": str(find(expert.path, folder, f"{key}.path")),
            "name": expert.name or name_of(expert.path),
            "trained_on": [str(find(name, folder, f"{key}.trained_on")) for name in expert.trained_on],
        }
    )


def _cluster(config: Config) -> ClusterSettings:
    """The cluster with as many GPUs a worker as its engine spreads a model over. Raises ConfigError."""
    cluster, spread = config.cluster, config.engine.accelerators
    if isinstance(cluster, LocalCluster):
        return cluster
    if cluster.gpus_per_worker == "auto" and spread > 1:
        return cluster.model_copy(update={"gpus_per_worker": float(spread)})
    if cluster.gpus_per_worker != "auto" and cluster.gpus_per_worker > 1 and cluster.gpus_per_worker != spread:
        raise ConfigError(
            f"cluster.gpus_per_worker: {cluster.gpus_per_worker:g}, but the engine uses {spread}; a model is spread "
            f"over several by engine: {{type: vllm, tensor_parallel_size: {cluster.gpus_per_worker:g}}}"
        )
    return cluster


def make_plan(config: Config, on_step: Callable[[str], None] = lambda step: None, begun: bool = False) -> Plan:
    """Open and check everything that a resolved config names. Raises UserError.

    begun: the run's journal says what its experts were trained on, and those files may be gone.
    """
    on_step("reading data")
    make_importable(config.objectives, Path(config.modules))
    splits = {objective.name: _splits(config, i) for i, objective in enumerate(config.objectives)}
    trained_on = {expert.name: [Path(path) for path in expert.trained_on] for expert in config.experts}
    contaminations = () if begun else contamination_notes(splits, trained_on)
    on_step("checking base and experts")
    catalog = open_experts(config)
    space = config.composition.space(catalog)
    config.optimizer.init(space, config.seed)
    recipe = config.composition.recipe(tuple(space.uniforms_UD[0]), catalog)
    check_form(Exported(catalog, recipe, config.engine.dtype, {}, "", ""), config.export.format)
    check_finite(catalog)
    on_step("encoding examples")
    encoder = Encoder.of(catalog.base.path)
    workloads = _workloads(config, catalog, splits, encoder)
    spec = EvaluatorSpec(
        base=Path(config.base),
        experts=tuple(_specs(config)),
        composition=config.composition,
        engine=config.engine,
        objectives=tuple(config.objectives),
        import_path=Path(config.modules),
        racing=config.racing,
    )
    truncations = [*truncation_notes(catalog), *answer_length_notes(workloads.values(), encoder)]
    return Plan(config, catalog, space, splits, workloads, spec, truncations, contaminations)


def examples_of(splits: Mapping[str, Splits], split: Split) -> Examples:
    """The examples of a split, by objective."""
    return {name: each.of(split) for name, each in splits.items()}


def _workloads(
    config: Config, catalog: Catalog, splits: Mapping[str, Splits], encoder: Encoder
) -> dict[Split, Workload]:
    """Every split as the engine is asked it. Raises DataError for an example that the model cannot take."""
    workloads = {split: make_workload(config.objectives, examples_of(splits, split), encoder) for split in SPLITS}
    search = workloads["search"]
    first = min([rung for rung in config.racing.rungs if rung < search.total], default=search.total)
    together = config.engine.together(catalog, search.part(0, first).requests)
    return workloads | {"search": replace(search, together=together)}


def open_experts(config: Config) -> Catalog:
    """Base and experts of a resolved config, opened and checked. Raises ExpertError."""
    return open_catalog(Path(config.base), _specs(config))


def _specs(config: Config) -> list[ExpertSpec]:
    return [
        ExpertSpec(expert.name, Path(expert.path), Thinning(trim=expert.trim, dare=expert.dare, svd=expert.svd))
        for expert in config.experts
    ]


def name_of(reference: str) -> str:
    """An expert's name where the user gives none: the last part of the path, zoo reference or hub id as written."""
    return reference.rstrip("/").rpartition("/")[2].removesuffix(".safetensors")


def find(reference: str, folder: Path, key: str) -> Path:
    """The local path of a reference: zoo:..., a path from here or from the config's folder, or a hub id."""
    if reference.startswith("zoo:"):
        return zoo.locate(reference)
    path = Path(reference).expanduser()
    places = [path] if path.is_absolute() else [Path.cwd() / path, folder / path]
    for place in places:
        if place.exists():
            return place.resolve()
    known_folder = any((place.parent).is_dir() for place in places)  # then it is a misspelt path, no hub id
    is_data = key.startswith(("objectives", "splits")) or key.endswith("trained_on")
    if HUB_ID.fullmatch(reference) and not known_folder and not is_data:
        return _from_hub(reference, key)
    kind = DataError if is_data else ExpertError
    raise kind(f"{key}: {reference} does not exist (looked for {' and '.join(map(str, places))}); correct the path")


def items(splits: Splits) -> dict[str, list[dict[str, str]]]:
    """What the journal keeps of the examples, so that a report can show them: the prompt is cut."""
    return {
        split: [
            {"id": e.id, "task": e.task, "prompt": _prompt_text(e.prompt)[:PROMPT_CHARACTERS], "answer": e.answer}
            for e in getattr(splits, split)
        ]
        for split in ("search", "select", "test")
    }


def _prompt_text(prompt: object) -> str:
    return prompt if isinstance(prompt, str) else str(prompt[-1].content)  # type: ignore[index]


def _splits(config: Config, i: int) -> Splits:
    objective = config.objectives[i]
    splits = make_splits(objective.name, objective.data, config.splits, config.seed, Path)
    for split in (splits.search, splits.select, splits.test):
        for example in split:
            objective.check(example)
    return splits


def _resolve_data(data: str | Mapping[str, str] | None, folder: Path, key: str) -> str | dict[str, str] | None:
    if data is None:
        return None
    if isinstance(data, str):
        return str(find(data, folder, key))
    return {split: str(find(path, folder, f"{key}.{split}")) for split, path in data.items()}


def _from_hub(reference: str, key: str) -> Path:
    """A model from the hub: naming its id in the config is asking for it. Safetensors only."""
    try:
        return Path(snapshot_download(reference, allow_patterns=HUB_FILES))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ExpertError(
            f"{key}: {reference} is no folder here, and the hub did not give it ({reason}); correct the path or id"
        ) from None
    except ValueError as error:
        raise ConfigError(f"{key}: {reference} is no hub id ({error}); correct it") from None
