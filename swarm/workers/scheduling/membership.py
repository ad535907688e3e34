"""Which workers there should be. Pure: it names those to be started and keeps count of the rest."""


class Membership:
    """Workers by name: starting, then ready. worked: whether anybody ever was.

    Every one that is lost by its own fault is replaced out of a budget.
    """

    def __init__(self, wanted: int, respawns: int) -> None:
        self.ready: dict[str, None] = {}
        self.starting: dict[str, None] = {}
        self.deaths = 0
        self.worked = False
        self._wanted = wanted
        self._lives = respawns
        self._respawns = respawns * wanted
        self._named = 0

    @property
    def empty(self) -> bool:
        return not self.ready and not self.starting

    def want(self, workers: int) -> None:
        """Another number of workers fits: nodes joined or left. Those whose replacement is not paid for stay away.

        The budget of replacements is of the most workers that there were.
        """
        self._respawns = max(self._respawns, self._lives * workers)
        self._wanted = max(0, workers - self._unpaid)

    def hire(self) -> list[str]:
        """Names of workers to be started now."""
        missing = self._wanted - len(self.ready) - len(self.starting)
        names = [f"worker-{self._named + i}" for i in range(max(0, missing))]
        self._named += len(names)
        self.starting.update(dict.fromkeys(names))
        return names

    def joined(self, worker: str) -> None:
        self.starting.pop(worker, None)
        self.ready[worker] = None
        self.worked = True

    def left(self, worker: str, preempted: bool) -> None:
        """A worker is gone. Its replacement comes out of the budget, but for one whose node left."""
        self.ready.pop(worker, None)
        self.starting.pop(worker, None)
        if preempted:
            return
        self.deaths += 1
        if self._unpaid:
            self._wanted -= 1

    @property
    def _unpaid(self) -> int:
        return max(0, self.deaths - self._respawns)
