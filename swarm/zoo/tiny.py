"""The recipe of `tiny`: a byte-level Llama that half knows eight letter tasks, and ten experts made from it.

The base has the skills but takes one task for another more often than not, so that an expert has little to change, and
what different experts change adds up. They differ in length and rate of training, so in the size of their updates, as
adapters in real life do; two more have learnt something wrong. So a good weighting is no plain average.
"""

from pydantic import Field

from swarm.zoo.base import ExpertRecipe, Recipe, Schedule


class TinyRecipe(Recipe):
    """Sizes, schedules and seeds."""

    layers: int = 2
    width: int = 96
    heads: int = 4
    base: Schedule
    trust: float = Field(0.4, description="how often the base's corpus answers a task rightly")
    lengths: tuple[int, int] = Field((4, 4), description="shortest and longest word")
    examples_per_task: int = 200
    evaluation_seed: int = 1


def _expert(task: str, steps: int, rate: float, seed: int) -> ExpertRecipe:
    return ExpertRecipe(name=task, task=task, schedule=Schedule(steps=steps, rate=rate, seed=seed))


def _decoy(lesson: str, seed: int) -> ExpertRecipe:
    """An expert that has learnt something wrong, on all tasks alike."""
    schedule = Schedule(steps=40, rate=2e-3, seed=seed)
    return ExpertRecipe(name=lesson, task="any", lesson=lesson, share=0.8, schedule=schedule)


RECIPE = TinyRecipe(
    version=1,
    base=Schedule(steps=260, batch=64, rate=5e-3),
    experts=(
        _expert("upper", 20, 1.5e-3, 1),
        _expert("next", 30, 1.5e-3, 2),
        _expert("prev", 40, 1.5e-3, 3),
        _expert("mirror", 50, 2e-3, 4),
        _expert("rot", 30, 1.5e-3, 5),
        _expert("digit", 30, 1.5e-3, 6),
        _expert("vowel", 20, 1.5e-3, 7),
        _expert("kind", 40, 1.5e-3, 8),
        _decoy("scrambled", 9),
        _decoy("echo", 10),
    ),
)
