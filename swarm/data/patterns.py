"""Regular expressions of the user's, matched in a process that a time limit ends.

Some expressions need a time that doubles with each character of a text, and nothing can interrupt Python's matcher in
this process.
"""

import json
import re
import subprocess
import sys
from collections.abc import Sequence

from swarm.core.errors import ConfigError
from swarm.core.terminal_text import shortened

TEXTS = 5_000  # that one second of processor time is given for
MOST_SECONDS = 120.0  # by the clock, on a machine that does other things
MATCHER = """
import json, re, resource, sys
seconds, pattern, texts = json.load(sys.stdin)
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
search = re.compile(pattern).search
json.dump([found[0] if (found := search(text)) else None for text in texts], sys.stdout)
"""


def check_pattern(pattern: str) -> str:
    """The pattern. Raises ValueError where it is no regular expression."""
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{shortened(repr(pattern))} is no regular expression ({error}); correct it") from None
    return pattern


def searched(pattern: str, texts: Sequence[str], key: str) -> list[str | None]:
    """What the pattern finds first in each text; None where it finds nothing.

    Raises ConfigError, which begins with `key`, where that takes longer than the limit.
    """
    matcher = [sys.executable, "-I", "-S", "-c", MATCHER]
    seconds = 1 + len(texts) // TEXTS
    question = json.dumps([seconds, pattern, list(texts)]).encode()
    try:
        done = subprocess.run(matcher, input=question, timeout=MOST_SECONDS, check=True, capture_output=True)
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        raise ConfigError(
            f"{key}: {shortened(repr(pattern))} takes more than {seconds} s on {len(texts)} texts; "
            "write it without repetitions in repetitions"
        ) from None
    found: list[str | None] = json.loads(done.stdout)
    return found
