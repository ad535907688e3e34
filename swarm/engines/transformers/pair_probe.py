"""Which batches an encoder-decoder allows: padded prompts or those of one length, with a cache or without.

It is tested as for other models (capability_probe.py). Candidates are merged one after another, and no layers are kept.

Shape suffixes: S columns of prompts, T columns of texts, M logits, V vocabulary.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from swarm.core.errors import ExpertError, first_line
from swarm.core.requests import Generation
from swarm.engines.encoding import Encoded
from swarm.engines.transformers.capability_probe import (
    PREFIX,
    REFUSALS,
    TOLERANCE,
    WRITTEN,
    Capabilities,
    CapabilityProbe,
    Logits,
    Sample,
    random_requests,
    written_logits,
)
from swarm.engines.transformers.encoder_decoder import EncoderDecoderForward, PairDecoder
from swarm.engines.transformers.frozen_layers_cache import FrozenLayersCache
from swarm.engines.transformers.packing import BatchLimits
from swarm.engines.transformers.pairs import pair_packings, pair_prompts

SCORING: tuple[tuple[Mapping[str, Any], str], ...] = (
    ({}, ""),
    ({"equal": True}, "continuations are scored in batches of prompts of one length"),
)
GENERATION: tuple[tuple[Mapping[str, Any], str], ...] = (
    ({}, ""),
    ({"equal": True}, "texts are generated in batches of prompts of one length"),
    ({"equal": True, "decode": "recompute"}, "texts are generated without a cache, which is slow"),
)


@dataclass(frozen=True)
class PairProbe(CapabilityProbe):
    """Asks an encoder-decoder for what follows prompts of random tokens."""

    forward: EncoderDecoderForward

    def capabilities(self, kept: FrozenLayersCache | None = None) -> Capabilities:
        """What agrees with the model alone. Raises ExpertError where nothing does."""
        tokens, rules = self.forward.tokens, self.forward.rules
        requests = random_requests(self.vocabulary, PREFIX)
        scoring, scored = self._first(SCORING, [self._after(requests, tokens.start)], self._scored)
        ways = GENERATION[1:] if rules.read_prompts else GENERATION
        generation, generated = self._first(ways, [self._after(requests, (tokens.first,))], self._generated)
        beams = f"texts are generated without the {rules.beams} beams of generation_config.json"
        notes = (scored, generated, beams if rules.beams > 1 else "")
        return Capabilities(scoring, generation, keeps_layers=False, notes=tuple(filter(None, notes)))

    @torch.inference_mode()
    def _after(self, requests: Sequence[Encoded], start: tuple[int, ...]) -> Sample:
        """The requests, each read by itself. Raises ExpertError where the model cannot read or looks ahead.

        start: what the decoder reads before a continuation.
        """
        found = []
        for item in requests:
            prompt = torch.tensor([item.prompt], device=self.forward.device)
            text = torch.tensor([start + item.continuation[:-1]], device=self.forward.device)
            try:
                logits_TV = self.forward.alone(prompt, text)[0].float()
                cut_TV = self.forward.alone(prompt, text[:, :-1])[0].float()
            except REFUSALS as error:
                raise ExpertError(f"{self.name}: it cannot be run ({first_line(error)}); use another base") from error
            if (logits_TV[:-1] - cut_TV).norm() > TOLERANCE[self.dtype] * (cut_TV - cut_TV.mean()).norm():
                raise ExpertError(f"{self.name}: it sees the text that it is asked for; use another base")
            found.append(logits_TV[len(start) - 1 :])
        return Sample(requests, torch.cat(found))

    @torch.inference_mode()
    def _scored(self, sample: Sample, limits: BatchLimits, particles: int = 1, passes: int = 1) -> Logits:
        found: dict[int, list[Tensor]] = {}
        limits = replace(limits, columns=1 << 12, logits=1 << 12)
        for packing in pair_packings(sample.requests, limits, self.forward.device, self.forward.tokens):
            logits_MV = self.forward.logits(packing, 1, None).float()
            for i, owner in enumerate(packing.owner_M.tolist()):
                found.setdefault(owner, []).append(logits_MV[None, i])
        return {owner: torch.stack(each, dim=1) for owner, each in found.items()}

    @torch.inference_mode()
    def _generated(self, sample: Sample, limits: BatchLimits) -> Logits:
        found: dict[int, Tensor] = {}
        prompts = [(Generation("", WRITTEN), item) for item in sample.requests]
        limits = replace(limits, columns=1 << 12)
        for batch in pair_prompts(prompts, limits, self.forward.device, self.forward.tokens, None):
            written = [sample.requests[i].continuation for i in batch.indices]
            decoding = PairDecoder(self.forward, batch, ruled=False)
            found |= dict(zip(batch.indices, written_logits(decoding, written, self.forward.device), strict=True))
        return found
