"""The clock of deadlines: a stopped process does not age."""

from swarm.workers.ray.clock import LONGEST_STEP, SteadyClock


def test_a_pause_counts_as_one_step_and_a_clock_that_is_read_often_as_it_is() -> None:
    readings = iter([100.0, 101.0, 101.5, 9000.0, 9001.0])
    clock = SteadyClock(lambda: next(readings))
    assert [clock.now() for _ in range(4)] == [1.0, 1.5, 1.5 + LONGEST_STEP, 2.5 + LONGEST_STEP]
