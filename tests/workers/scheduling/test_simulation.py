"""A cluster in virtual time: whatever fails, every candidate is scored once and the search ends as it should.

`make simulate` checks a thousand seeds. The report of a seed that fails says how to repeat it.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.simulation.check import Report, check
from support.simulation.mutants import MUTANTS

SEEDS = 160
ALL_SEEDS = 1000
BLOCK = 20
SCRIPT = Path(__file__).parents[2] / "benchmarks" / "simulator.py"


def failing(seeds: range) -> list[str]:
    return [str(report) for report in map(check, seeds) if not report.holds]


@pytest.mark.parametrize("first", range(0, SEEDS, BLOCK))
def test_every_invariant_holds_whatever_fails(first: int) -> None:
    assert failing(range(first, first + BLOCK)) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_invariant_holds_for_a_thousand_seeds() -> None:
    assert failing(range(ALL_SEEDS)) == []


def test_a_seed_fixes_everything() -> None:
    reports = [(check(seed), check(seed)) for seed in range(10)]
    assert all(one == two for one, two in reports)
    assert len({one.trace for one, _ in reports}) == 10


@pytest.mark.slow
def test_a_seed_is_the_same_in_another_process() -> None:
    seed = next(report.seed for report in map(check, range(100)) if report.sessions > 1)
    command = [sys.executable, str(SCRIPT), "--seed", str(seed), "--trace"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env={"PYTHONHASHSEED": "7"})
    report = check(seed)
    assert done.stdout.splitlines() == [*report.trace, str(report)], done.stderr
    assert done.returncode == 0


def test_every_kind_of_fault_occurs() -> None:
    traces = ["\n".join(check(seed).trace) for seed in range(60)]
    trace = "\n".join(traces)
    for words in (
        "lost, scoring", "lost, idle", "lost, node", "hangs in", "broken: it broke", "is back", "drop ", "kill worker",
        "killed before a line", "killed in a line", "killed after a line", "line failure", "stopped", "failed",
    ):  # fmt: skip
        assert words in trace
    ahead = [each for each in traces if re.search("^line select (?s:.)*?^line evaluation", each, re.M)]
    assert len(ahead) >= 5, "nothing is scored ahead of the selection"
    assert any("session 1" in each for each in ahead), "nor by searches that are resumed"


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant = MUTANTS[name]
    monkeypatch.setattr(mutant.owner, mutant.method, mutant.replacement)
    found: Report | None = next((report for report in map(check, range(ALL_SEEDS)) if not report.holds), None)
    assert found is not None, "no seed finds the bug"
    assert not re.match("TypeError|AttributeError|NameError", found.problem), "the bug is not what was planted"
    assert f"--seed {found.seed} --trace" in str(found)
