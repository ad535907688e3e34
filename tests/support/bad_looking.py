"""Mistakes with the commands that look at runs."""

from collections.abc import Callable

from support.bad_inputs import Case, Scene, Words


def compared(*runs: str) -> Callable[[Scene], Words]:
    """`swarm compare` of the finished run, "finished", and a stopped one, "stopped"."""

    def arrange(scene: Scene) -> Words:
        return ["compare", *(scene.finished if run == "finished" else scene.stopped_run() for run in runs)]

    return arrange


CASES = [
    Case("runs-of-no-folder", lambda scene: ["runs", scene.folder / "no"], "/no", "is not a folder", "swarm search"),
    Case(
        "candidates-of-no-run",
        lambda scene: ["candidates", scene.folder],
        "is not a run directory",
        "config.yaml",
        "give the directory",
    ),
    Case("compared-with-itself", compared("finished", "finished"), "finished", "is the same run", "name two"),
    Case("compared-unfinished", compared("finished", "stopped"), "run", "has not ended", "swarm resume"),
]
