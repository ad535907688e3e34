"""What mends settings that do not go together, and forms of an export that cannot hold what is asked."""

from support.bad_inputs import Scene, Words
from support.harness_tasks import make_tasks
from support.playground import examples, run_cli, write_lines
from support.remedies_for_runs import another_place, old_weights, recipe_again, resumed_before, summary_again
from support.remedy_steps import Remedy, put, replaced, typed, without, written


def experts(*names: str) -> object:
    return lambda scene: [str(scene.playground.expert(name)) for name in names]


def recipe_folder(scene: Scene, words: Words) -> Words:
    """The folder that --format recipe wrote."""
    done = run_cli("export", scene.finished, scene.folder / "again", "--format", "recipe")
    assert done.code == 0, done
    return ["export", scene.folder / "again", *words[2:]]


def a_new_run(scene: Scene, words: Words) -> Words:
    """The same search with the larger budget, in another directory."""
    return ["search", scene.run / "config.yaml", "--run-dir", scene.folder / "new", *words[2:]]


def lines_of_one_split(scene: Scene, words: Words) -> Words:
    write_lines(scene.folder / "own.jsonl", examples(40)[:16])
    return put("objectives.0.data.search", str(scene.folder / "own.jsonl"))(scene, words)


def without_the_override(scene: Scene, words: Words) -> Words:
    """Remove what --set gave."""
    at = words.index("--set")
    return [*words[:at], *words[at + 2 :]]


def rows(line: str) -> Remedy:
    return written("trained.jsonl", line)


def asked_of_tasks(scene: Scene, words: Words) -> Words:
    """Without data, and with tasks that there are."""
    folder = make_tasks(scene.folder / "tasks")
    words = put("objectives.0", {"name": "words", "type": "lm_eval", "tasks": "picked", "include": str(folder)})(
        scene, words
    )
    return put("splits", {"search": 8, "select": 8, "test": "rest"})(scene, words)


def renamed_folder(scene: Scene, words: Words) -> Words:
    (scene.folder / "a+b").rename(scene.folder / "ab")
    return replaced("a+b", "ab")(scene, words)


GROUPS, OPTIMIZER, CLUSTER = "composition.groups", "optimizer=", "cluster="
IN_ANOTHER_FORM = (typed("export.format", "export.format=hf"), typed("export.format", "export.format=recipe"))
VALUES: dict[str, tuple[Remedy, ...]] = {
    "groups-called-rest": (typed(GROUPS, f"{GROUPS}={{other: ['*q_proj*']}}"),),
    "groups-of-nothing": (typed(GROUPS, f"{GROUPS}={{a: ['*mlp*']}}"), without_the_override),
    "a-number-as-group": (replaced("1:", "'1':"),),
    "autoscaling-of-auto": (
        typed(CLUSTER, "cluster={type: ray, autoscaling: true, workers: 1, cpus_per_worker: 1, gpus_per_worker: 0}"),
    ),
    "part-of-gpus": (
        typed(CLUSTER, "cluster={type: ray, gpus_per_worker: auto}"),
        typed(CLUSTER, "cluster={type: ray, gpus_per_worker: 0}"),
    ),
    "unknown-rule": (
        typed("selection.rule", "selection.rule=pooled"),
        typed("selection.rule", "selection.rule=select"),
    ),
    "no-workers": (
        typed(CLUSTER, "cluster={type: ray, workers: auto}"),
        typed(CLUSTER, "cluster={type: ray, workers: 1}"),
    ),
    "falling-rungs": (typed("racing.rungs", "racing.rungs=[25, 50, 100]"),),
    "no-rungs": (typed("racing=", "racing={rungs: [25, 50, 100], sequential: true}"),),
    "no-expert-alone": (typed("composition.high", "composition.high=1"),),
    "tracked-twice": (typed("trackers=", "trackers=[{type: tensorboard}]"),),
    "set-in-no-list": (typed("experts.0", "experts=[{red}]"),),
}
OPTIMIZERS: dict[str, tuple[Remedy, ...]] = {
    "all-together": (typed(OPTIMIZER, "optimizer={type: cma_es, schedule: sync}"),),
    "refined-together": (typed(OPTIMIZER, "optimizer={type: grid, points: 3, refine: 0.1, schedule: sync}"),),
    "coarse-refinement": (
        typed(OPTIMIZER, "optimizer={type: grid, points: 3, refine: 0.5}"),
        typed(OPTIMIZER, "optimizer={type: grid, points: 2, refine: 1.9}"),
    ),
    "swarm-of-one": (put("experts", experts("red", "green")), put("optimizer.type", "pso")),
    "one-dimension": (put("optimizer.type", "grid"),),
    "stacked-checkpoint": (
        put("experts.0", lambda scene: {"path": str(scene.folder / "mine"), "svd": 2}),
        typed("engine.method", "engine.method=auto"),
    ),
}
OBJECTIVES: dict[str, tuple[Remedy, ...]] = {
    "no-expression": (put("objectives.0.extract.pattern", "(.*)"),),
    "two-groups": (put("objectives.0.extract.pattern", "(?:^)(.+)"),),
    "no-phrase": (put("objectives.0.patterns", [r"\("]),),
    "any-phrase": (put("objectives.0.patterns", ["a+"]),),
    "credit": (put("objectives.0.abstain_credit", 0.5),),
    "no-prompt": (put("objectives.0.template", "x {prompt}"),),
    "data-of-tasks": (asked_of_tasks,),
    "no-tasks": (asked_of_tasks,),
    "no-template": (
        put("objectives.0.chat", True),
        without("objectives.0.template_arguments"),
    ),
    "taken-argument": (without("objectives.0.template_arguments.messages"),),
    "unused-argument": (without("objectives.0.template_arguments.thinking"),),
    "other-metric": (without("objectives.0.normalise"), put("objectives.0.metric", "accuracy")),
    "chat-without-chat": (put("objectives.0.chat", True),),
    "split-twice": (
        without("objectives.0.data.search"),
        typed("splits=", "splits={}"),
    ),
    "data-of-no-split": (without("objectives.0.data"),),
    "unknown-split": (replaced("dev:", "search:"),),
    "file-of-two-splits": (lines_of_one_split,),
    "trained-on-words": (rows('{"text": "no"}\n'),),
    "trained-on-a-list": (rows('{"text": "1"}\n'),),
    "trained-on-numbers": tuple(rows(f'{{"{key}": "1"}}\n') for key in ("prompt", "question", "instruction", "text")),
}
EXPORTS: dict[str, tuple[Remedy, ...]] = {
    "cross-terms": IN_ANOTHER_FORM,
    "thinned": IN_ANOTHER_FORM,
    "cut": IN_ANOTHER_FORM,
    "filter": IN_ANOTHER_FORM,
    "plus-in-a-path": (renamed_folder,),
    "file-as-destination": (another_place,),
    "export-over-its-base": (another_place,),
    "recipe-of-others": (old_weights,),
    "recipe-that-is-none": (recipe_again, recipe_folder),
    "late-budget": (a_new_run,),
    "late-selection": (a_new_run,),
    "no-summary": (resumed_before,),
    "odd-summary": (summary_again,),
    "journal-without-lines": (resumed_before,),
}
REMEDIES = {**VALUES, **OPTIMIZERS, **OBJECTIVES, **EXPORTS}
SLOW = frozenset({"journal-without-lines-1"})
