"""Ray metrics: the status as gauges and counters of the driver, for Ray's dashboard and Prometheus.

Imported only where a run is on Ray. Names are in docs/tracking.md; Ray prefixes them with `ray_`.
"""

from ray.util.metrics import Counter, Gauge

from swarm.journal.summary import Summary
from swarm.search.status import Status

GAUGES = {
    "best": "the best utility so far",
    "mean": "the mean of the particles' latest utilities",
    "iteration": "the latest iteration that was scored",
    "evaluations_per_minute": "evaluations per minute, recently",
    "tokens_per_second": "tokens per second, recently",
    "workers": "candidates that are scored at a time",
    "busy": "utilisation: the share of the workers' time that evaluations took",
    "seconds_left": "time left (at most), in seconds, at the recent rate",
}
COUNTERS = {
    "evaluations": "positions that the search has evaluated",
    "tokens": "token positions that were computed for them",
    "failures": "failed attempts and failed candidates",
}


class RayMetrics:
    """A tracker that needs no settings: one series per run, distinguished by the tag `run`."""

    def __init__(self, run: str) -> None:
        tags = {"run": run}
        self._gauges = {name: Gauge(f"swarm_{name}", text, tuple(tags)) for name, text in GAUGES.items()}
        self._counters = {name: Counter(f"swarm_{name}", text, tuple(tags)) for name, text in COUNTERS.items()}
        for metric in (*self._gauges.values(), *self._counters.values()):
            metric.set_default_tags(tags)
        self._counted = dict.fromkeys(COUNTERS, 0)

    def log(self, status: Status) -> None:
        for name, gauge in self._gauges.items():
            if (value := getattr(status, name)) is not None:
                gauge.set(value)
        for name, counter in self._counters.items():
            count = getattr(status, name)
            if count > self._counted[name]:
                counter.inc(count - self._counted[name])
                self._counted[name] = count

    def finish(self, summary: Summary | None) -> None:
        """Nothing remains to be sent."""
