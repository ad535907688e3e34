"""Settings that do not go together or that nothing can have, and forms of an export that cannot hold what is asked."""

import json
import shutil
from collections.abc import Callable

from support.bad_inputs import Case, Scene, Words, edited
from support.playground import examples, run_cli, write_lines

CORRECTED = "export.format: hf or recipe"


def of_objective(**settings: object) -> Callable[[Scene], Words]:
    return lambda scene: scene.search_objective(**settings)


def overridden(*overrides: str) -> Callable[[Scene], Words]:
    """--set; {red} is an expert."""
    return lambda scene: scene.search_set(
        *(each.replace("{red}", str(scene.playground.expert("red"))) for each in overrides)
    )


def one_expert(optimizer: str) -> Callable[[Scene], Words]:
    return lambda scene: scene.search(
        optimizer={"type": optimizer, "particles": 4}, experts=[str(scene.playground.expert("red"))]
    )


def arguments_without_chat(scene: Scene) -> Words:
    """The base's chat template uses the argument, but is not asked for."""
    template = scene.base() / "chat_template.jinja"
    template.write_text(template.read_text() + "{{ mood }}")
    words = scene.search_objective(template_arguments={"mood": "good"})
    return [*words, "--set", f"base={scene.folder / 'mine'}"]


def split_twice(scene: Scene) -> Words:
    files = split_files(scene)
    return [*scene.search_objective(data=files), "--set", f"splits={{search: {files['search']}}}"]


def split_files(scene: Scene) -> dict[str, str]:
    parts = {"search": examples(40)[:16], "select": examples(40)[16:28], "test": examples(40)[28:]}
    return {name: str(write_lines(scene.folder / f"{name}.jsonl", part)) for name, part in parts.items()}


def data_of_no_split(scene: Scene) -> Words:
    return scene.search(splits=split_files(scene))


def unknown_split(scene: Scene) -> Words:
    files = split_files(scene)
    return [*scene.search_objective(data={"dev": files.pop("search"), **files}), "--set", "splits={}"]


def file_of_two_splits(scene: Scene) -> Words:
    (scene.folder / "both.json").write_text(json.dumps({"dev": examples(40)[:16], "test": examples(40)[16:28]}))
    files = split_files(scene) | {"search": str(scene.folder / "both.json")}
    return [*scene.search_objective(data=files), "--set", "splits={}"]


def chats(scene: Scene) -> Words:
    rows = [
        {"messages": [{"role": "user", "content": each["prompt"]}], "choices": each["choices"], "answer": "A"}
        for each in examples(60)
    ]
    return scene.search_data("".join(json.dumps(row) + "\n" for row in rows))


def trained_on(line: str) -> Callable[[Scene], Words]:
    def arrange(scene: Scene) -> Words:
        (scene.folder / "trained.jsonl").write_text(f"{line}\n")
        red = {"path": str(scene.playground.expert("red")), "trained_on": [str(scene.folder / "trained.jsonl")]}
        return scene.search(experts=[red])

    return arrange


def folder_with_a_plus(scene: Scene) -> Words:
    shutil.copytree(scene.playground.expert("red"), scene.folder / "a+b")
    return [*scene.search_expert(scene.folder / "a+b"), "--set", "export.format=mergekit"]


def finished_with(change: Callable[[Scene], object], *words: str) -> Callable[[Scene], Words]:
    """A command for a copy of the finished run, in which something was changed."""

    def arrange(scene: Scene) -> Words:
        shutil.copytree(scene.finished, scene.run)
        change(scene)
        return [words[0], scene.run, *words[1:]]

    return arrange


def empty_journal(scene: Scene) -> Words:
    (scene.stopped_run() / "journal.jsonl").write_text("")
    return ["report", scene.run]


def recipe_that_is_none(scene: Scene) -> Words:
    (scene.folder / "recipe.json").write_text("no")
    return ["export", scene.folder / "recipe.json", scene.folder / "dest"]


def recipe_of_changed_weights(scene: Scene) -> Words:
    """A recipe whose expert is trained further after it was written."""
    run_cli("export", scene.finished, scene.folder / "again", "--format", "recipe")
    recipe, mine = scene.folder / "again" / "recipe.json", scene.expert()
    edited(recipe, str(scene.playground.expert("red")), str(mine))
    shutil.copy(scene.playground.expert("blue") / "adapter_model.safetensors", mine)
    return ["export", recipe, scene.folder / "dest"]


