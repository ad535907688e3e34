"""What `swarm check --show N` adds to the forecast: the first prompts, and what is wrong with many of them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain

from swarm.engines import Encoder
from swarm.run.base_answers import ShownExample, base_answers
from swarm.run.likely_causes import sample_notes
from swarm.run.plan import Plan

SAMPLE = 20  # examples that the base answers, so that what they have in common shows


@dataclass(frozen=True)
class Shown:
    """The first examples with the base's answers.

    notes: on objectives of which the base has none of a sample right, or all.
    """

    examples: Sequence[ShownExample]
    notes: Sequence[str]

    def as_dicts(self) -> list[dict[str, object]]:
        return [asdict(example) for example in self.examples]


def show_prompts(plan: Plan, n: int) -> Shown:
    """The first `n` examples of every objective. Raises UserError where the base cannot be loaded or scored here."""
    encoder = Encoder.of(plan.catalog.base.path)
    answered = base_answers(plan, max(n, SAMPLE), encoder)
    notes = sample_notes(plan.config.objectives, answered, has_template=bool(encoder.tokenizer.chat_template))
    return Shown(list(chain.from_iterable(examples[:n] for examples in answered.values())), notes)
