"""Prefixes that several token sequences share: few-shot examples, system prompts, chat templates."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile

MIN_SHARED = 16  # tokens in common
MIN_SAVED = 256  # tokens: below, a pass of its own costs more than it saves

Tokens = tuple[int, ...]


@dataclass(frozen=True)
class Family:
    """Sequences (by index) that start with the same tokens. The prefix may be empty."""

    prefix: Tokens
    members: tuple[int, ...]

    @property
    def saved(self) -> int:
        """Tokens that need not be computed."""
        return (len(self.members) - 1) * len(self.prefix)


def families(sequences: Sequence[Tokens], share: bool = True, min_saved: int = MIN_SAVED) -> list[Family]:
    """A partition of the sequences by common prefix, where it saves enough; a token of each is left after it.

    Of nested prefixes, a system prompt before several sets of shots, the ones that save most.
    """
    if not share:
        return [Family((), tuple(range(len(sequences))))]
    shared = _divided(sequences, sorted(range(len(sequences)), key=lambda i: sequences[i]), min_saved)
    inside = {i for family in shared for i in family.members}
    alone = tuple(i for i in range(len(sequences)) if i not in inside)
    return [*shared, Family((), alone)] if alone else shared


def _divided(sequences: Sequence[Tokens], run: Sequence[int], min_saved: int) -> list[Family]:
    """What saves most of a sorted run: all of it as one family, or its branches, divided in turn."""
    if len(run) < 2:
        return []
    whole = Family(_prefix(sequences, run), tuple(sorted(run)))
    branches = _branches(sequences, run, len(whole.prefix))
    apart = [family for branch in branches if len(branches) > 1 for family in _divided(sequences, branch, min_saved)]
    pays = len(whole.prefix) >= MIN_SHARED and whole.saved >= min_saved
    return [whole] if pays and whole.saved >= sum(family.saved for family in apart) else apart


def _branches(sequences: Sequence[Tokens], run: Sequence[int], depth: int) -> list[list[int]]:
    """The run by the token at a depth."""
    return [list(branch) for _, branch in groupby(run, key=lambda i: sequences[i][depth])]


def _prefix(sequences: Sequence[Tokens], run: Sequence[int]) -> Tokens:
    # Sorted, the first and the last of a run differ most.
    return sequences[run[0]][: _common(sequences[run[0]], sequences[run[-1]])]


def _common(one: Tokens, other: Tokens) -> int:
    """Length of the common prefix, one token less where it is all of a sequence."""
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
    return min(same, len(one) - 1, len(other) - 1)
