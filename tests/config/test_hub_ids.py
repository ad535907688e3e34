"""A base and an expert that the config names by their hub ids; the hub is a server on this machine."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from support.hub import hub
from support.playground import Playground

pytestmark = pytest.mark.slow
SWARM = [sys.executable, "-c", "from swarm.cli.main import main; main()"]


def check(config: Path, endpoint: str, cache: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(cache), "HF_HUB_OFFLINE": "0"}
    command = [*SWARM, "check", str(config), "--json"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_an_id_that_the_hub_has_is_downloaded_and_pickles_are_left_there(
    playground: Playground, tmp_path: Path
) -> None:
    """The remedy of "the hub did not provide it": give an id that it has."""
    shutil.copytree(playground.base, tmp_path / "hub" / "some" / "model")
    shutil.copytree(playground.expert("red"), tmp_path / "hub" / "some" / "adapter")
    for name in ("pytorch_model.bin", "training_args.bin", "modeling.py"):
        (tmp_path / "hub" / "some" / "model" / name).write_bytes(b"never read")
    config = tmp_path / "config.yaml"
    experts = ["some/adapter", str(playground.expert("green"))]
    config.write_text(yaml.safe_dump(playground.config(base="some/model", experts=experts)))
    with hub(tmp_path / "hub") as (endpoint, asked):
        done = check(config, endpoint, tmp_path / "cache")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "some--model" in json.loads(done.stdout)["base"]
    assert not [path for path in asked if path.endswith((".bin", ".py"))]


def test_an_answer_that_no_hub_gives_is_one_line(playground: Playground, tmp_path: Path) -> None:
    """What a portal of a hotel or a company's proxy answers."""
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(playground.config(base="some/model")))
    with hub(tmp_path, page=b"<html>Sign in</html>") as (endpoint, _):
        done = check(config, endpoint, tmp_path / "cache")
    assert done.returncode == 2, done.stdout + done.stderr
    problem = json.loads(done.stdout)["error"]
    assert "base: some/model" in problem
    assert "the hub did not provide it" in problem
    assert len(problem.splitlines()) == 1
