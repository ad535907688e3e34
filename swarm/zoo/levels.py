"""The recipe of `levels`: a byte-level Llama that mostly gives generic answers, and vectors for three domains.

Its examples have answers of three levels (`level_tasks.py`). The vectors are LoRA adapters, trained on the expert's
answers of their domain.
"""

from swarm.zoo.base import ExpertRecipe, Schedule, ZooRecipe


class LevelsRecipe(ZooRecipe):
    """Sizes, schedules, seeds, and the share of each level in the base's corpus."""

    layers: int = 2
    width: int = 64
    heads: int = 4
    base: Schedule
    shares: dict[str, float]
    lengths: tuple[int, int] = (4, 4)
    examples_per_domain: int = 300
    evaluation_seed: int = 1


def _vector(domain: str, seed: int) -> ExpertRecipe:
    return ExpertRecipe(name=domain, task=domain, schedule=Schedule(steps=24, rate=2e-3, seed=seed))


RECIPE = LevelsRecipe(
    version=1,
    base=Schedule(steps=240, batch=64, rate=5e-3),
    shares={"avoidance": 0.2, "generic": 0.55, "expert": 0.25},
    experts=(_vector("medicine", 1), _vector("law", 2), _vector("finance", 3)),
)
