"""Python's garbage collector at rest, while very many objects are made that all stay and hold no cycles."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """It would look through all the objects again and again, which takes a fifth of the time to read a long journal.

    Of several threads, the first that is done starts it again for all.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
