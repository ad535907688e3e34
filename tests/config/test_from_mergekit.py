"""A configuration of mergekit-evolve: what it becomes, what it is refused for, and a search with it."""

import json
from pathlib import Path

import pytest
import yaml

from support.harness_tasks import make_tasks
from support.playground import EXPERTS, Playground, run_cli
from swarm.config.from_mergekit import translated
from swarm.config.load import read_config
from swarm.config.schema import Config
from swarm.core.errors import ConfigError

pytest.importorskip("lm_eval", reason="the extra lm-eval is not installed")
# The example of mergekit's own documentation, but for its models.
EXAMPLE = """
genome:
    models:
      - teknium/OpenHermes-2.5-Mistral-7B
      - mistralai/Mistral-7B-v0.1+someone/an-adapter
    merge_method: dare_ties
    base_model: mistralai/Mistral-7B-v0.1
    tokenizer_source: null
    layer_granularity: 0
    allow_negative_weights: true
    filters: [self_attn, mlp]
tasks:
  - name: spartqa_train
    weight: 0.5
    metric: acc_norm,none
  - hellaswag
limit: 150
num_fewshot: 2
"""


def read(tmp_path: Path, text: str, tasks: str = "") -> Config:
    (tmp_path / "evolve.yml").write_text(text)
    return read_config(translated(tmp_path / "evolve.yml", tasks, tmp_path), "made")


def with_genome(**changes: object) -> str:
    raw = yaml.safe_load(EXAMPLE)
    raw["genome"] |= changes
    return yaml.safe_dump(raw)


def test_the_example_of_its_documentation(tmp_path: Path) -> None:
    config = read(tmp_path, EXAMPLE, tasks="mine")
    assert config.base == "mistralai/Mistral-7B-v0.1"
    assert [expert.path for expert in config.experts] == ["teknium/OpenHermes-2.5-Mistral-7B", "someone/an-adapter"]
    first, second = (objective.model_dump(exclude_unset=True) for objective in config.objectives)
    assert first == {
        "name": "spartqa_train", "type": "lm_eval", "tasks": ["spartqa_train"], "include": "mine", "metric": "acc_norm",
        "filter": "none", "num_fewshot": 2, "weight": 0.5,
    }  # fmt: skip
    assert (second["tasks"], second["metric"], second.get("weight", 1.0)) == (["hellaswag"], "acc", 1.0)
    made = config.model_dump(mode="json")
    assert made["composition"]["groups"] == {"self_attn": ["*self_attn*"], "mlp": ["*mlp*"]}
    assert made["prepare"]["type"] == "dare_ties"
    assert (made["splits"]["search"], made["splits"]["test"]) == (150, "rest")
    assert made["optimizer"]["evaluations"] == 100


