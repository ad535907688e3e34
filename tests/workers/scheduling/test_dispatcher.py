"""The dispatcher: which worker gets what, what is retried, what is charged. Events go in, orders come out."""

import pytest

from support.dispatching import Harness, scored
from swarm.core.candidates import Candidate, Evaluation, Task
from swarm.core.outcomes import Failure
from swarm.workers.scheduling.deadlines import MIN_DURATIONS, WINDOW, Deadlines, RunningMedian
from swarm.workers.scheduling.dispatcher import STRIKES
from swarm.workers.scheduling.membership import Membership
from swarm.workers.settings import RayCluster


def test_free_workers_come_first_then_one_bundle_waits_at_each() -> None:
    harness = Harness("ab").submit("1", "2", "3", "4", "5")
    assert harness.queues() == {"a": [["1"], ["3"]], "b": [["2"], ["4"]]}
    harness.answer("a")
    assert harness.queues() == {"a": [["3"], ["5"]], "b": [["2"], ["4"]]}
    assert Harness("ab", prefetch=0).submit("1", "2", "3").queues() == {"a": [["1"]], "b": [["2"]]}


def test_long_candidates_wait_for_the_worker_that_is_free_first() -> None:
    harness = Harness("ab").submit(*"123456")
    for second in range(1, MIN_DURATIONS + 1):
        harness.answer("a" if second % 2 else "b", now=10.0 * second)
    assert harness.submit(*"789", now=60.0).queues() == {"a": [["7"]], "b": [["6"]]}
    harness.answer("a", now=70.0)
    assert harness.queues() == {"a": [["8"]], "b": [["6"]]}, "the oldest is next, wherever a worker is free"


def test_a_long_candidate_that_failed_keeps_no_worker_waiting() -> None:
    harness = Harness("ab").submit(*"123456")
    for second in range(1, 7):
        harness.answer("a" if second % 2 else "b", now=100.0 * second)
    harness.submit(*"wxyz", now=700.0)
    harness.fail("a", "w", now=710.0)
    assert harness.queues() == {"a": [["y"]], "b": [["x"], ["w"]]}, "w is tried again at b, and a has the next one"


def test_bundles_keep_the_order_of_the_candidates() -> None:
    assert Harness("ab", together=3).submit(*"1234567").queues() == {"a": [list("123"), ["7"]], "b": [list("456")]}


def test_a_bundle_leaves_every_worker_its_share() -> None:
    harness = Harness("ab", together=8).submit(*"0123456789")
    assert harness.queues() == {"a": [list("01234")], "b": [list("56789")]}
    harness.answer("b")
    harness.submit(*"ABCDE")
    assert harness.queues() == {"a": [list("01234")], "b": [list("ABCDE")]}, "of ten that are open each has five"
    loading = Harness("a", together=8)
    loading.dispatcher.loading = 1
    assert loading.submit(*"0123456789").queues() == {"a": [list("01234"), ["5"]]}, "five are for who comes next"
    assert Harness("abcd", together=8).submit("1", "2").queues() == {"a": [["1"]], "b": [["2"]], "c": [], "d": []}


def test_only_candidates_of_a_kind_travel_together() -> None:
    harness = Harness("a", prefetch=0)
    tasks = [Task(Candidate(str(i), (0.0,)), together=together) for i, together in enumerate([4, 4, 1, 1, 4])]
    harness.dispatcher.submit(tasks)
    harness.carry_out(0.0)
    sent = []
    while harness.dispatcher.open:
        sent += harness.queues()["a"]
        harness.answer("a")
    assert sent == [["0", "1"], ["2"], ["3"], ["4"]]


def test_a_free_worker_takes_what_waits_behind_another() -> None:
    harness = Harness("a").submit("1", "2")
    harness.join("b")
    assert harness.queues() == {"a": [["1"]], "b": [["2"]]}


def test_a_straggler_is_scored_twice_and_the_first_answer_counts() -> None:
    harness = Harness("ab", hedge=3.0).submit(*map(str, range(MIN_DURATIONS + 1)))
    now = 0.0
    while harness.dispatcher.open > 1:
        now += 1.0
        harness.answer("b", now)
    slow = harness.queues()["a"]
    harness.carry_out(now + 0.5)
    assert harness.queues() == {"a": slow, "b": slow if now > 3 else []}
    harness.carry_out(3.0 + now)
    assert harness.queues()["b"] == slow
    assert len(harness.answer("b", now + 4)) == 1
    assert harness.dispatcher.open == 0
    assert harness.answer("a", now + 9) == [], "the other answer is ignored"
    assert sorted(harness.evaluated()) == sorted(map(str, range(MIN_DURATIONS + 1)))


