"""What mends searches that continue another run, and runs that were stopped before they began."""

from support.bad_inputs import Scene, Words
from support.playground import run_cli
from support.remedies_for_runs import QUICK
from support.remedy_steps import Remedy, put


def of_the_finished(scene: Scene, words: Words) -> Words:
    return [*words[: words.index("--continue-from")], "--continue-from", scene.finished]


def without_it(scene: Scene, words: Words) -> Words:
    return words[: words.index("--continue-from")]


def first_resumed(scene: Scene, words: Words) -> Words:
    """The run that holds no score yet is resumed, and then continued."""
    done = run_cli("resume", scene.folder / "first")
    assert done.code == 0, done
    return words


def search_there(scene: Scene, words: Words) -> Words:
    """swarm search with the directory of the run that did not begin."""
    return QUICK(scene, scene.search())


SPLITS = {"search": 16, "select": 16, "test": "rest"}
REMEDIES: dict[str, tuple[Remedy, ...]] = {
    "left-before-a-run": (search_there,),
    "continue-no-run": (of_the_finished,),
    "continue-from-nothing": (first_resumed, without_it),
    "continue-other-weights": (
        put("experts.0", lambda scene: str(scene.playground.expert("red"))),
        without_it,
    ),
    "continue-other-dtype": (put("engine", {"dtype": "float32"}), without_it),
    "continue-other-objective": (put("objectives.0.metric", "accuracy"), without_it),
    "continue-other-splits": (put("splits", SPLITS), without_it),
    "continue-other-seed": (put("seed", 0), without_it),
}
# Each is a search.
SLOW = frozenset(
    f"{name}-{number}" for name in REMEDIES for number in (1, 2) if f"{name}-{number}" != "left-before-a-run-1"
)
