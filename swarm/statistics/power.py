"""What a test split can tell apart, by its number of examples alone: known before anything is scored."""

import math

CHANGED = 0.2  # share of test answers that differ between two good weightings: a rough, cautious value
FEW = 77  # with fewer examples, differences of less than ten points cannot be told apart


def smallest_difference(examples: int) -> float:
    """Half the width of a 95 % interval of a paired difference, where a fifth of right-or-wrong answers change.

    At most 1, the whole range of the scores.
    """
    return min(1.0, 1.96 * math.sqrt(CHANGED / examples))
