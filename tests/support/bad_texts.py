"""Texts that would act on a terminal, overrides that are to blame, and code of the user's that ends the process."""

from collections.abc import Callable

from support.bad_inputs import Case, Scene, Words

CLEAR, UP = "\x1b[2J", "\u202e"


def raising(code: str) -> Callable[[Scene], Words]:
    def arrange(scene: Scene) -> Words:
        name = f"ends_{abs(hash(scene.folder))}"
        (scene.folder / f"{name}.py").write_text(code)
        data = str(scene.playground.data)
        words = scene.search(
            objectives=[{"name": "own", "type": "function", "function": f"{name}:score", "data": data}]
        )
        return ["check", words[1]]

    return arrange


def used_folder(name: str) -> Callable[[Scene], Words]:
    def arrange(scene: Scene) -> Words:
        folder = scene.folder / name
        folder.mkdir()
        (folder / "notes.txt").write_text("mine")
        return [*scene.search(), "--run-dir", folder]

    return arrange


def overridden(override: str) -> Callable[[Scene], Words]:
    return lambda scene: scene.search_set(override)


CASES = [
    Case("escape-in-a-path", lambda s: ["check", s.folder / f"a{CLEAR}.yaml"], r"a\x1b[2J.yaml", "not exist", "give"),
    Case(
        "break-in-a-path", lambda s: ["check", s.folder / "a\nb.yaml"], r"a\nb.yaml", "does not exist", "give the path"
    ),
    Case("turned-path", lambda s: ["check", s.folder / f"a{UP}b"], r"a\u202eb", "does not exist", "give"),
    Case("escape-in-run-dir", used_folder(f"run{CLEAR}"), "--run-dir", r"run\x1b[2J", "name a new"),
    Case("break-in-run-dir", used_folder("run\nswarm: all is well"), "--run-dir", r"run\nswarm", "name a new"),
    Case("escape-in-a-key", lambda s: s.search(**{f"a{CLEAR}": 1}), "case.yaml", r"a\x1b[2J", "known are"),
    Case("escape-in-an-expert", lambda s: s.search(experts=[f"/a{CLEAR}"]), "experts", r"/a\x1b[2J", "correct"),
    Case(
        "escape-in-a-candidate",
        lambda s: ["export", s.finished, s.folder / "dest", "--candidate", f"1{CLEAR}"],
        "--candidate",
        r"\x1b",
        "use an id",
    ),
    Case("escape-in-a-command", lambda s: [f"a{CLEAR}"], "No such command", r"\x1b[2J", "swarm --help"),
    Case("set-below-the-least", overridden("optimizer.particles=0"), "--set optimizer.particles", "0", "at least"),
    Case("set-unknown-key", overridden("optimizer.particels=4"), "--set optimizer.par", "'particels'", "particles"),
    Case("set-unknown-dtype", overridden("engine.dtype=int8"), "swarm: --set engine.dtype", "'int8'", "must be one of"),
    Case("set-a-section", overridden("optimizer={type: psso}"), "--set optimizer.type", "'psso'", "did you mean"),
    Case("exit-on-import", raising("raise SystemExit(3)"), "function", "SystemExit: 3", "write module:function"),
    Case("interrupt-on-import", raising("raise KeyboardInterrupt"), "function", "KeyboardInterrupt", "write module"),
    Case(
        "break-in-an-exception",
        raising("raise ValueError('one\\n\\x1b[2Jtwo')"),
        "function",
        r"one\n\x1b[2Jtwo",
        "write module:function",
    ),
]
