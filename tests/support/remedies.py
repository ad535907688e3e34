"""For every bad input what its message says to do: a case that is added to a table comes with its remedy."""

from support import (
    remedies_for_adapters,
    remedies_for_configs,
    remedies_for_data,
    remedies_for_runs,
    remedies_for_settings,
    remedies_for_weights,
)
from support.remedy_steps import Remedy

# Of each case the remedies that its message names, each of which must help.
REMEDIES: dict[str, tuple[Remedy, ...]] = {
    **remedies_for_configs.REMEDIES,
    **remedies_for_settings.REMEDIES,
    **remedies_for_weights.REMEDIES,
    **remedies_for_adapters.REMEDIES,
    **remedies_for_data.REMEDIES,
    **remedies_for_runs.REMEDIES,
}
# Remedies that take seconds: the case and the place of the remedy in its tuple.
SLOW = frozenset(
    {
        "too-few-examples-2",
        "break-in-run-dir-1",
        "corrupt-journal-1",
        "empty-journal-1",
        "escape-in-run-dir-1",
        "lost-start-1",
        "other-seed-1",
        "other-splits-1",
        "run-dir-in-a-file-1",
        "run-dir-in-null-1",
        "run-dir-in-proc-1",
        "run-dir-is-a-file-1",
        "too-large-a-grid-3",
    }
)
# Of the other cases the test that follows the remedy, or what a test would need.
ELSEWHERE: dict[str, str] = {
    **dict.fromkeys(remedies_for_data.MENDED, "tests/data/test_remedies_for_examples.py::test_the_remedy_helps"),
    "cache-in-proc": "tests/cli/test_remedies_for_machines.py::test_a_cache_that_can_be_written",
    "cache-is-a-file": "tests/cli/test_remedies_for_machines.py::test_a_cache_that_can_be_written",
    "no-such-cluster": "tests/workers/preflight/test_checks.py::test_check_describes_a_cluster_that_has_everything",
    "zoo-in-proc": "tests/zoo/test_zoo.py::test_the_tiny_zoo_is_the_same_twice",
}
