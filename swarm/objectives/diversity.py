"""Output diversity: how much several samples of one prompt differ (arXiv 2510.22954).

Diversity alone rewards noise: the most diverse model writes random words. Hold it beside a quality objective with a
floor, on the same prompts.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from swarm.core.examples import Example
from swarm.core.requests import Answer, Generation, Request, Text
from swarm.objectives.base import Scored
from swarm.objectives.diversity_measures import compression, dissimilarity, distinct_n, vendi
from swarm.objectives.generating import GeneratingObjective, example_seed
from swarm.objectives.sentence_encoder import check_encoder, embeddings, encoder_version

EMBEDDING = ("embedding", "vendi")  # measures of sentence embeddings


class Diversity(GeneratingObjective):
    """Several samples a prompt, each from a seed of its own: (seed, id, number), the same for all candidates.

    Score: from 0, where all samples are the same, to 1. `distinct_n`: unique n-grams; `compression`: how little they
    compress together; `embedding`: mean dissimilarity of sentence embeddings; `vendi`: the effective number of
    different samples. The last two need the extra `diversity`, and read English best.
    """

    type: Literal["diversity"] = "diversity"
    metric: Literal["distinct_n", "compression", "embedding", "vendi"] = Field(
        "distinct_n", description="how samples are compared: distinct_n, compression, embedding or vendi"
    )
    samples: int = Field(8, ge=2, le=64, description="texts that are sampled for each prompt")
    max_new_tokens: int = Field(64, ge=1, description="the most tokens that the model generates, for each sample")
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = Field((), description="texts that end a sample")
    temperature: float = Field(1.0, gt=0, description="of the sampling; higher is more diverse")
    top_p: float = Field(0.9, gt=0, le=1, description="sample from the most likely tokens of this total probability")
    unrelated: float = Field(
        0.05,
        ge=-1,
        lt=1,
        description="for embedding: the mean cosine of samples of different prompts, at which the score is 1",
    )
    needs_answer: ClassVar[bool] = False

    @property
    def range(self) -> tuple[float, float]:
        return 0.0, 1.0

    def decisive(self) -> dict[str, object]:
        return super().decisive() | ({"encoder": encoder_version()} if self.metric in EMBEDDING else {})

    def check(self, example: Example) -> None:
        super().check(example)
        if self.metric in EMBEDDING:
            check_encoder(f"objectives.{self.name}.metric: {self.metric}")

    def notes(self, examples: Sequence[Example]) -> list[str]:
        return [
            f"{self.name}: {self.samples} samples of each prompt, and noise is diverse: hold an objective of quality "
            "beside it, with a floor"
        ]

    def requests(self, example: Example) -> list[Request]:
        (request,) = super().requests(example)
        assert isinstance(request, Generation)
        return [replace(request, seed=example_seed(self.seed, f"{example.id}\n{k}")) for k in range(self.samples)]

    def score(self, example: Example, answers: Sequence[Answer]) -> Scored:
        """The output is all samples, a line each."""
        texts = [answer.text for answer in answers if isinstance(answer, Text)]
        assert len(texts) == self.samples, f"{self.samples} texts asked for, got {answers}"
        return Scored(self._measured([text.strip() for text in texts]), "\n".join(" ".join(t.split()) for t in texts))

    def right(self, example: Example) -> tuple[str, ...]:
        return ("samples that differ",)

    def _measured(self, texts: Sequence[str]) -> float:
        if self.metric == "distinct_n":
            return distinct_n(texts)
        if self.metric == "compression":
            return compression(texts)
        vectors_KD = embeddings(texts)
        return vendi(vectors_KD) if self.metric == "vendi" else dissimilarity(vectors_KD, self.unrelated)
