"""Mistakes in choices from the front of a finished run: rules, weights, groups, preferences, runs without a front."""

import shutil
from collections.abc import Callable
from pathlib import Path

from support.bad_inputs import Case, Scene, Words
from support.front_runs import front_run, used_front_run


def exported(*options: object) -> Callable[[Scene], Words]:
    """`swarm export` of a run with a front."""
    return lambda scene: [
        "export",
        used_front_run(scene.playground),
        scene.folder / "out",
        *options,
        "--format",
        "recipe",
    ]


def of_no_front(*options: object) -> Callable[[Scene], Words]:
    return lambda scene: ["export", scene.finished, scene.folder / "out", *options, "--format", "recipe"]


def dialled(prefer: str) -> Callable[[Scene], Words]:
    return lambda scene: [
        "dial", used_front_run(scene.playground), "--prefer", prefer, "-o", scene.folder / "out", "--format", "recipe"
    ]  # fmt: skip


def copied(scene: Scene) -> Path:
    return shutil.copytree(front_run(scene.playground), scene.run)


def unfinished(scene: Scene) -> Words:
    run = copied(scene)
    lines = (run / "journal.jsonl").read_text().splitlines(keepends=True)
    (run / "journal.jsonl").write_text("".join(lines[:15]))
    (run / "summary.json").unlink()
    (run / "decisions.jsonl").unlink()
    return ["export", run, scene.folder / "out", "--select", "knee", "--format", "recipe"]


def damaged(scene: Scene) -> Words:
    with (copied(scene) / "decisions.jsonl").open("a") as stream:
        stream.write('{"time": 3}\n')
    return ["decisions", scene.run]


def of_a_recipe(scene: Scene) -> Words:
    (scene.folder / "recipe").mkdir()
    (scene.folder / "recipe" / "recipe.json").write_text("{}")
    return ["export", scene.folder / "recipe", scene.folder / "out", "--select", "knee", "--format", "recipe"]


CASES = [
    Case("rule-unknown", exported("--select", "kne"), "--select", "'kne'", "did you mean 'knee'"),
    Case(
        "rule-of-no-objective",
        exported("--select", "weighted_sum:aa=1"),
        "weighted_sum.weights",
        "'aa' is no objective",
        "did you mean 'a'",
    ),
    Case("rule-of-weights-0", exported("--select", "nash:a=0,b=0"), "--select", "'nash:a=0,b=0'", "must be above 0"),
    Case(
        "rule-and-candidate", exported("--select", "knee", "--candidate", "0-0"), "--candidate", "--select", "give one"
    ),
    Case("rule-for-no-front", of_no_front("--select", "knee"), "finished", "one objective", "--candidate ID"),
    Case("plural-of-no-front", of_no_front("--plural"), "finished", "one objective", "--candidate ID"),
    Case("choice-unfinished", unfinished, "run", "has not ended", "swarm resume"),
    Case(
        "compared-anyhow",
        exported("--select", "knee", "--compare", "mean"),
        "--compare",
        "'mean'",
        "means, lower_bounds",
    ),
    Case("compared-without-rule", exported("--compare", "means"), "--compare", "rule of choice", "add --select RULE"),
    Case("groups-unknown", exported("--select", "borda", "--groups", "xx"), "--groups", "'xx'", "did you mean 'x'"),
    Case(
        "groups-unheard",
        exported("--select", "knee", "--groups", "x"),
        "--groups",
        "knee",
        "take cvar, borda or copeland",
    ),
    Case("most-of-one", exported("--most", "2"), "--most", "--plural", "add --plural"),
    Case("by-of-no-choice", exported("--by", "ada"), "--by", "none is made", "add --select RULE"),
    Case("rule-for-a-recipe", of_a_recipe, "--select", "a recipe is one weighting", "give the run"),
    Case("preference-negative", dialled("a=-1,b=2"), "preference", "a=-1", "at least 0"),
    Case("preference-of-nothing", dialled("a=0"), "preference", "a=0", "one above 0"),
    Case("preference-in-words", dialled("a=high"), "--prefer", "'high'", "a must be a number"),
    Case("preference-unknown", dialled("c=1"), "preference", "'c' is no objective", "known are a, b"),
    Case("preference-bare", dialled("a"), "--prefer", "'a' is not NAME=NUMBER", "write NAME=NUMBER,NAME=NUMBER"),
    Case("decisions-damaged", damaged, "decisions.jsonl:2", "this is no decision", "restore the file from a copy"),
    Case("decisions-of-no-run", lambda s: ["decisions", s.folder], "is not a run", "config.yaml", "give the directory"),
]
