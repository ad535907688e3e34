"""The recipe of `tiny`: a byte-level Llama that has half learnt eight string tasks, and ten experts made from it.

The base's corpus is wrong more often than right about most tasks: it answers one as if it were its neighbour. So the
base has the skills but does not use them. Eight experts each learn to trust one task, and differ in length and rate
of training, so in the size of their updates; two more have learnt something wrong. So a good weighting is no plain
average. Those two also differ in shape: the eight alone can be combined by their factors.
"""

from pydantic import Field

from swarm.zoo.base import ExpertRecipe, Recipe, Schedule


class TinyRecipe(Recipe):
    """Sizes, schedules and seeds."""

    layers: int = 4
    width: int = 96
    heads: int = 4
    base: Schedule
    trust: dict[str, float] = Field(description="how often the base's corpus answers each task rightly")
    letters: int = Field(4, description="of each word: with one length, a position means the same in all of them")
    examples_per_task: int = 200
    evaluation_seed: int = 1


def _expert(task: str, steps: int, rate: float, seed: int) -> ExpertRecipe:
    return ExpertRecipe(name=task, task=task, schedule=Schedule(steps=steps, rate=rate, seed=seed))


RECIPE = TinyRecipe(
    version=1,
    base=Schedule(steps=500, batch=48, rate=4e-3),
    trust={
        "reverse": 0.42, "sort": 0.45, "upper": 0.5, "next": 0.45, "double": 0.42, "rotate": 0.4, "max": 0.52, "swap": 0.4
    },  # fmt: skip
    experts=(
        _expert("reverse", 40, 5e-3, 1),
        _expert("sort", 45, 5e-3, 2),
        _expert("upper", 20, 8e-3, 3),
        _expert("next", 30, 5e-3, 4),
        _expert("double", 30, 5e-3, 5),
        _expert("rotate", 30, 4e-3, 6),
        _expert("max", 40, 3e-3, 7),
        _expert("swap", 25, 6e-3, 8),
        ExpertRecipe(
            name="scrambled",
            task="any",
            lesson="scrambled",
            share=0.8,
            rank=8,
            alpha=16,
            schedule=Schedule(steps=30, rate=5e-3, seed=9),
        ),
        ExpertRecipe(
            name="echo",
            task="any",
            lesson="echo",
            share=0.8,
            alpha=4,
            rslora=True,
            targets=("q_proj", "k_proj", "v_proj", "o_proj"),
            schedule=Schedule(steps=30, rate=5e-3, seed=10),
        ),
    ),
)
