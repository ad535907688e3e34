"""Pools on Ray whose objective sleeps, fails or ends its process where a test says so."""

import json
from pathlib import Path

from support.runs import candidates, choices
from swarm.core.candidates import Task
from swarm.core.examples import Example
from swarm.evaluation.evaluator import EvaluatorSpec
from swarm.workers.ray.backend import RayBackend
from swarm.workers.scheduling.coordinator import Coordinator
from swarm.workers.settings import RayCluster

LETHAL = '''
"""Scores a text. Before that it does what mode.json says: it sleeps, or ends the process at the poisonous text."""
import json, os, time
from pathlib import Path

HERE = Path(__file__).parent

def score(example, output):
    mode = json.loads((HERE / "mode.json").read_text())
    (HERE / "pids" / str(os.getpid())).touch()
    time.sleep(mode.get("sleep", 0))
    if output == mode.get("poison"):
        deaths = HERE / "deaths"
        deaths.write_text(deaths.read_text() + ".")
        if len(deaths.read_text()) <= mode["deaths"]:
            os._exit(1)
    if output == mode.get("error"):
        raise ValueError("no score for this")
    return float(len(set(output)))
'''
EXAMPLES = {"words": choices(4), "mine": (Example("x", "tell me", ""),)}
POSITIONS = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, 0.0), (0.7, -0.5, 1.2)]
CANDIDATES = candidates(*POSITIONS)
TASKS = [Task(candidate) for candidate in CANDIDATES]
CLUSTER = {"workers": 2, "cpus_per_worker": 1, "gpus_per_worker": 0, "start_seconds": 120}


def open_pool(what: EvaluatorSpec, **settings: object) -> Coordinator:
    cluster = RayCluster(**CLUSTER | settings)  # type: ignore[arg-type]
    return Coordinator(RayBackend(what, cluster), cluster)


def mode(folder: Path, **content: object) -> None:
    (folder / "deaths").write_text("")
    (folder / "mode.json").write_text(json.dumps(content))
