"""The commands before a search: check, init, schema."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from swarm.cli.examining import examine
from swarm.cli.flags import PlainFlags
from swarm.cli.options import (
    AsJson,
    BaseOption,
    ConfigPath,
    DataOption,
    ExpertsOption,
    Files,
    FromMergekit,
    InitBase,
    InitData,
    InitExperts,
    NewRunDir,
    Overrides,
    TaskPath,
)
from swarm.cli.screen import announce, console, print_json, print_lines
from swarm.core.errors import ConfigError

KEY_COLUMNS = 13  # of the first word of a line of `swarm check`
app = typer.Typer(cls=PlainFlags)


@app.command()
def check(
    config: ConfigPath = None,
    base: BaseOption = "",
    experts: ExpertsOption = None,
    data: DataOption = "",
    from_mergekit: FromMergekit = None,
    task_search_path: TaskPath = "",
    run_dir: NewRunDir = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
    show: Annotated[
        int, typer.Option(metavar="N", help="load the base, and show the first N prompts with its answers")
    ] = 0,
    hub: Annotated[bool, typer.Option("--hub", help="without a config: also try to reach the hub")] = False,
) -> None:
    """Validate config, experts, data, machine and cluster, and print the plan. Nothing is started or written.

    Without a config, and without --base, --experts and --data, it examines the installation.
    """
    announce()
    files = Files(base, experts or (), data, from_mergekit, task_search_path)
    if config is None and from_mergekit is None and len(files.missing) == 3:
        given = {"--show": show, "--run-dir": run_dir, "--set": overrides, "--task-search-path": task_search_path}
        examine(hub, as_json, [option for option, value in given.items() if value])
        return
    if hub:
        raise ConfigError("--hub: it is for swarm check without a config; remove it")
    from swarm.cli.checking import checked

    found = checked(config, files, run_dir, overrides or (), show, console)
    if as_json:
        print_json(found.content)
    else:
        print_lines([*found.lines], KEY_COLUMNS)


@app.command()
def init(
    config: Annotated[Path, typer.Argument(metavar="[CONFIG]", help="the file to write")] = Path("swarm.yaml"),
    base: InitBase = "",
    experts: InitExperts = None,
    data: InitData = "",
    from_mergekit: FromMergekit = None,
    task_search_path: TaskPath = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the file")] = False,
) -> None:
    """Write a config for base, experts and data, with the reason beside each guess. What is not given is asked."""
    announce()
    from swarm.cli.configs import init_config

    files = Files(base, experts or (), data, from_mergekit, task_search_path)
    text = init_config(config, files, console, overwrite)
    named = shlex.quote(str(config))
    print_lines([*text.splitlines(), f"written to {named}; next: swarm check {named} --show 3"])


@app.command()
def schema(
    of_build: Annotated[
        bool, typer.Option("--build", help="that of swarm build's config; default: a search's")
    ] = False,
) -> None:
    """Print the config's JSON schema, for editors."""
    from swarm.config.build_schema import build_json_schema
    from swarm.config.schema import json_schema

    print_json(build_json_schema() if of_build else json_schema())
