"""Ray metrics: the standing as gauges and counters of the driver, for Ray's dashboard and Prometheus.

Imported where a run is on Ray, and nowhere else. Names are in docs/tracking.md; Ray puts `ray_` before them.
"""

from collections.abc import Mapping

from ray.util.metrics import Counter, Gauge

from swarm.search.status import Status

GAUGES = {
    "best": "the best utility so far",
    "mean": "the mean of the particles' latest utilities",
    "iteration": "the latest iteration that was scored",
    "evaluations_per_minute": "evaluations a minute, lately",
    "tokens_per_second": "tokens a second, lately",
    "workers": "candidates that are scored at a time",
    "busy": "share of the workers' time that evaluations took",
    "seconds_left": "seconds that the search takes at most, at this pace",
}
COUNTERS = {
    "evaluations": "positions that the search has evaluated",
    "tokens": "positions of tokens that were computed for them",
    "failures": "failed attempts and failed candidates",
}


class RayMetrics:
    """A tracker that needs no settings: a series a run, told apart by the tag `run`."""

    def __init__(self, run: str) -> None:
        tags = {"run": run}
        self._gauges = {name: Gauge(f"swarm_{name}", said, tuple(tags)) for name, said in GAUGES.items()}
        self._counters = {name: Counter(f"swarm_{name}", said, tuple(tags)) for name, said in COUNTERS.items()}
        for metric in (*self._gauges.values(), *self._counters.values()):
            metric.set_default_tags(tags)
        self._counted = dict.fromkeys(COUNTERS, 0)

    def log(self, standing: Status) -> None:
        for name, gauge in self._gauges.items():
            if (value := getattr(standing, name)) is not None:
                gauge.set(value)
        for name, counter in self._counters.items():
            count = getattr(standing, name)
            if count > self._counted[name]:
                counter.inc(count - self._counted[name])
                self._counted[name] = count

    def finish(self, summary: Mapping[str, object] | None) -> None:
        """Nothing is left to be sent."""
