"""The wheel holds all that a search needs, and the sdist all that the wheel is built from."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUILD = "import setuptools.build_meta as b; print(b.build_{kind}({folder!r}))"


def built(kind: str, source: Path, folder: Path) -> Path:
    code = BUILD.format(kind=kind, folder=str(folder))
    done = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_a_wheel_of_the_sdist_is_enough_for_a_first_result(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    with tarfile.open(built("sdist", clone, tmp_path)) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    with zipfile.ZipFile(built("wheel", source, tmp_path)) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "installed")
    tracked = subprocess.run(["git", "ls-files", "swarm"], cwd=clone, capture_output=True, text=True, check=True)
    assert set(tracked.stdout.splitlines()) == {name for name in names if name.startswith("swarm/")}
    work = tmp_path / "work"
    work.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed"), "OMP_NUM_THREADS": "1"}
    few = ["--set", "optimizer.evaluations=12", "--set", "cluster={type: local}", "--run-dir", "run"]
    for words in (["-c", "import swarm; print(swarm.__file__)"], ["-m", "swarm.cli", "search", "quickstart", *few]):
        done = subprocess.run(
            [sys.executable, *words], cwd=work, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert str(tmp_path) in done.stdout or (work / "run" / "best").is_dir()
    assert (work / "run" / "report.html").is_file()
