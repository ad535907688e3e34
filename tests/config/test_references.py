"""References become paths, under the names that the user gives."""

import json
import os
from pathlib import Path

import pytest
import yaml

from support.models import make_base, make_checkpoint
from support.playground import EXPERTS, Playground, run_cli
from swarm.config.load import load_config, parse_config
from swarm.config.references import find, resolve
from swarm.core.errors import ExpertError
from swarm.data.examples import DevTest, read_data
from swarm.experts.alignment_vectors import make_vector
from swarm.experts.catalog import ExpertSpec, open_catalog
from swarm.experts.sparsify import Sparsification


def cached(file: Path, folder: Path) -> Path:
    """The file as a hub's cache holds it: a link under its name to a blob without a suffix."""
    blob, link = folder / "blobs" / "0a1b2c", folder / "snapshots" / file.name
    for place in (blob, link):
        place.parent.mkdir(parents=True)
    file.rename(blob)
    link.symlink_to(os.path.relpath(blob, link.parent))
    return link


def test_a_linked_data_file_goes_by_the_users_name(tmp_path: Path) -> None:
    rows = [{"prompt": "p", "answer": "a"}]
    (tmp_path / "words.json").write_text(json.dumps({"dev": rows, "test": rows}))
    link = cached(tmp_path / "words.json", tmp_path / "cache")
    found = find(str(link), tmp_path, "objectives.0.data")
    assert found == link
    assert isinstance(read_data(found), DevTest)
    assert find("cache/../cache/snapshots/words.json", tmp_path, "objectives.0.data") == link


def test_a_linked_folder_goes_by_its_place(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert find("link", tmp_path, "base") == tmp_path / "real"


def test_a_linked_vector_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = make_base(tmp_path / "base")
    aligned = make_checkpoint(tmp_path / "aligned", base, seed=5)
    make_vector(base, aligned, tmp_path / "safety.safetensors")
    link = cached(tmp_path / "safety.safetensors", tmp_path / "cache")
    path = find(str(link), tmp_path, "experts.0.path")
    catalog = open_catalog(base, [ExpertSpec("safety", path, Sparsification())])
    assert catalog.experts[0].kind == "vector"


def placed(playground: Playground, folder: Path) -> Path:
    """The playground's base, experts and data in `folder`, and configs/case.yaml, which names them relatively."""
    for name in ("base", *EXPERTS):
        (folder / name).symlink_to(playground.folder / name)
    (folder / "data.jsonl").write_bytes(playground.data.read_bytes())
    experts = [f"../{name}" for name in EXPERTS]
    objective = {"name": "words", "type": "multiple_choice", "data": "../data.jsonl"}
    (folder / "configs").mkdir()
    file = folder / "configs" / "case.yaml"
    file.write_text(yaml.safe_dump(playground.config(base="../base", experts=experts, objectives=[objective])))
    return file


def test_a_path_means_one_place_wherever_the_command_is_called(
    playground: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of the same names in the working directory change nothing."""
    file = placed(playground, tmp_path)
    elsewhere = tmp_path / "else" / "where"
    (elsewhere.parent / "base").mkdir(parents=True)
    (elsewhere.parent / "data.jsonl").write_text("")
    elsewhere.mkdir()
    found = []
    for place in (tmp_path, file.parent, elsewhere):
        monkeypatch.chdir(place)
        found.append(resolve(load_config(Path(os.path.relpath(file)), ["experts.0=../blue"]), file.parent))
    assert found[0] == found[1] == found[2]
    assert found[0].base == str(playground.base)
    assert found[0].objectives[0].data == str(tmp_path / "data.jsonl")
    assert found[0].experts[0].path == str(playground.expert("blue"))
    assert found[0].modules == str(file.parent)


def test_the_remedy_for_a_path_of_the_working_directory_helps(
    playground: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = placed(playground, tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ExpertError, match=r"base: base does not exist .*\(looked for configs/base\).*write \.\./base$"):
        resolve(load_config(file, ["base=base"]), file.parent)
    assert resolve(load_config(file, ["base=../base"]), file.parent).base == str(playground.base)


def test_a_misspelt_path_is_told_whole_and_with_what_is_near(
    playground: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "adapters" / "digit-lora").mkdir(parents=True)
    with pytest.raises(ExpertError) as caught:
        find("adapters/digits-lora", tmp_path, "experts.0.path")
    assert str(caught.value) == (
        f"experts.0.path: adapters/digits-lora does not exist (looked for {tmp_path}/adapters/digits-lora); "
        "correct the path; did you mean adapters/digit-lora?"
    )


def test_a_folder_of_models_is_told_what_it_holds(playground: Playground) -> None:
    with pytest.raises(ExpertError, match=r"is no saved model; it holds the models base, blue, green, red; give each"):
        open_catalog(playground.base, [ExpertSpec("all", playground.folder, Sparsification())])


def test_a_run_directory_finds_its_files_from_anywhere(
    playground: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = placed(playground, tmp_path)
    monkeypatch.chdir(tmp_path)
    words = ("--run-dir", "run", "--set", "optimizer.iterations=1")
    assert run_cli("search", "configs/case.yaml", *words).code == 0
    file.unlink()
    (tmp_path / "run" / "summary.json").unlink()
    (tmp_path / "deeper").mkdir()
    monkeypatch.chdir(tmp_path / "deeper")
    for command in (["test", "../run"], ["report", "../run"], ["export", "../run", "out", "--format", "recipe"]):
        assert run_cli(*command).code == 0, command


def test_an_expert_is_named_by_its_folder_where_the_path_has_no_name(playground: Playground) -> None:
    content = playground.config(experts=["."])
    assert resolve(parse_config(content, "test"), playground.expert("red")).experts[0].name == "red"


def test_a_function_is_taken_from_the_configs_folder(playground: Playground, tmp_path: Path) -> None:
    (tmp_path / "own_marks.py").write_text("def right(example, output):\n    return 1.0\n")
    own = {"name": "own", "type": "function", "function": "own_marks:right", "data": str(playground.data)}
    installed = own | {"name": "installed", "function": "math:hypot"}
    config = resolve(parse_config(playground.config(objectives=[own, installed]), "test"), tmp_path)
    assert config.modules == str(tmp_path)
