"""The dispatcher: who gets what, who is tried again, who is to blame. It is told what happened and asked for orders."""

from collections.abc import Sequence
from itertools import chain

import pytest

from swarm.core.candidates import Candidate, Evaluation, Task
from swarm.core.outcomes import Failure, Outcome
from swarm.workers.scheduling.deadlines import Deadlines
from swarm.workers.scheduling.dispatcher import STRIKES, Dispatcher, Drop, Send
from swarm.workers.scheduling.membership import Membership
from swarm.workers.scheduling.pace import ENOUGH, KEPT, RunningMedian
from swarm.workers.settings import RayCluster


def scored(name: str) -> Evaluation:
    return Evaluation(Candidate(name, (0.0,)), "ok", {"x": 1.0}, {"x": (1.0,)})


def failed(name: str) -> Evaluation:
    return Evaluation(Candidate(name, (0.0,)), "failed", error="CUDA error", transient=True)


class Desk:
    """A dispatcher with workers a, b, ..., and what lies at each: ticket -> the ids of its candidates."""

    def __init__(self, workers: str, together: int = 1, **settings: object) -> None:
        self.dispatcher = Dispatcher(RayCluster(**settings))  # type: ignore[arg-type]
        self.dispatcher.expect("search", 1, together)
        self.at: dict[str, dict[int, list[str]]] = {}
        self.outcomes: list[Outcome] = []
        for worker in workers:
            self.join(worker)

    def join(self, worker: str, now: float = 0.0) -> None:
        self.at[worker] = {}
        self.dispatcher.joined(worker)
        self.obey(now)

    def submit(self, *names: str, now: float = 0.0) -> "Desk":
        self.dispatcher.submit([Task(Candidate(name, (0.0,))) for name in names])
        self.obey(now)
        return self

    def obey(self, now: float) -> None:
        for order in chain(self.dispatcher.orders(now), self.dispatcher.moves(now)):
            if isinstance(order, Drop):
                del self.at[order.worker][order.attempt_id]
            else:
                assert isinstance(order, Send)
                self.at[order.worker][order.attempt_id] = [task.candidate.id for task in order.tasks]

    def answer(self, worker: str, now: float = 0.0) -> Sequence[Outcome]:
        """The worker answers its first ticket."""
        attempt_id = next(iter(self.at[worker]))
        names = self.at[worker].pop(attempt_id)
        return self.hear(self.dispatcher.answered(attempt_id, [scored(n) for n in names], now), now)

    def fail(self, worker: str, *names: str, now: float = 0.0) -> Sequence[Outcome]:
        """The worker answers its first ticket, and its device failed over some of the candidates."""
        attempt_id = next(iter(self.at[worker]))
        answers = [failed(name) if name in names else scored(name) for name in self.at[worker].pop(attempt_id)]
        return self.hear(self.dispatcher.answered(attempt_id, answers, now), now)

    def lose(self, worker: str, cause: str = "scoring", now: float = 0.0) -> Sequence[Outcome]:
        del self.at[worker]
        return self.hear(self.dispatcher.lost(worker, "it died", cause, now), now)  # type: ignore[arg-type]

    def hear(self, outcomes: Sequence[Outcome], now: float) -> Sequence[Outcome]:
        self.outcomes.extend(outcomes)
        self.obey(now)
        return outcomes

    def lies(self) -> dict[str, list[list[str]]]:
        return {worker: list(tickets.values()) for worker, tickets in self.at.items()}

    def evaluated(self) -> list[str]:
        return [outcome.candidate.id for outcome in self.outcomes if isinstance(outcome, Evaluation)]


def test_free_workers_come_first_then_one_bundle_waits_at_each() -> None:
    desk = Desk("ab").submit("1", "2", "3", "4", "5")
    assert desk.lies() == {"a": [["1"], ["3"]], "b": [["2"], ["4"]]}
    desk.answer("a")
    assert desk.lies() == {"a": [["3"], ["5"]], "b": [["2"], ["4"]]}
    assert Desk("ab", prefetch=0).submit("1", "2", "3").lies() == {"a": [["1"]], "b": [["2"]]}


def test_bundles_are_cut_in_order() -> None:
    assert Desk("ab", together=3).submit(*"1234567").lies() == {"a": [list("123"), ["7"]], "b": [list("456")]}


def test_a_free_worker_takes_what_waits_behind_another() -> None:
    desk = Desk("a").submit("1", "2")
    desk.join("b")
    assert desk.lies() == {"a": [["1"]], "b": [["2"]]}


def test_a_straggler_is_scored_twice_and_the_first_answer_counts() -> None:
    desk = Desk("ab", hedge=3.0).submit(*map(str, range(ENOUGH + 1)))
    now = 0.0
    while desk.dispatcher.open > 1:
        now += 1.0
        desk.answer("b", now)
    slow = desk.lies()["a"]
    desk.obey(now + 0.5)
    assert desk.lies() == {"a": slow, "b": slow if now > 3 else []}
    desk.obey(3.0 + now)
    assert desk.lies()["b"] == slow
    assert len(desk.answer("b", now + 4)) == 1
    assert desk.dispatcher.open == 0
    assert desk.answer("a", now + 9) == [], "the other answer is nobody's"
    assert sorted(desk.evaluated()) == sorted(map(str, range(ENOUGH + 1)))


