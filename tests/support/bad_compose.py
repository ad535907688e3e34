"""Mistakes with `swarm compose`: coefficients, paths and forms."""

from collections.abc import Callable
from pathlib import Path

from support.bad_inputs import Case, Scene, Words
from support.models import make_adapter, make_base, make_checkpoint


def composed(*more: str, experts: tuple[str, ...] = ("{red}=0.5",), base: str = "{base}") -> Callable[[Scene], Words]:
    """`swarm compose` into a new folder; {base}, {red} and {folder} are paths of the scene."""

    def arrange(scene: Scene) -> Words:
        places = {"base": scene.playground.base, "red": scene.playground.expert("red"), "folder": scene.folder}
        words = ["--base", base, *(word for expert in experts for word in ("--expert", expert)), *more]
        return ["compose", *(word.format(**places) for word in words), "-o", scene.folder / "dest"]

    return arrange


def of_another_size(scene: Scene) -> Words:
    make_adapter(scene.folder / "wide", make_base(scene.folder / "other", hidden=48), seed=7)
    return composed(experts=("{folder}/wide=0.5",))(scene)


def factors_of_a_fine_tune(scene: Scene) -> Words:
    make_checkpoint(scene.folder / "tuned", scene.playground.base, seed=8)
    return composed("--algebra", "factors", experts=("{folder}/tuned=0.5",))(scene)


def into_a_full_folder(scene: Scene) -> Words:
    (scene.folder / "dest").mkdir()
    (scene.folder / "dest" / "notes.txt").write_text("mine")
    return composed()(scene)


def over_the_expert(scene: Scene) -> Words:
    words = composed(experts=("{folder}/mine=0.5",))(scene)
    mine: Path = scene.expert()
    return [*words[:-1], mine, "--overwrite"]


def rank_of_a_choice(scene: Scene) -> Words:
    return ["export", scene.finished, scene.folder / "dest", "--select", "knee", "--rank", "2"]


CASES = [
    Case("no-coefficient", composed(experts=("{red}",)), "--expert", "red is not PATH=COEFFICIENT", "write a number"),
    Case("word-as-coefficient", composed(experts=("{red}=half",)), "--expert", "red=half", "write a number"),
    Case("nan-as-coefficient", composed(experts=("{red}=nan",)), "--expert", "red=nan", "write a number"),
    Case("infinite-coefficient", composed(experts=("{red}=-inf",)), "--expert", "red=-inf", "write a number"),
    Case("no-path", composed(experts=("=0.5",)), "--expert", "=0.5", "write a number"),
    Case(
        "no-such-expert",
        composed(experts=("{folder}/rde=0.5",)),
        "--expert: ",
        "rde does not exist",
        "correct the path",
    ),
    Case(
        "composed-twice", composed(experts=("{red}=1", "{red}=1")), "--expert", "given twice", "sum of its coefficients"
    ),
    Case("no-such-base-to-compose", composed(base="{folder}/b"), "--base", "b does not exist", "correct the path"),
    Case("composed-of-another-size", of_another_size, "expert wide", "base", "trained on"),
    Case("unknown-dtype", composed("--dtype", "int8"), "--dtype", "int8", "use one of float32"),
    Case("unknown-algebra", composed("--algebra", "ties"), "--algebra", "ties", "use one of delta, factors"),
    Case("factors-of-a-fine-tune", factors_of_a_fine_tune, "--algebra: factors", "expert tuned", "use --algebra delta"),
    Case(
        "adapter-of-the-base",
        composed("--format", "adapter", experts=("{red}=0",)),
        "what is composed",
        "no adapter",
        "use --format hf",
    ),
    Case("unknown-form", composed("--format", "gguf"), "--format", "'gguf'", "use one of hf"),
    Case("full-folder-to-compose", into_a_full_folder, "dest", "not empty", "--overwrite"),
    Case("over-its-own-expert", over_the_expert, "mine", "which the export is made from", "choose another folder"),
    Case("overflowing-coefficient", composed(experts=("{red}=1e39",)), "weight", "not finite", "smaller coefficients"),
    Case(
        "prepared-without-a-density", composed("--prepare", "ties"), "--prepare: density", "missing", "TYPE:KEY=VALUE"
    ),
    Case("prepared-by-no-type", composed("--prepare", "tie:density=0.5"), "--prepare: type", "'tie'", "mean 'ties'"),
    Case("prepared-by-no-pair", composed("--prepare", "ties:0.5"), "--prepare", "'0.5'", "write TYPE:KEY=VALUE"),
    Case(
        "prepared-by-half-a-value",
        composed("--prepare", "ties:density=[1"),
        "--prepare density",
        "not valid YAML",
        "correct it",
    ),
    Case(
        "prepared-twice",
        composed("--prepare", "ties:density=0.5,density=0.2"),
        "--prepare",
        "density is given twice",
        "give it once",
    ),
    Case(
        "another-path-set",
        composed("--set", "experts.0.path=x"),
        "--set experts.0.path",
        "unknown key",
        "known are trim",
    ),
    Case(
        "set-without-a-value",
        composed("--set", "experts.0.svd"),
        "--set experts.0.svd",
        "key=value",
        "experts.0.svd=16",
    ),
    Case("no-expert-left", composed("--set", "experts=[]"), "--set experts", "0 of 1 experts", "set the keys of one"),
    Case(
        "set-without-a-density",
        composed("--set", "prepare.type=ties"),
        "--set prepare.density",
        "missing",
        "add --set prepare.density=VALUE",
    ),
    Case("rank-0", composed("--format", "adapter", "--rank", "0"), "--rank", "0", "give 1 or more"),
    Case("rank-of-a-whole-model", composed("--rank", "2"), "--rank", "--format is hf", "add --format adapter"),
    Case("rank-of-a-choice", rank_of_a_choice, "--rank", "a choice", "--candidate ID"),
    Case(
        "push-of-a-recipe",
        composed("--format", "recipe", "--push-to-hub", "me/mine"),
        "--push-to-hub",
        "--format recipe",
        "use --format hf or adapter",
    ),
    Case("push-to-no-id", composed("--push-to-hub", "mine"), "--push-to-hub", "'mine'", "give it as OWNER/NAME"),
]
