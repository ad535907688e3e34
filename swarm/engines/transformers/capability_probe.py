"""Whether a model takes shared prompts and stacked particles: it is asked at the start, rather than known by its name.

Attention that is no plain one (positions from the mask, recurrent layers) gives other answers when continuations lie
behind one another under a mask of ours, or refuses it; a layer that is called on flattened rows cannot be stacked.

Shape suffixes: P particles, M logits, V vocabulary.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from swarm.core.requests import Continuation
from swarm.engines.encoding import Encoded
from swarm.engines.transformers.forward import Forward
from swarm.engines.transformers.packing import BatchLimits, packings

PROMPT = 20
TOLERANCE = {torch.float32: 1e-3, torch.float16: 5e-2, torch.bfloat16: 1e-1}  # merging rounds every weight
REFUSALS = (RuntimeError, ValueError, TypeError, AttributeError, IndexError, KeyError, AssertionError)


@dataclass(frozen=True)
class CapabilityProbe:
    """Two prompts of random tokens with a common start and three continuations each."""

    forward: Forward
    vocabulary: int
    dtype: torch.dtype

    def takes_sharing(self) -> bool:
        """True where laid out together and apart give the same logits."""
        return self.agree(self.logits(share=False), lambda: self.logits(share=True))

    def agree(self, expected_MV: Tensor, found: Callable[[], Tensor]) -> bool:
        """Whether logits are the expected ones, relative to how far those lie from their mean."""
        try:
            difference = (expected_MV - found()).norm()
        except REFUSALS:
            return False
        spread = (expected_MV - expected_MV.mean(dim=1, keepdim=True)).norm()
        return bool(difference <= TOLERANCE[self.dtype] * spread)

    @torch.inference_mode()
    def logits(self, share: bool = False, particles: int = 1) -> Tensor:
        """Float32, particle after particle, in the order of requests and tokens, whatever the layout."""
        found = []
        for layout in packings(self._asked(), BatchLimits(1 << 12, 1 << 12, share, min_saved=1), self.forward.device):
            cache = self.forward.prefix(layout.prefix, particles) if layout.prefix else None
            logits_MV = self.forward.logits(layout, particles, cache).float()
            logits_PMV = logits_MV.view(particles, -1, logits_MV.shape[1])
            found += [(owner, i, logits_PMV[:, i]) for i, owner in enumerate(layout.owner_M.tolist())]
        in_order = [logits_PV for _, _, logits_PV in sorted(found, key=lambda item: item[:2])]
        return torch.stack(in_order, dim=1).flatten(0, 1)

    def _asked(self) -> list[Encoded]:
        generator = torch.Generator().manual_seed(0)
        tokens: list[int] = torch.randint(self.vocabulary, (PROMPT + 16,), generator=generator).tolist()
        prompts = [tuple(tokens[:PROMPT]), (*tokens[: PROMPT - 2], tokens[-1], tokens[-2])]
        texts = [tuple(tokens[PROMPT + 4 * k : PROMPT + 4 * k + 4]) for k in range(3)]
        return [Encoded(Continuation("", ""), prompt, text) for prompt in prompts for text in texts]
