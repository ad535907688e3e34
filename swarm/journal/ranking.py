"""The evaluations of a search in the order of their utility, for a search that asks after every iteration."""

from bisect import insort
from collections.abc import Mapping, Sequence
from typing import overload

from swarm.core.candidates import Evaluation
from swarm.journal.evaluation_record import ScoredRecord
from swarm.preferences.weighted_sum import worth

Entry = tuple[float, int, int, int, ScoredRecord]  # utility with its sign changed, age, order, record


class Ranking(Sequence[Evaluation]):
    """The full evaluations of the iterations before one, best first; of equals the earlier candidate."""

    def __init__(self, weights: Mapping[str, float], soft: bool, remembered: Sequence[ScoredRecord] = ()) -> None:
        """remembered: of the search that this one continues; they were scored before all others."""
        self.before: float = 0
        self._weights, self._soft = weights, soft
        self._entries = sorted(self._entry(record, i - len(remembered)) for i, record in enumerate(remembered))

    def take_up_to(self, before: float, iterations: Mapping[int, Sequence[ScoredRecord]]) -> None:
        """Take in the iterations that are missing, up to and without `before`."""
        missing = self._missing(before, iterations)
        records = [record for i in missing for record in iterations.get(i, ()) if record.status == "ok"]
        order = len(self._entries)
        entries = [self._entry(record, order + i) for i, record in enumerate(records)]
        if len(entries) > order:
            self._entries = sorted([*self._entries, *entries])
        else:
            for entry in entries:
                insort(self._entries, entry)
        self.before = max(self.before, before)

    @overload
    def __getitem__(self, at: int) -> Evaluation: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Evaluation]: ...
    def __getitem__(self, at: int | slice) -> Evaluation | Sequence[Evaluation]:
        if isinstance(at, slice):
            return [entry[-1].evaluation() for entry in self._entries[at]]
        return self._entries[at][-1].evaluation()

    def __len__(self) -> int:
        return len(self._entries)

    def _missing(self, before: float, iterations: Mapping[int, object]) -> Sequence[int]:
        if before - self.before <= 1:
            return [int(self.before)] if before > self.before else []
        return sorted(i for i in iterations if self.before <= i < before)

    def _entry(self, record: ScoredRecord, order: int) -> Entry:
        value = worth(record, self._weights, self._soft)
        return -value, record.iteration or 0, record.particle or 0, order, record
