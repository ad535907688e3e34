"""Surroundings of every test (no network, one thread, quiet), and the playground that the command line is tested on."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Before torch is imported: threads that wait for each other on a shared machine make tiny models ten times slower.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ |= {"HF_HUB_OFFLINE": "1", "RAY_USAGE_STATS_ENABLED": "0", "TOKENIZERS_PARALLELISM": "false"}

import ray

from support.playground import Playground, make_playground, run_cli

# Files whose tests start Ray, which takes both cores for seconds: one process runs them, one after another.
RAY = ("tests/workers/", "tests/launch/", "tests/core/test_interrupts.py")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Where pytest-xdist runs the tests: those of a file share its fixtures, so they go to one process, as RAY's do."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "ray" if nodeid.startswith(RAY) else nodeid.partition("::")[0]

    return ByFile(config, log)


@pytest.fixture(scope="session")
def playground(tmp_path_factory: pytest.TempPathFactory) -> Playground:
    """A tiny base, three adapters, 60 examples and a config that runs in this process."""
    return make_playground(tmp_path_factory.mktemp("playground"))


@pytest.fixture(scope="session")
def finished_run(playground: Playground) -> Path:
    """The directory of a finished run of the playground's config. Copy it before changing anything."""
    done = run_cli("search", playground.config_file, "--run-dir", playground.folder / "finished")
    assert done.code == 0, done.err
    return playground.folder / "finished"


@pytest.fixture(scope="module")
def joined_ray() -> Iterator[None]:
    """A Ray of the tests' own; cores and GPUs are only counted, so four cores allow pools side by side.

    It ends with the module: other tests set limits on files, which its threads would meet.
    """
    ray.init(address="local", num_cpus=4, num_gpus=1, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()
