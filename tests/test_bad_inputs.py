"""Every mistake of the user's is told in one line that names the place, the value and the remedy, and leaves nothing."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import yaml
from models import make_adapter, make_base, make_checkpoint, make_gpt2
from playground import Playground, examples, run_cli, write_lines
from safetensors.torch import load_file, save_file

from swarm.vectors import make_vector

Words = list[object]


@dataclass(frozen=True)
class Scene:
    """A folder for one case, and what a case may start from."""

    folder: Path
    playground: Playground
    finished: Path

    @property
    def run(self) -> Path:
        return self.folder / "run"

    def search(self, **sections: object) -> Words:
        """`swarm search` of the playground's config with some sections replaced."""
        return self.search_text(yaml.safe_dump(self.playground.config(**sections)))

    def search_text(self, text: str) -> Words:
        (self.folder / "case.yaml").write_text(text)
        return ["search", self.folder / "case.yaml", "--run-dir", self.run]

    def search_set(self, *overrides: str) -> Words:
        return [*self.search(), *(word for override in overrides for word in ("--set", override))]

    def search_expert(self, expert: Path) -> Words:
        return self.search(experts=[str(expert), str(self.playground.expert("green"))])

    def search_data(self, text: str, name: str = "case.jsonl") -> Words:
        (self.folder / name).write_text(text)
        return self.search_objective(data=str(self.folder / name))

    def search_objective(self, **settings: object) -> Words:
        words = {"name": "words", "type": "multiple_choice", "data": str(self.playground.data)}
        return self.search(objectives=[words | settings])

    def base(self) -> Path:
        return shutil.copytree(self.playground.base, self.folder / "mine")

    def expert(self) -> Path:
        return shutil.copytree(self.playground.expert("red"), self.folder / "mine")

    def checkpoint(self, **settings: object) -> Path:
        return make_checkpoint(self.folder / "mine", self.playground.base, seed=5, **settings)  # type: ignore[arg-type]

    def stopped_run(self, lines: int = 12) -> Path:
        """The finished run as it was when its journal had so many lines."""
        shutil.copytree(self.finished, self.run)
        kept = (self.run / "journal.jsonl").read_text().splitlines(keepends=True)[:lines]
        (self.run / "journal.jsonl").write_text("".join(kept))
        (self.run / "summary.json").unlink()
        return self.run


@dataclass(frozen=True)
class Case:
    """A mistake: `arrange` makes it and gives the command; the line holds place, value and remedy."""

    id: str
    arrange: Callable[[Scene], Words]
    place: str
    value: str
    remedy: str


