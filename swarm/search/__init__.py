"""The search itself, in one of two schedules, and who is selected when it ends.

It may import core, journal, optimizers, preferences and statistics. It must never see data, splits, engines or
torch: candidates are scored by a callable that it is given.

To add a schedule: write a class that takes a `Loop` and has `run() -> reason`, add one line to SCHEDULES, and its name
to `Optimizer.schedule`.
"""

import sys
from types import ModuleType
from typing import Any

from swarm.search.asynchronous import AsynchronousSearch
from swarm.search.generational import GenerationalSearch

SCHEDULES: dict[str, type[GenerationalSearch] | type[AsynchronousSearch]] = {
    "sync": GenerationalSearch,
    "async": AsynchronousSearch,
}

__all__ = ["SCHEDULES"]


class _CallablePackage(ModuleType):
    """`swarm.search(...)` is the search of api.py: the package of that name answers to the call."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        from swarm.api import search

        return search(*arguments, **options)


sys.modules[__name__].__class__ = _CallablePackage
