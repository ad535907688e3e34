"""Swarm finds, without gradients, the best weighting of language-model experts.

From Python: `swarm.search`, `swarm.Run`, `swarm.compose`, `swarm.load` (api.py).
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swarm.api import Run, compose, load

__version__ = "0.1.0"
__all__ = ["Run", "__version__", "compose", "load"]


def __getattr__(name: str) -> Any:
    """`swarm.search` and what api.py has, loaded when it is first asked for: they take seconds."""
    from importlib import import_module

    if name == "search":  # a package that can be called
        return import_module("swarm.search")
    if name in ("Run", "compose", "load"):
        return getattr(import_module("swarm.api"), name)
    raise AttributeError(f"module 'swarm' has no attribute {name!r}")