def edited(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text, f"{file} holds no {old}"
    file.write_text(text.replace(old, new))


def with_nan(file: Path) -> None:
    tensors = load_file(file)
    next(iter(tensors.values())).view(-1)[3] = torch.nan
    save_file(tensors, file, metadata={"format": "pt"})


# The config


def no_config(scene: Scene) -> Words:
    return ["search", scene.folder / "nowhere.yaml"]


def a_folder_as_config(scene: Scene) -> Words:
    (scene.folder / "folder.yaml").mkdir()
    return ["search", scene.folder / "folder.yaml"]


CONFIG = [
    Case("no-config", no_config, "nowhere.yaml", "does not exist", "give the path of a config file"),
    Case("config-is-a-folder", a_folder_as_config, "folder.yaml", "Is a directory", "give the path of a YAML file"),
    Case("broken-yaml", lambda s: s.search_text("base: [a\nexperts: b"), "case.yaml", "line 2", "correct it"),
    Case("tabs-in-yaml", lambda s: s.search_text("base:\n\t- a"), "case.yaml", "\\t", "correct it"),
    Case("a-list", lambda s: s.search_text("- base\n"), "case.yaml", "no mapping", "start it with base:"),
    Case("empty", lambda s: s.search_text(""), "case.yaml", "no mapping", "start it with base:"),
    Case("unknown-key", lambda s: s.search(optimzer={}), "case.yaml", "'optimzer'", "did you mean 'optimizer'?"),
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
    Case("unknown-cluster", lambda s: s.search(cluster={"type": "rey"}), "cluster.type", "'rey'", "did you mean 'ray'?"),
    Case("a-list-for-a-section", lambda s: s.search(optimizer=[1]), "optimizer", "[1]", "mapping"),
    Case("null-for-a-section", lambda s: s.search(optimizer=None), "optimizer", "None", "mapping"),
    Case("objective-without-type", lambda s: s.search(objectives=[{"name": "a"}]), "objectives.0.type", "''", "name its"),
    Case("no-base", lambda s: s.search_text("experts: [a]\nobjectives: []"), "base", "missing", "add base:"),
    Case("no-experts", lambda s: s.search(experts=[]), "experts", "[]", "at least 1 item"),
    Case("experts-no-list", lambda s: s.search(experts="red"), "experts", "'red'", "should be a valid list"),
    Case(
        "wrong-type",
        lambda s: s.search_set("optimizer.particles=many"),
        "optimizer.particles",
        "'many'",
        "should be a valid integer",
    ),
    Case(
        "nan-in-config",
        lambda s: s.search_set("composition.high=.nan"),
        "composition.high",
        "nan",
        "should be a finite number",
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
        "should be less than",
    ),
    Case(
        "objectives-of-one-name",
        lambda s: s.search(objectives=2 * s.playground.config()["objectives"]),  # type: ignore[operator]
        "objectives",
        "['words', 'words']",
        "give each objective a name of its own",
    ),
    Case("set-without-value", lambda s: s.search_set("seed"), "--set seed", "no key=value", "write for example"),
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
        "should be greater than",
    )
    for key, value in (
        ("evaluations", "0"),
        ("evaluations", "-5"),
        ("minutes", "0"),
        ("minutes", "-1.5"),
        ("iterations", "0"),
        ("patience", "0"),
    )
] + [
    Case("negative-seed", lambda s: s.search_set("seed=-1"), "seed", "-1", "should be greater than"),
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
        "take fewer points or coordinates",
    ),
]


# Base and experts


def other_size(scene: Scene) -> Words:
    """An adapter of a wider base, of which nothing is known but the shapes."""
    other = make_base(scene.folder / "other", hidden=64)
    adapter = make_adapter(scene.folder / "mine", other, seed=1)
    edited(adapter / "adapter_config.json", str(other), "somebody/model")
    return scene.search_expert(adapter)


def other_base(scene: Scene) -> Words:
    other = make_base(scene.folder / "other", seed=9)
    return scene.search_expert(make_adapter(scene.folder / "mine", other, seed=1))


def base_without_tokenizer(scene: Scene) -> Words:
    (scene.base() / "tokenizer.json").unlink()
    return scene.search(base=str(scene.folder / "mine"))


def tied_base(scene: Scene) -> Words:
    tied = make_base(scene.folder / "tied", tied=True)
    return scene.search(base=str(tied), experts=[str(scene.playground.base)])


def adapted_tied_embeddings(scene: Scene) -> Words:
    tied = make_base(scene.folder / "tied", tied=True)
    adapter = make_adapter(scene.folder / "mine", tied, seed=1, targets=["embed_tokens"])
    return scene.search(base=str(tied), experts=[str(adapter)])


