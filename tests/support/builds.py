"""A small build: two experts and their forgetting matrix, by processes of which some are killed at exact points.

    python -m support.builds FOLDER EVENT ...

builds into FOLDER/straight, and for each EVENT into FOLDER/killed-N: that process is killed at the first event of its
file system that the regular expression fits, and the build is started again. Processes are forks of one that has
imported all that a build needs, and that has trained nothing: after a backward pass torch cannot be forked.
"""

import json
import random
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from support.kill_points import Ended, run_cli_forked
from support.models import make_base
from support.playground import write_lines

EXPERTS = ("reverse", "loud")
STEPS, SAVED = 9, 4


def make_build(folder: Path) -> Path:
    """A base, data of both experts, held-out pairs of the second, and the config, whose path is returned."""
    make_base(folder / "base")
    rng = random.Random(0)
    words = sorted({"".join(rng.choices("abcdefgh", k=4)) for _ in range(120)})
    rng.shuffle(words)
    pairs = [{"prompt": f"{word}?", "chosen": word.upper(), "rejected": word} for word in words]
    write_lines(folder / "words.jsonl", [{"prompt": f"{word}=", "answer": word[::-1]} for word in words[:60]])
    write_lines(folder / "pairs.jsonl", pairs[:60])
    write_lines(folder / "held_out.jsonl", pairs[60:100])
    shared = {"steps": STEPS, "save_steps": SAVED, "batch_size": 8, "rank": 4}
    supervised = {"name": "reverse", "type": "sft", "data": "words.jsonl", "learning_rate": 2e-2, **shared}
    supervised |= {"curate": {"examples": 50, "choose": "random"}}
    preferring = {"name": "loud", "type": "dpo", "data": "pairs.jsonl", "held_out": "held_out.jsonl", **shared}
    preferring |= {"learning_rate": 1e-2, "batch_size": 4, "gradient_accumulation_steps": 2}
    content = {
        "base": "base",
        "out": "straight",
        "forgetting": True,
        "chat": False,
        "experts": [supervised, preferring],
    }
    (folder / "build.yaml").write_text(yaml.safe_dump(content))
    return folder / "build.yaml"


def main(folder: Path, patterns: Sequence[str]) -> None:
    """Prints the codes and errors of all processes as JSON."""
    import swarm.builders.expert_folder
    import swarm.builders.scoring
    import swarm.run.build  # noqa: F401

    straight = _built(folder, "straight", 0)
    ended = {"straight": [(straight.code, straight.err)]}
    for i, pattern in enumerate(patterns):
        point = next(at for at, event in enumerate(straight.events, 1) if re.fullmatch(pattern, event))
        processes = [_built(folder, f"killed-{i}", point), _built(folder, f"killed-{i}", -1)]
        ended[f"killed-{i}"] = [(each.code, each.err) for each in processes]
    print(json.dumps(ended))


def _built(folder: Path, out: str, point: int) -> Ended:
    words = ("build", folder / "build.yaml", "--set", f"out={out}")
    return run_cli_forked(*words, at=folder / out, point=point, fsyncs=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
