"""The regular expressions of rank_pattern and alpha_pattern, matched as PEFT matches them, but not for ever.

Some expressions need a time that doubles with each character of a name, and nothing can interrupt Python's matcher in
this process. So expressions that repeat something, or that are very many, are first tried on all names in a process
that a time limit ends. Which expressions are slow is not guessed: the trial is the match itself.
"""

import json
import re
import subprocess
import sys
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import TypeVar

from swarm.core.errors import ExpertError
from swarm.core.terminal_text import shortened

SECONDS = 2  # of processor time
MOST_SECONDS = 60.0  # by the clock, on a machine that does other things
MOST = 10_000  # expressions of one adapter
FEW = 200  # expressions that are tried here at once, where none repeats anything
REPEATS = re.compile(r"[*+?{]")
TRIAL = f"""
import json, re, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, ({SECONDS}, {SECONDS}))
patterns, names = json.load(sys.stdin)
for pattern in patterns:
    match = re.compile(pattern).match
    for name in names:
        match(name)
"""
T = TypeVar("T")


@lru_cache(maxsize=2 * MOST)
def compiled(pattern: str) -> re.Pattern[str]:
    """The expression that PEFT makes of a pattern: the end of a module's name, from a dot on."""
    return re.compile(rf"(.*\.)?({pattern})$")


def value_for(patterns: Mapping[str, T], module: str, default: T) -> T:
    """The value of the first pattern that matches the module's name, as PEFT looks for it."""
    return next((value for pattern, value in patterns.items() if compiled(pattern).match(module)), default)


def check_quick(patterns: Collection[str], modules: Collection[str], owner: str) -> None:
    """Raise ExpertError where patterns are not matched to all modules within seconds. owner: begins the message."""
    risky = [pattern for pattern in patterns if REPEATS.search(pattern)]
    tried = list(patterns) if len(patterns) > FEW else risky
    if not tried:
        return
    question = json.dumps([[compiled(pattern).pattern for pattern in tried], list(modules)])
    trial = [sys.executable, "-I", "-S", "-c", TRIAL]
    try:
        subprocess.run(trial, input=question.encode(), timeout=MOST_SECONDS, check=True, stderr=subprocess.DEVNULL)
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        raise ExpertError(
            f"{owner}, such as {shortened(repr((risky or tried)[0]))}, take more than {SECONDS} s to match; "
            "write the names of modules, or patterns without repetitions in repetitions"
        ) from None
