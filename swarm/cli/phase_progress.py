"""How far a phase is, in words: its count, the time left, how long it took."""

import math
from dataclasses import dataclass

SHORT_SECONDS = 5.0  # a phase that counts nothing and is over sooner is only named


@dataclass
class PhaseProgress:
    """A phase that goes on.

    text: what is done, as in "testing".
    began: when it began, in seconds of the display's clock, as are all times here.
    unit: what is counted, as in "evaluations"; "" where it goes without saying.
    done, of: steps; of is 0 as long as they are not counted.
    first: the steps that were done when the phase began, by an earlier session.
    updated: when the last step was done.
    most: the seconds left at most, when the last step was done, where they are known otherwise than by the pace.
    """

    text: str
    began: float
    unit: str = ""
    done: int = 0
    of: int = 0
    first: int = 0
    updated: float = 0.0
    most: float | None = None

    def step(self, now: float, done: int, of: int) -> None:
        """The first call of a phase says where it begins."""
        if not self.of:
            self.first = done
        self.done, self.of, self.updated = done, of, now

    def now(self, now: float) -> str:
        """ "testing 5 of 12, about 20 s left"."""
        return f"{self.text}{self._count()}{self._left(now)}"

    def stopping(self) -> str:
        """After an interruption, while workers are still being ended: "testing 5 of 12, stopping"."""
        return f"{self.text}{self._count()}, stopping"

    def ended(self, now: float, whole: bool = True) -> str:
        """ "testing 12 of 12, done in 48 s". whole: not interrupted."""
        took = now - self.began
        if not self.of and (took < SHORT_SECONDS or not whole):
            return self.text
        return f"{self.text}{self._count()}, {'done in' if whole else 'stopped after'} {span(took)}"

    def _count(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        return f" {self.done} of {self.of}{unit}" if self.of else ""

    def _left(self, now: float) -> str:
        """The time left counts down between two steps."""
        if self.of and self.done >= self.of:
            return ""
        if self.most is not None:
            return f", at most about {span(self.most - (now - self.updated))} left"
        made = self.done - self.first
        if made < 1:
            return ""
        left = (self.updated - self.began) / made * (self.of - self.done) - (now - self.updated)
        return f", about {span(left)} left"


def span(seconds: float) -> str:
    """A duration in words: "48 s", "1 min 05 s", "10 h 21 min"."""
    whole = max(0, math.ceil(seconds - 0.5))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
