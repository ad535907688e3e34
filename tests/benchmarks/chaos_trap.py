"""The objective of the chaos test: scores what a model wrote, and does harm where `mode.json` beside it says so.

error: texts at which it raises; poison: texts at which it ends its process; hang: texts at which it sleeps for hours,
the first time. Every call leaves a line in `calls`, and a file named for the process in `pids`.
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
        raise ValueError("no score for this")
    if output in mode.get("poison", ()):
        os._exit(1)
    if output in mode.get("hang", ()) and not (HERE / "hung").exists():
        (HERE / "hung").touch()
        time.sleep(36000)
    # Smooth enough to lead a swarm somewhere: a share of letters, with a share of chance that the text decides.
    luck = int.from_bytes(hashlib.sha256(output.encode()).digest()[:4], "big") / 2**32
    return 0.7 * sum(c.isalpha() for c in output) / max(1, len(output)) + 0.3 * luck
