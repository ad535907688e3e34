"""Who follows a run: the command line's display, or a program's own."""

import time
from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

from swarm.core.candidates import Candidate, Evaluation
from swarm.core.examples import Split
from swarm.journal.archive import Archive
from swarm.preferences.weighted_sum import utility
from swarm.search.baselines import Baselines
from swarm.search.status import Status

ScoresSoFar = Mapping[
    str, float
]  # "base", "best expert (maths)", "best expert so far (maths)", "uniform weights", "selected (17-3)" -> utility

QUIET_SECONDS = 3.0  # a replay that is over sooner is not worth a line
REPLAY = "repeating the optimizer's steps"


class Listener(Protocol):
    """Hears what a run is doing, and what the user should know."""

    def phase(self, text: str) -> None:
        """A phase begins."""

    def note(self, text: str) -> None:
        """Something that the user should know."""

    def evaluated(self, evaluation: Evaluation, status: Status) -> None:
        """A candidate of the search was scored; status: that of the search, with it."""


@runtime_checkable
class CloseListener(Listener, Protocol):
    """A listener that also hears how far each phase is."""

    def steps(self, done: int, of: int) -> None:
        """So many of the phase's steps are done. The first call of a phase says where it begins."""

    def scores_so_far(self, split: Split, scores: ScoresSoFar) -> None:
        """The utilities of the baselines on a split, and that of the selected candidate, as far as they are known."""


def tell_steps(listener: Listener, done: int, of: int) -> None:
    """Tell a listener that wants to know."""
    if isinstance(listener, CloseListener):
        listener.steps(done, of)


def telling_replay(
    listener: Listener, phase: str, clock: Callable[[], float] = time.monotonic
) -> Callable[[int, int], None]:
    """What tells a listener of the steps that a resumed search takes again, once that has taken some seconds.

    phase: the one that they are part of, which goes on afterwards.
    """
    began, told = clock(), False

    def replayed(done: int, of: int) -> None:
        nonlocal told
        if not told and clock() - began < QUIET_SECONDS:
            return
        if not told:
            listener.phase(REPLAY)
        told = True
        tell_steps(listener, done, of)
        if done == of:
            listener.phase(phase)

    return replayed


def tell_scores_so_far(
    listener: Listener,
    archive: Archive,
    baselines: Baselines,
    weights: Mapping[str, float],
    split: Split,
    selected: Candidate | None = None,
) -> None:
    """Tell a listener that wants to know how the baselines and the selected candidate do on a split."""
    if not isinstance(listener, CloseListener):
        return

    def score(candidate: Candidate) -> float | None:
        found = archive.at(candidate.position, split)
        return utility(found.scores, weights) if found is not None and found.status == "ok" else None

    experts = {id.partition(":")[2]: value for id, c in baselines.experts.items() if (value := score(c)) is not None}
    uniforms = [value for c in baselines.uniforms.values() if (value := score(c)) is not None]
    found: dict[str, float | None] = {"base": score(baselines.base)}
    if experts:
        name = max(experts, key=lambda name: experts[name])
        far = "" if all(archive.at(c.position, split) for c in baselines.experts.values()) else " so far"
        found[f"best expert{far} ({name})"] = experts[name]
    if uniforms:
        found["uniform weights"] = max(uniforms)
    if selected is not None:
        found[f"selected ({selected.id})"] = score(selected)
    listener.scores_so_far(split, {name: value for name, value in found.items() if value is not None})
