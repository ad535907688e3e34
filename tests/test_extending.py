"""What docs/extending.md says is true: one file and one line, then config, schema, tests and a search take the kind."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.models import make_adapter, make_base

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "extending.md").read_text()


@dataclass(frozen=True)
class Recipe:
    """One example of the page: the file, its content, and the line for the registry."""

    file: str
    code: str
    line: str
    registry: str

    @property
    def kind(self) -> str:
        return self.line.split('"')[1]

    @property
    def class_name(self) -> str:
        return self.line.split(":")[1].strip(" ,")


def examples() -> list[Recipe]:
    pattern = r"`swarm/(\w+/\w+\.py)`: .*?```python\n(.*?)```\n\nThe line: `(.*?)` in `(\w+)`"
    return [Recipe(*match) for match in re.findall(pattern, PAGE, re.DOTALL)]


def extended_copy(tmp_path: Path) -> Path:
    """A copy of the package with the page followed to the letter."""
    shutil.copytree(ROOT / "swarm", tmp_path / "swarm", ignore=shutil.ignore_patterns("__pycache__"))
    for example in examples():
        file = tmp_path / "swarm" / example.file
        file.write_text(example.code)
        registry = file.parent / "__init__.py"
        module = ".".join(("swarm", *Path(example.file).with_suffix("").parts))
        source = registry.read_text()
        opening = re.search(rf"{example.registry}: .*= {{.*\n", source)
        assert opening is not None
        source = source.replace(opening[0], f"{opening[0]}    {example.line}\n")
        registry.write_text(source.replace('"""\n\n', f'"""\n\nfrom {module} import {example.class_name}\n', 1))
    return tmp_path


def run(folder: Path, *command: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return extended_copy(tmp_path_factory.mktemp("extended"))


def test_the_page_shows_an_optimizer_an_objective_and_a_composition() -> None:
    assert [example.registry for example in examples()] == ["OPTIMIZERS", "OBJECTIVES", "COMPOSITIONS"]


def test_the_schema_knows_the_new_kinds(extended: Path) -> None:
    schema = run(extended, "-c", "from swarm.cli.main import main; import sys; sys.argv = ['swarm', 'schema']; main()")
    kinds = json.dumps(json.loads(schema))
    assert all(f'"{example.kind}"' in kinds for example in examples())


@pytest.mark.parametrize(
    ("kind", "tests"),
    [("steps", "optimizers/test_optimizers.py"), ("fine", "compositions/test_compositions.py")],
    ids=lambda value: value.split("/")[0],
)
def test_the_registry_tests_hold_for_the_new_kinds(extended: Path, kind: str, tests: str) -> None:
    out = run(extended, "-m", "pytest", "-v", "-k", kind, "-p", "no:cacheprovider", str(ROOT / "tests" / tests))
    assert re.search(r"[1-9]\d* passed", out)


def test_a_search_runs_on_the_new_kinds(extended: Path, tmp_path: Path) -> None:
    base = make_base(tmp_path / "base")
    for seed in range(2):
        make_adapter(tmp_path / f"expert{seed}", base, seed=seed)
    data = [{"id": str(i), "prompt": f"{i}+{i}=", "answer": str(2 * i)} for i in range(40)]
    (tmp_path / "data.jsonl").write_text("\n".join(json.dumps(example) for example in data))
    config = {
        "base": str(base),
        "experts": [str(tmp_path / "expert0"), str(tmp_path / "expert1")],
        "composition": {"type": "fine"},
        "objectives": [{"name": "short", "type": "shortness", "limit": 40, "data": str(tmp_path / "data.jsonl")}],
        "optimizer": {"type": "steps", "particles": 3, "iterations": 2},
        "engine": {"dtype": "float32"},
        "cluster": {"type": "local"},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    argv = ["swarm", "search", str(tmp_path / "config.yaml"), "--run-dir", str(tmp_path / "run")]
    run(extended, "-c", f"from swarm.cli.main import main; import sys; sys.argv = {argv!r}; main()")
    resolved = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert resolved["optimizer"]["sigma"] == 0.2
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["counts"]["evaluations"] == 6
    uniform = summary["baselines"]["uniform"]["coefficient"]
    assert uniform in (0.5, 1.0), "two experts: the coefficients of the plain average, and of twice that"
    found = {line["id"]: line["position"] for line in journal(tmp_path / "run") if line["id"].startswith("uniform:")}
    for name, position in found.items():
        assert [x * abs(x) for x in position] == pytest.approx([float(name.removeprefix("uniform:"))] * 2)
    assert set(found) == {"uniform:0.5", "uniform:1"}


def journal(run_dir: Path) -> list[dict[str, Any]]:
    """The run's evaluations."""
    records = map(json.loads, (run_dir / "journal.jsonl").read_text().splitlines())
    return [record for record in records if "position" in record]
