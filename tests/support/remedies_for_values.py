"""What mends files and values that no config holds."""

from support.bad_inputs import Scene, Words
from support.remedies_for_runs import ANOTHER_DIRECTORY
from support.remedy_steps import (
    Remedy,
    another_config,
    correct_config,
    given,
    put,
    replaced,
    setting,
    typed,
)


def of_a_search(scene: Scene, words: Words) -> Words:
    """The directory of a search, in place of a name that is none."""
    return [words[0], scene.finished, *words[2:]]


def dest(scene: Scene, words: Words) -> Words:
    return [words[0], scene.finished, scene.folder / "dest"]


def module_folder(scene: Scene, words: Words) -> Words:
    return setting("modules={folder}")(scene, words)


def own_module_renamed(scene: Scene, words: Words) -> Words:
    (scene.folder / "colorsys.py").rename(scene.folder / "own_colours.py")
    return replaced("colorsys:", "own_colours:")(scene, words)


def corrected(prefix: str, *right: str) -> tuple[Remedy, ...]:
    return tuple(typed(prefix, each) for each in right)


SEED, HIGH, PARTICLES = "seed=", "composition.high=", "optimizer.particles="
RIGHT_SEED = corrected(SEED, "seed=1")
THE_BASE, A_NAME = corrected("base=", "base={base}"), (put("objectives.0.name", "words"),)
FILES: dict[str, tuple[Remedy, ...]] = {
    **dict.fromkeys(("pipe", "dev-zero", "dev-null", "too-large", "long-config"), (another_config,)),
    **dict.fromkeys(("utf-16", "utf-16-be", "latin-1", "nul-byte", "two-documents"), (correct_config,)),
    "long-run-dir": (ANOTHER_DIRECTORY,),
    "check-run-dir": (given("--run-dir", "{folder}/other"),),
    "check-taken-run-dir": (given("--run-dir", "{folder}/other"),),
    "long-run": (of_a_search,),
    "long-export": (dest,),
}
LINES = (
    "no-date", "tagged-list", "python-object", "a-set", "own-tag", "equals-sign", "list-as-key", "nested-key-twice",
    "unknown-alias", "anchor-in-itself", "merged-into-itself", "key-of-itself", "deep", "bomb", "merges",
)  # fmt: skip
YAML: dict[str, tuple[Remedy, ...]] = {
    **dict.fromkeys(LINES, (correct_config,)),
    "set-no-date": RIGHT_SEED,
    "base-8": corrected(SEED, "seed=10"),
    "base-60": corrected("optimizer.minutes=", "optimizer.minutes=90"),
    "base-60-float": corrected("optimizer.minutes=", "optimizer.minutes=90.5"),
    "a-date": (replaced("name: 2024-05-06", "name: '2024-05-06'"),),
    "a-number-as-name": (replaced("name: 17", "name: '17'"),),
    **dict.fromkeys((f"empty-{kind}" for kind in ("int", "float", "bool", "timestamp")), RIGHT_SEED),
    "tagged-text": corrected("optimizer.minutes=", "optimizer.minutes=!!float 2", "optimizer.minutes=2"),
    "python-call": THE_BASE,
    "binary": THE_BASE,
    "set-in-itself": RIGHT_SEED,
    "set-deep": RIGHT_SEED,
    "set-deep-key": corrected("a.a.", "seed=1"),
    "nul-in-a-path": THE_BASE,
    "nul-in-a-name": A_NAME,
    "half-a-name": A_NAME,
    "half-an-expert": corrected("experts.0=", "experts.0={path: {red}, name: crimson}"),
    "half-a-key": corrected("composition.groups=", "composition.groups={a: ['*q_proj*']}"),
    "half-a-path": THE_BASE,
}
NUMBERS: dict[str, tuple[Remedy, ...]] = {
    **dict.fromkeys(
        ("too-many-particles", "particles-as-1e9", "particles-as-float", "true-particles"),
        corrected(PARTICLES, f"{PARTICLES}10000", f"{PARTICLES}4"),
    ),
    "auto-or-many": corrected("optimizer=", "optimizer={type: bayesian, evaluations: 8, particles: auto}"),
    "true-trim": corrected("experts.0=", "experts.0={path: {red}, trim: 0.2}"),
    "many-iterations": corrected("optimizer.iterations=", "optimizer.iterations=1000000000"),
    **dict.fromkeys(("true-seed", "larger-seed", "endless-seed", "endless-hex"), RIGHT_SEED),
    "large-seed": corrected(SEED, f"{SEED}{2**63 - 1}"),
    **dict.fromkeys(("endless-float", "1e400"), corrected(HIGH, f"{HIGH}2")),
    "infinite": corrected("optimizer.cognitive=", "optimizer.cognitive=2"),
    "nan-minutes": corrected("optimizer.minutes=", "optimizer.minutes=2"),
    "set-superscript": corrected("experts.", "experts.2={red}/../blue"),
    "set-endless-index": corrected("experts.1", "experts.2={red}/../blue"),
    "set-endless-key": corrected("kkk", "optimizer.particles=10"),
}
PATHS: dict[str, tuple[Remedy, ...]] = {
    **dict.fromkeys(("no-home-base", "long-base", "empty-base"), THE_BASE),
    **dict.fromkeys(("no-home-data", "long-data"), corrected("objectives.0.data=", "objectives.0.data={data}")),
    "no-home-modules": corrected("modules=", "modules={folder}"),
    "no-modules": corrected("modules=", "modules={folder}"),
    "modules-is-a-file": corrected("modules=", "modules={folder}"),
    "long-split": corrected("splits.test=", "splits.test=rest"),
    "long-expert": corrected("experts.0=", "experts.0={red}"),
    "empty-name": corrected("objectives.0.name=", "objectives.0.name=a"),
    "base-of-here": (put("base", "../mine"),),
    "set-expert-of-here": corrected("experts.0=", "experts.0=../red"),
    "data-of-here": (put("objectives.0.data", "../data.jsonl"),),
    "function-of-here": (module_folder,),
    "hidden-function": (own_module_renamed,),
}
REMEDIES = {**FILES, **YAML, **NUMBERS, **PATHS}
