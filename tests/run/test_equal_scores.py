"""A run whose scores are all equal and have no range: no interval is claimed anywhere, and every page is written."""

import json
from pathlib import Path

import pytest
import yaml

from support.playground import Playground, examples, run_cli, write_lines
from support.runs import journal

CONSTANT = """
def reward(example, text):
    return 0.0
"""


@pytest.mark.parametrize("within", [{}, {"lowest": 0.0, "highest": 4.0}])
def test_scores_that_are_all_equal(playground: Playground, tmp_path: Path, within: dict[str, float]) -> None:
    module = f"constant_{'bounded' if within else 'rewards'}"  # Python keeps what it has imported
    (tmp_path / f"{module}.py").write_text(CONSTANT)
    data = str(write_lines(tmp_path / "data.jsonl", examples(40)))
    objective = {"name": "liked", "type": "function", "function": f"{module}:reward", "data": data, **within}
    config = playground.config(
        objectives=[objective], optimizer={"type": "random", "particles": 2, "iterations": 1}, modules=str(tmp_path)
    )
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    run = tmp_path / "run"
    done = run_cli("search", tmp_path / "config.yaml", "--run-dir", run)
    assert done.code == 0, done.err
    assert "nan" not in done.out.lower()
    best = json.loads((run / "summary.json").read_text())["best"]
    n = best["test"]["n"]
    ends = (best["test"]["low"], best["test"]["high"])
    share = 1.959964**2 / (n + 1.959964**2)
    assert ends == ((0.0, pytest.approx(4 * share, rel=1e-5)) if within else (None, None))
    (selected,) = [each for each in journal(run) if each.get("phase") == "select"]
    assert bool(selected["predicted"]) == bool(within)
    for page in ("report.md", "best/README.md"):
        assert " nan" not in (run / page).read_text().lower()
    assert run_cli("sweep", tmp_path / "config.yaml", "--run-dir", tmp_path / "sweep").code == 0
    json.loads((tmp_path / "sweep" / "sweep.json").read_text(), parse_constant=pytest.fail)
    assert "nan" not in (tmp_path / "sweep" / "sweep.csv").read_text()
