"""Small zoos that differ in the experts' tasks, how long they train, and whether they are adapters or full fine-tunes.

Each is built as zoo:tiny is, from another seed, and then kept in the cache (a minute each).
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from loading import load_model
from transformers import PreTrainedTokenizerBase

from swarm import zoo
from swarm.zoo.base import Builder, BuildPaths, ExpertRecipe, Progress, Schedule, subprogress
from swarm.zoo.examples import write_examples
from swarm.zoo.store import build_at
from swarm.zoo.string_tasks import Corpus, ExpertMixture, evaluation_examples, prompts
from swarm.zoo.tiny import TinyRecipe
from swarm.zoo.tiny_build import make, make_base, make_tokenizer
from swarm.zoo.training import Draw, train

PER_TASK = 300


def expert(task: str, steps: int, rate: float, seed: int, share: float = 0.5, lesson: str = "right") -> ExpertRecipe:
    schedule = Schedule(steps=steps, rate=rate, seed=seed)
    return ExpertRecipe(name=f"{task}{seed}", task=task, share=share, lesson=lesson, schedule=schedule)


def recipe(seed: int, experts: Sequence[ExpertRecipe]) -> TinyRecipe:
    base = Schedule(steps=260, batch=64, rate=5e-3, seed=seed)
    return TinyRecipe(
        version=1, base=base, experts=tuple(experts), examples_per_task=PER_TASK, evaluation_seed=100 + seed
    )


COMPLEMENTARY = recipe(
    11,
    [
        expert(task, 40, 1.5e-3, seed)
        for seed, task in enumerate(("upper", "next", "prev", "mirror", "rot", "digit", "vowel", "kind"), 1)
    ],
)
INTERFERING = recipe(
    12,
    [
        *(
            expert(task, 40, 4e-3, seed, share=0.95)
            for seed, task in enumerate(("upper", "mirror", "digit", "kind"), 1)
        ),
        *(expert("any", 40, 2e-3, seed, share=0.8, lesson=lesson) for seed, lesson in ((5, "scrambled"), (6, "echo"))),
    ],
)
FULL = recipe(
    13, [expert(task, 30, 1e-3, seed) for seed, task in enumerate(("upper", "mirror", "rot", "digit", "kind"), 1)]
)


def make_full(recipe: TinyRecipe, paths: BuildPaths, progress: Progress) -> None:
    """As `make` of zoo:tiny, but every expert is a full fine-tune."""
    examples = evaluation_examples(recipe.evaluation_seed, recipe.examples_per_task, recipe.lengths)
    write_examples(paths.work / "data" / "examples.jsonl", examples)
    corpus, tokenizer = Corpus(recipe.trust, recipe.lengths, prompts(examples)), make_tokenizer()
    make_base(recipe, paths, tokenizer, corpus.draw, subprogress(progress, 0.0, 0.5))
    for each in recipe.experts:
        train_full(each, paths, tokenizer, ExpertMixture(corpus, each.task, each.lesson, each.share).draw, progress)


def train_full(
    expert: ExpertRecipe, paths: BuildPaths, tokenizer: PreTrainedTokenizerBase, draw: Draw, progress: Progress
) -> None:
    model = load_model(paths.work / "base")
    train(model, tokenizer, draw, expert.schedule, subprogress(progress, 0.5, 1.0), expert.name)
    model.save_pretrained(paths.work / "experts" / expert.name)


def builders() -> dict[str, Builder]:
    adapters = {"complementary": COMPLEMENTARY, "interfering": INTERFERING}
    made = {name: Builder(recipe, partial(make, recipe)) for name, recipe in adapters.items()}
    return made | {"full": Builder(FULL, partial(make_full, FULL))}


def located(name: str) -> Path:
    """The folder of a zoo; it is built if missing."""
    folder = zoo.cache_directory() / ("tiny" if name == "tiny" else f"discovery-{name}")
    if name == "tiny":
        return zoo.build("tiny", folder, lambda text, share: None)
    return build_at(builders()[name], name, folder, lambda text, share: None)
