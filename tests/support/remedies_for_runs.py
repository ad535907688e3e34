"""What mends the mistakes with run directories, exports, zoos, machines and the command line itself."""

import json
import os
import shutil

from support.bad_inputs import Scene, Words, edited
from support.playground import EXPERTS, run_cli
from support.remedy_steps import Remedy, given, put, setting
from swarm.zoo import tiny
from swarm.zoo.base import Builder, BuildPaths
from swarm.zoo.store import build_at, cache_directory

QUICK = setting("optimizer.iterations=1", "splits={search: 8, select: 8, test: 8}", "export.format=recipe")


def quick(*words: str) -> Remedy:
    """A search that is short and is started, as it is the run directory that is mended."""
    return lambda scene, refused: given(*words)(scene, QUICK(scene, refused))


def resumed(scene: Scene, words: Words) -> Words:
    return ["resume", scene.run]


def a_new_run(scene: Scene, words: Words) -> Words:
    """A search with the config that the run directory holds now."""
    return ["search", scene.run / "config.yaml", "--run-dir", scene.folder / "new"]


def from_a_copy(*names: str) -> Remedy:
    """Restore files of the run, or what a message calls so, from a copy."""

    def follow(scene: Scene, words: Words) -> Words:
        for name in names:
            if (scene.run / name).is_dir():
                (scene.run / name).rmdir()
            kept = (scene.finished / name).read_text().splitlines(keepends=True)[:12]
            (scene.run / name).write_text("".join(kept))
        return words

    return follow


def cut_to(lines: int) -> Remedy:
    def follow(scene: Scene, words: Words) -> Words:
        kept = (scene.run / "journal.jsonl").read_text().splitlines(keepends=True)[:lines]
        (scene.run / "journal.jsonl").write_text("".join(kept))
        return ["resume", scene.run]

    return follow


def undone(old: str, new: str) -> Remedy:
    def follow(scene: Scene, words: Words) -> Words:
        edited(scene.run / "config.yaml", new, old)
        return words

    return follow


def old_weights(scene: Scene, words: Words) -> Words:
    shutil.copy(scene.playground.expert("red") / "adapter_model.safetensors", scene.folder / "mine")
    return words


def emptied(scene: Scene, words: Words) -> Words:
    (scene.folder / "dest" / "mine.txt").unlink()
    return words


def candidate(scene: Scene, words: Words) -> Words:
    """An id of an evaluation line of the journal."""
    lines = [json.loads(line) for line in (scene.finished / "journal.jsonl").read_text().splitlines()]
    found = next(line["id"] for line in lines if line["kind"] == "evaluation")
    return [*words[: words.index("--candidate")], "--candidate", found]


def recipe_again(scene: Scene, words: Words) -> Words:
    done = run_cli("export", scene.finished, scene.folder / "again", "--format", "recipe")
    assert done.code == 0, done
    return ["export", scene.folder / "again" / "recipe.json", *words[2:]]


def summary_again(scene: Scene, words: Words) -> Words:
    (scene.run / "summary.json").unlink()
    done = run_cli("resume", scene.run)
    assert done.code == 0, done
    return words


def resumed_before(scene: Scene, words: Words) -> Words:
    done = run_cli("resume", scene.run)
    assert done.code == 0, done
    return words


def without_lock(scene: Scene, words: Words) -> Words:
    (scene.run / ".lock").rmdir()
    return words


def of_the_finished(scene: Scene, words: Words) -> Words:
    """A run directory, where another folder was given."""
    shutil.copytree(scene.finished, scene.run)
    return [words[0], scene.run]


def with_a_zoo(scene: Scene, words: Words) -> Words:
    """A zoo of the playground's models in the cache: a real one takes minutes to build."""

    def make(paths: BuildPaths, progress: object) -> None:
        shutil.copytree(scene.playground.base, paths.work / "base")
        for name in EXPERTS:
            shutil.copytree(scene.playground.expert(name), paths.work / "experts" / name)

    build_at(Builder(tiny.RECIPE, make), "tiny", cache_directory() / "tiny", lambda text, share: None)
    return words


def the_zoo(scene: Scene, words: Words) -> Words:
    return put("base", "zoo:tiny")(scene, with_a_zoo(scene, words))


def environment(**variables: str) -> Remedy:
    """Set variables; {folder} is the scene's."""

    def follow(scene: Scene, words: Words) -> Words:
        os.environ.update({name: value.format(folder=scene.folder) for name, value in variables.items()})
        return words

    return follow


def unset(name: str) -> Remedy:
    def follow(scene: Scene, words: Words) -> Words:
        del os.environ[name]
        return words

    return follow


def choose(*words: object) -> Remedy:
    """swarm export of the finished run with other words behind it."""
    return lambda scene, refused: ["export", scene.finished, scene.folder / "dest", *words]


def another_place(scene: Scene, words: Words) -> Words:
    return [*words[:2], scene.folder / "other"]


