"""Prefixes that several token sequences share: few-shot examples, system prompts, chat templates."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

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
    """A partition of the sequences by common prefix, where it saves enough; a token of each is left after it."""
    if not share:
        return [Family((), tuple(range(len(sequences))))]
    order = sorted(range(len(sequences)), key=lambda i: sequences[i])
    runs: list[list[int]] = []
    for i in order:
        if runs and _common(sequences[runs[-1][0]], sequences[i]) >= MIN_SHARED:
            runs[-1].append(i)
        else:
            runs.append([i])
    found = [Family(_prefix(sequences, run), tuple(sorted(run))) for run in runs]
    shared = [family for family in found if family.saved >= min_saved]
    alone = sorted(i for family in found if family.saved < min_saved for i in family.members)
    return [*shared, Family((), tuple(alone))] if alone else shared


def _prefix(sequences: Sequence[Tokens], run: Sequence[int]) -> Tokens:
    # Sorted, the first and the last of a run differ most.
    return sequences[run[0]][: _common(sequences[run[0]], sequences[run[-1]])]


def _common(one: Tokens, other: Tokens) -> int:
    """Length of the common prefix, one token less where it is all of a sequence."""
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
    return min(same, len(one) - 1, len(other) - 1)
