"""What the tests of racing share: seeds, settings, and the race of one candidate."""

from typing import Any

from swarm.core.candidates import PruningBounds
from swarm.evaluation.racing import Race, Racing

SEEDS = range(20)
OFF, EXACT, SEQUENTIAL = Racing(rungs=()), Racing(), Racing(sequential=True)
UNIT = (0.0, 1.0)


def race(n: int = 200, racing: Racing = EXACT, **pruning: Any) -> Race:
    """Of one objective, "right"."""
    return Race(racing, PruningBounds(**pruning), {"right": n}, {"right": UNIT}, {"right": 1.0})