def file_as_destination(scene: Scene) -> Words:
    (scene.folder / "dest").write_text("mine")
    return ["export", scene.finished, scene.folder / "dest"]


def address(scene: Scene) -> Words:
    return ["check", scene.search(cluster={"type": "ray", "address": "127.0.0.1:1"})[1]]


VALUES = [
    Case("groups-called-rest", overridden("composition.groups={rest: ['*a*']}"), "rest", "reserved", "choose another"),
    Case(
        "groups-of-nothing", overridden("composition.groups={a: ['*no*']}"), "groups.a", "'*no*'", "correct or remove"
    ),
    Case("a-number-as-group", lambda s: s.search(composition={"groups": {1: ["*"]}}), "groups.1", "text", "in quotes"),
    Case(
        "autoscaling-of-auto",
        overridden("cluster={type: ray, autoscaling: true}"),
        "cluster",
        "autoscaling: true",
        "set workers, cpus_per_worker and gpus_per_worker to numbers",
    ),
    Case("part-of-gpus", overridden("cluster={type: ray, gpus_per_worker: 1.5}"), "gpus_per_worker", "1.5", "a whole"),
    Case("no-workers", overridden("cluster={type: ray, workers: 0}"), "cluster.workers", "0", "auto or a whole number"),
    Case("falling-rungs", overridden("racing.rungs=[50, 25]"), "racing.rungs", "[50, 25]", "write for example [25, 50"),
    Case(
        "no-rungs",
        overridden("racing={rungs: [], sequential: true}"),
        "racing",
        "sequential: true",
        "write for example rungs: [25, 50, 100]",
    ),
    Case("unknown-rule", overridden("selection.rule=luck"), "selection.rule", "'luck'", "one of 'pooled' or 'select'"),
    Case("no-expert-alone", overridden("composition.high=0.5"), "composition", "high 0.5", "must enclose 0 (the base)"),
    Case(
        "tracked-twice",
        overridden("trackers=[{type: tensorboard}, {type: tensorboard}]"),
        "trackers",
        "['tensorboard', 'tensorboard']",
        "name each tracker once",
    ),
    Case(
        "set-in-no-list", lambda s: [*s.search(experts=[]), "--set", "experts.0=a"], "experts.0", "'0'", "of this list"
    ),
    Case("no-such-cluster", address, "cluster.address", "127.0.0.1:1", "or start a cluster"),
]
OPTIMIZERS = [
    Case(
        "all-together",
        overridden("optimizer={type: cma_es, schedule: async}"),
        "optimizer.schedule",
        "'async'",
        "take sync",
    ),
    Case(
        "refined-together",
        overridden("optimizer={type: grid, points: 3, refine: 0.1, schedule: async}"),
        "optimizer: schedule",
        "with refine",
        "take sync",
    ),
    Case(
        "coarse-refinement",
        overridden("optimizer={type: grid, points: 3, refine: 5}"),
        "optimizer.refine",
        "5 is not finer",
        "take a smaller one, or fewer optimizer.points",
    ),
    Case("swarm-of-one", one_expert("model_swarms"), "experts", "1 given", "add an expert or take optimizer.type: pso"),
    Case("one-dimension", one_expert("cma_es"), "optimizer.type", "two dimensions", "take optimizer.type: grid"),
    Case(
        "stacked-checkpoint",
        lambda s: [*s.search_expert(s.checkpoint()), "--set", "engine.method=stacked"],
        "engine.method",
        "changes a matrix as a whole",
        "cut it to a rank with svd:, or use method: auto",
    ),
]
OBJECTIVES = [
    Case("no-expression", of_objective(type="exact_match", extract={"pattern": "("}), "extract", "'('", "correct it"),
    Case("two-groups", of_objective(type="exact_match", extract={"pattern": "(a)(b)"}), "extract", "2 groups", "put"),
    Case("no-phrase", of_objective(type="refusal", patterns=["("]), "objectives.0.patterns", "'('", "correct it"),
    Case("any-phrase", of_objective(type="refusal", patterns=["a*"]), "objectives.0.patterns", "'a*'", "correct it"),
    Case("credit", of_objective(type="reliability", abstain_credit=2), "objectives.0", "abstain_credit 2", "change it"),
    Case("no-prompt", of_objective(template="x"), "objectives.0.template", "'x'", "put it where the example's prompt"),
    Case("data-of-tasks", of_objective(type="lm_eval", tasks="mine"), "objectives.0", "data.jsonl", "remove it"),
    Case(
        "no-tasks",
        of_objective(type="lm_eval", data=None, tasks=[]),
        "objectives.0.tasks",
        "[]",
        "must be a list of 1 or more",
    ),
    Case("no-template", arguments_without_chat, "template_arguments", "chat: true", "or remove it"),
    Case(
        "taken-argument",
        of_objective(chat=True, template_arguments={"messages": 1}),
        "template_arguments",
        "'messages'",
        "remove it",
    ),
    Case(
        "unused-argument",
        of_objective(chat=True, template_arguments={"thinking": 1}),
        "template_arguments",
        "'thinking'",
        "correct the name or remove it",
    ),
    Case(
        "other-metric",
        of_objective(metric="acc_norm", normalise="none"),
        "objectives.0",
        "'none'",
        "remove normalise, or set metric: accuracy",
    ),
    Case("chat-without-chat", chats, "objectives.words", "prompt is a chat", "set chat: true"),
    Case("split-twice", split_twice, "splits.search", "data.search is", "remove one of them"),
    Case("data-of-no-split", data_of_no_split, "objectives.words.data", "is not used", "remove it"),
    Case("unknown-split", unknown_split, "objectives.words.data", "'dev'", "use search, select, test"),
    Case("file-of-two-splits", file_of_two_splits, "both.json", "both dev and test", "a file of JSON lines (.jsonl)"),
    Case("trained-on-words", trained_on("no"), "trained.jsonl:1", "'no'", "one object per line"),
    Case("trained-on-a-list", trained_on("[1]"), "trained.jsonl:1", "[1]", "write {...}"),
    Case("trained-on-numbers", trained_on('{"x": 1}'), "trained.jsonl:1", "'x'", "under one of these keys"),
]
EXPORTS = [
    Case("cross-terms", overridden("export.format=mergekit", "composition.algebra=factors"), "algebra", "", CORRECTED),
    Case(
        "thinned", overridden("export.format=mergekit", "experts.0={path: {red}, trim: 0.2}"), "red", "spars", CORRECTED
    ),
    Case("cut", overridden("export.format=mergekit", "experts.0={path: {red}, svd: 2}"), "red", "(svd)", CORRECTED),
    Case(
        "filter",
        overridden("export.format=mergekit", "composition.groups={a: ['model.layers.0*']}"),
        "group a",
        "'model.layers.0*'",
        CORRECTED,
    ),
    Case("plus-in-a-path", folder_with_a_plus, "a+b", '"+"', "rename the folder"),
    Case("file-as-destination", file_as_destination, "dest", "is a file", "choose another name"),
    Case(
        "export-over-its-base",
        lambda s: ["export", s.finished, s.playground.folder, "--overwrite"],
        "base",
        "which the export is made from",
        "choose another folder",
    ),
    Case("recipe-of-others", recipe_of_changed_weights, "expert red", "has the fingerprint", "put back the weights"),
    Case("recipe-that-is-none", recipe_that_is_none, "recipe.json", "is not JSON", "a file written by --format recipe"),
]
RUNS = [
    Case(
        "late-budget",
        finished_with(lambda s: None, "resume", "--set", "optimizer.iterations=9"),
        "iterations=9",
        "has ended",
        "start a new run",
    ),
    Case(
        "late-selection",
        finished_with(lambda s: None, "resume", "--set", "selection.rule=select"),
        "selection.rule=select",
        "has ended",
        "start a new run",
    ),
    Case(
        "no-summary",
        finished_with(lambda s: (s.run / "summary.json").unlink(), "report"),
        "summary.json",
        "holds no",
        "swarm resume",
    ),
    Case(
        "odd-summary",
        finished_with(lambda s: (s.run / "summary.json").write_text("{}"), "report"),
        "summary.json",
        "best",
        "remove it, then swarm resume",
    ),
    Case("journal-without-lines", empty_journal, "run", "nothing has been scored yet", "swarm resume"),
]
CASES = [*VALUES, *OPTIMIZERS, *OBJECTIVES, *EXPORTS, *RUNS]
