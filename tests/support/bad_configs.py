"""Mistakes in a config, and in --set."""

from collections.abc import Callable

import yaml

from support.bad_inputs import Case, Scene, Words


def no_config(scene: Scene) -> Words:
    return ["search", scene.folder / "nowhere.yaml"]


def a_folder_as_config(scene: Scene) -> Words:
    (scene.folder / "folder.yaml").mkdir()
    return ["search", scene.folder / "folder.yaml"]


def checked_cluster(**settings: object) -> Callable[[Scene], Words]:
    return lambda scene: ["check", scene.search(cluster={"type": "ray", **settings})[1]]


CASES = [
    Case("no-config", no_config, "nowhere.yaml", "does not exist", "or a shipped example: quickstart, smollm2"),
    Case("config-is-a-folder", a_folder_as_config, "folder.yaml", "Is a directory", "give the path of a YAML file"),
    Case("broken-yaml", lambda s: s.search_text("base: [a\nexperts: b"), "case.yaml", "line 2", "correct it"),
    Case("tabs-in-yaml", lambda s: s.search_text("base:\n\t- a"), "case.yaml", "\\t", "correct it"),
    Case(
        "key-twice",
        lambda s: s.search_text("base: a\nbase: b"),
        "case.yaml",
        "'base' is given twice",
        "remove one of them",
    ),
    Case("a-list", lambda s: s.search_text("- base\n"), "case.yaml", "must hold a mapping", "start it with base:"),
    Case("empty", lambda s: s.search_text(""), "case.yaml", "must hold a mapping", "start it with base:"),
    Case("unknown-key", lambda s: s.search(optimzer={}), "case.yaml", "'optimzer'", "did you mean 'optimizer'?"),
    Case("misspelt-required-key", lambda s: s.search_text("base: a\nexpert: [b]"), "expert", "'expert'", "'experts'?"),
    Case(
        "unknown-nested-key",
        lambda s: s.search(optimizer={"type": "pso", "particels": 6}),
        "optimizer.particels",
        "'particels'",
        "did you mean 'particles'?",
    ),
    Case(
        "unknown-key-without-type",
        lambda s: s.search(cluster={"worker": 2}),
        "cluster.worker",
        "'worker'",
        "did you mean 'workers'?",
    ),
    Case(
        "more-workers-than-cores",
        checked_cluster(workers=100_000),
        "cluster.workers",
        "100000 workers",
        "ask for fewer workers",
    ),
    Case(
        "more-gpus-than-there-are",
        checked_cluster(gpus_per_worker=512),
        "cluster.gpus_per_worker",
        "512",
        "ask for fewer GPUs per worker",
    ),
    Case(
        "unknown-key-of-expert",
        lambda s: s.search(experts=[{"path": "a", "trimm": 0.2}]),
        "experts.0.trimm",
        "'trimm'",
        "did you mean 'trim'?",
    ),
    Case(
        "unknown-key-of-objective",
        lambda s: s.search_objective(type="exact_match", metrc="accuracy"),
        "objectives.0.metrc",
        "'metrc'",
        "did you mean 'metric'?",
    ),
    Case(
        "unknown-optimizer",
        lambda s: s.search(optimizer={"type": "psoo"}),
        "optimizer.type",
        "'psoo'",
        "did you mean 'pso'?",
    ),
    Case(
        "unknown-objective",
        lambda s: s.search_objective(type="exact_mach"),
        "objectives.0.type",
        "'exact_mach'",
        "did you mean 'exact_match'?",
    ),
    Case(
        "unknown-composition",
        lambda s: s.search(composition={"type": "weight"}),
        "composition.type",
        "'weight'",
        "weights",
    ),
    Case(
        "unknown-engine",
        lambda s: s.search(engine={"type": "transformer"}),
        "engine.type",
        "'transformer'",
        "transformers",
    ),
    Case(
        "unknown-cluster", lambda s: s.search(cluster={"type": "rey"}), "cluster.type", "'rey'", "did you mean 'ray'?"
    ),
    Case(
        "a-number-as-key",
        lambda s: s.search_text(f"1: a\n{yaml.safe_dump(s.playground.config())}"),
        "1",
        "a key must be a text",
        "known are base, experts",
    ),
    Case(
        "unknown-key-called-like-a-kind",
        lambda s: s.search(optimizer={"type": "pso", "grid": 1}),
        "optimizer.grid",
        "'grid'",
        "known are",
    ),
    Case("a-list-for-a-section", lambda s: s.search(optimizer=[1]), "optimizer", "[1]", "must be a mapping"),
    Case("null-for-a-section", lambda s: s.search(optimizer=None), "optimizer", "None", "must be a mapping"),
    Case(
        "objective-without-type",
        lambda s: s.search(objectives=[{"name": "a"}]),
        "objectives.0.type",
        "missing",
        "add type:",
    ),
    Case("no-base", lambda s: s.search_text("experts: [a]\nobjectives: []"), "base", "missing", "add base:"),
    Case("no-experts", lambda s: s.search(experts=[]), "experts", "[]", "a list of 1 or more"),
    Case(
        "no-such-choice",
        lambda s: s.search_set("engine.dtype=int3"),
        "engine.dtype",
        "not 'int3'",
        "must be one of 'float32', 'bfloat16' or 'float16'",
    ),
    Case(
        "no-member-of-a-union",
        lambda s: s.search_objective(type="exact_match", extract="all_of_it"),
        "objectives.0.extract:",
        "not 'all_of_it'",
        "or a mapping",
    ),
    Case(
        "mistake-within-a-member-of-a-union",
        lambda s: s.search_objective(data={"search": 1}),
        "objectives.0.data.search:",
        "not 1",
        "must be a text",
    ),
    Case("experts-no-list", lambda s: s.search(experts=3), "experts", "3", "must be a list"),
    Case(
        "wrong-type",
        lambda s: s.search_set("optimizer.particles=many"),
        "optimizer.particles",
        "'many'",
        "must be a whole number",
    ),
    Case(
        "nan-in-config",
        lambda s: s.search_set("composition.high=.nan"),
        "composition.high",
        "nan",
        "must be a finite number",
    ),
    Case(
        "unknown-groups",
        lambda s: s.search_set("composition.groups=layer"),
        "composition.groups",
        "'layer'",
        "use all, modules, layers:K",
    ),
    Case(
        "too-many-groups",
        lambda s: s.search_set("composition.groups=layers:9"),
        "composition.groups",
        "layers:9",
        "use 1 to 2",
    ),
    Case(
        "impossible-thinning",
        lambda s: s.search_set("experts.0={path: red, trim: 2}"),
        "experts.0.trim",
        "2",
        "must be at most 1",
    ),
    Case(
        "objectives-of-one-name",
        lambda s: s.search(objectives=2 * s.playground.config()["objectives"]),  # type: ignore[operator]
        "objectives",
        "['words', 'words']",
        "give each objective a name of its own",
    ),
    Case("set-without-value", lambda s: s.search_set("seed"), "--set seed", "key=value", "write for example"),
    Case("set-in-a-scalar", lambda s: s.search_set("base.path=a"), "--set base.path", "base", "set base itself"),
    Case("set-beyond-a-list", lambda s: s.search_set("experts.7=a"), "--set experts.7", "'7'", "use 0 to 2"),
    Case("set-in-a-list-by-name", lambda s: s.search_set("experts.red=a"), "--set experts.red", "'red'", "use 0 to 2"),
    Case("set-no-yaml", lambda s: s.search_set("seed=[1"), "--set seed", "'[1'", "quote it"),
    Case("set-unknown-key", lambda s: s.search_set("sed=1"), "sed", "'sed'", "did you mean 'seed'?"),
]

BUDGETS = [
    Case(
        f"{key}={value}",
        lambda s, key=key, value=value: s.search_set(f"optimizer.{key}={value}"),  # type: ignore[misc]
        f"optimizer.{key}",
        value,
        f"must be {least}",
    )
    for key, value, least in (
        ("evaluations", "0", "at least 1"),
        ("evaluations", "-5", "at least 1"),
        ("minutes", "0", "greater than 0"),
        ("minutes", "-1.5", "greater than 0"),
        ("iterations", "0", "at least 1"),
        ("patience", "0", "at least 1"),
    )
] + [
    Case("negative-seed", lambda s: s.search_set("seed=-1"), "seed", "-1", "must be at least 0"),
    Case(
        "fewer-particles-than-experts",
        lambda s: s.search(optimizer={"type": "model_swarms", "particles": 2}),
        "optimizer.particles",
        "2",
        "3",
    ),
    Case(
        "too-large-a-grid",
        lambda s: s.search(optimizer={"type": "grid", "points": 90}),
        "optimizer.points",
        "729,000 candidates",
        "take fewer points or dimensions",
    ),
]
