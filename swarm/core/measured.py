"""What is measured of a candidate where several things count: objectives that a search holds apart, and floors."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """Mean scores with their standard errors. Higher is better.

    values: what the search maximises: one mean score for each objective that is held apart, or the utility alone.
    errors: their standard errors.
    slacks: by how much each floor is kept; below zero it is broken.
    slack_errors: their standard errors.
    """

    values: tuple[float, ...]
    errors: tuple[float, ...]
    slacks: tuple[float, ...] = ()
    slack_errors: tuple[float, ...] = ()