def test_layers_and_names_within_them(playground: Playground, tmp_path: Path) -> None:
    changes = {"base_model": str(playground.base), "models": [str(playground.expert("red"))]}
    changes |= {"merge_method": "task_arithmetic", "allow_negative_weights": False}
    composition = read(tmp_path, with_genome(**changes, layer_granularity=1, filters=None)).composition.model_dump()
    assert (composition["groups"], composition["low"]) == ("layers:2", 0.0)
    composition = read(tmp_path, with_genome(**changes, layer_granularity=1, filters=["mlp"])).composition.model_dump()
    assert composition["groups"] == {
        "layers0-0_mlp": ["*.layers.0.*mlp*"], "layers0-0": ["*.layers.0.*"],
        "layers1-1_mlp": ["*.layers.1.*mlp*"], "layers1-1": ["*.layers.1.*"],
    }  # fmt: skip
    with pytest.raises(ConfigError, match=r"evolve\.yml: genome\.layer_granularity: 3 does not divide .* \(2\)"):
        read(tmp_path, with_genome(**changes, layer_granularity=3))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"merge_method": "slerp"}, "merge_method slerp has no counterpart; take task_arithmetic"),
        ({"merge_method": "passthrough"}, "genome.merge_method: input should be 'linear'"),
        ({"base_model": None}, "base_model is missing, and every expert is its base plus an update"),
        ({"smooth": True}, "smooth has no counterpart"),
        ({"tokenizer_source": "union"}, "tokenizer_source has no counterpart"),
        ({"layer_granularty": 4}, "genome.layer_granularty: mergekit-evolve has no such key"),
        ({"models": 5}, "genome.models: input should be a valid list"),
        ({"models": []}, "genome.models: list should have at least 1 item"),
        ({"models": ["another/model+an/adapter"]}, "is an adapter of another model than base_model"),
    ],
)
def test_what_has_no_counterpart_is_refused(tmp_path: Path, changes: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        read(tmp_path, with_genome(**changes))
    assert problem in str(refusal.value)
    assert str(refusal.value).startswith(f"{tmp_path / 'evolve.yml'}: ")
    assert "\n" not in str(refusal.value)


def test_paths_count_from_where_the_command_is_run(
    playground: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As mergekit's do; in a config they count from its folder."""
    monkeypatch.chdir(playground.folder)
    (tmp_path / "evolve.yml").write_text(
        with_genome(base_model="base", models=["red"], layer_granularity=1, filters=[])
    )
    config = read_config(translated(tmp_path / "evolve.yml", "", tmp_path), "made")
    assert (tmp_path / config.base).resolve() == playground.base.resolve()
    assert (tmp_path / config.experts[0].path).resolve() == playground.expert("red").resolve()


def test_two_metrics_of_one_task_are_two_objectives(tmp_path: Path) -> None:
    raw = yaml.safe_load(EXAMPLE)
    raw["tasks"] = [{"name": "arc", "metric": "acc,none"}, {"name": "arc", "metric": "acc_norm,none"}]
    assert [each.name for each in read(tmp_path, yaml.safe_dump(raw)).objectives] == [
        "arc_acc_none",
        "arc_acc_norm_none",
    ]


def test_a_search_with_it_and_the_config_to_edit(
    playground: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    make_tasks(tmp_path / "tasks")
    genome = {"models": [str(playground.expert(name)) for name in EXPERTS], "base_model": str(playground.base)}
    genome |= {"merge_method": "task_arithmetic", "layer_granularity": 1}
    content = {"genome": genome, "tasks": ["picked", {"name": "written", "metric": "exact_match,letter"}], "limit": 8}
    Path("evolve.yml").write_text(yaml.safe_dump(content))
    few = ["--set", "optimizer={type: random, evaluations: 6}", "--set", "cluster={type: local}"]
    few += ["--set", "engine.dtype=float32", "--run-dir", "run"]
    done = run_cli("search", "--from-mergekit", "evolve.yml", "--task-search-path", "tasks", *few)
    assert done.code == 0, done.err
    assert "config, made from evolve.yml:" in done.out
    assert "groups: 'layers:2'" in done.out
    coefficients = json.loads(Path("run/summary.json").read_text())["best"]["coefficients"]
    assert {name: len(groups) for name, groups in coefficients.items()} == dict.fromkeys(EXPERTS, 2)
    done = run_cli("init", "--from-mergekit", "evolve.yml", "--task-search-path", "tasks", "search.yaml")
    assert done.code == 0, done.err
    assert run_cli("check", "search.yaml").code == 0
    refused = (
        ["search", "--task-search-path", "tasks"],
        ["search", "search.yaml", "--from-mergekit", "evolve.yml"],
        ["check", "--task-search-path", "tasks"],
        ["init", "--from-mergekit", "evolve.yml", "--base", "x", "new.yaml"],
        ["init", "--task-search-path", "tasks", "--base", "x", "--experts", "y", "--data", "z", "new.yaml"],
    )
    for words in refused:
        done = run_cli(*words)
        assert (done.code, done.err.count("\n")) == (2, 1), words
        assert "give" in done.err or "remove it" in done.err
