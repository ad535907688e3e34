"""The checkpoints of a training: which are complete, and what they hold.

transformers writes a checkpoint file by file. A killed process may leave half of one, so a checkpoint counts only once
it holds MARK, which is written when all of its files are on disk.

Beside weights, which are safetensors, a checkpoint holds pickles (optimizer.pt, scheduler.pt, rng_state.pth). They are
this program's own files in its own working folder, are loaded with torch's `weights_only`, and are removed with the
folder once the expert is complete. training_args.bin, which is never read, is removed at once.
"""

import json
import os
import re
import shutil
from pathlib import Path

from swarm.core.files import write_text

MARK = "complete"
UNREAD = "training_args.bin"
STATE = "trainer_state.json"
CHECKPOINT = re.compile(r"checkpoint-([0-9]+)")
KEPT = 2  # one that is complete beside the one that is being written


def mark_complete(checkpoint: Path) -> None:
    """Force the files to disk, then say so."""
    (checkpoint / UNREAD).unlink(missing_ok=True)
    for file in checkpoint.rglob("*"):
        if file.is_file():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())
    write_text(checkpoint / MARK, "")


def step_of(checkpoint: Path) -> int:
    found = CHECKPOINT.fullmatch(checkpoint.name)
    assert found, f"{checkpoint} is no checkpoint"
    return int(found[1])


def newest_complete(folder: Path) -> Path | None:
    """The newest complete checkpoint; incomplete ones are removed."""
    found = [path for path in folder.glob("checkpoint-*") if CHECKPOINT.fullmatch(path.name)]
    for path in found:
        if not (path / MARK).is_file():
            shutil.rmtree(path)
    return max((path for path in found if path.is_dir()), key=step_of, default=None)


def losses_of(checkpoint: Path) -> tuple[float, ...]:
    """The loss of every step so far."""
    history = json.loads((checkpoint / STATE).read_text())["log_history"]
    return tuple(float(entry["loss"]) for entry in history if "loss" in entry)
