"""Mistakes with zoos, run directories, exports and the command line itself."""

import shutil
from collections.abc import Callable
from pathlib import Path

from support.bad_inputs import Case, Scene, Words, edited


def zoo_not_built(scene: Scene) -> Words:
    scene.search(base="zoo:tiny")
    return ["check", scene.folder / "case.yaml"]


def taken_run_dir(scene: Scene) -> Words:
    scene.stopped_run()
    return scene.search()


def run_dir_of_others(scene: Scene) -> Words:
    scene.run.mkdir()
    (scene.run / "notes.txt").write_text("mine")
    return scene.search()


def run_dir_is_a_file(scene: Scene) -> Words:
    scene.run.write_text("mine")
    return scene.search()


def run_dir_in_a_file(scene: Scene) -> Words:
    (scene.folder / "file").write_text("mine")
    return [*scene.search(), "--run-dir", scene.folder / "file" / "run"]


def resumed_after(change: Callable[[Path], None]) -> Callable[[Scene], Words]:
    def arrange(scene: Scene) -> Words:
        change(scene.stopped_run())
        return ["resume", scene.run]

    return arrange


def corrupt_line(run: Path) -> None:
    lines = (run / "journal.jsonl").read_text().splitlines(keepends=True)
    lines[4] = lines[4][:40] + "\n"
    (run / "journal.jsonl").write_text("".join(lines))


def lost_first_line(run: Path) -> None:
    lines = (run / "journal.jsonl").read_text().splitlines(keepends=True)
    (run / "journal.jsonl").write_text("".join(lines[1:]))


def journal_as_folder(run: Path) -> None:
    (run / "journal.jsonl").unlink()
    (run / "journal.jsonl").mkdir()


def lock_as_folder(run: Path) -> None:
    (run / ".lock").unlink()
    (run / ".lock").mkdir()


def broken_summary(scene: Scene) -> Words:
    shutil.copytree(scene.finished, scene.run)
    (scene.run / "summary.json").write_text("{")
    return ["report", scene.run]


def changed_weights(scene: Scene) -> Words:
    """A run whose weights are elsewhere and are trained further before it is resumed."""
    red, mine = scene.playground.expert("red"), scene.expert()
    for name in ("config.yaml", "journal.jsonl"):
        edited(scene.stopped_run() / name if name == "config.yaml" else scene.run / name, str(red), str(mine))
    shutil.copy(scene.playground.expert("blue") / "adapter_model.safetensors", mine)
    return ["resume", scene.run]


def export_of_changed_weights(scene: Scene) -> Words:
    changed_weights(scene)
    return ["export", scene.run, scene.folder / "dest", "--candidate", "0-0"]


def full_destination(scene: Scene) -> Words:
    (scene.folder / "dest").mkdir()
    (scene.folder / "dest" / "mine.txt").write_text("mine")
    return ["export", scene.finished, scene.folder / "dest"]


def broken_recipe(scene: Scene) -> Words:
    (scene.folder / "recipe.json").write_text("{}")
    return ["export", scene.folder / "recipe.json", scene.folder / "dest"]


def export_to(*words: object) -> Callable[[Scene], Words]:
    return lambda scene: ["export", scene.finished, scene.folder / "dest", *words]


def continued(source: str = "", **sections: object) -> Callable[[Scene], Words]:
    """A search that continues the finished run, or a folder of the scene, with other settings."""

    def arrange(scene: Scene) -> Words:
        return [*scene.search(**sections), "--continue-from", scene.folder / source if source else scene.finished]

    return arrange


def continued_with(change: Callable[[Scene], Words]) -> Callable[[Scene], Words]:
    return lambda scene: [*change(scene), "--continue-from", scene.finished]


def continued_from_nothing(scene: Scene) -> Words:
    words, first = scene.search(), scene.folder / "first"
    shutil.move(scene.stopped_run(lines=1), first)
    return [*words, "--continue-from", first]


def of_other_weights(scene: Scene) -> Words:
    mine = scene.expert()
    shutil.copy(scene.playground.expert("blue") / "adapter_model.safetensors", mine)
    others = [str(scene.playground.expert(name)) for name in ("green", "blue")]
    return scene.search(experts=[{"path": str(mine), "name": "red"}, *others])


def left_before_a_run(scene: Scene) -> Words:
    scene.run.mkdir()
    (scene.run / ".lock").touch()
    (scene.run / ".config.yaml.0123abcd.tmp").write_text("base:")
    return ["resume", scene.run]


