"""Prefixes that several token sequences share: few-shot examples, system prompts, chat templates."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile

# Both are rules of thumb, not measurements: a shared prefix costs one more forward pass, so short ones do not pay.
MIN_SHARED = 16  # tokens that a prefix needs
MIN_SAVED = 256  # tokens that sharing has to save in all

Tokens = tuple[int, ...]


@dataclass(frozen=True)
class PrefixGroup:
    """Sequences that start with the same tokens.

    prefix: those tokens; empty for the sequences that share nothing.
    members: the indices of the sequences, ascending.
    """

    prefix: Tokens
    members: tuple[int, ...]

    @property
    def saved(self) -> int:
        """Tokens that need not be computed."""
        return (len(self.members) - 1) * len(self.prefix)


def prefix_groups(sequences: Sequence[Tokens], share: bool = True, min_saved: int = MIN_SAVED) -> list[PrefixGroup]:
    """A partition of the sequences by common prefix, where sharing it saves enough. The rest share an empty prefix.

    Every sequence keeps at least one token after its prefix. Where prefixes are nested (a system prompt before several
    sets of shots), those that save most are shared.
    """
    if not share:
        return [PrefixGroup((), tuple(range(len(sequences))))]
    shared = _groups(sequences, sorted(range(len(sequences)), key=lambda i: sequences[i]), min_saved)
    inside = {i for group in shared for i in group.members}
    alone = tuple(i for i in range(len(sequences)) if i not in inside)
    return [*shared, PrefixGroup((), alone)] if alone else shared


def _groups(sequences: Sequence[Tokens], run: Sequence[int], min_saved: int) -> list[PrefixGroup]:
    """What saves most: the whole of a sorted run as one group, or the groups of its parts, found in the same way."""
    if len(run) < 2:
        return []
    whole = PrefixGroup(_prefix(sequences, run), tuple(sorted(run)))
    parts = _parts(sequences, run, len(whole.prefix))
    apart = [group for part in parts if len(parts) > 1 for group in _groups(sequences, part, min_saved)]
    pays = len(whole.prefix) >= MIN_SHARED and whole.saved >= min_saved
    return [whole] if pays and whole.saved >= sum(group.saved for group in apart) else apart


def _parts(sequences: Sequence[Tokens], run: Sequence[int], depth: int) -> list[list[int]]:
    """The run split by the token at a depth."""
    return [list(part) for _, part in groupby(run, key=lambda i: sequences[i][depth])]


def _prefix(sequences: Sequence[Tokens], run: Sequence[int]) -> Tokens:
    # In a sorted run, the first and the last differ most.
    return sequences[run[0]][: _common(sequences[run[0]], sequences[run[-1]])]


def _common(one: Tokens, other: Tokens) -> int:
    """Length of the common prefix, one token less where it is the whole of a sequence."""
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
    return min(same, len(one) - 1, len(other) - 1)
