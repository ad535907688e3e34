"""Mistakes with patterns of experts, and with searches and configs that are made from base, experts and data."""

from collections.abc import Callable

from support.bad_inputs import Case, Scene, Words
from support.playground import examples, write_lines


def given(*left_out: str, **options: str) -> Callable[[Scene], Words]:
    """`swarm search` of the playground without a config; {folder} is the scene's, {root} the playground's."""

    def arrange(scene: Scene) -> Words:
        places = {"folder": scene.folder, "root": scene.playground.folder}
        words = {"base": "{root}/base", "experts": "{root}/[rgb]*", "data": "{root}/data.jsonl"} | options
        kept = [word for name, value in words.items() if name not in left_out for word in (f"--{name}", value)]
        local = ["--set", "cluster.type=local"]
        return ["search", *(word.format(**places) for word in kept), *local, "--run-dir", scene.run]

    return arrange


def with_config(scene: Scene) -> Words:
    return ["search", scene.playground.config_file, *given()(scene)[1:]]


def of_two_kinds(scene: Scene) -> Words:
    write_lines(scene.folder / "mixed.jsonl", [*examples(40), {"id": "plain", "prompt": "a=", "answer": "b"}])
    return given(data="{folder}/mixed.jsonl")(scene)


def pattern(path: str, **settings: str) -> Callable[[Scene], Words]:
    """A config whose experts are a pattern, with settings."""

    def arrange(scene: Scene) -> Words:
        written = path.format(root=scene.playground.folder)
        return scene.search(experts=[{"path": written, **settings}])

    return arrange


def of_a_loop(scene: Scene) -> Words:
    (scene.folder / "loop").symlink_to("loop")
    return scene.search(experts=[str(scene.folder / "loop*")])


def unquoted(scene: Scene) -> Words:
    return [*given()(scene), scene.folder / "a", scene.folder / "b"]


def with_hub(scene: Scene) -> Words:
    return ["check", scene.playground.config_file, "--hub"]


def init(*words: str, existing: str = "") -> Callable[[Scene], Words]:
    def arrange(scene: Scene) -> Words:
        if existing:
            (scene.folder / existing).write_text("base: mine\n")
        places = given()(scene)[1:-4]
        return ["init", *(word.format(folder=scene.folder) for word in words), *places]

    return arrange


def init_without_data(scene: Scene) -> Words:
    return init("{folder}/new.yaml")(scene)[:-2]


CASES = [
    Case("no-experts-given", given("experts"), "--experts", "missing", "give a config, or --base"),
    Case("nothing-given", given("base", "experts", "data"), "--base", "--data missing", "give a config"),
    Case("config-and-base", with_config, "config.yaml and --base", "three", "give one of both"),
    Case("choices-in-some", of_two_kinds, "--data", "choices in 40 of 41", "one kind of examples"),
    Case("no-such-data-given", given(data="no.jsonl"), "--data", "no.jsonl does not exist", "correct the path"),
    Case("no-such-base-given", given(base="nosuch"), "--base", "nosuch does not exist", "correct the path"),
    Case("pattern-of-nothing", pattern("{root}/no*"), "experts.0.path", "/no*", "correct the pattern"),
    Case(
        "pattern-of-the-base", pattern("{root}/bas*"), "experts.0.path", "nothing but the base", "correct the pattern"
    ),
    Case("pattern-too-long", pattern("{root}/" + "x" * 5000 + "*"), "experts.0.path", "xxx", "correct the pattern"),
    Case("pattern-of-a-loop", of_a_loop, "experts.0.path", "loop*", "correct the pattern"),
    Case("unquoted-pattern", unquoted, "unexpected extra argument", "--experts 'adapters/*'", "quote a pattern"),
    Case("show-without-config", lambda scene: ["check", "--show", 3], "--show", "nothing to check", "give a config"),
    Case("hub-with-config", with_hub, "--hub", "without a config", "remove it"),
    Case("pattern-with-a-name", pattern("{root}/re*", name="colour"), "experts.0.name", "colour", "remove it"),
    Case("config-to-init-exists", init("{folder}/old.yaml", existing="old.yaml"), "old.yaml", "exists", "--overwrite"),
    Case("no-folder-to-init-in", init("{folder}/no/new.yaml"), "/no", "does not exist", "create it"),
    Case("nobody-to-ask", init_without_data, "--data", "not a terminal", "give all three"),
]
