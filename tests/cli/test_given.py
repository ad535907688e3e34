"""A search without a config: what is guessed from base, experts and data, and that it runs."""

import shutil
from pathlib import Path

import pytest
import yaml

from support.bad_given import given
from support.bad_inputs import Scene
from support.playground import EXPERTS, Playground, run_cli, write_lines
from swarm.config.guess import guessed_yaml
from swarm.config.load import read_config
from swarm.config.references import resolve


def guessed(folder: Path, base: Path, *answers: str) -> dict[str, object]:
    """The objective that answers suggest."""
    data = write_lines(
        folder / "my data.jsonl", [{"prompt": f"{i}?", "answer": each} for i, each in enumerate(answers)]
    )
    (objective,) = yaml.safe_load(guessed_yaml(str(base), ["x"], data.name, folder))["objectives"]
    return {key: value for key, value in objective.items() if key not in ("name", "data")}


@pytest.fixture(scope="module")
def plain_base(playground: Playground, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The playground's base without its chat template."""
    base = shutil.copytree(playground.base, tmp_path_factory.mktemp("plain") / "base")
    (base / "chat_template.jinja").unlink()
    return base


def test_the_objective_is_guessed_from_the_answers(plain_base: Path, tmp_path: Path) -> None:
    base = plain_base
    short = guessed(tmp_path, base, "ab", "abcd")
    assert short == {"type": "exact_match", "max_new_tokens": 4 + 4}, "this tokenizer has a token a letter"
    assert guessed(tmp_path, base, "12", "-3.5") == {"type": "exact_match", "max_new_tokens": 4 + 4}
    solved = guessed(tmp_path, base, "a\nb\n#### 12", "c #### 3")
    assert solved == {"type": "exact_match", "extract": "after_hash", "stop": [], "max_new_tokens": 16}
    assert guessed(tmp_path, base, "so \\boxed{1}", "\\boxed{2}")["extract"] == "boxed"
    assert guessed(tmp_path, base, "a text\nof two lines", "ab") == {"type": "likelihood"}
    assert guessed(tmp_path, base, "ab", "word " * 20) == {"type": "likelihood"}


def test_a_chat_model_is_asked_in_a_chat(playground: Playground, tmp_path: Path) -> None:
    numbers = guessed(tmp_path, playground.base, "12", "7")
    assert numbers == {
        "type": "exact_match", "extract": "last_number", "stop": [], "max_new_tokens": 64, "chat": True,
    }  # fmt: skip
    assert guessed(tmp_path, playground.base, "ab")["chat"] is True


def test_a_pattern_stands_for_every_expert_of_a_folder(playground: Playground, tmp_path: Path) -> None:
    root = playground.folder
    (root / "notes.txt").write_text("no expert")

    def names(*experts: object) -> list[str]:
        config = playground.config(experts=list(experts))
        found = resolve(read_config(yaml.safe_dump(config), "config.yaml"), root).experts
        return [expert.name for expert in found]

    assert names("[rgbn]*") == sorted(EXPERTS), "neither the base nor what is no expert"
    assert names("red", "[rb]*", "*e*") == ["red", "blue", "green"], "each once, those that are named first"
    assert names({"path": "[rg]*", "trim": 0.5}) == ["green", "red"]
    config = playground.config(experts="[rg]*")
    assert len(resolve(read_config(yaml.safe_dump(config), "config.yaml"), root).experts) == 2


def test_experts_of_one_name_are_called_by_what_differs(playground: Playground, tmp_path: Path) -> None:
    for name in EXPERTS:
        shutil.copytree(playground.expert(name), tmp_path / "out" / name / "checkpoint-100")
    (tmp_path / "out" / "loop").symlink_to("loop")
    config = playground.config(experts="out/*/checkpoint-100")
    found = resolve(read_config(yaml.safe_dump(config), "config.yaml"), tmp_path).experts
    assert [expert.name for expert in found] == sorted(EXPERTS)


def test_a_search_without_a_config(playground: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(playground.folder)
    words = given()(Scene(tmp_path, playground, tmp_path))
    done = run_cli(*words, "--set", "optimizer.evaluations=12", "--set", "export.check_examples=0")
    assert done.code == 0, done.err
    assert "type: multiple_choice  # every example has choices" in done.out
    kept = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert [expert["name"] for expert in kept["experts"]] == sorted(EXPERTS)
    assert run_cli("report", tmp_path / "run").code == 0


def test_init_writes_a_config_that_passes_its_check(
    playground: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(playground.folder)
    file = tmp_path / "mine.yaml"
    done = run_cli("init", file, "--base", "base", "--experts", "[rg]*", "--data", "data.jsonl")
    assert done.code == 0, done.err
    assert f"swarm check {file} --show 3" in done.out.replace("\n", " ")
    written = yaml.safe_load(file.read_text())
    assert (file.parent / written["base"]).resolve() == playground.base.resolve(), (
        "paths count from the config's folder"
    )
    checked = run_cli("check", file, "--set", "cluster.type=local", "--json")
    assert checked.code == 0, checked.out
