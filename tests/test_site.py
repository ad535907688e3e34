"""The documentation as a site: it builds without a warning, and its commands exist."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from swarm.cli.main import app
from swarm.config.build_schema import BuildConfig, is_build
from swarm.config.curation import CurateConfig
from swarm.config.load import config_of

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", DOCS / "index.md", *sorted(set(DOCS.rglob("*.md")) - {DOCS / "log.md", DOCS / "index.md"})]
SMALLEST: dict[str, Any] = {
    "base": "a-base",
    "experts": ["one", "two"],
    "objectives": [{"name": "words", "type": "multiple_choice", "data": "data.jsonl"}],
}


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", page.read_text(), re.MULTILINE | re.DOTALL)


def commands(page: Path) -> Iterator[list[str]]:
    """The words of every `swarm` command in a page's shell blocks; comments and redirections are left out."""
    for block in blocks(page, "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"\s(?:\||&&|;|>)\s", line):
                words = shlex.split(part, comments=True)
                if words[:1] == ["swarm"]:
                    yield words[1:]


def unknown(words: list[str]) -> list[str]:
    """The command or the options that there are not."""
    command: Any = typer.main.get_command(app)
    while words and (commands := getattr(command, "commands", {})):
        name, *words = words
        if name not in commands:
            return [name]
        command = commands[name]
    known = {"--help", *(option for each in command.params for option in (*each.opts, *each.secondary_opts))}
    return [
        word for word in words if word.startswith("-") and word.partition("=")[0] not in known and not _number(word)
    ]


def _number(word: str) -> bool:
    return re.fullmatch(r"-[\d.]+", word) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_exist_with_their_options(page: Path) -> None:
    assert [(words, found) for words in commands(page) if (found := unknown(words))] == []


def test_a_wrong_option_is_seen() -> None:
    assert unknown(["serch"]) == ["serch"]
    assert unknown(["search", "a.yaml", "--runs-dir", "x"]) == ["--runs-dir"]
    assert unknown(["zoo", "bild"]) == ["bild"]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_code_blocks_are_read(page: Path) -> None:
    """Configs and parts of configs, examples of data, and Python."""
    for block in blocks(page, "yaml"):
        raw = yaml.safe_load(block)
        if is_build(raw):
            BuildConfig.model_validate(raw)
        elif "curate" in raw:
            CurateConfig.model_validate(raw)
        else:
            config_of(SMALLEST | raw, str(page))
    for block in blocks(page, "json"):
        try:
            json.loads(block)
        except ValueError:
            assert [json.loads(line) for line in block.splitlines()]
    for block in blocks(page, "python"):
        compile(block, str(page), "exec")


def test_the_messages_that_are_explained_exist() -> None:
    source = "".join(path.read_text() for path in (ROOT / "swarm").rglob("*.py"))
    source = re.sub(r"[\"']\n\s*f?[\"']", "", source)  # a text over two lines
    explained = re.findall(r"^\| `(.+?)` \|", (DOCS / "troubleshooting.md").read_text(), re.MULTILINE)
    assert len(explained) >= 6
    missing = [part for text in explained for part in text.split(" ... ") if part not in source]
    assert missing == []


def test_it_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("furo", reason="the extra docs is not installed")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", str(tmp_path / "trees")]
    done = subprocess.run([*command, str(DOCS), str(tmp_path / "site")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Search, select, test, export, report" in (tmp_path / "site" / "api.html").read_text()
