"""Mistakes with `swarm sweep`, with levels and with `swarm zoo levels`."""

from collections.abc import Callable

import yaml

from support.bad_inputs import Case, Scene, Words
from support.models import make_base, make_checkpoint
from support.playground import write_lines

LEVELS = {"prompt": "a=", "avoidance": "b", "generic": "c", "expert": "d"}


def swept(*more: str, **sections: object) -> Callable[[Scene], Words]:
    """`swarm sweep` of the playground's config, in large steps; what is given later counts."""

    def arrange(scene: Scene) -> Words:
        (scene.folder / "case.yaml").write_text(yaml.safe_dump(scene.playground.config(**sections)))
        return ["sweep", scene.folder / "case.yaml", "--run-dir", scene.run, "--step", "1", *more]

    return arrange


def levels(last: dict[str, object], **settings: object) -> Callable[[Scene], Words]:
    """A search with an objective of levels, of whose examples the last one is wrong."""

    def arrange(scene: Scene) -> Words:
        good = [LEVELS | {"prompt": f"{i}="} for i in range(40)]
        write_lines(scene.folder / "law.jsonl", [*good, last])
        objective = {"name": "law", "type": "level", "data": str(scene.folder / "law.jsonl")} | settings
        return scene.search(objectives=[objective])

    return arrange


def a_fine_tune_on_another_base(scene: Scene) -> Words:
    make_checkpoint(scene.folder / "tuned", scene.playground.base, seed=8)
    make_base(scene.folder / "other", seed=3)
    return swept("--base", str(scene.folder / "other"), experts=[str(scene.folder / "tuned")])(scene)


def a_base_of_another_shape(scene: Scene) -> Words:
    make_base(scene.folder / "wide", hidden=48)
    return swept("--base", str(scene.folder / "wide"))(scene)


def into_a_full_folder(scene: Scene) -> Words:
    (scene.folder / "dest").mkdir()
    (scene.folder / "dest" / "notes.txt").write_text("mine")
    return ["zoo", "levels", scene.folder / "dest", "--examples", 12]


def all_levels(*domains: str, **optimizer: object) -> Callable[[Scene], Words]:
    """A search for targets, with the objectives of all levels of these domains."""

    def arrange(scene: Scene) -> Words:
        write_lines(scene.folder / "law.jsonl", [LEVELS | {"prompt": f"{i}="} for i in range(60)])
        objectives = [
            {
                "name": f"{i}-{level}",
                "type": "level",
                "level": level,
                "domain": domain,
                "data": str(scene.folder / "law.jsonl"),
            }
            for i, domain in enumerate(domains)
            for level in ("avoidance", "generic", "expert")
        ]
        made = {"type": "bayesian", "particles": 2, "evaluations": 4} | optimizer
        scene.search(objectives=objectives, optimizer=made)
        return ["targets", scene.folder / "case.yaml", "--run-dir", scene.run]

    return arrange


def all_levels_with(*more: str) -> Callable[[Scene], Words]:
    return lambda scene: [*all_levels("law")(scene), *more]


def lacking_a_level(scene: Scene) -> Words:
    words = all_levels("law")(scene)
    content = yaml.safe_load((scene.folder / "case.yaml").read_text())
    del content["objectives"][1]
    (scene.folder / "case.yaml").write_text(yaml.safe_dump(content))
    return words


def of_a_run(*more: str) -> Callable[[Scene], Words]:
    return lambda scene: ["targets", scene.stopped_run(), *more]


CASES = [
    Case("sweep-backwards", swept("--from", "1", "--to", "-1"), "--from", "1 is not below --to -1", "lower end first"),
    Case("sweep-without-steps", swept("--step", "0"), "--step", "0 is below", "give a larger one"),
    Case("sweep-to-nan", swept("--to", "nan"), "--to", "nan", "as in --from -1"),
    Case("sweep-of-no-expert", swept("--experts", "rde"), "--experts", "rde", "did you mean red?"),
    Case("sweep-of-no-split", swept("--split", "train"), "--split", "train", "use one of search, select, test"),
    Case("sweep-of-too-many", swept("--grid", "--step", ".01"), "--step", "8,120,601 candidates", "fewer --experts"),
    Case("sweep-a-fine-tune-elsewhere", a_fine_tune_on_another_base, "tuned", "checkpoint", "swarm vector BASE"),
    Case("sweep-on-another-shape", a_base_of_another_shape, "expert red", "the base has", "made from this base"),
    Case("level-missing", levels({"prompt": "x", "avoidance": "b", "expert": "d"}), "law.jsonl:41", "generic", "each"),
    Case("level-empty", levels(LEVELS | {"generic": " "}), "law.jsonl:41", "generic: ' '", "fill it in"),
    Case("levels-the-same", levels(LEVELS | {"expert": "c"}), "law.jsonl:41", "expert 'c'", "an answer of its own"),
    Case("levels-beside-an-answer", levels(LEVELS | {"answer": "d"}), "law.jsonl:41", "it has none", "instead of"),
    Case("level-unknown", levels(LEVELS | {"prompt": "x"}, level="skilled"), "level", "skilled", "must be one of"),
    Case("targets-without-levels", of_a_run(), "objectives", "none has the type level", "docs/vectors.md"),
    Case("targets-lacking-a-level", lacking_a_level, "domain law", "level generic", "add one"),
    Case("targets-of-a-domain-twice", all_levels("law", "law"), "objectives.1-avoidance", "law", "set another domain"),
    Case("targets-by-random", all_levels("law", type="random"), "optimizer.type", "random", "bayesian, guided_pso"),
    Case("targets-of-no-finalists", all_levels_with("--finalists", "0"), "--finalists", "0", "for each target"),
    Case("targets-of-a-run-set", of_a_run("--set", "seed=1"), "--set", "run", "leave --set out"),
    Case("zoo-levels-into-a-full-folder", into_a_full_folder, "dest", "not empty", "an empty folder"),
    Case(
        "zoo-levels-of-few", lambda s: ["zoo", "levels", s.folder / "d", "--examples", "3"], "--examples", "3", "12 to"
    ),
    Case("zoo-levels-seed", lambda s: ["zoo", "levels", s.folder / "d", "--seed", "-1"], "--seed", "-1", "at least 0"),
]
