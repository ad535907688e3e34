"""Other libraries at work on a user's files: whatever they raise becomes one line, and nothing grows without end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from swarm.core.errors import ExpertError
from swarm.core.terminal_text import shortened

MOST_CHARACTERS = 200  # of the reason that a library gives
T = TypeVar("T")


def understood(load: Callable[[], T], refused: Callable[[str], ExpertError]) -> T:
    """What `load` gives. Whatever it raises becomes the ExpertError that `refused` makes of the reason.

    Libraries raise whatever their own parsers do; a panic of tokenizers is not even an Exception.
    """
    try:
        return load()
    except (KeyboardInterrupt, SystemExit, ExpertError):
        raise
    except BaseException as error:
        text = " ".join(str(error).split())
        raise refused(shortened(f"{type(error).__name__}: {text}", MOST_CHARACTERS)) from error


@contextmanager
def at_most_parts(most: int) -> Iterator[None]:
    """Within the context, a ValueError ends the building of a model with more modules and parameters than that."""
    found = 0

    def count(*_of_module: object) -> None:
        nonlocal found
        found += 1
        if found > most:
            raise ValueError(f"it asks for more than {most} modules and parameters")

    hooks = [register_module_module_registration_hook(count), register_module_parameter_registration_hook(count)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
