"""Whether a vector's coefficient moves its domain's levels on SmolLM2: Spearman's rank correlation of the margins.

`swarm zoo levels` writes three domains of questions in English, a vector for each is trained on its experts' answers
with the zoo's own training (or taken from --vectors, a folder with an adapter for each domain), and `swarm sweep` moves
one vector at a time. About an hour on two cores; --steps, --examples and --step make it shorter or longer.
"""

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from common import ROOT, Metric, main, options, say, zoo_path
from transformers import AutoTokenizer

from swarm.core.examples import Example
from swarm.zoo.base import BuildPaths, ExpertRecipe, Schedule
from swarm.zoo.level_files import write_levels
from swarm.zoo.level_texts import DOMAINS
from swarm.zoo.training import train_expert

MONOTONIC = 0.9


def draw_from(file: Path) -> Callable[[random.Random, int], Sequence[Example]]:
    """Draws of what a vector is trained on: prompts and experts' answers."""
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    examples = [Example("", row["prompt"], row["completion"]) for row in rows]
    return lambda rng, count: rng.choices(examples, k=count)


def train_vectors(folder: Path, zoo: Path, steps: int) -> Path:
    """One adapter of SmolLM2 for each domain. Returns their folder."""
    if not (folder / "base").exists():
        (folder / "base").symlink_to(zoo / "base")
    tokenizer = AutoTokenizer.from_pretrained(zoo / "base")
    for seed, domain in enumerate(DOMAINS):
        if (folder / "experts" / domain).exists():
            continue
        schedule = Schedule(steps=steps, batch=8, rate=1e-3, seed=seed)
        recipe = ExpertRecipe(name=domain, task=domain, schedule=schedule, rank=8, alpha=16)
        draw = draw_from(folder / "texts" / "training" / f"{domain}.jsonl")
        train_expert(recipe, BuildPaths(folder, zoo), tokenizer, draw, lambda text, share: say(text))
    return folder / "experts"


def run(arguments: argparse.Namespace) -> list[Metric]:
    zoo, folder = zoo_path("smollm2"), arguments.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "texts").exists():
        write_levels(folder / "texts", arguments.examples, 0)
    vectors = arguments.vectors or train_vectors(folder, zoo, arguments.steps)
    sizes = arguments.examples // 3
    words = [sys.executable, "-m", "swarm.cli", "sweep", str(folder / "texts" / "levels.yaml")]
    words += ["--from", "-1", "--to", "1.5", "--step", str(arguments.step), "--run-dir", str(folder / "sweep")]
    words += ["--set", f"splits={{search: {sizes}, select: {sizes}, test: rest}}", "--set", f"base={zoo / 'base'}"]
    words += ["--set", f"experts={json.dumps([str((vectors / domain).absolute()) for domain in DOMAINS])}"]
    resumed = [*words[:3], "resume", str(folder / "sweep")]
    subprocess.run(resumed if (folder / "sweep").exists() else words, check=True, stdout=sys.stderr, cwd=ROOT)
    found = json.loads((folder / "sweep" / "sweep.json").read_text())["monotonicity"]
    own = {domain: found[domain][f"{domain}-expert"] or 0.0 for domain in DOMAINS}
    metrics = [Metric("levels", f"{domain}: rank correlation", value, "Spearman") for domain, value in own.items()]
    rising = sum(value >= MONOTONIC for value in own.values())
    return [*metrics, Metric("levels", f"domains of at least {MONOTONIC}", rising, "of 3", ">= 2")]


def _options() -> argparse.ArgumentParser:
    parser = options(__doc__)
    parser.add_argument("--folder", type=Path, default=Path("levels"), help="where everything is written and kept")
    parser.add_argument("--vectors", type=Path, help="a folder with one adapter for each domain, instead of training")
    parser.add_argument("--examples", type=int, default=90, help="of each domain, a third of them for the sweep")
    parser.add_argument("--steps", type=int, default=40, help="of training, for each vector")
    parser.add_argument("--step", type=float, default=0.25, help="between two coefficients")
    return parser


if __name__ == "__main__":
    main(run, _options())
