"""Every command and every Python block of the documentation is run, or listed here with the reason why not."""

import os
import shlex
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from support.documented import MADE, blocks, commands, first_run, prepare
from support.playground import run_cli

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(set(DOCS.rglob("*.md")) - {DOCS / "log.md"} - set(DOCS.rglob("_build/**/*.md")))]

# The beginning of a command -> why it is not run here.
NOT_RUN = {
    "make quickstart": "installs packages",
    "make test": "runs this test",
    "python make_data.py": "test_tutorials.py follows the tutorials",
    "make docs": "test_site.py builds the site",
    "pip install": "installs packages; test_distribution.py installs the wheel",
    "python tests/benchmarks/": "takes hours; test_benchmarks.py runs each script at its smallest",
    "python tests/support/fuzz.py": "takes minutes; test_fuzzing.py fuzzes for seconds",
    "export ": "sets what the commands of a cluster need",
    "launch/submit.sh": "needs a Ray cluster; tests/launch runs it on one of two nodes",
    "JOB=again launch/submit.sh": "needs a Ray cluster; tests/launch runs it on one of two nodes",
    "ray job": "needs a Ray cluster; tests/launch runs it on one of two nodes",
    "ray get-auth-token": "launch/test_cluster_tutorial.py follows the tutorial",
    "ray start": "launch/test_cluster_tutorial.py follows the tutorial",
    "ray stop": "ends every Ray of this machine; the test of the tutorial ends its own",
    "python kill.py": "launch/test_cluster_tutorial.py follows the tutorial",
    "wait": "launch/test_cluster_tutorial.py follows the tutorial",
    "grep failure": "launch/test_cluster_tutorial.py follows the tutorial",
    "swarm report $RUN_DIR": "names a folder of the cluster",
    "swarm resume runs/first --set cluster.workers=16": "needs Ray with 16 workers",
    "swarm search --from-mergekit": "needs data sets of lm-eval; config/test_from_mergekit.py reads such files",
    "swarm ui runs": "serves until Ctrl-C; tests/web asks a server for every view",
    "swarm export runs/first mine --push-to-hub": "needs the Hugging Face Hub",
    "swarm search quickstart": "takes minutes; zoo/test_zoo.py runs its config",
    "swarm zoo build smollm2": "downloads a model and trains for half an hour",
    "swarm search smollm2": "needs the smollm2 zoo; the tests marked `real` search in it",
    "swarm sweep configs/levels.yaml": "builds a zoo for a minute; run/test_sweep.py sweeps over a smaller one",
    "swarm targets configs/levels.yaml": "takes minutes; run/test_sweep.py asks a smaller zoo for its targets",
    "swarm targets runs/levels": "names the run of the command before it; run/test_sweep.py asks such a run",
    "swarm build configs/build/control.yaml": "tests/builders builds a control layer of a smaller base",
    "swarm build configs/build/experts.yaml": "trains for minutes; tests/builders builds smaller experts",
    "swarm search configs/build/search.yaml": "needs the experts of the build before it",
}
# A page -> why its Python blocks are not run here.
PYTHON_ELSEWHERE = {
    "docs/extending.md": "test_extending.py follows the page to the letter",
}
FRONTS = ("docs/choosing.md",)  # whose runs/first holds two objectives apart
FIRST = ("docs/using.md",)  # whose commands make runs/first


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def is_tutorial(page: Path) -> bool:
    """Whether test_tutorials.py or launch/test_cluster_tutorial.py follows the page."""
    return page.parent.name == "tutorials"


def reason(words: list[str]) -> str:
    """Why a command is not run; "" for one that is."""
    text = " ".join(words)
    return next((why for beginning, why in NOT_RUN.items() if f"{text} ".startswith(beginning)), "")


def run_here(page: Path) -> list[list[str]]:
    """The commands of a page that are run here."""
    return [] if is_tutorial(page) else [words for words in commands(page) if not reason(words)]


def python(page: Path) -> list[str]:
    return [] if is_tutorial(page) or name_of(page) in PYTHON_ELSEWHERE else blocks(page, "python")


RUN = [page for page in PAGES if run_here(page) or python(page)]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_command_is_one_of_swarm_or_is_listed_with_a_reason(page: Path) -> None:
    assert [words for words in commands(page) if words[0] != "swarm" and not reason(words)] == []


def test_what_is_listed_is_in_the_documentation() -> None:
    every = [f"{' '.join(words)} " for page in PAGES for words in commands(page)]
    assert [beginning for beginning in NOT_RUN if not any(text.startswith(beginning) for text in every)] == []
    assert [page for page in PYTHON_ELSEWHERE if not blocks(ROOT / page, "python")] == []
    assert [page for page in (*FRONTS, *FIRST) if not (ROOT / page).is_file()] == []


def test_targets_are_asked_of_a_run_that_was_written_before() -> None:
    """`swarm search` and the like add the time to a run's name, unless --run-dir names it."""
    written: set[str] = set()
    for words in commands(DOCS / "vectors.md"):
        assert {word for word in words if word.startswith("runs/")} - written <= set(_values(words, "--run-dir"))
        written.update(_values(words, "--run-dir"))
    assert "runs/levels" in written


def _values(words: list[str], option: str) -> list[str]:
    return [value for key, value in pairwise(words) if key == option]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_commands_and_python_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, in one folder; the results of a command that others name, too, are removed after it."""
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path, front=name_of(page) in FRONTS)
    os.symlink(ROOT / "configs", "configs")
    os.symlink("models/my-base", "base")
    if name_of(page) not in FIRST:
        first_run()
    for words in run_here(page):
        if words[1] == "init":  # which overwrites nothing
            Path("swarm.yaml").unlink()
        done = run_cli(*words[1:], *options(words))
        assert done.code == 0, f"{shlex.join(words)}: {done.err}"
        remove_made()
    for block in python(page):
        exec(compile(block, name_of(page), "exec"), {"__name__": "__main__"})
        remove_made()


def options(words: list[str]) -> list[str]:
    """A search without a config of its own would start Ray, with as many workers as the machine has cores."""
    states_none = words[1] == "search" and words[2].startswith("--")
    return ["--set", "cluster.type=local", "--set", "optimizer.evaluations=30"] if states_none else []


def remove_made() -> None:
    for name in MADE:
        shutil.rmtree(name, ignore_errors=True)
