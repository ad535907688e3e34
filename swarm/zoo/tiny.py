"""The recipe of `tiny`: a byte-level Llama that half knows eight string tasks, and ten experts made from it.

Eight experts practise one task each. They differ in length and rate of training, so in the size of their updates,
as adapters in real life do; two more have learnt something wrong. So a good weighting is no plain average.
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
    lengths: tuple[int, int] = Field((4, 5), description="shortest and longest word")
    examples_per_task: int = 200
    evaluation_seed: int = 1


def _expert(task: str, steps: int, rate: float, seed: int, **more: object) -> ExpertRecipe:
    schedule = Schedule(steps=steps, rate=rate, seed=seed)
    return ExpertRecipe.model_validate({"name": task, "task": task, "schedule": schedule, **more})


RECIPE = TinyRecipe(
    version=1,
    base=Schedule(steps=320, batch=64, rate=3e-3),
    trust={
        "reverse": 0.3, "sort": 0.35, "upper": 0.6, "next": 0.3, "double": 0.4, "rotate": 0.2, "max": 0.6, "swap": 0.35
    },  # fmt: skip
    experts=(
        _expert("reverse", 30, 5e-3, 1),
        _expert("sort", 30, 5e-3, 2),
        _expert("upper", 30, 5e-3, 3),
        _expert("next", 30, 5e-3, 4),
        _expert("double", 30, 5e-3, 5),
        _expert("rotate", 30, 5e-3, 6),
        _expert("max", 30, 5e-3, 7),
        _expert("swap", 30, 5e-3, 8),
        _expert("any", 30, 5e-3, 9, name="scrambled", lesson="scrambled", share=0.8),
        _expert("any", 30, 5e-3, 10, name="echo", lesson="echo", share=0.8),
    ),
)
