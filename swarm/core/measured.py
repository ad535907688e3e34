"""What is measured of a candidate where several things count: objectives that a search holds apart, and floors."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """Mean scores with their standard errors. Higher is better.

    values: what the search maximises: one mean score for each objective that is held apart, or the utility alone.
    errors: their standard errors.
    references: the least that counts of each value; NaN where that is for the search to say.
    slacks: by how much each floor is kept, below zero where it is broken; where the floor counts from the base's score,
        the score itself.
    slack_errors: their standard errors.
    allowed: for each floor, how far below the base's score it lies; NaN where it does not count from there.
    """

    values: tuple[float, ...]
    errors: tuple[float, ...]
    references: tuple[float, ...] = ()
    slacks: tuple[float, ...] = ()
    slack_errors: tuple[float, ...] = ()
    allowed: tuple[float, ...] = ()
