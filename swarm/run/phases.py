"""How long each phase of a run will take, from a short timing of the model, or else from its size.

Budgets are taken as used up: patience and racing end a search earlier.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

from swarm.core.errors import first_line
from swarm.engines.transformers.memory import WIDTHS
from swarm.run.plan import Plan
from swarm.run.proposal_timing import time_optimizer
from swarm.run.requirements import disk_of, parameters_of
from swarm.run.timing import ModelTiming, time_model
from swarm.search.baselines import Baselines
from swarm.workers.preflight.placement import Placement, place
from swarm.workers.ray.connect import address_of
from swarm.workers.ray.local import local_resources

MOST_TIMED_BYTES = 4e9  # of a base that is loaded for a timing: more would take longer than some seconds
RAY_SECONDS = 4.0  # to start Ray on this machine
LONGEST_IMPORT = 20.0
STATISTICS_SECONDS = 5e-5  # per baseline and test example: intervals
REPORT_SECONDS = 1.0
DISK_RATE = 3e8  # bytes per second, read and written
# For what cannot be timed here: operations and bytes per second, orders of magnitude.
FLOPS_PER_PARAMETER = 2
CPU_FLOPS, GPU_FLOPS = 5e10, 3e13  # per core; per GPU
LOAD_RATE = 1e9
VLLM_SECONDS = 60.0  # to start its server
ROUGH = "a rough figure, right within a factor of five"
TIMED = "from a short timing of your model here, for the whole budget"


@dataclass(frozen=True)
class TimeForecast:
    """Seconds by phase, in their order.

    basis: where the figures come from, and how far they can be trusted.
    problem: why the model could not be timed, or a candidate not be scored; "" where nothing failed.
    """

    seconds: Mapping[str, float]
    basis: str
    problem: str = ""

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


def predict_times(plan: Plan, tokens: int) -> TimeForecast:
    """The times of a run. tokens: of one evaluation. Raises UserError where a search would, when it loads the model."""
    workers = _workers(plan)
    imports = min(LONGEST_IMPORT, max(0.0, time.process_time() - plan.seconds))
    problem = ""
    if workers is not None and _bytes(plan) <= MOST_TIMED_BYTES:
        try:
            timing = time_model(plan, workers.cpus if plan.config.cluster.on_ray else None)
            return TimeForecast(_phases(plan, timing, workers, imports), TIMED, timing.problem)
        except RuntimeError as error:  # torch's, such as a device that is full at the moment
            problem = f"the model could not be loaded for a timing: {first_line(error)}"
    workers = workers or Placement(_asked(plan), 1, 1)
    return TimeForecast(_phases(plan, _guess(plan, tokens, workers), workers, imports), ROUGH, problem)


def _phases(plan: Plan, timing: ModelTiming, workers: Placement, imports: float) -> dict[str, float]:
    sizes = {split: workload.total for split, workload in plan.workloads.items()}
    baselines = Baselines.of(plan.space)
    contenders = 2 + len(baselines.experts)  # the base, and the best of the uniform averages
    finalists = min(plan.config.finalists, plan.budget().evaluations)
    delivered = finalists if plan.config.optimizer.holds_apart else 1
    turn = {split: timing.evaluation(sizes[split]) for split in sizes}
    return {
        "start": _start(plan, timing, imports),
        "search": _search(plan, turn["search"], workers.workers),
        "baselines": _rounds(_unsearched(plan, baselines), workers.workers) * turn["search"],
        "selection": _rounds(finalists + contenders, workers.workers) * turn["select"],
        "test": _rounds(delivered + contenders, workers.workers) * turn["test"]
        + STATISTICS_SECONDS * contenders * sizes["test"],
        "export": disk_of(plan) / DISK_RATE + REPORT_SECONDS,
        "verification": _verification(plan, timing),
    }


def _start(plan: Plan, timing: ModelTiming, imports: float) -> float:
    """Packages, the plan, the workers. On Ray each worker imports the packages again."""
    here = imports + plan.seconds + timing.open_seconds
    cluster = plan.config.cluster.on_ray
    return here + imports + (0.0 if address_of(cluster) else RAY_SECONDS) if cluster else here


def _search(plan: Plan, turn: float, workers: int) -> float:
    """turn: seconds that a candidate takes a worker."""
    optimizer = plan.config.optimizer
    first = len(optimizer.ask(optimizer.init(plan.space, plan.config.seed)))
    most = plan.budget().evaluations
    at_once = optimizer.population * (2 if optimizer.proposes_ahead else 1)
    asking = time_optimizer(plan, 1 + math.ceil(max(0, most - first) / at_once))
    evaluations = most if asking.evaluations is None else min(most, asking.evaluations)
    whole, rest = divmod(max(0, evaluations - first), optimizer.population)
    if optimizer.schedule == "async":
        rounds = _rounds(evaluations, workers)
    elif optimizer.proposes_ahead:
        rounds = _rounds(evaluations, min(workers, at_once))
    else:
        rounds = (
            _rounds(min(first, evaluations), workers)
            + whole * _rounds(optimizer.population, workers)
            + _rounds(rest, workers)
        )
    seconds = rounds * turn + asking.seconds
    return seconds if optimizer.minutes is None else min(seconds, 60 * optimizer.minutes)


def _unsearched(plan: Plan, baselines: Baselines) -> int:
    """How many baselines the search does not score: those that are none of its first positions."""
    optimizer = plan.config.optimizer
    first = optimizer.ask(optimizer.init(plan.space, plan.config.seed))[: optimizer.evaluations]
    searched = {plan.space.scored_at(each.x_D) for each in first}
    return len({candidate.position for candidate in baselines.all()} - searched)


def _verification(plan: Plan, timing: ModelTiming) -> float:
    export = plan.config.export
    if export.format not in ("hf", "adapter") or not export.check_examples:
        return 0.0
    examples = sum(min(export.check_examples, size) for size in plan.workloads["search"].sizes.values())
    return timing.open_seconds + timing.evaluation(examples)


def _rounds(candidates: int, workers: int) -> int:
    """How often the busiest worker scores, where each scores one candidate at a time."""
    return math.ceil(candidates / workers)


def _workers(plan: Plan) -> Placement | None:
    """The workers on this machine; None where they are on a cluster, which may be of other machines."""
    cluster = plan.config.cluster.on_ray
    if cluster is None:
        return Placement(1, 1, 0)
    return None if address_of(cluster) else place(cluster, [local_resources()])


def _asked(plan: Plan) -> int:
    cluster = plan.config.cluster.on_ray
    return 1 if cluster is None or cluster.workers == "auto" else cluster.workers


def _bytes(plan: Plan) -> float:
    return float(parameters_of(plan) * WIDTHS[plan.config.engine.dtype])


def _guess(plan: Plan, tokens: int, workers: Placement) -> ModelTiming:
    """From operations per token. tokens: of one evaluation of the search split."""
    rate = GPU_FLOPS * max(1.0, workers.gpus) if workers.gpus else CPU_FLOPS * workers.cpus
    seconds = tokens * parameters_of(plan) * FLOPS_PER_PARAMETER / rate
    server = VLLM_SECONDS if plan.config.engine.type == "vllm" else 0.0
    return ModelTiming(server + _bytes(plan) / LOAD_RATE, 0.0, seconds / plan.workloads["search"].total)
