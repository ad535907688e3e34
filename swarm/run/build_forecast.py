"""What `swarm check` predicts of a build: steps, weights, time, memory, disk. A few real steps are timed."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from swarm.core.sizes import duration_text, size_text
from swarm.run.build import check_disk, disk_of
from swarm.run.build_folder import check_out, is_built
from swarm.run.build_plan import BuildPlan, ExpertPlan, check_memory
from swarm.run.build_training import Stage, job_of


@dataclass(frozen=True)
class ExpertForecast:
    """Of one expert.

    seconds: to train it; 0 where it is built already.
    memory: bytes, of the process or of the GPU.
    """

    plan: ExpertPlan
    seconds: float
    memory: float


@dataclass(frozen=True)
class BuildForecast:
    """Of a build; together: seconds, with the start and the sequence of a forgetting matrix."""

    experts: Sequence[ExpertForecast]
    together: float
    disk: float

    def content(self, plan: BuildPlan) -> dict[str, object]:
        experts = [
            {
                "name": each.plan.builder.name,
                "type": each.plan.builder.type,
                "examples": len(each.plan.rows.rows),
                "held_out": len(each.plan.rows.held_out),
                "steps": each.plan.steps,
                "trained_weights": each.plan.shape.trained,
                "seconds": each.seconds,
                "memory_gib": each.memory / 2**30,
            }
            for each in self.experts
        ]
        return {
            "base": str(plan.base.path),
            "out": str(plan.out),
            "weights": plan.experts[0].shape.weights,
            "dtype": plan.dtype,
            "chat": plan.chat,
            "experts": experts,
            "seconds": self.together,
            "disk_gib": self.disk / 2**30,
            "notes": plan.notes,
        }


def build_forecast(plan: BuildPlan, overwrite: bool = False) -> BuildForecast:
    """Check what a build would check, and time a few steps of each expert. Nothing stays. Raises UserError."""
    check_out(plan, overwrite)
    check_memory(plan)
    check_disk(plan)
    experts = [_forecast(plan, i) for i in range(len(plan.experts))]
    repeated = sum(each.seconds for each in experts[1:]) if plan.config.forgetting else 0.0
    together = plan.seconds + sum(each.seconds for each in experts) + repeated
    return BuildForecast(experts, together, disk_of(plan))


def _forecast(plan: BuildPlan, i: int) -> ExpertForecast:
    from swarm.builders.timing import REFERENCE_SHARE, sample

    expert = plan.experts[i]
    if is_built(plan.out, expert):
        return ExpertForecast(expert, 0.0, 0.0)
    with tempfile.TemporaryDirectory() as folder:
        found = sample(job_of(plan, Stage("sample", i, None, {}), Path(folder)))
    steps = float(expert.steps)
    if expert.builder.trainer_kind == "pairs":
        steps += REFERENCE_SHARE * len(expert.rows.rows) / expert.builder.batch_size
    return ExpertForecast(expert, found.open_seconds + steps * found.step_seconds, found.peak)


def describe_build(plan: BuildPlan, found: BuildForecast) -> list[str]:
    """The forecast in words, with a key before each line."""
    shape, most = plan.experts[0].shape, max(each.memory for each in found.experts)
    lines = [
        f"base         {plan.base.path}: {shape.weights:,} weights, {plan.dtype}",
        f"prompts      {'in the chat template' if plan.chat else 'as texts, without a chat template'}",
        *(f"{each.plan.builder.name:<12} {_described(each)}" for each in found.experts),
        f"time         {_about(found.together)} in all, by a few steps timed here",
        f"memory       {size_text(most)} at most, measured on the longest examples",
        f"disk         {size_text(found.disk)} at most while it trains, under {plan.out}",
    ]
    return [*lines, *(f"note         {note}" for note in plan.notes)]


def _about(seconds: float) -> str:
    text = duration_text(seconds)
    return text if text.startswith("under") else f"about {text}"


def _described(each: ExpertForecast) -> str:
    plan = each.plan
    if not each.seconds:
        return f"{plan.builder.method}; built already"
    held = f", {len(plan.rows.held_out):,} held out" if plan.rows.held_out else ""
    return (
        f"{plan.builder.method}: {plan.shape.trained:,} weights trained; {len(plan.rows.rows):,} examples{held}; "
        f"{plan.steps:,} steps, {_about(each.seconds)}"
    )
