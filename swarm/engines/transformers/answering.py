"""From requests to replies: batches, then logits from wherever a recipe has them, then scores and texts.

The base's distributions are those of the base alone, whatever the recipe.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from swarm.core.errors import NotFiniteError
from swarm.core.recipes import Recipe
from swarm.core.requests import Answer, Method, Reply
from swarm.engines.encoding import Requests
from swarm.engines.transformers.base_distributions import BaseDistributions, Bases
from swarm.engines.transformers.batches import Batcher, Batches
from swarm.engines.transformers.decoding import decoder
from swarm.engines.transformers.forward import Forward
from swarm.engines.transformers.generation import Generator, OpenDecoder
from swarm.engines.transformers.load_model import synchronize
from swarm.engines.transformers.packing import Packing
from swarm.engines.transformers.prefix_cache import PrefixCache
from swarm.engines.transformers.scoring import log_likelihoods
from swarm.engines.transformers.stacked import base_recipe

Put = Callable[[Recipe], None]


@dataclass(frozen=True)
class Path:
    """Where logits come from.

    logits_of: those that a packing needs, particle after particle, shape (particles * M, V).
    open_decoder: a decoder of a batch of prompts.
    """

    logits_of: Callable[[Packing], Tensor]
    open_decoder: OpenDecoder

    @classmethod
    def of_model(cls, forward: Forward, prefixes: PrefixCache, particles: int) -> "Path":
        """The model with what is in place."""
        return cls(
            lambda packing: forward.logits(packing, particles, prefixes.get(packing.prefix, particles)),
            lambda batch, each: decoder(forward, batch, each, prefixes.get(batch.prefix, each)),
        )


@dataclass(frozen=True)
class Answering:
    """Answers requests with a model. put: puts a recipe's weights in place."""

    forward: Forward
    prefixes: PrefixCache
    batcher: Batcher
    bases: BaseDistributions
    generator: Generator
    put: Put

    def replies(
        self,
        recipes: Sequence[Recipe],
        requests: Requests,
        method: Method,
        put: Callable[[], None],
        path: Path | None = None,
        bases: BaseDistributions | None = None,
    ) -> list[Reply]:
        """Put the recipes in place with `put`, then answer. The seconds are divided evenly among the recipes.

        path: where logits come from; None: from the model with what is in place. bases: in place of `self.bases`.
        """
        particles, prefix_tokens = len(recipes), self.prefixes.tokens
        start = time.perf_counter()
        batches = self.batcher.batches(requests, particles)
        known = (bases or self.bases).of(batches, base_recipe(recipes[0]), self.put)
        self.prefixes.use((method, *recipes))
        put()
        synchronize()
        composed = time.perf_counter()
        path = path or Path.of_model(self.forward, self.prefixes, particles)
        answers = self._answers(batches, particles, known, path)
        synchronize()
        done = time.perf_counter()
        prefix_tokens = self.prefixes.tokens - prefix_tokens
        return [
            Reply(
                answers=tuple(each),
                tokens=batches.tokens + prefix_tokens + sum(each[i].n_tokens for i in batches.generated),
                compose_seconds=(composed - start) / particles,
                forward_seconds=(done - composed) / particles,
                method=method,
            )
            for each in answers
        ]

    def _answers(self, batches: Batches, particles: int, bases: Bases, path: Path) -> list[list[Answer]]:
        """For each particle the answers in the order of the requests."""
        scores = log_likelihoods(path.logits_of, batches.continuations, batches.packings, particles, bases)
        if not all(math.isfinite(each.log_likelihood) for of in scores for each in of):
            raise NotFiniteError("the log-likelihood is not finite: the composed weights are out of range")
        texts = self.generator.generate(batches.generations, batches.prompts, particles, path.open_decoder)
        places = (*batches.scored, *batches.generated)
        answers: list[list[Answer]] = []
        for each in zip(scores, texts, strict=True):
            by_place: dict[int, Answer] = dict(zip(places, (*each[0], *each[1]), strict=True))
            answers.append([by_place[i] for i in range(len(places))])
        return answers


def in_groups(recipes: Sequence[Recipe], requests: Requests, answer: Callable[[Recipe, Requests], Reply]) -> Reply:
    """The reply to all requests, where those whose recipe is the same object are answered together."""
    places: dict[int, list[int]] = {}
    for i, recipe in enumerate(recipes):
        places.setdefault(id(recipe), []).append(i)
    answers: dict[int, Answer] = {}
    replies = []
    for own in places.values():
        replies.append(answer(recipes[own[0]], Requests(tuple(requests.items[i] for i in own))))
        answers |= dict(zip(own, replies[-1].answers, strict=True))
    return Reply(
        answers=tuple(answers[i] for i in range(len(recipes))),
        tokens=sum(reply.tokens for reply in replies),
        compose_seconds=sum(reply.compose_seconds for reply in replies),
        forward_seconds=sum(reply.forward_seconds for reply in replies),
    )