def test_who_died_alone_at_a_worker_is_charged_and_fails_in_the_end() -> None:
    desk = Desk("a", attempts=2).submit("1")
    (failure,) = desk.lose("a")
    assert isinstance(failure, Failure)
    assert failure.attempt == 1
    desk.join("b")
    (end,) = desk.lose("b")
    assert isinstance(end, Evaluation)
    assert (end.status, end.error, end.worker) == ("failed", "it died", "b")
    assert desk.dispatcher.open == 0


def test_where_two_may_be_to_blame_neither_is_charged_and_each_goes_alone() -> None:
    desk = Desk("a").submit("1", "2", "3")
    (told,) = desk.lose("a")
    assert (told.candidate.id, told.attempt) == ("1", 0)  # type: ignore[union-attr]
    desk.join("b")
    assert desk.lies() == {"b": [["1"]]}, "nobody waits behind it"
    desk.answer("b")
    assert desk.lies() == {"b": [["2"]]}
    desk.answer("b")
    desk.answer("b")
    assert desk.evaluated() == ["1", "2", "3"]


@pytest.mark.parametrize(("cause", "told"), [("node", 1), ("idle", 0)])
def test_a_node_that_left_and_a_worker_that_never_scored_are_nobody_s_fault(cause: str, told: int) -> None:
    desk = Desk("a", attempts=1).submit("1", "2")
    assert len(desk.lose("a", cause)) == told
    desk.join("b")
    assert desk.lies() == {"b": [["1"], ["2"]]}, "in the old order, and no longer alone than before"


def test_a_silent_worker_s_first_bundle_is_charged_whatever_waits_behind() -> None:
    desk = Desk("a", deadline=2.0, deadline_seconds=5.0, start_seconds=50.0).submit("1", "2")
    assert desk.dispatcher.overdue(49.0) == []
    ((worker, reason),) = desk.dispatcher.overdue(51.0)
    assert (worker, reason) == ("a", "no answer within 51 s (cluster.start_seconds)")
    (failure,) = desk.lose("a", "hanging", now=51.0)
    assert (failure.candidate.id, failure.attempt) == ("1", 1)  # type: ignore[union-attr]


def test_the_deadline_follows_the_median() -> None:
    desk = Desk("a", deadline=4.0, deadline_seconds=5.0, hedge=None).submit(*map(str, range(ENOUGH + 1)))
    for i in range(ENOUGH):
        desk.answer("a", 2.0 * (i + 1))
    initial_state = 2.0 * ENOUGH
    assert desk.dispatcher.overdue(initial_state + 7.9) == []
    assert len(desk.dispatcher.overdue(initial_state + 8.1)) == 1


def test_what_was_learnt_of_a_split_is_kept_for_its_next_generation() -> None:
    desk = Desk("a", deadline=4.0, deadline_seconds=5.0, start_seconds=50.0)
    for generation in range(ENOUGH):
        desk.dispatcher.expect("search", 1, 1)
        desk.submit(str(generation), now=2.0 * generation)
        desk.answer("a", 2.0 * generation + 2.0)
    desk.dispatcher.expect("search", 1, 1)
    desk.submit("slow", now=100.0)
    assert len(desk.dispatcher.overdue(108.1)) == 1
    desk.answer("a", 109.0)
    desk.dispatcher.expect("test", 1, 1)
    desk.submit("tested", now=200.0)
    assert desk.dispatcher.overdue(249.0) == []


def test_a_bundle_with_poison_is_tried_whole_then_one_by_one() -> None:
    desk = Desk("a", together=2, attempts=2).submit("1", "2")
    desk.lose("a")
    desk.join("b")
    assert desk.lies() == {"b": [["1", "2"]]}
    desk.lose("b")
    desk.join("c")
    assert desk.lies() == {"c": [["1"]]}
    desk.lose("c")
    desk.join("d")
    desk.lose("d")
    desk.join("e")
    assert desk.evaluated() == ["1"]
    desk.answer("e")
    assert desk.evaluated() == ["1", "2"]


def test_an_answer_that_arrives_after_its_ticket_was_given_up_is_nobody_s() -> None:
    desk = Desk("a").submit("1")
    attempt_id = next(iter(desk.at["a"]))
    desk.lose("a", "hanging")
    assert desk.dispatcher.answered(attempt_id, [scored("1")], 1.0) == []
    desk.join("b")
    assert [o.candidate.id for o in desk.answer("b")] == ["1"]


