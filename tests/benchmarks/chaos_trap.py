"""The objective of chaos.py: scores what a model wrote, and fails where `mode.json` beside it says so.

error: texts at which it raises. poison: texts at which it ends its process. hang: texts at which it sleeps for hours,
the first time. sleep: seconds that every call takes. Every call appends a line to `calls` and touches a file named for
its process in `pids`.
"""

import hashlib
import json
import os
import time
from pathlib import Path

HERE = Path(os.environ["CHAOS_FOLDER"])


def score(example: object, output: str) -> float:
    mode = json.loads((HERE / "mode.json").read_text())
    (HERE / "pids" / str(os.getpid())).touch()
    with (HERE / "calls").open("a") as calls:
        calls.write(json.dumps(output) + "\n")
    time.sleep(mode.get("sleep", 0.0))
    if output in mode.get("error", ()):
        raise ValueError("an injected error")
    if output in mode.get("poison", ()):
        os._exit(1)
    if output in mode.get("hang", ()) and not (HERE / "hung").exists():
        (HERE / "hung").touch()
        time.sleep(36000)
    # A smooth part that a swarm can climb, the share of letters, and noise that the text determines.
    noise = int.from_bytes(hashlib.sha256(output.encode()).digest()[:4], "big") / 2**32
    return 0.7 * sum(c.isalpha() for c in output) / max(1, len(output)) + 0.3 * noise