def other_tokenizer(scene: Scene) -> Words:
    content = json.loads((scene.checkpoint() / "tokenizer.json").read_text())
    vocabulary = content["model"]["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
    (scene.folder / "mine" / "tokenizer.json").write_text(json.dumps(content))
    return scene.search_expert(scene.folder / "mine")


def nan_in_adapter(scene: Scene) -> Words:
    with_nan(scene.expert() / "adapter_model.safetensors")
    return scene.search_expert(scene.folder / "mine")


def nan_in_base(scene: Scene) -> Words:
    with_nan(scene.base() / "model.safetensors")
    adapter = scene.playground.expert("red")
    mine = shutil.copytree(adapter, scene.folder / "adapter")
    edited(mine / "adapter_config.json", str(scene.playground.base), "somebody/model")
    return scene.search(base=str(scene.folder / "mine"), experts=[str(mine)])


def pickled_adapter(scene: Scene) -> Words:
    weights = scene.expert() / "adapter_model.safetensors"
    torch.save(load_file(weights), weights.with_suffix(".bin"))
    weights.unlink()
    return scene.search_expert(scene.folder / "mine")


def pickled_base(scene: Scene) -> Words:
    weights = scene.base() / "model.safetensors"
    torch.save(load_file(weights), scene.folder / "mine" / "pytorch_model.bin")
    weights.unlink()
    return scene.search(base=str(scene.folder / "mine"))


def pickled_vector(scene: Scene) -> Words:
    torch.save({}, scene.folder / "vector.pt")
    return scene.search_expert(scene.folder / "vector.pt")


def cut_weights(scene: Scene) -> Words:
    weights = scene.expert() / "adapter_model.safetensors"
    os.truncate(weights, weights.stat().st_size // 2)
    return scene.search_expert(scene.folder / "mine")


def missing_shard(scene: Scene) -> Words:
    shards = sorted(scene.checkpoint(max_shard_size="20KB").glob("*.safetensors"))
    shards[1].unlink()
    return scene.search_expert(scene.folder / "mine")


def vector_of_another_base(scene: Scene) -> Words:
    other = make_base(scene.folder / "other", seed=9)
    make_vector(other, scene.checkpoint(), scene.folder / "vector.safetensors")
    return scene.search_expert(scene.folder / "vector.safetensors")


def no_vector(scene: Scene) -> Words:
    save_file({"a": torch.zeros(2)}, scene.folder / "some.safetensors")
    return scene.search_expert(scene.folder / "some.safetensors")


def mixed_ranks(scene: Scene) -> Words:
    wide = make_adapter(scene.folder / "wide", scene.playground.base, seed=1, r=6)
    experts = [str(scene.playground.expert("red")), str(wide)]
    return scene.search(experts=experts, composition={"algebra": "factors"})


def no_chat_template(scene: Scene) -> Words:
    (scene.base() / "chat_template.jinja").unlink()
    return [*scene.search_objective(chat=True), "--set", f"base={scene.folder / 'mine'}"]


def exporting_no_adapter(scene: Scene) -> Words:
    return [*scene.search_expert(scene.checkpoint()), "--set", "export.format=adapter"]


WEIGHTS = [
    Case("no-base-there", lambda s: s.search(base="nowhere"), "base", "nowhere does not exist", "correct the path"),
    Case("no-such-hub-id", lambda s: s.search(base="some/model"), "base", "some/model", "correct the path or id"),
    Case(
        "base-is-an-adapter",
        lambda s: s.search(base=str(s.playground.expert("red"))),
        "base",
        "red is an adapter",
        "give the checkpoint it was trained on",
    ),
    Case("base-without-tokenizer", base_without_tokenizer, "base", "mine holds no tokenizer", "save the base's tokenizer"),
    Case("no-expert-there", lambda s: s.search(experts=["gone"]), "experts.0.path", "gone", "correct the path"),
    Case(
        "expert-is-an-empty-folder",
        lambda s: s.search_expert(s.folder),
        "expert",
        "config.json does not exist",
        "give the folder of a saved model",
    ),
    Case("another-size", other_size, "expert mine", "[128, 64]", "must be made from this base"),
    Case("another-base", other_base, "expert mine", "was trained on", "give the base it was trained on"),
    Case(
        "another-architecture",
        lambda s: s.search_expert(make_gpt2(s.folder / "gpt2")),
        "expert gpt2: model_type",
        "'gpt2'",
        "must be made from this base",
    ),
    Case(
        "tied-expert-of-an-untied-base",
        lambda s: s.search_expert(make_base(s.folder / "tied", tied=True)),
        "expert tied: tie_word_embeddings",
        "True",
        "must be made from this base",
    ),
    Case("untied-expert-of-a-tied-base", tied_base, "tie_word_embeddings", "False", "must be made from this base"),
    Case("adapted-tied-embeddings", adapted_tied_embeddings, "expert mine", "embed_tokens", "merge it into a full"),
    Case("another-tokenizer", other_tokenizer, "expert mine", "tokenizer.json", "must share the base's tokenizer"),
    Case("nan-in-adapter", nan_in_adapter, "expert mine", "NaN", "train or convert it again"),
    Case("nan-in-base", nan_in_base, "base", "NaN", "train or convert it again"),
    Case("pickled-adapter", pickled_adapter, "mine", "adapter_model.bin", "save them as safetensors"),
    Case("pickled-base", pickled_base, "mine", "pytorch_model.bin", "save them as safetensors"),
    Case("pickled-vector", pickled_vector, "expert vector", "vector.pt", "convert it"),
    Case(
        "dora",
        lambda s: s.search_expert(make_adapter(s.folder / "mine", s.playground.base, seed=1, use_dora=True)),
        "mine",
        "use_dora = True",
        "merge_and_unload",
    ),
    Case("cut-weights", cut_weights, "adapter_model.safetensors", "no whole safetensors file", "copy or save it again"),
    Case("missing-shard", missing_shard, "model.safetensors.index.json", "model-00002", "copy it beside the index"),
    Case("vector-of-another-base", vector_of_another_base, "expert vector", "fingerprint", "make it again"),
    Case("no-vector", no_vector, "expert some", "no alignment vector", "make one with swarm vector"),
    Case(
        "experts-of-one-name",
        lambda s: s.search(experts=2 * [str(s.playground.expert("red"))]),
        "experts",
        "'red' is given twice",
        "set name: on one of them",
    ),
    Case("factors-of-mixed-ranks", mixed_ranks, "composition.algebra", "rank 4 in red and 6 in wide", "algebra: delta"),
    Case("no-chat-template", no_chat_template, "objectives.0.chat", "mine", "set chat: false"),
    Case("no-adapter-of-a-checkpoint", exporting_no_adapter, "adapter", "mine", "hf"),
    Case(
        "no-such-device",
        lambda s: s.search_set("engine.device=abacus"),
        "engine.device",
        "'abacus'",
        "use auto or cpu",
    ),
]


# Data

ROW = {"prompt": "a=", "choices": ["b", "c"], "answer": "A"}


def rows(*changed: dict[str, object]) -> str:
    return "".join(json.dumps(row) + "\n" for row in (*examples(20), *changed))


def overlapping_splits(scene: Scene) -> Words:
    given = examples(30)
    parts = {"search": given[:10], "select": given[10:20], "test": given[19:]}
    files = {name: str(write_lines(scene.folder / f"{name}.jsonl", part)) for name, part in parts.items()}
    return [*scene.search_objective(data=files), "--set", "splits={}"]


def too_long_a_prompt(scene: Scene) -> Words:
    return scene.search_data(rows(ROW | {"prompt": 400 * "x"}, *({**ROW, "prompt": 300 * c} for c in "abcdefgh")))


def function_objective(function: str) -> Callable[[Scene], Words]:
    def arrange(scene: Scene) -> Words:
        (scene.folder / "own_scores.py").write_text("def right(example, output):\n    return 1.0\n")
        return scene.search_objective(type="function", function=function)

    return arrange


DATA = [
    Case("no-data-file", lambda s: s.search_objective(data="no.jsonl"), "objectives.0.data", "no.jsonl", "correct the"),
    Case("no-data", lambda s: s.search_objective(data=None), "objectives.words.data", "none", "give one file"),
    Case("empty-data", lambda s: s.search_data(""), "case.jsonl", "holds no examples", "write one"),
    Case("broken-json", lambda s: s.search_data(rows() + "{no\n"), "case.jsonl:21", "'{no'", "one object a line"),
    Case("no-object", lambda s: s.search_data(rows() + "[1]\n"), "case.jsonl:21", "['1']", "write {...}"),
    Case(
        "no-answer",
        lambda s: s.search_data(rows({"prompt": "a"})),
        "case.jsonl:21",
        "answer is missing",
        "give the right answer",
    ),
    Case(
        "answer-no-choice",
        lambda s: s.search_data(rows(ROW | {"answer": "Q"})),
        "case.jsonl:21: answer",
        "'Q'",
        "give a key (A, B)",
    ),
    Case(
        "same-ids",
        lambda s: s.search_data(rows(ROW | {"id": "3"})),
        "case.jsonl:21: id",
        "'3'",
        "give each its own id",
    ),
    Case(
        "no-choices",
        lambda s: s.search_data(rows({"prompt": "a", "answer": "b"})),
        "objectives.words",
        "'21'",
        "choices",
    ),
    Case(
        "dev-test-without-lists",
        lambda s: s.search_data('{"dev": {}, "test": []}', "case.json"),
        "case.json: dev",
        "{}",
        '{"dev": [...], "test": [...]}',
    ),
    Case(
        "dev-test-with-a-broken-example",
        lambda s: s.search_data(json.dumps({"dev": [ROW, {"prompt": "a"}], "test": [ROW]}), "case.json"),
        "case.json: dev[1]",
        "answer is missing",
        "give the right answer",
    ),
    Case("overlapping-splits", overlapping_splits, "splits.test", "'19'", "remove it from one of the two"),
    Case(
        "too-few-examples",
        lambda s: s.search_set("splits.search=10000"),
        "splits.search",
        "10000",
        "lower a count or add examples",
    ),
    Case("split-of-nothing", lambda s: s.search_set("splits.select=0"), "splits.select", "0", "a count of at least 1"),
    Case("two-rests", lambda s: s.search_set("splits.select=rest"), "splits.select", "rest", "give one of them a count"),
    Case("too-long-a-prompt", too_long_a_prompt, "the prompt '", "256", "shorten the example"),
    Case(
        "no-such-module",
        function_objective("not_there:right"),
        "function",
        "not_there cannot be imported",
        "write module:function",
    ),
    Case("no-such-function", function_objective("own_scores:wrong"), "function", "wrong", "correct the name"),
    Case("no-function-name", function_objective("own_scores"), "objectives.0.function", "'own_scores'", "pattern"),
]


# Zoos, run directories and the command line


def zoo_not_built(scene: Scene) -> Words:
    scene.search(base="zoo:tiny")
    return ["check", scene.folder / "case.yaml"]


def taken_run_dir(scene: Scene) -> Words:
    scene.stopped_run()
    return scene.search()


def run_dir_is_a_file(scene: Scene) -> Words:
    scene.run.write_text("mine")
    return scene.search()


def run_dir_in_a_file(scene: Scene) -> Words:
    (scene.folder / "file").write_text("mine")
    return [*scene.search(), "--run-dir", scene.folder / "file" / "run"]


def resumed_after(change: Callable[[Path], None]) -> Callable[[Scene], Words]:
    def arrange(scene: Scene) -> Words:
        change(scene.stopped_run())
        return ["resume", scene.run]

    return arrange


def corrupt_line(run: Path) -> None:
    lines = (run / "journal.jsonl").read_text().splitlines(keepends=True)
    lines[4] = lines[4][:40] + "\n"
    (run / "journal.jsonl").write_text("".join(lines))


def lost_first_line(run: Path) -> None:
    lines = (run / "journal.jsonl").read_text().splitlines(keepends=True)
    (run / "journal.jsonl").write_text("".join(lines[1:]))


def changed_weights(scene: Scene) -> Words:
    """A run of weights that lie elsewhere, which are trained further before it goes on."""
    red, mine = scene.playground.expert("red"), scene.expert()
    for name in ("config.yaml", "journal.jsonl"):
        edited(scene.stopped_run() / name if name == "config.yaml" else scene.run / name, str(red), str(mine))
    shutil.copy(scene.playground.expert("blue") / "adapter_model.safetensors", mine)
    return ["resume", scene.run]


def full_destination(scene: Scene) -> Words:
    (scene.folder / "dest").mkdir()
    (scene.folder / "dest" / "mine.txt").write_text("mine")
    return ["export", scene.finished, scene.folder / "dest"]


def broken_recipe(scene: Scene) -> Words:
    (scene.folder / "recipe.json").write_text("{}")
    return ["export", scene.folder / "recipe.json", scene.folder / "dest"]


def export_to(*words: object) -> Callable[[Scene], Words]:
    return lambda scene: ["export", scene.finished, scene.folder / "dest", *words]


RUNS = [
    Case(
        "unknown-zoo",
        lambda s: s.search(base="zoo:tinny"),
        "zoo",
        "'tinny'",
        "did you mean 'tiny'?",
    ),
    Case("zoo-not-built", zoo_not_built, "zoo:tiny", "not built", "swarm zoo build tiny"),
    Case("taken-run-dir", taken_run_dir, "--run-dir", "holds a run already", "swarm resume"),
    Case("run-dir-is-a-file", run_dir_is_a_file, "--run-dir", "run cannot be made", "name another directory"),
    Case("run-dir-in-a-file", run_dir_in_a_file, "--run-dir", "file/run", "name another directory"),
    *(
        Case(f"{command}-no-run", lambda s, c=command: [c, s.folder], "no run directory", "config.yaml", "give the")  # type: ignore[misc]
        for command in ("resume", "test", "report")
    ),
    Case("corrupt-journal", resumed_after(corrupt_line), "journal.jsonl:5", "corrupt", "cut it to its first 4 lines"),
    Case("lost-start", resumed_after(lost_first_line), "journal.jsonl:1", "out of place", "restore it from a copy"),
    Case(
        "other-positions",
        resumed_after(lambda run: edited(run / "config.yaml", "cognitive: 2.05", "cognitive: 1.05")),
        "journal.jsonl",
        "candidate 1-0",
        "start a new run",
    ),
    Case(
        "other-splits",
        resumed_after(lambda run: edited(run / "config.yaml", "search: 16", "search: 12")),
        "run",
        "examples",
        "start a new run",
    ),
    Case(
        "other-seed",
        resumed_after(lambda run: edited(run / "config.yaml", "seed: 0", "seed: 1")),
        "run",
        "seed",
        "start a new run",
    ),
    Case("changed-weights", changed_weights, "expert red", "fingerprint", "put the old files back"),
    Case(
        "export-of-a-stopped-run",
        lambda s: ["export", s.stopped_run(), s.folder / "dest"],
        "run",
        "no best yet",
        "swarm resume it",
    ),
    Case("taken-destination", full_destination, "dest", "is not empty", "choose another folder"),
    Case("unknown-candidate", export_to("--candidate", "99-9"), "--candidate", "'99-9'", "use an id"),
    Case("unknown-format", export_to("--format", "gguf"), "--format", "'gguf'", "use one of hf"),
    Case("broken-recipe", broken_recipe, "recipe.json", "base", "export the recipe again"),
    Case("unknown-command", lambda s: ["serch"], "'serch'", "No such command", "Did you mean 'search'?"),
    Case("unknown-option", lambda s: ["search", "a", "--rundir", "b"], "--rundir", "No such option", "--run-dir"),
    Case("missing-argument", lambda s: ["search"], "config", "Missing", "swarm --help"),
    Case(
        "vector-of-nothing",
        lambda s: ["vector", "a", "b", "-o", "c.safetensors"],
        "base a",
        "config.json does not exist",
        "give the folder",
    ),
]

CASES = [*CONFIG, *BUDGETS, *WEIGHTS, *DATA, *RUNS]


@pytest.fixture
def scene(
    tmp_path: Path, playground: Playground, finished_run: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    monkeypatch.setenv("SWARM_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    yield Scene(tmp_path, playground, finished_run)


def content(folder: Path) -> dict[str, bytes]:
    """Every file and folder below `folder`."""
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_mistake_is_told_in_one_line_and_leaves_nothing(case: Case, scene: Scene) -> None:
    words = case.arrange(scene)
    before = content(scene.folder)
    done = run_cli(*words)
    assert done.code == 2, done
    assert done.err.startswith("swarm: ")
    assert done.err.count("\n") == 1 and done.err.endswith("\n"), done.err
    assert "Traceback" not in done.out + done.err
    for fragment in (case.place, case.value, case.remedy):
        assert fragment in done.err, f"{fragment!r} is not in {done.err}"
    assert content(scene.folder) == before
