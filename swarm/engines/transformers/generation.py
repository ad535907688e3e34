"""Greedy and seeded sampled generation, token by token; finished rows leave the batch.

Shape suffixes: N rows that are still generated, V vocabulary.
"""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field

import torch

from swarm.core.requests import Generation, Text
from swarm.engines.encoding import Tokenizer
from swarm.engines.transformers.decoding import Decoder
from swarm.engines.transformers.margins import AnswerMargins
from swarm.engines.transformers.prompts import PromptBatch
from swarm.engines.transformers.sampling import choose
from swarm.engines.transformers.stopping import Stopping

OpenDecoder = Callable[[PromptBatch, int], Decoder]
"""Called with a batch and the number of particles that generate from each of its prompts."""


@dataclass(slots=True)
class GenerationRow:
    """One text that is being generated.

    index: the index of its request.
    particle: the particle that generates it.
    request: what was asked.
    limit: tokens at most.
    non_stop: tokens after which the text continues, unless it has reached its limit.
    tokens: the tokens so far.
    text: the text, once it has ended.
    """

    index: int
    particle: int
    request: Generation
    limit: int
    non_stop: Set[int]
    tokens: list[int] = field(default_factory=list)
    text: str | None = None


class Generator:
    """Generates texts, token by token. end_ids: the tokens that end any text."""

    def __init__(self, tokenizer: Tokenizer, end_ids: frozenset[int]) -> None:
        self._stopping = Stopping(tokenizer, end_ids)

    @torch.inference_mode()
    def generate(
        self,
        requests: Sequence[Generation],
        batches: Sequence[PromptBatch],
        particles: int,
        open_decoder: OpenDecoder,
    ) -> list[list[Text]]:
        """For each particle a text for every request, in their order. Sampling depends on the request's seed alone.

        open_decoder: what gives the logits of the next tokens of a batch.
        Raises EvaluationError where logits are not finite.
        """
        texts: list[dict[int, Text]] = [{} for _ in range(particles)]
        for batch in batches:
            rows = [self._row(requests[i], i, p) for p in range(particles) for i in batch.indices]
            margins = AnswerMargins(batch.targets, particles, batch.ids_BT.device)
            self._decode(open_decoder(batch, particles), rows, margins, batch.ids_BT.device)
            for row, margin in zip(rows, margins.margins(), strict=True):
                texts[row.particle][row.index] = Text(row.text or "", len(row.tokens), margin)
        return [[of[i] for i in range(len(requests))] for of in texts]

    def _row(self, request: Generation, index: int, particle: int) -> GenerationRow:
        non_stop = self._stopping.non_stop_tokens(request.stop)
        return GenerationRow(index, particle, request, request.max_new_tokens, non_stop)

    def _decode(
        self, decoding: Decoder, rows: Sequence[GenerationRow], margins: AnswerMargins, device: torch.device
    ) -> None:
        """Token by token until every row has its text; the margins record every step."""
        active, sampling = list(rows), any(row.request.temperature > 0 for row in rows)
        logits_NV = decoding.start()
        while active:
            step = len(active[0].tokens)
            tokens_N = choose(logits_NV, [row.request for row in active] if sampling else (), step)
            tokens = tokens_N.tolist()
            ended, cut = self._append(active, tokens)
            margins.record(logits_NV, tokens, ended, cut)
            if ended or cut:
                going = [b for b, row in enumerate(active) if row.text is None]
                if not going:
                    return
                keep = torch.tensor(going, dtype=torch.long, device=device)
                decoding.keep(keep)
                tokens_N = tokens_N[keep]
                active = [active[b] for b in going]
            logits_NV = decoding.step(tokens_N)

    def _append(self, active: Sequence[GenerationRow], tokens: Sequence[int]) -> tuple[list[int], list[int]]:
        """Append a token to each row. Returns the places of the rows that it ended, and of those cut by their limit."""
        ended, cut = [], []
        for b, (row, token) in enumerate(zip(active, tokens, strict=True)):
            row.tokens.append(token)
            full = len(row.tokens) >= row.limit
            if token in row.non_stop and not full:
                continue
            row.text = self._stopping.finished_text(row.request.stop, row.tokens)
            if row.text is not None:
                ended.append(b)
            elif full:
                row.text = self._stopping.text(row.tokens)
                cut.append(b)
        return ended, cut
