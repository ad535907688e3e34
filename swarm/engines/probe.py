"""Whether a model takes shared prompts and prefixes: it is asked once, at the start, rather than known by its name.

Attention that is no plain one (a sliding window, positions from the mask, recurrent layers) gives other answers
when continuations lie behind one another under a mask of ours, or refuses it.
"""

import torch

from swarm.engines.encoding import Encoded
from swarm.engines.forward import Forward
from swarm.engines.layout import Limits, layouts
from swarm.types import Continuation

PROMPT = 20
TOLERANCE = {torch.float32: 1e-3, torch.float16: 1e-2, torch.bfloat16: 5e-2}


@torch.inference_mode()
def takes_sharing(forward: Forward, vocabulary: int, dtype: torch.dtype) -> bool:
    """True where laid out together and apart give the same logits, relative to how far they differ from their mean."""
    generator = torch.Generator().manual_seed(0)
    tokens: list[int] = torch.randint(vocabulary, (PROMPT + 16,), generator=generator).tolist()
    prompts = [tuple(tokens[:PROMPT]), (*tokens[: PROMPT - 2], tokens[-1], tokens[-2])]
    texts = [tuple(tokens[PROMPT + 4 * k : PROMPT + 4 * k + 4]) for k in range(3)]
    asked = [Encoded(Continuation("", ""), prompt, text) for prompt in prompts for text in texts]
    try:
        apart, together = (_logits(forward, asked, share) for share in (False, True))
    except (RuntimeError, ValueError, TypeError, AttributeError, IndexError, KeyError):
        return False
    spread = (apart - apart.mean(dim=1, keepdim=True)).norm()
    return bool((apart - together).norm() <= TOLERANCE[dtype] * spread)


def _logits(forward: Forward, asked: list[Encoded], share: bool) -> torch.Tensor:
    """The logits in the order of requests and tokens, whatever the layout."""
    found = []
    for layout in layouts(asked, Limits(1 << 12, 1 << 12, share, min_saved=1), forward.device):
        cache = forward.prefix(layout.prefix, 1) if layout.prefix else None
        logits = forward.logits(layout, 1, cache).float()
        found += list(zip(layout.owner_M.tolist(), range(len(logits)), logits, strict=True))
    return torch.stack([logits for _, _, logits in sorted(found, key=lambda item: item[:2])])
