"""The recipe of `tiny`: a byte-level Llama that partly knows eight letter tasks, and ten experts trained from it.

The base has the skills but confuses tasks more often than not. An expert therefore needs to change little, and the
changes of different experts add up. The experts differ in training steps and learning rate, and so in the size of their
updates, as real adapters do; two of the ten have learnt something wrong. A plain average is therefore not a good
weighting.
"""

from pydantic import Field

from swarm.zoo.base import ExpertRecipe, Schedule, ZooRecipe


class TinyRecipe(ZooRecipe):
    """Sizes, schedules and seeds."""

    layers: int = 2
    width: int = 96
    heads: int = 4
    base: Schedule
    trust: float = Field(0.4, description="the share of right answers in the base's corpus")
    lengths: tuple[int, int] = Field((4, 4), description="the shortest and the longest word, in letters")
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
