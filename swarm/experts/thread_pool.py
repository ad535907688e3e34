"""A loop that is spread over the cores, a thread per core: for pieces that fit a core's cache.

torch's own threads would split each of many small operations instead.
"""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")


@torch.no_grad()
def parallel_for(call: Callable[[T], object], items: Iterable[T]) -> None:
    """Call with every item, on as many cores as torch has threads. Raises what a call raises.

    Within a call torch has one thread. Its operations release Python's lock, so a call should be a few large ones.
    """
    waiting = deque(items)
    threads = min(torch.get_num_threads(), len(waiting))
    if threads < 2:
        _work(call, waiting)
        return
    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(threads) as pool:
            for done in [pool.submit(_work_with_one_thread, call, waiting) for _ in range(threads)]:
                done.result()
    finally:
        torch.set_num_threads(before)  # threads that start later begin with the number that was set last


def _work_with_one_thread(call: Callable[[T], object], waiting: deque[T]) -> None:
    torch.set_num_threads(1)
    with torch.no_grad():
        _work(call, waiting)


def _work(call: Callable[[T], object], waiting: deque[T]) -> None:
    while waiting:
        try:
            item = waiting.popleft()
        except IndexError:  # another thread took the last one
            return
        call(item)
