"""The recipe of `sizes`: byte-level Llamas of two sizes with one tokenizer, for what acts on logits alone.

Both bases confuse three letter tasks more often than not. The large one also knows facts by heart, of which the small
one has read less. The small one is then taught the tasks, which is far cheaper than to teach the large one; what it has
learnt is the difference between it and what it was. The large one taught directly is there to compare with.

Models: `base` (large), `models/small`, `models/small-tuned`, `models/large-tuned`; `experts/letters` is a LoRA adapter
of the base that has learnt the tasks.
"""

from pydantic import Field

from swarm.core.settings import Settings
from swarm.zoo.base import ExpertRecipe, Schedule, ZooRecipe
from swarm.zoo.string_tasks import ANY


class SizeRecipe(Settings):
    """A model of one size: how it learns the corpus, and how it is then taught the tasks."""

    layers: int
    width: int
    heads: int = 4
    base: Schedule
    facts_share: float = Field(ge=0, le=1, description="the facts' share of the corpus")
    tuned: Schedule


class SizesRecipe(ZooRecipe):
    """Two sizes, the letter tasks and the facts."""

    large: SizeRecipe
    small: SizeRecipe
    tasks: tuple[str, ...] = ("next", "prev", "mirror")
    trust: float = Field(0.35, description="the share of right answers in the corpus")
    lengths: tuple[int, int] = Field((3, 3), description="the shortest and the longest word, in letters")
    examples_per_task: int = 400
    evaluation_seed: int = 1
    facts: int = 120


RECIPE = SizesRecipe(
    version=1,
    large=SizeRecipe(
        layers=4,
        width=96,
        base=Schedule(steps=240, batch=48, rate=4e-3),
        facts_share=0.45,
        tuned=Schedule(steps=60, rate=1e-3, seed=1),
    ),
    small=SizeRecipe(
        layers=2,
        width=64,
        base=Schedule(steps=200, batch=48, rate=5e-3),
        facts_share=0.15,
        tuned=Schedule(steps=40, rate=2e-3, seed=1),
    ),
    experts=(ExpertRecipe(name="letters", task=ANY, share=1.0, schedule=Schedule(steps=40, rate=2e-3, seed=1)),),
)
