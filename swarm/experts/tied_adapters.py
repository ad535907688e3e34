"""Adapters of a base whose head is its input embedding: one tensor with two uses.

PEFT lets an adapter change one use and not the other, or both apart. That has no place in one tensor, and PEFT's own
merge_and_unload gives another model than was trained. What changes both uses alike is read as one update.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch

from swarm.core.errors import ExpertError
from swarm.experts.expert import HEADS
from swarm.experts.lora import Adapter
from swarm.experts.updates import Delta, LowRank, Update, product_of

INPUT_EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "embed_in.weight", "word_embeddings.weight",
                    "tok_embeddings.weight", "embeddings.weight")  # fmt: skip


def check_tied_uses(adapter: Adapter, ties: Mapping[str, str], owner: str) -> None:
    """Raise ExpertError where an adapter changes one use of an encoder-decoder's tied embeddings.

    Encoder, decoder and perhaps the head have them in common. PEFT's forward pass changes the uses that it wraps, its
    merge_and_unload changes others. Only trained rows are followed by all uses, if the head is one of them.
    """
    tied = {*ties, *ties.values()}
    heads = [name for name in ties if name.endswith(HEADS)]
    changed = [name for name in adapter.parameters() if name in tied and not (heads and name in adapter.tokens)]
    if changed:
        uses = ", ".join(sorted(tied - {changed[0]}))
        raise ExpertError(
            f"{owner}: this adapter changes {changed[0]}, which the base ties to {uses}, and PEFT's forward pass and "
            "its merge_and_unload differ there; train it again without the embeddings, or give a full fine-tune"
        )


def one_update_for_both(adapter: Adapter, heads: tuple[str, ...], owner: str) -> Adapter:
    """The adapter with its updates of head and embedding as one update of the embedding.

    heads: how the head's weight is named. Raises ExpertError where the two uses are changed otherwise than alike.
    """
    changed = adapter.parameters()
    head = next((name for name in changed if name.endswith(heads)), None)
    embedding = next((name for name in changed if name.endswith(INPUT_EMBEDDINGS)), None)
    if head is None and embedding is None:
        return adapter
    if head is None and embedding in adapter.tokens:  # PEFT lets the tied head follow trained rows
        return adapter
    if head is None or embedding is None or not _changed_alike(adapter, embedding, head):
        what = "both apart" if head and embedding else f"{head or embedding} alone"
        raise ExpertError(
            f"{owner}: the base ties lm_head to its embeddings, and this adapter changes {what}; give as base a copy "
            "with tie_word_embeddings false and an lm_head of its own (docs/adapters.md)"
        )
    return replace(
        adapter,
        factors={name: factors for name, factors in adapter.factors.items() if name != head},
        saved={name: tensor for name, tensor in adapter.saved.items() if name != head},
    )


def _changed_alike(adapter: Adapter, embedding: str, head: str) -> bool:
    return not {embedding, head} & {*adapter.computed} and _alike(adapter.update(embedding), adapter.update(head))


def _alike(one: Update, other: Update) -> bool:
    if isinstance(one, LowRank) and isinstance(other, LowRank):
        if one.rank != other.rank:
            return False
        products = product_of(one), product_of(other)
        return products[0].shape == products[1].shape and torch.allclose(*products, rtol=1e-5, atol=1e-7)
    if isinstance(one, LowRank | Delta) or isinstance(other, LowRank | Delta):
        return False
    return one.value.shape == other.value.shape and torch.equal(one.value, other.value)
