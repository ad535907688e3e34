"""Files and values that no config holds: what YAML allows and nobody means, and what would fill memory or never end."""

import os
from collections.abc import Callable
from pathlib import Path

import yaml

from support.bad_inputs import Case, Scene, Words

HOME = "~nobody-of-this-name"
LONG = 300 * "d"
DEEP = 3000 * "[" + 3000 * "]"


def with_lines(*lines: str) -> Callable[[Scene], Words]:
    """The playground's config with lines before it."""
    return lambda s: s.search_text("\n".join([*lines, yaml.safe_dump(s.playground.config())]))


def changed(old: str, new: str) -> Callable[[Scene], Words]:
    """The playground's config with a part of its text replaced."""

    def arrange(scene: Scene) -> Words:
        text = yaml.safe_dump(scene.playground.config())
        assert old in text
        return scene.search_text(text.replace(old, new))

    return arrange


def encoded(encode: Callable[[str], bytes]) -> Callable[[Scene], Words]:
    def arrange(scene: Scene) -> Words:
        words = scene.search()
        (scene.folder / "case.yaml").write_bytes(encode(yaml.safe_dump(scene.playground.config())))
        return words

    return arrange


def given(override: str) -> Callable[[Scene], Words]:
    return lambda s: s.search_set(override)


def a_pipe(scene: Scene) -> Words:
    os.mkfifo(scene.folder / "pipe.yaml")
    return ["check", scene.folder / "pipe.yaml"]


def too_large(scene: Scene) -> Words:
    with (scene.folder / "large.yaml").open("wb") as file:
        file.truncate(3 * 2**20)
    return ["check", scene.folder / "large.yaml"]


def from_here(scene: Scene, folder: str, **sections: object) -> Words:
    """`swarm check` of a config in a folder of its own, called from the folder above."""
    place = scene.folder / folder
    place.mkdir()
    (place / "case.yaml").write_text(yaml.safe_dump(scene.playground.config(**sections)))
    return ["check", Path(folder, "case.yaml")]


def base_of_here(scene: Scene) -> Words:
    scene.base()
    return from_here(scene, "configs", base="mine")


def expert_of_here(scene: Scene) -> Words:
    scene.expert().rename(scene.folder / "red")
    return [*from_here(scene, "configs"), "--set", "experts.0=red"]


def data_of_here(scene: Scene) -> Words:
    (scene.folder / "data.jsonl").write_text(scene.playground.data.read_text())
    objective = {"name": "words", "type": "multiple_choice", "data": "./data.jsonl"}
    return from_here(scene, "configs", objectives=[objective])


def function_of_here(scene: Scene) -> Words:
    (scene.folder / "scores_of_here.py").write_text("def right(example, output):\n    return 1.0\n")
    objective = {"name": "own", "type": "function", "function": "scores_of_here:right"}
    return from_here(scene, "configs", objectives=[objective | {"data": str(scene.playground.data)}])


def hidden_function(scene: Scene) -> Words:
    (scene.folder / "colorsys.py").write_text("def right(example, output):\n    return 1.0\n")
    return [*scene.search_objective(type="function", function="colorsys:right")]


BOMB = "&a0 [x, x, x, x, x, x, x, x, x, x]", *(f"&a{i} [{', '.join(10 * [f'*a{i - 1}'])}]" for i in range(1, 12))
MERGED = "&a0 {x: 1, y: 1}", *(f"&a{i} {{<<: [{', '.join(10 * [f'*a{i - 1}'])}]}}" for i in range(1, 12))
DATES = "correct it, or put it in quotes"
TAGS = "correct it, or remove the tag"
NAME = "name: words"

