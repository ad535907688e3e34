"""The command line: quick to answer, plain when piped, JSON where asked."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from support.playground import Playground, command, only_object, run_cli
from swarm import __version__
from swarm.cli.main import app

COMMANDS = {
    "init", "build", "sweep", "targets", "runs", "candidates", "compare", "watch", "study", "ui", "search", "resume",
    "check", "test", "export", "compose", "curate", "report", "vector", "zoo", "schema", "dial", "generate",
    "decisions", "fit-router",
}  # fmt: skip
HEAVY = ("torch", "ray", "transformers", "peft", "scipy")


def test_the_help_lists_every_command() -> None:
    done = run_cli("--help")
    assert (done.code, done.err) == (0, "")
    assert {name for name in COMMANDS if f" {name} " in done.out} == COMMANDS
    assert "bool" not in done.out + run_cli("zoo", "build", "--help").out
    assert set(get_command(app).commands) == COMMANDS


def test_without_a_command_the_help_is_shown() -> None:
    done = run_cli()
    assert (done.code, done.err) == (0, "")
    assert "Usage" in done.out


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help(name: str) -> None:
    done = run_cli(name, "--help")
    assert (done.code, done.err) == (0, "")
    assert "Usage" in done.out
    assert "bool" not in done.out  # a flag takes no value


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_load_nothing_heavy(option: str) -> None:
    code = (
        "import sys; from swarm.cli.main import main\n"
        "try: main()\n"
        f"finally: print('heavy:', [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, option], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "heavy: []"


def test_the_version() -> None:
    assert run_cli("--version").out == f"{__version__}\n"


def test_the_schema_is_one_json_object() -> None:
    assert only_object(run_cli("schema").out)["properties"]


def test_check_prints_a_plan_and_starts_nothing(playground: Playground, tmp_path: Path) -> None:
    done = run_cli("check", playground.config_file, "--json")
    plan = only_object(done.out)
    assert (done.code, done.err) == (0, "")
    assert plan["coordinates"] == 3
    assert (plan["bounds"], plan["dtype"], plan["base_dtype"]) == ([-0.5, 1.5], "float32", "F32")
    assert plan["evaluations"] == 16
    assert plan["examples"] == {"words": {"search": 16, "select": 16, "test": 28}}
    assert plan["experts"] == {"red": "adapter", "green": "adapter", "blue": "adapter"}
    lines = run_cli("check", playground.config_file, "--set", "engine.dtype=bfloat16").out
    for words in (
        "experts      adapter: red, green, blue",
        "search       3 dimensions, each -0.5 to 1.5",
        "optimizer    pso, up to 16 evaluations",
        "dtype        bfloat16 (the base is float32)",
        "tokens       at most",
        "MiB per worker, plus",
        "time         about",
        "smallest detectable difference on the test split: about 16.6 points",
    ):
        assert words in lines


def test_a_vector_is_made(playground: Playground, tmp_path: Path) -> None:
    out = tmp_path / "red.safetensors"
    done = run_cli("vector", playground.base, playground.expert("red"), "-o", out)
    assert (done.code, done.out) == (0, f"{out}\n")
    content = playground.config(experts=[str(out)])
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))
    plan = only_object(run_cli("check", tmp_path / "config.yaml", "--json").out)
    assert plan["experts"] == {"red": "vector"}


def test_a_users_function_lies_beside_the_config(playground: Playground, tmp_path: Path) -> None:
    (tmp_path / "taste.py").write_text("def length(example, output):\n    return -len(output)\n")
    objective = {"name": "short", "type": "function", "function": "taste:length", "data": str(playground.data)}
    content = playground.config(objectives=[objective | {"max_new_tokens": 4}])
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))
    assert run_cli("check", tmp_path / "config.yaml").code == 0


def test_a_mistake_in_a_real_process_is_one_line(playground: Playground, tmp_path: Path) -> None:
    words = ("search", playground.config_file, "--run-dir", tmp_path / "run", "--set", "engine.device=abacus")
    done = subprocess.run(command(*words), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("swarm: engine.device: 'abacus' cannot be used")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()