CASES = [
    Case("left-before-a-run", left_before_a_run, "run", "holds no config.yaml", "swarm search with --run-dir"),
    Case("continue-no-run", continued("nowhere"), "--continue-from", "nowhere is not a run", "give the directory"),
    Case("continue-from-nothing", continued_from_nothing, "--continue-from", "first holds no score", "swarm resume"),
    Case(
        "continue-other-weights", continued_with(of_other_weights), "--continue-from", "of expert red", "take the same"
    ),
    Case(
        "continue-other-dtype",
        continued(engine={"dtype": "bfloat16"}),
        "--continue-from",
        "engine.dtype differs (float32 there, bfloat16 here)",
        "take the same",
    ),
    Case(
        "continue-other-objective",
        continued_with(lambda s: s.search_objective(metric="probability")),
        "--continue-from",
        "objectives.words",
        "search without",
    ),
    Case(
        "continue-other-splits",
        continued(splits={"search": 12, "select": 16, "test": "rest"}),
        "--continue-from",
        "the search split of words differs (16 examples there, 12 examples here)",
        "take the same",
    ),
    Case("continue-other-seed", continued(seed=1), "--continue-from", "16 others: seed, splits and", "take the same"),
    Case(
        "unknown-zoo",
        lambda s: s.search(base="zoo:tinny"),
        "zoo",
        "'tinny'",
        "did you mean 'tiny'?",
    ),
    Case("zoo-not-built", zoo_not_built, "zoo:tiny", "not built", "swarm zoo build tiny"),
    Case("taken-run-dir", taken_run_dir, "--run-dir", "holds a run already", "swarm resume"),
    Case("run-dir-in-use-for-else", run_dir_of_others, "--run-dir", "holds notes.txt", "name a new or an empty"),
    Case("run-dir-is-a-file", run_dir_is_a_file, "--run-dir", "run cannot be created", "name another directory"),
    Case("run-dir-in-a-file", run_dir_in_a_file, "--run-dir", "file/run", "name another directory"),
    *(
        Case(f"{command}-no-run", lambda s, c=command: [c, s.folder], "not a run dir", "config.yaml", "give the")  # type: ignore[misc]
        for command in ("resume", "test", "report")
    ),
    Case("corrupt-journal", resumed_after(corrupt_line), "journal.jsonl:5", "corrupt", "cut it to its first 4 lines"),
    Case("journal-is-a-folder", resumed_after(journal_as_folder), "journal.jsonl", "Is a directory", "restore it"),
    Case("lock-is-a-folder", resumed_after(lock_as_folder), ".lock", "Is a directory", "remove it"),
    Case("broken-summary", broken_summary, "summary.json", "is not valid JSON", "swarm resume"),
    Case("lost-start", resumed_after(lost_first_line), "journal.jsonl:1", "out of place", "restore it from a copy"),
    Case(
        "other-settings",
        resumed_after(lambda run: edited(run / "config.yaml", "cognitive: 2.05", "cognitive: 1.05")),
        "config.yaml",
        "setting of composition, objectives, experts, optimizer",
        "start a new run",
    ),
    Case(
        "other-positions",
        resumed_after(lambda run: edited(run / "journal.jsonl", '"position": [0.', '"position": [1.')),
        "journal.jsonl",
        "candidate 0-0",
        "start a new run",
    ),
    Case(
        "other-splits",
        resumed_after(lambda run: edited(run / "config.yaml", "search: 16", "search: 12")),
        "config.yaml",
        "choice of examples",
        "start a new run",
    ),
    Case(
        "other-seed",
        resumed_after(lambda run: edited(run / "config.yaml", "seed: 0", "seed: 1")),
        "config.yaml",
        "seed",
        "start a new run",
    ),
    Case("changed-weights", changed_weights, "expert red", "fingerprint", "put the old files back"),
    Case("test-of-a-stopped-run", lambda s: ["test", s.stopped_run()], "run", "has not ended", "swarm resume"),
    Case(
        "export-of-a-stopped-run",
        lambda s: ["export", s.stopped_run(), s.folder / "dest"],
        "run",
        "no best yet",
        "swarm resume it",
    ),
    Case("export-of-changed-weights", export_of_changed_weights, "expert red", "fingerprint", "put the old files back"),
    Case("taken-destination", full_destination, "dest", "is not empty", "choose another folder"),
    Case("unknown-candidate", export_to("--candidate", "99-9"), "--candidate", "'99-9'", "use an id"),
    Case("unknown-format", export_to("--format", "gguf"), "--format", "'gguf'", "use one of hf"),
    Case("broken-recipe", broken_recipe, "recipe.json", "base", "export the recipe again"),
    Case("unknown-command", lambda s: ["serch"], "'serch'", "No such command", "Did you mean 'search'?"),
    Case("unknown-option", lambda s: ["search", "a", "--rundir", "b"], "--rundir", "No such option", "search --help"),
    Case("missing-argument", lambda s: ["candidates"], "run_dir", "Missing", "swarm candidates --help"),
    Case(
        "vector-of-nothing",
        lambda s: ["vector", "a", "b", "-o", "c.safetensors"],
        "base a",
        "config.json does not exist",
        "give the folder",
    ),
]
