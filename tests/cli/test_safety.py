"""One run with hostile names and a password: the screen, every file of the run, and how it is resumed."""

import json
import sys
from pathlib import Path

import pytest
import yaml

from support.playground import Outcome, Playground, run_cli
from swarm.config.load import load_config
from swarm.core.errors import ConfigError
from swarm.trackers.mlflow import Mlflow

EVIL = "\x1b[2J[red]x[/]|`<b>\u202e\"'"
SHOWN = "\\x1b[2J[red]x[/]|`<b>\\u202e\"'"
PASSWORD, KEY = "opensesame", "hunter2-hunter2"
ADDRESS = f"nosuch://me:{PASSWORD}@host/x"
MODULE = f'''
def liked(example, output):
    if output:
        raise ValueError("{KEY}\\n\\x1b[2J[red]x[/]")
    return 1.0
'''


@pytest.fixture(scope="module")
def searched(playground: Playground, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    folder = tmp_path_factory.mktemp("safety")
    content = playground.config(
        experts=[{"path": str(playground.expert("red")), "name": EVIL}, str(playground.expert("green"))],
        optimizer={"type": "pso", "particles": 2, "iterations": 1, "patience": None},
        trackers=[{"type": "mlflow", "tracking_uri": ADDRESS}],
        export={"check_examples": 0},
    )
    (folder / "config.yaml").write_text(yaml.safe_dump(content))
    done = run_cli("search", folder / "config.yaml", "--run-dir", folder / "run")
    assert done.code == 0, done
    return done, folder / "run"


def test_names_do_not_act_on_the_screen(searched: tuple[Outcome, Path]) -> None:
    done, run = searched
    shown = run_cli("test", run)
    for out in (done.out, shown.out):
        assert f"expert:{SHOWN}" in out
        assert not [char for char in out if char != "\n" and not char.isprintable()]
    parsed = json.loads(run_cli("test", run, "--json").out)
    assert f"expert:{EVIL}" in parsed["baselines"]
    assert run_cli("test", run, "--json").out.replace("\n", "").isprintable()


def test_a_password_is_in_no_file_and_on_no_screen(searched: tuple[Outcome, Path]) -> None:
    done, run = searched
    assert "note: tracker mlflow:" in done.out
    assert PASSWORD not in done.out + done.err
    files = [path for path in run.rglob("*") if path.is_file()]
    assert {"config.yaml", "journal.jsonl", "report.html", "README.md"} <= {path.name for path in files}
    assert [path for path in files if PASSWORD.encode() in path.read_bytes()] == []
    assert load_config(run / "config.yaml").trackers[0].tracking_uri == "nosuch://***@host/x"  # type: ignore[attr-defined]
    assert run_cli("resume", run).code == 0


def test_a_hidden_password_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = Mlflow(tracking_uri="https://***@host/x")
    for name in ("USERNAME", "PASSWORD"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    with pytest.raises(ConfigError, match="set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"):
        hidden.address()
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "open/sesame")
    assert hidden.address() == "https://me:open%2Fsesame@host/x"
    assert Mlflow(tracking_uri="https://you:pw@host/x").address() == "https://you:pw@host/x"
    assert Mlflow().address() is None


def test_a_users_exception_does_not_act_on_the_screen(
    playground: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every candidate fails by it: the notes, the message and the journal hold it in one line, without the key."""
    monkeypatch.setenv("SERVICE_API_KEY", KEY)
    monkeypatch.setattr("sys.path", [*sys.path])
    (tmp_path / "likes.py").write_text(MODULE)
    objective = {"name": "mine", "type": "function", "function": "likes:liked", "data": str(playground.data)}
    content = playground.config(objectives=[objective | {"max_new_tokens": 2}])
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))
    done = run_cli("search", tmp_path / "config.yaml", "--run-dir", tmp_path / "run")
    said = done.out + done.err
    assert done.code == 2, said
    assert "***" in said
    assert said.replace("\n", "").isprintable()
    assert KEY not in said + (tmp_path / "run" / "journal.jsonl").read_text()
    assert "Traceback" not in said
