"""A linear combination of four full checkpoints merged in memory, by mergekit and by Swarm, on SmolLM2 in bfloat16.

The checkpoints are the zoo's base with one LoRA expert merged into each. Theirs: mergekit's `plan_in_memory` and
`Executor`, as mergekit-evolve evaluates a candidate; `linear` with `normalize: false`; each tensor is copied into the
parameter of a live model; one process that has imported everything. Ours: `MergedWeights.put`. Both read memory-mapped
files from the page cache; every repetition is another candidate. mergekit sums in bfloat16, Swarm in float32.

mergekit pins its own versions: SWARM_MERGEKIT=/path/to/mergekit-yaml (or the python beside it) names its environment.
"""

import argparse
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import torch
from common import Metric, Skip, main, options, paired, say, zoo_path
from loading import load_model

from swarm.compositions.weights import Weights
from swarm.engines.transformers.merged_weights import MergedWeights
from swarm.experts.catalog import ExpertSpec, open_catalog
from swarm.export.base import Exported
from swarm.export.hf import write_checkpoint

BENCHMARK = "merging"
TARGET = ">= 8"
EXPERTS = 4
REMEDY = (
    "SWARM_MERGEKIT names no mergekit; install it in an environment of its own (python -m venv .venv-mergekit && "
    ".venv-mergekit/bin/pip install mergekit==0.1.5) and set SWARM_MERGEKIT=.venv-mergekit/bin/mergekit-yaml"
)
SERVER = """
import sys
import torch
from mergekit.architecture import get_architecture_info
from mergekit.config import MergeConfiguration
from mergekit.graph import Executor, Task
from mergekit.io.tasks import LoaderCache, ReturnTensor
from mergekit.options import MergeOptions
import mergekit.plan as plan
from mergekit.plan import MergePlanner
from transformers import AutoModelForCausalLM

class Returned(ReturnTensor):  # the annotation Task[Tensor] is refused by pydantic from 2.11 on
    tensor_task: Task

plan.ReturnTensor = Returned
base, *paths = sys.argv[2:]
torch.set_num_threads(int(sys.argv[1]))
options = MergeOptions(quiet=True)
LoaderCache().setup(options=options)
live = AutoModelForCausalLM.from_pretrained(base, torch_dtype=torch.bfloat16)
model_config = live.config
parameters = dict(live.named_parameters())

def put(shares):
    weights = [1.0 - sum(shares), *shares]
    models = [{"model": p, "parameters": {"weight": w}} for p, w in zip((base, *paths), weights)]
    content = {"merge_method": "linear", "dtype": "bfloat16", "parameters": {"normalize": False}, "models": models}
    config = MergeConfiguration.model_validate(content)
    planner = MergePlanner(config, get_architecture_info(config, options), options, model_config)
    with torch.no_grad():
        for task, value in Executor(planner.plan_in_memory(), math_device="cpu", storage_device="cpu").run(quiet=True):
            if task.weight_info.name in parameters:
                parameters[task.weight_info.name].data.copy_(value)

print("ready", flush=True)
for line in sys.stdin:
    put([float(share) for share in line.split()])
    print("done", flush=True)
"""


class Mergekit:
    """A process that reads a line of coefficients and merges with them."""

    def __init__(self, python: Path, base: Path, experts: Sequence[Path]) -> None:
        command = [str(python), "-c", SERVER, str(torch.get_num_threads()), str(base), *map(str, experts)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answer("ready")

    def put(self, shares: Sequence[float]) -> None:
        """Merge; returns once the live model holds the weights."""
        assert self._process.stdin
        print(*shares, file=self._process.stdin, flush=True)
        self._answer("done")

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()

    def _answer(self, expected: str) -> None:
        assert self._process.stdout
        line = self._process.stdout.readline().strip()
        if line != expected:
            raise RuntimeError(f"mergekit's process printed {line!r} instead of {expected!r}; its error is above")


def run(arguments: argparse.Namespace) -> Iterator[Metric]:
    python = _python()
    zoo = zoo_path("smollm2")
    with tempfile.TemporaryDirectory() as folder:
        experts = [_merged(zoo, path, Path(folder)) for path in sorted((zoo / "experts").iterdir())[:EXPERTS]]
        catalog = open_catalog(zoo / "base", [ExpertSpec(path.name, path) for path in experts])
        composer = MergedWeights(load_model(zoo / "base", torch.bfloat16), catalog)
        mergekit = Mergekit(python, zoo / "base", experts)
        steps = count(1)

        def shares() -> list[float]:
            return [0.1 * (i + 1) + 0.001 * next(steps) for i in range(EXPERTS)]

        say(f"merging {EXPERTS} checkpoints of SmolLM2 alternately, {torch.get_num_threads()} threads")
        both = paired(
            ours=lambda: composer.put(Weights().recipe(shares(), catalog)),
            theirs=lambda: mergekit.put(shares()),
            repetitions=arguments.repetitions,
        )
        mergekit.close()
    yield from both.metrics(BENCHMARK, "SmolLM2, 4 checkpoints", ("ours", "mergekit"), TARGET)


def _python() -> Path:
    """The interpreter of mergekit's environment. Raises Skip where there is none."""
    named = os.environ.get("SWARM_MERGEKIT", "")
    folder = Path(named) if Path(named).is_dir() else Path(named).parent
    if not named or not (folder / "mergekit-yaml").is_file():
        raise Skip(REMEDY)
    return folder / "python"


def _merged(zoo: Path, adapter: Path, folder: Path) -> Path:
    """The base with one adapter merged in, saved as a bfloat16 checkpoint."""
    catalog = open_catalog(zoo / "base", [ExpertSpec(adapter.name, adapter)])
    path = folder / adapter.name
    path.mkdir()
    write_checkpoint(Exported(catalog, Weights().recipe([1.0], catalog), "bfloat16", None, "", ""), path)
    return path


if __name__ == "__main__":
    main(run, options(__doc__ or ""))
