"""What a message about the machine tells the user to do helps."""

from pathlib import Path

import pytest
import yaml

from support import bad_machines
from support.bad_inputs import Scene
from support.playground import Playground, run_cli
from swarm.zoo import tiny
from swarm.zoo.base import Builder
from swarm.zoo.store import build_at, cache_directory


@pytest.fixture
def scene(tmp_path: Path, playground: Playground, finished_run: Path) -> Scene:
    return Scene(tmp_path, playground, finished_run)


def test_a_shorter_temporary_folder_for_ray(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", bad_machines.LONG)
    words = bad_machines.on_ray("check")(scene)
    assert "set RAY_TMPDIR" in run_cli(*words).err
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")
    assert run_cli(*words).code == 0


def test_a_stale_address_that_is_unset(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", bad_machines.DEAD)
    words = bad_machines.on_ray("check")(scene)
    assert "unset it" in run_cli(*words).err
    monkeypatch.delenv("RAY_ADDRESS")
    assert run_cli(*words).code == 0


@pytest.mark.parametrize("remedy", ["engine.device=auto", "engine.device=cpu"])
def test_a_device_that_is_there(scene: Scene, remedy: str) -> None:
    words = bad_machines.with_engine("check", device="cuda:77")(scene)
    assert run_cli(*words, "--set", remedy).code == 0


def test_the_engine_that_is_there(scene: Scene) -> None:
    words = bad_machines.with_engine("check", type="vllm")(scene)
    assert run_cli(*words, "--set", "engine.type=transformers").code == 0


def test_a_wider_dtype(scene: Scene) -> None:
    words = bad_machines.overflow(scene)
    assert run_cli(*words, "--set", "engine.dtype=bfloat16").code == 0
    journal = (scene.run / "journal.jsonl").read_text()
    assert "not finite" not in journal


def test_a_cache_that_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWARM_CACHE", str(tmp_path / "cache"))
    place = cache_directory() / "tiny"
    built = build_at(Builder(tiny.RECIPE, lambda paths, progress: None), "tiny", place, lambda text, share: None)
    assert (built / "zoo.json").is_file()


def test_a_config_beside_which_nothing_can_be_written_is_no_mistake(scene: Scene, tmp_path: Path) -> None:
    """The run is written to the working directory or to --run-dir, never beside the config."""
    folder = tmp_path / "readonly"
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(scene.playground.config()))
    folder.chmod(0o555)
    done = run_cli("search", folder / "config.yaml", "--run-dir", scene.run)
    folder.chmod(0o755)
    assert done.code == 0
    assert [path.name for path in folder.iterdir()] == ["config.yaml"]
