"""What the messages of the commands that look at runs say to do."""

from support.bad_inputs import Scene, Words
from support.playground import run_cli
from support.remedy_steps import Remedy


def of_a_folder(scene: Scene, words: Words) -> Words:
    return ["runs", scene.finished.parent]


def of_a_run(scene: Scene, words: Words) -> Words:
    return ["candidates", scene.finished]


def two(scene: Scene, words: Words) -> Words:
    other = scene.folder / "other"
    assert run_cli(*scene.search(seed=5)[:-1], other).code == 0
    return ["compare", scene.finished, other]


def resumed(scene: Scene, words: Words) -> Words:
    assert run_cli("resume", scene.run).code == 0
    return words


REMEDIES: dict[str, tuple[Remedy, ...]] = {
    "runs-of-no-folder": (of_a_folder,),
    "candidates-of-no-run": (of_a_run,),
    "compared-with-itself": (two,),
    "compared-unfinished": (resumed,),
}
SLOW = frozenset({"compared-with-itself-1", "compared-unfinished-1"})
