"""Tasks that are scored ahead by workers that have nothing else to do: handed over, taken over, or forgotten."""

from support.dispatching import Harness
from swarm.core.candidates import Candidate, Task


def test_background_tasks_go_to_workers_that_have_nothing_else_to_do() -> None:
    harness = Harness("ab", prefetch=1).submit("1", "2", "3").submit_ahead("base", "expert")
    assert harness.queues() == {"a": [["1"], ["3"]], "b": [["2"]]}
    harness.answer("b")
    assert harness.queues() == {"a": [["1"]], "b": [["3"]]}, "what waits behind another one comes first"
    harness.answer("a")
    assert harness.queues() == {"a": [["base"]], "b": [["3"]]}
    harness.answer("b")
    assert harness.queues() == {"a": [["base"]], "b": [["expert"]]}
    assert harness.dispatcher.open == 2


def test_background_tasks_make_no_bundle_of_others_larger() -> None:
    harness = Harness("abcd", together=4)
    others = [Task(Candidate(name, (0.0,)), split="select", background=True) for name in ("base", "one", "two")]
    harness.dispatcher.submit([*(Task(Candidate(name, (0.0,)), together=4) for name in "1234"), *others])
    harness.carry_out(0.0)
    assert harness.queues() == {"a": [["1"]], "b": [["2"]], "c": [["3"]], "d": [["4"]]}


def test_a_running_background_task_is_taken_over_by_whoever_submits_it_again() -> None:
    harness = Harness("ab", prefetch=0).submit("1").submit_ahead("base", "expert")
    assert harness.queues() == {"a": [["1"]], "b": [["base"]]}
    harness.answer("a")
    assert harness.queues() == {"a": [["expert"]], "b": [["base"]]}
    assert list(harness.dispatcher.abandon()) == []
    assert harness.dispatcher.open == 0
    harness.submit("expert", "winner", "base", split="select")
    assert harness.queues() == {"a": [["expert"]], "b": [["base"]]}, "nothing is scored twice"
    harness.answer("b")
    assert harness.queues() == {"a": [["expert"]], "b": [["winner"]]}
    harness.answer("a")
    harness.answer("b")
    assert harness.dispatcher.open == 0
    assert [outcome.candidate.id for outcome in harness.outcomes] == ["1", "base", "expert", "winner"]


def test_background_tasks_that_nobody_submits_again_are_forgotten() -> None:
    harness = Harness("a").submit_ahead("base", "expert")
    assert list(harness.dispatcher.abandon()) == []
    harness.submit("1")
    harness.answer("a")  # base, which nobody wants any more
    assert harness.queues() == {"a": [["1"]]}
    harness.submit("base", split="select")
    harness.answer("a")
    assert harness.queues() == {"a": [["base"]]}, "its answer was dropped, so it is scored anew"
    harness.answer("a")
    assert [outcome.candidate.id for outcome in harness.outcomes] == ["1", "base"]


def test_a_background_task_of_another_split_is_another_task() -> None:
    harness = Harness("ab").submit_ahead("base")
    list(harness.dispatcher.abandon())
    harness.submit("base")
    assert harness.queues() == {"a": [["base"]], "b": [["base"]]}
    assert harness.dispatcher.open == 1


def test_a_background_task_whose_worker_is_lost_is_scored_elsewhere() -> None:
    harness = Harness("ab").submit_ahead("base")
    list(harness.dispatcher.abandon())
    harness.submit("base", split="select")
    assert harness.lose("a") != []
    assert harness.queues() == {"b": [["base"]]}
    harness.answer("b")
    assert harness.dispatcher.open == 0