def test_what_a_device_fails_over_is_tried_at_another_worker() -> None:
    desk = Desk("ab", prefetch=0).submit("1")
    (failure,) = desk.fail("a", "1")
    assert (type(failure), failure.attempt) == (Failure, 1)  # type: ignore[union-attr]
    assert desk.lies() == {"a": [], "b": [["1"]]}
    (end,) = desk.fail("b", "1")
    assert (end.status, end.error) == ("failed", "CUDA error")  # type: ignore[union-attr]
    alone = Desk("a", prefetch=0).submit("2")
    alone.fail("a", "2")
    assert alone.lies() == {"a": [["2"]]}, "where there is no other, the same one"


def test_of_a_bundle_only_what_failed_is_tried_again() -> None:
    desk = Desk("ab", together=3, prefetch=0).submit("1", "2", "3")
    outcomes = desk.fail("a", "2")
    assert [type(outcome) for outcome in outcomes] == [Evaluation, Failure, Evaluation]
    assert desk.lies() == {"a": [], "b": [["2"]]}
    assert desk.dispatcher.open == 1
    desk.answer("b")
    assert sorted(desk.evaluated()) == ["1", "2", "3"]
    assert desk.dispatcher.open == 0


def test_a_failed_answer_never_beats_a_copy_that_goes_on() -> None:
    desk = Desk("ab", prefetch=0).submit(*map(str, range(ENOUGH + 1)))
    now = 0.0
    while desk.dispatcher.open > 1:
        now += 1.0
        desk.answer("b", now)
    desk.obey(now + 9)
    (name,) = desk.lies()["b"][0]
    (told,) = desk.fail("b", name, now=now + 10)
    assert isinstance(told, Failure)
    assert desk.dispatcher.open == 1
    assert [outcome.candidate.id for outcome in desk.answer("a", now + 11)] == [name]


def test_a_worker_at_which_candidates_fail_that_others_score_is_sick() -> None:
    desk = Desk("a", prefetch=0)
    for i in range(STRIKES):
        assert desk.dispatcher.sick() == []
        desk.submit(str(i))  # only a is there
        helper = f"helper-{i}"
        desk.join(helper)
        desk.fail("a", str(i))
        desk.answer(helper)
        desk.lose(helper, "node")
    assert desk.dispatcher.sick() == [("a", f"{STRIKES} candidates failed there alone")]
    assert desk.dispatcher.sick() == [], "told once"


def test_abandoning_forgets_all_and_waits_for_what_runs() -> None:
    desk = Desk("ab").submit("1", "2", "3")
    drops = list(desk.dispatcher.abandon())
    assert len(drops) == 1, "what runs cannot be stopped"
    assert desk.dispatcher.open == 0
    desk.at["a"].popitem()
    desk.submit("4")
    assert sum(map(len, desk.lies().values())) == 3, "it waits behind one that nobody wants"
    for worker in "ab":
        while desk.at[worker]:
            desk.answer(worker)
    assert desk.evaluated() == ["4"]


def test_the_roster_replaces_within_its_budget() -> None:
    membership = Membership(wanted=2, respawns=1)
    assert membership.hire() == ["worker-0", "worker-1"]
    assert membership.hire() == []
    for name in ("worker-0", "worker-1"):
        membership.joined(name)
    membership.left("worker-0", preempted=True)
    assert membership.hire() == ["worker-2"], "a preempted one is replaced for nothing"
    membership.left("worker-1", preempted=False)
    membership.left("worker-2", preempted=False)
    assert membership.hire() == ["worker-3", "worker-4"]
    membership.left("worker-3", preempted=False)
    assert membership.hire() == [], "the budget of two is spent"
    membership.left("worker-4", preempted=False)
    assert membership.empty
    assert membership.deaths == 4


def test_nodes_that_join_are_used_and_those_that_leave_are_not_missed() -> None:
    membership = Membership(wanted=2, respawns=3)
    membership.hire()
    membership.want(4)
    assert len(membership.hire()) == 2
    membership.want(1)
    membership.left("worker-0", preempted=True)
    assert membership.hire() == []


def test_the_pace_is_the_median_of_the_latest() -> None:
    pace = RunningMedian()
    for seconds in range(ENOUGH - 1):
        pace.add(float(seconds))
    assert pace.median is None
    pace.add(100.0)
    assert pace.median == 2.0
    for _ in range(KEPT):
        pace.add(7.0)
    assert pace.median == 7.0


def test_limits_go_by_examples_and_by_full_bundles() -> None:
    limits = Deadlines(RayCluster(deadline=10.0, deadline_seconds=5.0, start_seconds=600.0, hedge=3.0), 100, 4)
    assert (limits.deadline(4).seconds, limits.hedge(4)) == (2400.0, None)
    for _ in range(ENOUGH):
        stopped = Evaluation(Candidate("x", (0.0,)), "stopped", {"x": 1.0}, {"x": (1.0,) * 10})
        limits.learn(2.0, [stopped, stopped])  # 0.1 s an example
        limits.learn(0.001, [Evaluation(Candidate("y", (0.0,)), "failed")])
    assert limits.hedge(1) == pytest.approx(3 * 0.1 * 100 * 4)
    assert limits.deadline(1).seconds == pytest.approx(10 * 0.1 * 100 * 4)
    assert limits.deadline(1).key == "cluster.deadline"
