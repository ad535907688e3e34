"""Builds `sizes`: tokenizer, models of two sizes before and after they are taught the tasks, an expert, data."""

from pathlib import Path

from transformers import AutoModelForCausalLM, PreTrainedTokenizerBase

from swarm.zoo.base import BuildPaths, Progress, subprogress
from swarm.zoo.examples import write_examples
from swarm.zoo.facts import LettersAndFacts, facts
from swarm.zoo.sizes import SizeRecipe, SizesRecipe
from swarm.zoo.string_tasks import ANY, Corpus, ExpertMixture, evaluation_examples, prompts
from swarm.zoo.tiny_build import make_tokenizer, new_model, one_thread, save_model
from swarm.zoo.training import Draw, train, train_expert

SMALL, LARGE, EXPERTS = (0.0, 0.2), (0.2, 0.93), (0.93, 1.0)  # shares of the build time
TUNED = 0.15  # of the time of a size


def make(recipe: SizesRecipe, paths: BuildPaths, progress: Progress) -> None:
    """Build the zoo in `paths.work`."""
    with one_thread():
        _make(recipe, paths, progress)


def _make(recipe: SizesRecipe, paths: BuildPaths, progress: Progress) -> None:
    work, known = paths.work, facts(recipe.facts, recipe.evaluation_seed)
    examples = evaluation_examples(recipe.evaluation_seed, recipe.examples_per_task, recipe.lengths, recipe.tasks)
    write_examples(work / "data" / "examples.jsonl", examples)
    write_examples(work / "data" / "facts.jsonl", known)
    corpus = Corpus(recipe.trust, recipe.lengths, prompts(examples), recipe.tasks)
    tokenizer, taught = make_tokenizer(), ExpertMixture(corpus, ANY, "right", 1.0).draw
    sizes = (
        (recipe.small, work / "models" / "small", work / "models" / "small-tuned", SMALL),
        (recipe.large, work / "base", work / "models" / "large-tuned", LARGE),
    )
    for size, base, tuned, shares in sizes:
        steps = subprogress(progress, *shares)
        draw = LettersAndFacts(corpus, known, size.facts_share).draw
        _learn(size, base, tokenizer, draw, subprogress(steps, 0.0, 1 - TUNED))
        _tune(size, base, tuned, tokenizer, taught, subprogress(steps, 1 - TUNED, 1.0))
    for expert in recipe.experts:
        draw = ExpertMixture(corpus, expert.task, expert.lesson, expert.share).draw
        train_expert(expert, paths, tokenizer, draw, subprogress(progress, *EXPERTS))


def _learn(size: SizeRecipe, folder: Path, tokenizer: PreTrainedTokenizerBase, draw: Draw, progress: Progress) -> None:
    """Train a model of this size from scratch."""
    model = new_model(size, tokenizer)
    train(model, tokenizer, draw, size.base, progress, folder.name)
    save_model(model, tokenizer, folder)


def _tune(
    size: SizeRecipe, base: Path, folder: Path, tokenizer: PreTrainedTokenizerBase, draw: Draw, progress: Progress
) -> None:
    """Train all weights of a saved model on, and save what comes of it elsewhere."""
    model = AutoModelForCausalLM.from_pretrained(base, use_safetensors=True)
    train(model, tokenizer, draw, size.tuned, progress, folder.name)
    save_model(model, tokenizer, folder)
