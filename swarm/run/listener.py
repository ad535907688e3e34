"""Who follows a run: the command line's display, or a program's own."""

from typing import Protocol

from swarm.core.candidates import Evaluation
from swarm.search.status import Status


class Listener(Protocol):
    """Hears what a run is doing, and what the user should know."""

    def phase(self, text: str) -> None:
        """A phase begins."""

    def note(self, text: str) -> None:
        """Something that the user should know."""

    def evaluated(self, evaluation: Evaluation, status: Status) -> None:
        """A candidate of the search was scored; status: that of the search, with it."""
