"""Builds `smollm2`: base, data, experts."""

from transformers import AutoTokenizer

from swarm.zoo.base import Progress, Site, part
from swarm.zoo.examples import write_examples
from swarm.zoo.gym_tasks import GymPractice, gym_examples, pools
from swarm.zoo.smollm2 import SmolLM2Recipe
from swarm.zoo.smollm2_base import make_base
from swarm.zoo.training import train_expert

BASE_SHARE = 0.04  # of the time of the whole


def make(recipe: SmolLM2Recipe, site: Site, progress: Progress) -> None:
    progress("base", 0.0)
    make_base(recipe, site.work / "base")
    progress("data", BASE_SHARE / 2)
    examples = [e for t in recipe.tasks for e in gym_examples(t, recipe.examples_per_task, recipe.evaluation_seed)]
    write_examples(site.work / "data" / "examples.jsonl", examples)
    practice = pools(recipe.tasks, recipe.practice_per_task, recipe.practice_seed, examples)
    tokenizer = AutoTokenizer.from_pretrained(site.work / "base")
    steps = sum(expert.schedule.steps for expert in recipe.experts)
    low = BASE_SHARE
    for expert in recipe.experts:
        high = low + (1 - BASE_SHARE) * expert.schedule.steps / steps
        draw = GymPractice(expert.task, expert.share, practice).draw
        train_expert(expert, site, tokenizer, draw, part(progress, low, high))
        low = high
