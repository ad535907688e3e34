"""A search over prepared experts: resumed to the same result, exported as it was scored, and continued only alike."""

import shutil
from pathlib import Path

import pytest
import yaml

from support.playground import Playground, run_cli
from support.runs import journal, timeless
from swarm.experts.safetensors_files import TensorFiles

pytestmark = pytest.mark.slow


def test_a_prepared_search_is_resumed_exported_and_continued(playground: Playground, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(playground.config(prepare={"type": "della", "density": 0.6, "normalize": True})))
    run = tmp_path / "run"
    assert run_cli("search", config, "--run-dir", run).code == 0
    assert journal(run)[0]["notes"][0] == (
        "experts are prepared, alone and in the baselines too: red (della), green (della), blue (della)"
    )
    stopped = shutil.copytree(run, tmp_path / "stopped")
    lines = (run / "journal.jsonl").read_text().splitlines(keepends=True)
    (stopped / "journal.jsonl").write_text("".join(lines[:9]))
    (stopped / "summary.json").unlink()
    shutil.rmtree(stopped / "best")
    assert run_cli("resume", stopped).code == 0
    assert timeless(journal(stopped)) == timeless(journal(run))
    assert run_cli("export", run, tmp_path / "recipe", "--format", "recipe").code == 0
    assert run_cli("export", tmp_path / "recipe", tmp_path / "again").code == 0
    best = [TensorFiles.of(folder).fingerprint for folder in (run / "best", stopped / "best", tmp_path / "again")]
    assert len({*best}) == 1
    for change, named in (
        ("prepare.density=0.5", "prepare.density differs (0.6 there, 0.5 here)"),
        ("prepare=null", "prepare"),
    ):
        done = run_cli("search", config, "--run-dir", tmp_path / "new", "--continue-from", run, "--set", change)
        assert (done.code, named in done.err) == (2, True), done.err
