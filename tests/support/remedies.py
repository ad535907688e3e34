"""For every bad input what its message says to do: a case that is added to a table comes with its remedy."""

from importlib import import_module
from pathlib import Path

from support.remedies_for_data import MENDED
from support.remedy_steps import Remedy

MODULES = [import_module(f"support.{file.stem}") for file in sorted(Path(__file__).parent.glob("remedies_for_*.py"))]
# Of each case the remedies that its message names, each of which must help.
REMEDIES: dict[str, tuple[Remedy, ...]] = {
    name: remedies for module in MODULES for name, remedies in module.REMEDIES.items()
}
# Remedies that take a second or more: the case, and the place of the remedy in its tuple.
SLOW = frozenset(name for module in MODULES for name in getattr(module, "SLOW", ()))
# Of the other cases the test that follows the remedy, or what a test would need.
ELSEWHERE: dict[str, str] = {
    **dict.fromkeys(MENDED, "tests/data/test_remedies_for_examples.py::test_the_remedy_helps"),
    "cache-in-proc": "tests/cli/test_remedies_for_machines.py::test_a_cache_that_can_be_written",
    "cache-is-a-file": "tests/cli/test_remedies_for_machines.py::test_a_cache_that_can_be_written",
    **dict.fromkeys(
        ("push-of-a-recipe", "push-to-no-id"), "tests/export/test_push_to_hub.py::test_what_is_sent_is_the_export"
    ),
    "no-such-cluster": "tests/workers/preflight/test_checks.py::test_check_describes_a_cluster_that_has_everything",
    "zoo-in-proc": "tests/zoo/test_zoo.py::test_the_tiny_zoo_is_the_same_twice",
}