def test_a_candidate_that_is_alone_when_its_worker_dies_is_charged_and_fails_in_the_end() -> None:
    harness = Harness("a", attempts=2).submit("1")
    (failure,) = harness.lose("a")
    assert isinstance(failure, Failure)
    assert failure.attempt == 1
    harness.join("b")
    (end,) = harness.lose("b")
    assert isinstance(end, Evaluation)
    assert (end.status, end.error, end.worker) == ("failed", "it died", "b")
    assert harness.dispatcher.open == 0


def test_if_two_bundles_may_be_to_blame_neither_is_charged_and_each_is_retried_alone() -> None:
    harness = Harness("a").submit("1", "2", "3")
    (failure,) = harness.lose("a")
    assert (failure.candidate.id, failure.attempt) == ("1", 0)  # type: ignore[union-attr]
    harness.join("b")
    assert harness.queues() == {"b": [["1"]]}, "nobody waits behind it"
    harness.answer("b")
    assert harness.queues() == {"b": [["2"]]}
    harness.answer("b")
    harness.answer("b")
    assert harness.evaluated() == ["1", "2", "3"]


@pytest.mark.parametrize(("cause", "failures"), [("node", 1), ("idle", 0)])
def test_a_node_that_left_and_a_worker_that_never_scored_are_charged_to_nobody(cause: str, failures: int) -> None:
    harness = Harness("a", attempts=1).submit("1", "2")
    assert len(harness.lose("a", cause)) == failures
    harness.join("b")
    assert harness.queues() == {"b": [["1"], ["2"]]}, "in the old order, and not alone"


def test_the_running_bundle_of_a_silent_worker_is_charged_whatever_waits_behind() -> None:
    harness = Harness("a", deadline=2.0, deadline_seconds=5.0, start_seconds=50.0).submit("1", "2")
    assert harness.dispatcher.overdue(49.0) == []
    ((worker, reason),) = harness.dispatcher.overdue(51.0)
    assert (worker, reason) == ("a", "no answer within 51 s (cluster.start_seconds)")
    (failure,) = harness.lose("a", "hanging", now=51.0)
    assert (failure.candidate.id, failure.attempt) == ("1", 1)  # type: ignore[union-attr]


def test_the_deadline_follows_the_median() -> None:
    harness = Harness("a", deadline=4.0, deadline_seconds=5.0, hedge=None).submit(*map(str, range(MIN_DURATIONS + 1)))
    for i in range(MIN_DURATIONS):
        harness.answer("a", 2.0 * (i + 1))
    began = 2.0 * MIN_DURATIONS
    assert harness.dispatcher.overdue(began + 7.9) == []
    assert len(harness.dispatcher.overdue(began + 8.1)) == 1


def test_the_median_of_a_split_is_kept_for_its_next_generation() -> None:
    harness = Harness("a", deadline=4.0, deadline_seconds=5.0, start_seconds=50.0)
    for generation in range(MIN_DURATIONS):
        harness.dispatcher.add_split("search", 1)
        harness.submit(str(generation), now=2.0 * generation)
        harness.answer("a", 2.0 * generation + 2.0)
    harness.dispatcher.add_split("search", 1)
    harness.submit("slow", now=100.0)
    assert len(harness.dispatcher.overdue(108.1)) == 1
    harness.answer("a", 109.0)
    harness.dispatcher.add_split("test", 1)
    harness.submit("tested", now=200.0, split="test")
    assert harness.dispatcher.overdue(249.0) == []


def test_a_bundle_with_poison_is_tried_as_a_whole_and_then_one_by_one() -> None:
    harness = Harness("a", together=2, attempts=2).submit("1", "2")
    harness.lose("a")
    harness.join("b")
    assert harness.queues() == {"b": [["1", "2"]]}
    harness.lose("b")
    harness.join("c")
    assert harness.queues() == {"c": [["1"]]}
    harness.lose("c")
    harness.join("d")
    harness.lose("d")
    harness.join("e")
    assert harness.evaluated() == ["1"]
    harness.answer("e")
    assert harness.evaluated() == ["1", "2"]


def test_an_answer_to_an_attempt_that_was_given_up_is_ignored() -> None:
    harness = Harness("a").submit("1")
    attempt_id = next(iter(harness.at["a"]))
    harness.lose("a", "hanging")
    assert harness.dispatcher.answered(attempt_id, [scored("1")], 1.0) == []
    harness.join("b")
    assert [o.candidate.id for o in harness.answer("b")] == ["1"]


def test_a_candidate_that_a_device_failed_on_is_tried_at_another_worker() -> None:
    harness = Harness("ab", prefetch=0).submit("1")
    (failure,) = harness.fail("a", "1")
    assert (type(failure), failure.attempt) == (Failure, 1)  # type: ignore[union-attr]
    assert harness.queues() == {"a": [], "b": [["1"]]}
    (end,) = harness.fail("b", "1")
    assert (end.status, end.error) == ("failed", "CUDA error")  # type: ignore[union-attr]
    alone = Harness("a", prefetch=0).submit("2")
    alone.fail("a", "2")
    assert alone.queues() == {"a": [["2"]]}, "at the same one if there is no other"