FILES = [
    Case("pipe", a_pipe, "pipe.yaml", "a pipe or a device", "give the path of a YAML file"),
    Case("dev-zero", lambda s: ["check", "/dev/zero"], "/dev/zero", "a pipe or a device", "give the path of"),
    Case("dev-null", lambda s: ["search", "/dev/null"], "/dev/null", "a pipe or a device", "give the path of"),
    Case("too-large", too_large, "large.yaml", "larger than a config can be (2 MiB)", "give the path of a YAML file"),
    Case("long-config", lambda s: ["check", LONG], LONG, "File name too long", "give the path of a YAML file"),
    Case("utf-16", encoded(lambda t: t.encode("utf-16")), "case.yaml", "UTF-16", "save it as UTF-8"),
    Case("utf-16-be", encoded(lambda t: t.encode("utf-16-be")), "case.yaml", "UTF-16", "save it as UTF-8"),
    Case("latin-1", encoded(lambda t: f"# é\n{t}".encode("latin-1")), "case.yaml", "byte 0xe9", "save it as UTF-8"),
    Case("nul-byte", encoded(lambda t: f"{t}\0".encode()), "case.yaml", "NUL bytes", "save it as UTF-8"),
    Case("two-documents", with_lines("base: a", "---"), "case.yaml", "expected a single document", "correct it"),
    Case("long-run-dir", lambda s: [*s.search(), "--run-dir", LONG], "--run-dir", LONG, "name another directory"),
    Case("long-run", lambda s: ["resume", LONG], LONG, "not a run directory", "give the directory of"),
    Case("long-export", lambda s: ["export", LONG, "a"], LONG, "not a run directory", "give the directory of"),
]
YAML = [
    Case("no-date", with_lines("more: 2024-13-45"), "more", "'2024-13-45' is no valid !!timestamp", DATES),
    Case("set-no-date", given("seed=2024-02-30"), "--set seed", "'2024-02-30' is no valid !!timestamp", DATES),
    Case("a-date", changed(NAME, "name: 2024-05-06"), "objectives.0.name", "not 2024-05-06", "put it in quotes"),
    Case("a-number-as-name", changed(NAME, "name: 17"), "objectives.0.name", "not 17", "put it in quotes"),
    *(
        Case(f"empty-{kind}", given(f"seed=!!{kind} ''"), "--set seed", f"'' is no valid !!{kind}", TAGS)
        for kind in ("int", "float", "bool", "timestamp")
    ),
    Case("tagged-text", given("optimizer.minutes=!!float soon"), "--set optimizer.minutes", "'soon'", TAGS),
    Case("tagged-list", with_lines("more: !!int [1]"), "case.yaml", "a list or a map is no valid !!int", "correct it"),
    Case("python-object", with_lines("more: !!python/object:os.system {}"), "more", "!!python/object", "remove it"),
    Case("python-call", given("base=!!python/object/apply:os.system [ls]"), "base", "!!python/obj", "remove it"),
    Case("binary", given("base=!!binary aGk="), "--set base", "'!!binary'", "remove it"),
    Case("a-set", with_lines("more: !!set {a, b}"), "more", "'!!set'", "remove it"),
    Case("own-tag", with_lines("more: !mine 3"), "more", "'!mine'", "remove it"),
    Case("equals-sign", with_lines("more: ="), "more", "'!!value'", "put the value in quotes"),
    Case("list-as-key", with_lines("? [a, b]", ": c"), "case.yaml", "no key (line 1)", "write a text"),
    Case(
        "nested-key-twice",
        with_lines("more:", "  inner: 1", "  inner: 2"),
        "more",
        "'inner' is given twice (line 3)",
        "remove one",
    ),
    Case("unknown-alias", with_lines("more: *nobody"), "case.yaml", "'nobody'", "correct it"),
    Case("anchor-in-itself", with_lines("more: &a [*a]"), "more", "an anchor holds itself", "flatten them"),
    Case("merged-into-itself", with_lines("more: &a {<<: *a}"), "more", "an anchor holds itself", "flatten them"),
    Case("key-of-itself", with_lines("more: &a {*a : 1}"), "more", "is no key", "write a text"),
    Case("set-in-itself", given("seed=&a [*a]"), "--set seed", "an anchor holds itself", "flatten them"),
    Case("deep", with_lines(f"more: {DEEP}"), "case.yaml", "more than 50 levels deep", "flatten them"),
    Case("set-deep", given(f"seed={DEEP}"), "--set seed", "more than 50 levels deep", "flatten them"),
    Case("set-deep-key", given(f"{'.'.join(2000 * 'a')}=1"), "--set a.a", "more than 50 parts", "correct it"),
    Case("bomb", with_lines(*(f"m{i}: {m}" for i, m in enumerate(BOMB))), "case.yaml", "100,000 values", "write fewer"),
    Case("merges", with_lines(*(f"m{i}: {m}" for i, m in enumerate(MERGED))), "case.yaml", "100,000", "write fewer"),
    Case("nul-in-a-path", given('base="a\\0b"'), "--set base", r"'a\x00b'", "remove it"),
    Case("nul-in-a-name", changed(NAME, 'name: "a\\0b"'), "objectives.0.name", r"'a\x00b'", "remove it"),
    Case("half-a-name", changed(NAME, 'name: "\\ud800"'), "objectives.0.name", r"'\ud800'", "correct it"),
    Case("half-an-expert", given('experts.0={path: red, name: "\\udcff"}'), "experts.0.name", r"'\udcff'", "correct"),
    Case("half-a-key", given('composition.groups={"\\ud800": [a]}'), "composition.groups", r"'\ud800'", "correct it"),
    Case("half-a-path", given('base="/a\\ud800"'), "--set base", r"'/a\ud800'", "correct it"),
]
NUMBERS = [
    Case("too-many-particles", given("optimizer.particles=1000000000"), "optimizer.particles", "1000", "most 10,000"),
    Case("particles-as-1e9", given("optimizer.particles=1e9"), "optimizer.particles", "'1e9'", "a whole number"),
    Case("particles-as-float", given("optimizer.particles=1.0e+9"), "optimizer.particles", "1000", "most 10,000"),
    Case("true-particles", given("optimizer.particles=true"), "--set optimizer.particles", "not True", "a number"),
    Case(
        "auto-or-many",
        given("optimizer={type: bayesian, evaluations: 8, particles: many}"),
        "optimizer.particles",
        "'many'",
        "must be auto or a whole number",
    ),
    Case("true-seed", given("seed=yes"), "--set seed", "not True", "must be a number"),
    Case("true-trim", given("experts.0={path: a, trim: on}"), "experts.0.trim", "not True", "must be a number"),
    Case("many-iterations", given("optimizer.iterations=2000000000"), "iterations", "2000", "at most 1,000,000,000"),
    Case("large-seed", given(f"seed={2**63}"), "--set seed", "9223", "at most 9,223,372,036,854,775,807"),
    Case("larger-seed", given(f"seed={2**64}"), "--set seed", "1844", "no setting takes a number of more than 64"),
    Case("endless-seed", given(f"seed={6000 * '9'}"), "--set seed", "'9999", DATES),
    Case("endless-hex", given(f"seed=0x{6000 * 'f'}"), "--set seed", "'0xfff", DATES),
    Case("endless-float", given(f"composition.high=1{400 * '0'}"), "composition.high", "'1000", "64 bits"),
    Case("1e400", given("composition.high=1e400"), "--set composition.high", "'1e400'", "must be a finite number"),
    Case("infinite", given("optimizer.cognitive=.inf"), "optimizer.cognitive", "inf", "must be a finite number"),
    Case("nan-minutes", given("optimizer.minutes=.nan"), "optimizer.minutes", "nan", "must be a finite number"),
    Case("base-60", given("optimizer.minutes=1:30"), "--set optimizer.minutes", "'1:30'", DATES),
    Case("base-60-float", given("optimizer.minutes=1:30.5"), "--set optimizer.minutes", "'1:30.5'", DATES),
    Case("base-8", given("seed=010"), "--set seed", "'010' is no valid !!int (YAML takes it for", DATES),
    Case("set-superscript", given("experts.²=a"), "--set experts.²", "'²'", "use 0 to 2"),
    Case("set-endless-index", given(f"experts.{5000 * '1'}=a"), "--set experts.111", "'111", "use 0 to 2"),
    Case("set-endless-key", given(5000 * "k"), "--set kkk", "...: not of the form", "write for example"),
]
PATHS = [
    Case("no-home-base", given(f"base={HOME}/a"), "base", HOME, "correct the path"),
    Case("no-home-data", given(f"objectives.0.data={HOME}/a"), "objectives.0.data", HOME, "correct the path"),
    Case("no-home-modules", given(f"modules={HOME}"), "modules", HOME, "correct the path"),
    Case("long-base", given(f"base={LONG}"), "base", "ddd...' cannot be read (File name too long)", "correct the path"),
    Case("long-expert", given(f"experts.0={LONG}"), "experts.0.path", "File name too long", "correct the path"),
    Case("long-data", given(f"objectives.0.data={LONG}"), "objectives.0.data", "File name too long", "correct the"),
    Case("long-split", given(f"splits.test=/{LONG}"), "splits.test", "File name too long", "correct the path"),
    Case("empty-base", given("base=''"), "base", "''", "correct the path"),
    Case("empty-name", given("objectives.0.name=''"), "objectives.0.name", "''", "1 or more characters"),
    Case("no-modules", given("modules=nowhere"), "modules", "nowhere does not", "correct the path"),
    Case("modules-is-a-file", given("modules=case.yaml"), "modules", "is a file", "give the folder"),
    Case("base-of-here", base_of_here, "base", "(looked for configs/mine), but in the working", "write ../mine"),
    Case("set-expert-of-here", expert_of_here, "experts.0.path", "(looked for configs/red)", "write ../red"),
    Case("data-of-here", data_of_here, "objectives.0.data", "(looked for configs/data.jsonl)", "write ../data.jsonl"),
    Case("function-of-here", function_of_here, "objectives.0.function", "scores_of_here.py", "set modules: to"),
    Case("hidden-function", hidden_function, "objectives.0.function", "colorsys.py is hidden by", "rename your module"),
]
CASES = [*FILES, *YAML, *NUMBERS, *PATHS]
