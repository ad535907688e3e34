"""Where a command's config comes from: a file, or base, experts and data on the command line."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console

from swarm.cli.options import Files
from swarm.cli.zoos import build_zoos
from swarm.config.from_mergekit import references, translated
from swarm.config.guess import guessed_yaml
from swarm.config.load import read_config
from swarm.config.patterns import is_pattern
from swarm.config.references import resolve
from swarm.config.schema import Config
from swarm.config.shipped import config_file
from swarm.core.errors import ConfigError
from swarm.core.files import write_text
from swarm.run.directory import default_folder
from swarm.run.requirements import check_machine, load_runnable

OWNER = "the config of --base, --experts and --data"
LATER = """
# Everything else has a default. What is changed most often:
# splits: {search: 200, select: 200, test: rest}    # examples of each
# optimizer: {type: guided_pso, evaluations: 200}
# engine: {dtype: bfloat16}
# cluster: {workers: auto}
# seed: 0
"""


@dataclass(frozen=True)
class Given:
    """A resolved config, and where it is from.

    made: the text of a config that was made; "" where the user wrote one. origin: what it was made from.
    run_dir: the directory of a new run, where the user names none.
    """

    config: Config
    made: str
    run_dir: Path
    origin: str = "base, experts and data"

    @property
    def made_lines(self) -> list[str]:
        """What the user should see of a config that was made."""
        lines = [f"  {line}" for line in self.made.splitlines()]
        return [f"config, made from {self.origin}:", *lines] if lines else []


def given(config: Path | None, files: Files, overrides: Sequence[str], console: Console, build: bool = True) -> Given:
    """The config of a file, or of base, experts and data. build: the zoos that it names. Raises UserError."""
    if files.mergekit is not None:
        return _from_mergekit(config, files, overrides, console, build)
    if files.tasks:
        raise ConfigError("--task-search-path: it is for --from-mergekit FILE; remove it")
    if config is not None:
        if len(files.missing) < 3:
            raise ConfigError(
                f"{config} and --base, --experts or --data: a search has a config, or these three; give one of both, "
                "and quote a pattern: --experts 'adapters/*'"
            )
        config = config_file(config)
        loaded = load_runnable(config, overrides)
        if build:
            build_zoos(loaded.models, console)
        return Given(resolve(loaded, config.resolve().parent), "", default_folder(config))
    if files.missing:
        raise ConfigError(f"{' and '.join(files.missing)} missing: give a config, or --base, --experts and --data")
    if build:
        build_zoos([files.base, *files.experts], console)
    text = guessed_yaml(files.base, files.experts, files.data, Path.cwd())
    loaded = read_config(text, OWNER, overrides)
    check_machine(loaded)
    return Given(resolve(loaded, Path.cwd()), text, default_folder(Path(files.data)))


def _from_mergekit(config: Path | None, files: Files, overrides: Sequence[str], console: Console, build: bool) -> Given:
    """The config of a configuration of mergekit-evolve. Raises UserError."""
    assert files.mergekit is not None, "asked before"
    if config is not None or len(files.missing) < 3:
        raise ConfigError(
            f"--from-mergekit: {files.mergekit}, and another config, or --base, --experts or --data; give one of them"
        )
    if build:
        build_zoos(references(files.mergekit), console)
    text = translated(files.mergekit, files.tasks, Path.cwd())
    loaded = read_config(text, f"the config of {files.mergekit}", overrides)
    check_machine(loaded)
    return Given(resolve(loaded, Path.cwd()), text, default_folder(files.mergekit), str(files.mergekit))


def init_config(path: Path, files: Files, console: Console, overwrite: bool) -> str:
    """Write the config that base, experts and data suggest; what is missing is asked. Returns its text.

    Raises UserError, before anything is asked where the file cannot be written.
    """
    if os.path.lexists(path) and not overwrite:
        raise ConfigError(f"{path} exists; name another file, or replace it with --overwrite")
    folder = Path(os.path.realpath(path.parent))  # from which a config's references count
    if not folder.is_dir():
        raise ConfigError(f"{folder} does not exist; create it, or name a file elsewhere")
    if files.mergekit is not None:
        if len(files.missing) < 3:
            raise ConfigError(f"--from-mergekit: {files.mergekit}, and --base, --experts or --data; give one of both")
        build_zoos(references(files.mergekit), console)
        tasks = _from(files.tasks, folder) if files.tasks else ""
        text = translated(files.mergekit, tasks, folder)
    elif files.tasks:
        raise ConfigError("--task-search-path: it is for --from-mergekit FILE; remove it")
    else:
        files = _asked(files)
        build_zoos([files.base, *files.experts], console)
        base, data = (_from(reference, folder) for reference in (files.base, files.data))
        experts = [_from(reference, folder) for reference in files.experts]
        text = guessed_yaml(base, experts, data, folder) + LATER
    owner = OWNER if files.mergekit is None else f"the config of {files.mergekit}"
    resolve(read_config(text, owner), folder)
    write_text(path, text)
    return text


def _asked(files: Files) -> Files:
    """With what is missing asked on the terminal. Raises ConfigError where there is no terminal to ask on."""
    if files.missing and not sys.stdin.isatty():
        raise ConfigError(
            f"{' and '.join(files.missing)} missing, and stdin is not a terminal to ask on; give all three"
        )
    base = files.base or typer.prompt("base model (a folder, a hub id, or zoo:tiny)")
    experts = files.experts or [typer.prompt("experts (a pattern such as adapters/*)")]
    return Files(
        base, experts, files.data or typer.prompt("labelled examples (a .jsonl, .json, .csv or .parquet file)")
    )


def _from(reference: str, folder: Path) -> str:
    """A path of the working directory as it is written in a config of `folder`; other references as they are."""
    here = Path(os.path.realpath(Path.cwd()))
    place = os.path.join(here, os.path.expanduser(reference))
    local = is_pattern(reference, here) or os.path.lexists(place)
    if not local or os.path.isabs(reference) or reference.startswith(("zoo:", "~")) or folder == here:
        return reference
    return os.path.relpath(place, folder)
