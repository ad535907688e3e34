"""`swarm check` without a config: faults that are planted are found, each with what to do."""

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.playground import run_cli
from swarm.run.doctor import Finding, examined

OLD = {"transformers": "4.40.0", "peft": "0.2.0"}


def installed(folder: Path, name: str, version: str) -> None:
    """A distribution as pip leaves it."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


@pytest.fixture
def few_files() -> Iterator[None]:
    """At most 256 open files, and files of at most 1 MB."""
    kinds = (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE)
    before = [resource.getrlimit(kind) for kind in kinds]
    for kind, most, (_, hard) in zip(kinds, (256, 1_000_000), before, strict=True):
        resource.setrlimit(kind, (most, hard))
    yield
    for kind, limits in zip(kinds, before, strict=True):
        resource.setrlimit(kind, limits)


def problems(found: list[Finding]) -> dict[str, Finding]:
    return {each.what: each for each in found if each.level == "problem"}


def test_planted_faults_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few_files: None) -> None:
    for name, version in OLD.items():
        installed(tmp_path / "site", name, version)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    monkeypatch.chdir("/proc")
    monkeypatch.setenv("SWARM_CACHE", "/proc/swarm")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", "/proc/hub")
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    monkeypatch.setenv("MKL_NUM_THREADS", "4096")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    found = examined(hub=True)  # which the tests' own surroundings keep from answering
    wrong = problems(found)
    assert set(wrong) >= {
        "transformers", "peft", "threads", "Ray", "open files", "file size", "runs", "zoo cache", "hub cache", "hub",
    }  # fmt: skip
    assert wrong["transformers"].found.startswith("is 4.40.0, needed is ")
    assert wrong["peft"].remedy.startswith('pip install "peft>=')
    assert wrong["threads"].found.startswith("OMP_NUM_THREADS='many'")
    assert "RAY_ADDRESS" in wrong["Ray"].found
    assert wrong["open files"].remedy.startswith("ulimit -n ")
    assert "SWARM_CACHE" in wrong["zoo cache"].remedy
    assert "--run-dir" in wrong["runs"].remedy
    assert all(each.remedy for each in wrong.values())
    notes = [each.found for each in found if each.level == "note"]
    assert any("MKL_NUM_THREADS=4096" in note for note in notes)


def test_a_temporary_folder_that_ray_cannot_use_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", "/proc/none")
    ray = problems(examined())["Ray"]
    assert "/proc/none" in ray.found
    assert "RAY_TMPDIR" in ray.remedy


def test_a_healthy_machine_has_no_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SWARM_CACHE", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    done = run_cli("check")
    assert done.code == 0, done.out
    assert "next: swarm search quickstart" in done.out
    found = json.loads(run_cli("check", "--json").out)["findings"]
    assert {each["what"] for each in found} >= {"packages", "torch", "GPU", "cores", "memory", "Ray", "runs", "extras"}


def test_a_problem_is_the_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SWARM_CACHE", "/proc/swarm")
    done = run_cli("check")
    assert done.code == 2
    assert "not ready" in done.err
    done = run_cli("check", "--json")
    assert done.code == 2
    assert any(each["level"] == "problem" for each in json.loads(done.out)["findings"])


def test_a_package_that_cannot_be_loaded_is_found(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['ray'] = None; sys.modules['huggingface_hub'] = None\n"
        "from swarm.run.doctor import examined\n"
        "print([each.what for each in examined() if each.level == 'problem'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "'ray'" in done.stdout
    assert "'huggingface_hub'" in done.stdout