def corrected(*words: str) -> Remedy:
    """The command as swarm --help tells it."""
    return lambda scene, refused: [words[0], scene.playground.config_file, *words[1:]]


ANOTHER_DIRECTORY = quick("--run-dir", "{folder}/other")
RUNS: dict[str, tuple[Remedy, ...]] = {
    "taken-run-dir": (resumed, ANOTHER_DIRECTORY),
    **dict.fromkeys(
        (
            "run-dir-in-use-for-else",
            "run-dir-is-a-file",
            "run-dir-in-a-file",
            "run-dir-in-proc",
            "run-dir-in-null",
            "escape-in-run-dir",
            "break-in-run-dir",
        ),
        (ANOTHER_DIRECTORY,),
    ),
    **dict.fromkeys(("resume-no-run", "test-no-run", "report-no-run"), (of_the_finished,)),
    "corrupt-journal": (from_a_copy("journal.jsonl"), cut_to(4)),
    "journal-is-a-folder": (from_a_copy("journal.jsonl"),),
    "lost-start": (from_a_copy("journal.jsonl"), cut_to(0)),
    "lock-is-a-folder": (without_lock,),
    "broken-summary": (summary_again,),
    "other-settings": (undone("cognitive: 2.05", "cognitive: 1.05"), a_new_run),
    "other-splits": (undone("search: 16", "search: 12"), a_new_run),
    "other-seed": (undone("seed: 0", "seed: 1"), a_new_run),
    "other-positions": (a_new_run,),
    "changed-weights": (old_weights,),
}
EXPORTS: dict[str, tuple[Remedy, ...]] = {
    "test-of-a-stopped-run": (resumed_before,),
    "export-of-a-stopped-run": (resumed_before, given("--candidate", "0-0")),
    "export-of-changed-weights": (old_weights,),
    "taken-destination": (another_place, emptied, given("--overwrite")),
    "unknown-candidate": (candidate,),
    "escape-in-a-candidate": (candidate,),
    "unknown-format": tuple(choose("--format", form) for form in ("hf", "adapter", "mergekit", "recipe")),
    "broken-recipe": (recipe_again,),
    "export-to-proc": (another_place,),
    "export-into-a-file": (another_place,),
}
COMMANDS: dict[str, tuple[Remedy, ...]] = {
    "unknown-command": (corrected("search"),),
    "unknown-option": (corrected("search", "--run-dir", "b"),),
    "missing-argument": (lambda scene, words: ["candidates", scene.finished],),
    "escape-in-a-command": (corrected("check"),),
}
A_SHORT_FOLDER = environment(RAY_TMPDIR="/tmp")
MACHINES: dict[str, tuple[Remedy, ...]] = {
    "long-ray-tmpdir": (A_SHORT_FOLDER,),
    "long-tmpdir": (A_SHORT_FOLDER,),
    "check-long-tmpdir": (A_SHORT_FOLDER,),
    "no-ray-tmpdir": (A_SHORT_FOLDER,),
    "check-no-tmpdir": (A_SHORT_FOLDER,),
    "ray-tmpdir-is-a-file": (A_SHORT_FOLDER,),
    # The other remedy, an address that ray start printed: tests/workers/preflight/test_checks.py starts clusters.
    "stale-ray-address": (unset("RAY_ADDRESS"),),
    "check-stale-ray-address": (unset("RAY_ADDRESS"),),
    "dashboard-as-ray-address": (unset("RAY_ADDRESS"),),
    "no-such-cuda": (put("engine.device", "auto"), put("engine.device", "cpu")),
    "search-no-such-cuda": (put("engine.device", "auto"), put("engine.device", "cpu")),
    "check-vllm-missing": (put("engine.type", "transformers"),),
    "search-vllm-missing": (put("engine.type", "transformers"),),
    "float16-overflows": (put("engine.dtype", "bfloat16"),),
    "unknown-zoo": (the_zoo,),
    "zoo-not-built": (with_a_zoo,),
}
REMEDIES = {**RUNS, **EXPORTS, **COMMANDS, **MACHINES}
# A search or a resumed run takes a second; of cases with the same remedy one is followed by default.
SLOW = frozenset(
    {
        "break-in-run-dir-1",
        "corrupt-journal-1",
        "escape-in-run-dir-1",
        "lost-start-1",
        "other-seed-1",
        "other-splits-1",
        "run-dir-in-a-file-1",
        "run-dir-in-null-1",
        "run-dir-in-proc-1",
        "run-dir-is-a-file-1",
        # These start Ray.
        "check-long-tmpdir-1",
        "check-no-tmpdir-1",
        "check-stale-ray-address-1",
        "dashboard-as-ray-address-1",
        "long-ray-tmpdir-1",
        "more-workers-than-cores-1",
        "no-ray-tmpdir-1",
        "stale-ray-address-1",
        # The optimizer is timed with 10,000 particles.
        "particles-as-float-1",
        "too-many-particles-1",
    }
)
