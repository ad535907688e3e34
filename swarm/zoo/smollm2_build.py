"""Builds `smollm2`: base, data, experts."""

from transformers import AutoTokenizer

from swarm.zoo.base import BuildPaths, Progress, subprogress
from swarm.zoo.examples import write_examples
from swarm.zoo.gym_tasks import GymMixture, gym_examples, pools
from swarm.zoo.smollm2 import SmolLM2Recipe
from swarm.zoo.smollm2_base import make_base
from swarm.zoo.training import train_expert

BASE_SHARE = 0.04  # of the build time


def make(recipe: SmolLM2Recipe, paths: BuildPaths, progress: Progress) -> None:
    """Build the zoo in `paths.work`."""
    progress("base", 0.0)
    make_base(recipe, paths.work / "base")
    progress("data", BASE_SHARE / 2)
    examples = [e for t in recipe.tasks for e in gym_examples(t, recipe.examples_per_task, recipe.evaluation_seed)]
    write_examples(paths.work / "data" / "examples.jsonl", examples)
    practice = pools(recipe.tasks, recipe.practice_per_task, recipe.practice_seed, examples)
    tokenizer = AutoTokenizer.from_pretrained(paths.work / "base")
    steps = sum(expert.schedule.steps for expert in recipe.experts)
    low = BASE_SHARE
    for expert in recipe.experts:
        high = low + (1 - BASE_SHARE) * expert.schedule.steps / steps
        draw = GymMixture(expert.task, expert.share, practice).draw
        train_expert(expert, paths, tokenizer, draw, subprogress(progress, low, high))
        low = high