def test_only_the_failed_candidates_of_a_bundle_are_tried_again() -> None:
    harness = Harness("a", together=3, prefetch=0).submit("1", "2", "3")
    harness.join("b")
    outcomes = harness.fail("a", "2")
    assert [type(outcome) for outcome in outcomes] == [Evaluation, Failure, Evaluation]
    assert harness.queues() == {"a": [], "b": [["2"]]}
    assert harness.dispatcher.open == 1
    harness.answer("b")
    assert sorted(harness.evaluated()) == ["1", "2", "3"]
    assert harness.dispatcher.open == 0


def test_a_failed_answer_does_not_count_while_a_copy_is_running() -> None:
    harness = Harness("ab", prefetch=0).submit(*map(str, range(MIN_DURATIONS + 1)))
    now = 0.0
    while harness.dispatcher.open > 1:
        now += 1.0
        harness.answer("b", now)
    harness.carry_out(now + 9)
    (name,) = harness.queues()["b"][0]
    (failure,) = harness.fail("b", name, now=now + 10)
    assert isinstance(failure, Failure)
    assert harness.dispatcher.open == 1
    assert [outcome.candidate.id for outcome in harness.answer("a", now + 11)] == [name]


def test_a_worker_where_candidates_fail_that_others_can_score_is_unhealthy() -> None:
    harness = Harness("a", prefetch=0)
    for i in range(STRIKES):
        assert harness.dispatcher.unhealthy() == []
        harness.submit(str(i))  # "a" is the only worker
        helper = f"helper-{i}"
        harness.join(helper)
        harness.fail("a", str(i))
        harness.answer(helper)
        harness.lose(helper, "node")
    assert harness.dispatcher.unhealthy() == [("a", f"{STRIKES} candidates failed there and were scored elsewhere")]
    assert harness.dispatcher.unhealthy() == [], "reported once"


def test_abandoning_forgets_all_candidates_and_waits_for_running_attempts() -> None:
    harness = Harness("ab").submit("1", "2", "3")
    drops = list(harness.dispatcher.abandon())
    assert len(drops) == 1, "a running attempt cannot be stopped"
    assert harness.dispatcher.open == 0
    harness.at["a"].popitem()
    harness.submit("4")
    assert sum(map(len, harness.queues().values())) == 3, "it waits behind an abandoned attempt"
    for worker in "ab":
        while harness.at[worker]:
            harness.answer(worker)
    assert harness.evaluated() == ["4"]


def test_workers_are_replaced_within_the_budget() -> None:
    membership = Membership(wanted=2, respawns=1)
    assert membership.start_missing() == ["worker-0", "worker-1"]
    assert membership.start_missing() == []
    for name in ("worker-0", "worker-1"):
        membership.joined(name)
    membership.left("worker-0", preempted=True)
    assert membership.start_missing() == ["worker-2"], "a preempted worker is replaced free of charge"
    membership.left("worker-1", preempted=False)
    membership.left("worker-2", preempted=False)
    assert membership.start_missing() == ["worker-3", "worker-4"]
    membership.left("worker-3", preempted=False)
    assert membership.start_missing() == [], "the budget of two is spent"
    membership.left("worker-4", preempted=False)
    assert membership.empty
    assert membership.deaths == 4


def test_workers_follow_nodes_that_join_and_leave() -> None:
    membership = Membership(wanted=2, respawns=3)
    membership.start_missing()
    membership.resize(4)
    assert len(membership.start_missing()) == 2
    membership.resize(1)
    membership.left("worker-0", preempted=True)
    assert membership.start_missing() == []


def test_the_median_is_that_of_the_latest_durations() -> None:
    running = RunningMedian()
    for seconds in range(MIN_DURATIONS - 1):
        running.add(float(seconds))
    assert running.median is None
    running.add(100.0)
    assert running.median == 2.0
    for _ in range(WINDOW):
        running.add(7.0)
    assert running.median == 7.0


def test_deadlines_depend_on_examples_and_on_the_size_of_a_full_bundle() -> None:
    deadlines = Deadlines(RayCluster(deadline=10.0, deadline_seconds=5.0, start_seconds=600.0, hedge=3.0), 100)
    assert (deadlines.deadline(4, 4).seconds, deadlines.copy_after(4)) == (2400.0, None)
    for _ in range(MIN_DURATIONS):
        stopped = Evaluation(Candidate("x", (0.0,)), "stopped", {"x": 1.0}, {"x": (1.0,) * 10})
        deadlines.observe(2.0, [stopped, stopped])  # 0.1 s per example
        deadlines.observe(0.001, [Evaluation(Candidate("y", (0.0,)), "failed")])
    assert deadlines.copy_after(4) == pytest.approx(3 * 0.1 * 100 * 4)
    assert deadlines.deadline(1, 4).seconds == pytest.approx(10 * 0.1 * 100 * 4)
    assert deadlines.deadline(1, 4).key == "cluster.deadline"
