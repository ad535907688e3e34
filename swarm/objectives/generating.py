"""What generating objectives share: the length of the text, where it stops, how it is sampled."""

import hashlib
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from swarm.core.examples import Example
from swarm.core.requests import Generation, Request
from swarm.objectives.prompting import PromptedObjective


class GeneratingObjective(PromptedObjective):
    """One generation per example."""

    max_new_tokens: int = Field(32, ge=1, description="the most tokens that the model generates")
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = Field(("\n",), description="texts that end the generation")
    temperature: float = Field(0.0, ge=0, description="0 for greedy decoding")
    top_p: float = Field(1.0, gt=0, le=1, description="sample from the most likely tokens of this total probability")
    seed: int = Field(
        0,
        ge=-(2**63),
        le=2**63 - 1,
        description="of the sampling; with the example's id it gives each example its own seed",
    )

    def requests(self, example: Example) -> list[Request]:
        prompt = self.prompt(example)
        seed = example_seed(self.seed, example.id)
        targets = self.targets(example) if self.temperature == 0.0 else ()
        sampling = (self.max_new_tokens, self.stop, self.temperature, self.top_p, seed)
        return [Generation(prompt, *sampling, targets, self.template_arguments)]

    def targets(self, example: Example) -> tuple[str, ...]:
        """Whole texts that would be right, as a model may write them. None where they cannot be listed."""
        return ()


def check_thinking(stop: Sequence[str]) -> None:
    """Raise ValueError where a stop text of whitespace ends a text before its thinking has."""
    early = next((each for each in stop if not each.strip()), None)
    if early is not None:
        raise ValueError(f"strip_thinking: true, but stop {early!r} ends the text while it thinks; set stop: []")


def example_seed(seed: int, example_id: str) -> int:
    """32 bits from the seed and the id alone, so that an example is sampled the same way in any order and batch."""
    return int.from_bytes(hashlib.blake2b(f"{seed}\n{example_id}".encode(), digest_size=4).digest())
