"""The program of the process that renders chat templates: a request per line in, an answer per line out, both in JSON.

A template is a program of somebody else's. transformers' sandbox keeps it from files and attributes; only a process of
its own bounds its time and memory, as a single operation such as 9 ** 9 ** 9 neither ends nor lets anything interrupt
it. It is started as a file and imports nothing of swarm, whose engines would take long to load.

    request   {source, values, characters, steps, seconds}
    answer    {text}, {endless: what it does too much}, or {error: name of the exception, reason}
"""

import json
import math
import resource
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

MEMORY = 1 << 30  # bytes, beyond what the process has once it has started
START_SECONDS = 120  # of the processor: what is slower to start does not end


class EndlessError(Exception):
    """The template does too much."""


def main() -> None:
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_CPU, START_SECONDS)
    from transformers.utils.chat_template_utils import _compile_jinja_template

    _limit_memory()
    requests, answers = _pipes()
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in requests:
        print(json.dumps(_answer(json.loads(line), _compile_jinja_template)), file=answers, flush=True)


def _pipes() -> tuple[TextIO, TextIO]:
    """Standard input and output, which nothing else may read or write."""
    requests, answers = sys.stdin, sys.stdout
    sys.stdin, sys.stdout = open("/dev/null"), sys.stderr  # noqa: SIM115
    return requests, answers


def _answer(request: Mapping[str, Any], compile_template: Callable[[str], Any]) -> dict[str, str]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime) + request["seconds"])
    try:
        template = compile_template(request["source"])
        pieces = template.generate(**request["values"], range=_bounded_range(request["steps"]))
        return {"text": "".join(_limited(pieces, request["characters"]))}
    except EndlessError as error:
        return {"endless": str(error)}
    except MemoryError:
        return {"endless": f"needs more than {MEMORY >> 30} GiB of memory"}
    except Exception as error:  # a template may raise anything
        return {"error": type(error).__name__, "reason": str(error)}


def _limited(pieces: Iterator[str], limit: int) -> Iterator[str]:
    """The pieces. Raises EndlessError where they are more than `limit` characters."""
    written = 0
    for piece in pieces:
        written += len(piece)
        if written > limit:
            raise EndlessError(f"writes more than {limit:,} characters")
        yield piece


def _bounded_range(most: int) -> Callable[..., range]:
    """`range` for one rendering: all its loops together have `most` steps."""
    left = most

    def bounded(*bounds: int) -> range:
        nonlocal left
        steps = range(*bounds)
        left -= len(steps)
        if left < 0:
            raise EndlessError(f"loops more than {most:,} times")
        return steps

    return bounded


def _limit_memory() -> None:
    """Allow MEMORY more than there is. Where the system does not tell how much that is, the time alone is limited."""
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        _limit(resource.RLIMIT_AS, pages * resource.getpagesize() + MEMORY)


def _limit(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    soft = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with suppress(OSError, ValueError):
        resource.setrlimit(kind, (soft, hard))


if __name__ == "__main__":
    main()
