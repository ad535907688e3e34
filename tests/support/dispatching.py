"""A dispatcher with workers that answer, fail and are lost when a test says so."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

from swarm.core.candidates import Candidate, Evaluation, Task
from swarm.core.outcomes import Outcome
from swarm.workers.scheduling.dispatcher import Dispatcher
from swarm.workers.scheduling.orders import Drop, Send
from swarm.workers.settings import RayCluster


def scored(name: str) -> Evaluation:
    return Evaluation(Candidate(name, (0.0,)), "ok", {"x": 1.0}, {"x": (1.0,)})


def failed(name: str) -> Evaluation:
    return Evaluation(Candidate(name, (0.0,)), "failed", error="CUDA error", transient=True)


class Harness:
    """A dispatcher with workers a, b, ... at: worker -> attempt id -> the ids of its candidates."""

    def __init__(self, workers: str, together: int = 1, **settings: object) -> None:
        self.dispatcher = Dispatcher(RayCluster(**settings))  # type: ignore[arg-type]
        self.dispatcher.add_split("search", 1)
        self.dispatcher.add_split("select", 1)
        self.together = together
        self.at: dict[str, dict[int, list[str]]] = {}
        self.outcomes: list[Outcome] = []
        for worker in workers:
            self.join(worker)

    def join(self, worker: str, now: float = 0.0) -> None:
        self.at[worker] = {}
        self.dispatcher.joined(worker)
        self.carry_out(now)

    def submit(self, *names: str, now: float = 0.0, **settings: Any) -> "Harness":
        self.dispatcher.submit([Task(Candidate(name, (0.0,)), together=self.together, **settings) for name in names])
        self.carry_out(now)
        return self

    def submit_ahead(self, *names: str, now: float = 0.0) -> "Harness":
        return self.submit(*names, now=now, split="select", background=True)

    def carry_out(self, now: float) -> None:
        dispatcher = self.dispatcher
        for order in chain(dispatcher.orders(now), dispatcher.moves(now), dispatcher.background_orders(now)):
            if isinstance(order, Drop):
                del self.at[order.worker][order.attempt_id]
            else:
                assert isinstance(order, Send)
                self.at[order.worker][order.attempt_id] = [task.candidate.id for task in order.tasks]

    def answer(self, worker: str, now: float = 0.0) -> Sequence[Outcome]:
        """The worker answers its first attempt."""
        attempt_id = next(iter(self.at[worker]))
        names = self.at[worker].pop(attempt_id)
        return self.handle(self.dispatcher.answered(attempt_id, [scored(n) for n in names], now), now)

    def fail(self, worker: str, *names: str, now: float = 0.0) -> Sequence[Outcome]:
        """The worker answers its first attempt; its device failed on some of the candidates."""
        attempt_id = next(iter(self.at[worker]))
        answers = [failed(name) if name in names else scored(name) for name in self.at[worker].pop(attempt_id)]
        return self.handle(self.dispatcher.answered(attempt_id, answers, now), now)

    def lose(self, worker: str, cause: str = "scoring", now: float = 0.0) -> Sequence[Outcome]:
        del self.at[worker]
        return self.handle(self.dispatcher.lost(worker, "it died", cause, now), now)  # type: ignore[arg-type]

    def handle(self, outcomes: Sequence[Outcome], now: float) -> Sequence[Outcome]:
        self.outcomes.extend(outcomes)
        self.carry_out(now)
        return outcomes

    def queues(self) -> dict[str, list[list[str]]]:
        return {worker: list(attempts.values()) for worker, attempts in self.at.items()}

    def evaluated(self) -> list[str]:
        return [outcome.candidate.id for outcome in self.outcomes if isinstance(outcome, Evaluation)]
