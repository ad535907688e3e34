"""What objectives share that let the model write: how long, until where, and how sampled."""

import hashlib
from typing import Annotated

from pydantic import Field

from swarm.core.examples import Example
from swarm.core.requests import Generation, Request
from swarm.objectives.prompting import PromptedObjective


class GeneratingObjective(PromptedObjective):
    """One generation an example."""

    max_new_tokens: int = Field(32, ge=1, description="the longest text that the model may write, in tokens")
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = Field(("\n",), description="texts that end the writing")
    temperature: float = Field(0.0, ge=0, description="0 for greedy decoding")
    top_p: float = Field(1.0, gt=0, le=1, description="sample from the likeliest tokens of this total probability")
    seed: int = Field(0, description="of the sampling; each example's own seed comes from it and the example's id")

    def requests(self, example: Example) -> list[Request]:
        prompt = self.prompt(example)
        seed = example_seed(self.seed, example.id)
        targets = self.targets(example) if self.temperature == 0.0 else ()
        return [Generation(prompt, self.max_new_tokens, self.stop, self.temperature, self.top_p, seed, targets)]

    def targets(self, example: Example) -> tuple[str, ...]:
        """Whole texts that would be right, as a model may write them; none where they cannot be listed."""
        return ()


def example_seed(seed: int, example_id: str) -> int:
    """32 bits that depend on the seed and the id alone, so an example is sampled alike in any order and batch."""
    return int.from_bytes(hashlib.blake2b(f"{seed}\n{example_id}".encode(), digest_size=4).digest())
