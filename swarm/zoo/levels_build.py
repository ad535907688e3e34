"""Builds `levels`: tokenizer, base, vectors, data."""

from swarm.zoo.base import BuildPaths, Progress, subprogress
from swarm.zoo.examples import write_level_examples
from swarm.zoo.level_tasks import DOMAINS, ExpertAnswers, LevelCorpus, level_examples
from swarm.zoo.levels import LevelsRecipe
from swarm.zoo.string_tasks import prompts
from swarm.zoo.tiny_build import make_base, make_tokenizer, one_thread
from swarm.zoo.training import train_expert

BASE_SHARE = 0.85  # of the build time


def make(recipe: LevelsRecipe, paths: BuildPaths, progress: Progress) -> None:
    """Build the zoo in `paths.work`."""
    with one_thread():
        _make(recipe, paths, progress)


def _make(recipe: LevelsRecipe, paths: BuildPaths, progress: Progress) -> None:
    size, seed = recipe.examples_per_domain, recipe.evaluation_seed
    examples = {domain: level_examples(domain, size, seed, recipe.lengths) for domain in DOMAINS}
    for domain, own in examples.items():
        write_level_examples(paths.work / "data" / f"{domain}.jsonl", own)
    corpus = LevelCorpus(recipe.shares, recipe.lengths, prompts([each for own in examples.values() for each in own]))
    tokenizer = make_tokenizer()
    make_base(recipe, paths, tokenizer, corpus.draw, subprogress(progress, 0.0, BASE_SHARE))
    for i, expert in enumerate(recipe.experts):
        low, high = (BASE_SHARE + (1 - BASE_SHARE) * (i + k) / len(recipe.experts) for k in (0, 1))
        draw = ExpertAnswers(corpus, expert.task, expert.share).draw
        train_expert(expert, paths, tokenizer, draw, subprogress(progress, low, high))
