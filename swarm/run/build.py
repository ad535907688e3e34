"""A build: every expert of a config is trained from its data and written as a folder.

Trainings go on from their checkpoints, and finished experts are not trained again: to resume is to build again.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from swarm.config.load import load_build
from swarm.config.references import resolve_build
from swarm.core.errors import ExpertError, RunError
from swarm.core.files import replaced_directory
from swarm.core.sizes import size_text
from swarm.run.build_folder import build_folder, check_out, is_built
from swarm.run.build_plan import BuildPlan, ExpertPlan, check_extra, check_memory, library_versions, make_build_plan
from swarm.run.build_training import BuildListener, Stage, train_stage
from swarm.run.curate import write_manifest
from swarm.run.forgetting import Forgetting, forgetting_matrix, known_matrix
from swarm.run.requirements import free_disk

if TYPE_CHECKING:
    from swarm.builders.expert_folder import Provenance

CHECKPOINTS = 2  # on disk at a time


@dataclass(frozen=True)
class Built:
    """One expert.

    loss: of the first and the last steps; None where it was built before.
    """

    name: str
    method: str
    folder: Path
    steps: int
    loss: tuple[float, float] | None


@dataclass(frozen=True)
class BuildResult:
    """All experts, and how much each knows of the others' data where that was asked for."""

    experts: tuple[Built, ...]
    forgetting: Forgetting | None


def open_build(path: Path, overrides: Sequence[str] = ()) -> BuildPlan:
    """The plan of a build config's file. Raises UserError."""
    check_extra()
    config = load_build(path, overrides)
    return make_build_plan(resolve_build(config, path.resolve().parent), config.base)


def build(plan: BuildPlan, listener: BuildListener, overwrite: bool = False) -> BuildResult:
    """Build what is not built yet. Raises UserError; then what was finished before stays, and nothing half-built."""
    check_out(plan, overwrite)
    check_memory(plan)
    check_disk(plan)
    for note in plan.notes:
        listener.note(note)
    with build_folder(plan.out) as work:
        experts = tuple(_built(plan, i, work, listener, overwrite) for i in range(len(plan.experts)))
        matrix = None
        if plan.config.forgetting:
            matrix = known_matrix(plan) or forgetting_matrix(plan, work, listener)
    return BuildResult(experts, matrix)


def disk_of(plan: BuildPlan) -> float:
    """Bytes on disk at most: the checkpoints of one training at a time, and the experts."""
    training = max(CHECKPOINTS * expert.shape.saved for expert in plan.experts)
    return float(training + sum(4 * expert.shape.trained for expert in plan.experts))


def check_disk(plan: BuildPlan) -> None:
    """Raise RunError where the disk has no room for checkpoints and experts."""
    if (free := free_disk(plan.out)) < (needed := disk_of(plan)):
        raise RunError(
            f"out: the disk of {plan.out} has {size_text(free)} free, and the build needs {size_text(needed)}; free "
            "some, or name a folder on another disk"
        )


def _built(plan: BuildPlan, i: int, work: Path, listener: BuildListener, overwrite: bool) -> Built:
    expert = plan.experts[i]
    builder, folder = expert.builder, plan.out / expert.builder.name
    if is_built(plan.out, expert):
        listener.note(f"{builder.name} is built already")
        shutil.rmtree(work / builder.name, ignore_errors=True)
        return Built(builder.name, builder.method, folder, expert.steps, None)
    from swarm.builders.expert_folder import CURATION, Losses, write_expert

    stage = Stage(builder.name, i, None, expert.record)
    trained = train_stage(plan, stage, work, listener, f"training {builder.name}")
    try:
        with replaced_directory(folder, overwrite) as dest:
            write_expert(trained, builder, _provenance(plan, expert), plan.base.path, plan.dtype, dest)
            if expert.rows.curated:
                write_manifest(dest / CURATION, expert.rows.curated)
    except ExpertError as error:
        shutil.rmtree(work / builder.name)
        raise ExpertError(f"experts.{i}: {error}") from None
    shutil.rmtree(work / builder.name, ignore_errors=True)
    losses = Losses.of(trained.losses)
    return Built(builder.name, builder.method, folder, expert.steps, (losses.first, losses.last))


def _provenance(plan: BuildPlan, expert: ExpertPlan) -> "Provenance":
    from swarm.builders.expert_folder import Provenance

    return Provenance(
        base=plan.base_name,
        on_hub=plan.on_hub,
        data=Path(expert.builder.data).name,
        data_hash=expert.rows.data_hash,
        examples=len(expert.rows.rows),
        chosen_of=len(expert.rows.curated.manifest) if expert.rows.curated else None,
        steps=expert.steps,
        seed=expert.seed,
        record={**expert.record, "versions": library_versions()},
    )
