"""Copies of the base's embeddings and head in an adapter: PEFT saves them beside the factors, trained or not."""

from collections.abc import Sequence
from dataclasses import replace

from swarm.core.errors import ExpertError
from swarm.experts.expert import Base
from swarm.experts.lora import Adapter, check_copies

RESIZED = (
    "resize the base in the same way (resize_token_embeddings), merge an adapter into it with PEFT's "
    "merge_and_unload, and give both checkpoints"
)


def check_saved_copies(adapter: Adapter, base: Base, owner: str) -> None:
    """Raise ExpertError where a copy is not the base's own tensor: then tokens were added, or it is another base."""
    for parameter, name in adapter.copies.items():
        pristine = base.ties.get(parameter, parameter)
        if pristine in base.tensors.info:
            check_rows(owner, parameter, adapter.files.info[name].shape, base.tensors.info[pristine].shape)
        check_copies(replace(adapter, copies={pristine: name}), base.tensors, owner)


def check_rows(owner: str, parameter: str, theirs: Sequence[int], ours: Sequence[int]) -> None:
    """Raise ExpertError where embeddings or a head have more or fewer tokens than the base's."""
    named = any(word in parameter for word in ("embed", "lm_head", "wte"))
    if named and len(theirs) == len(ours) == 2 and theirs[0] != ours[0] and theirs[1] == ours[1]:
        raise _resized(owner, f"{parameter} has {theirs[0]} rows", theirs[0], ours[0])


def check_vocabulary_size(owner: str, theirs: object, ours: object) -> None:
    """Raise ExpertError where a checkpoint's vocab_size is not the base's."""
    if isinstance(theirs, int) and isinstance(ours, int) and theirs != ours:
        raise _resized(owner, f"vocab_size is {theirs}", theirs, ours)


def _resized(owner: str, what: str, theirs: int, ours: int) -> ExpertError:
    tokens = f"{abs(theirs - ours)} tokens were {'added' if theirs > ours else 'removed'}"
    return ExpertError(f"{owner}: {what}, but the base has {ours}: {tokens}; {RESIZED}")
