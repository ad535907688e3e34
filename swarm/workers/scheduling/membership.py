"""Which workers there should be. Pure: it names the workers to start and counts the rest."""


class Membership:
    """Workers by name: first starting, then ready.

    A worker that is lost through a fault of its own is replaced from a budget of `respawns` per worker.
    """

    def __init__(self, wanted: int, respawns: int) -> None:
        self.ready: dict[str, None] = {}
        self.starting: dict[str, None] = {}
        self.deaths = 0
        self.ever_ready = False
        self._wanted = wanted
        self._respawns = respawns
        self._budget = respawns * wanted
        self._named = 0

    @property
    def empty(self) -> bool:
        return not self.ready and not self.starting

    def resize(self, workers: int) -> None:
        """Set the number of workers after nodes joined or left, less those that the budget no longer replaces.

        The budget is that of the largest number of workers so far.
        """
        self._budget = max(self._budget, self._respawns * workers)
        self._wanted = max(0, workers - self._unreplaced)

    def start_missing(self) -> list[str]:
        """The names of the workers to start now; they count as starting from here on."""
        count = self._wanted - len(self.ready) - len(self.starting)
        names = [f"worker-{self._named + i}" for i in range(max(0, count))]
        self._named += len(names)
        self.starting.update(dict.fromkeys(names))
        return names

    def joined(self, worker: str) -> None:
        self.starting.pop(worker, None)
        self.ready[worker] = None
        self.ever_ready = True

    def left(self, worker: str, preempted: bool) -> None:
        """A worker is gone. Its replacement is charged to the budget unless its node left (preempted)."""
        self.ready.pop(worker, None)
        self.starting.pop(worker, None)
        if preempted:
            return
        self.deaths += 1
        if self._unreplaced:
            self._wanted -= 1

    @property
    def _unreplaced(self) -> int:
        """Deaths beyond the budget."""
        return max(0, self.deaths - self._budget)
