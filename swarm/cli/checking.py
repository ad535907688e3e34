"""What `swarm check` prints: the plan, and with --show, prompts and what the base answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from swarm.cli.building import forecast_lines
from swarm.cli.configs import given
from swarm.cli.options import Files
from swarm.cli.shown_prompts import shown_prompts
from swarm.config.load import names_build
from swarm.config.shipped import config_file
from swarm.core.errors import ConfigError
from swarm.run.forecast import describe, forecast, inspect_cluster
from swarm.run.pipeline import prepare
from swarm.run.show_prompts import show_prompts


@dataclass(frozen=True)
class Checked:
    """A checked config.

    content: all of it, for --json.
    lines: the same in words.
    """

    content: Mapping[str, object]
    lines: Sequence[str]


def checked(
    config: Path | None,
    files: Files,
    run_dir: Path | None,
    overrides: Sequence[str],
    n_shown: int,
    console: Console,
) -> Checked:
    """Open and check all that a config names, as a search in `run_dir`, or a build, would. Raises UserError."""
    if n_shown < 0:
        raise ConfigError(f"--show: {n_shown}; give the number of examples to show")
    config = config and config_file(config)
    if config is not None and names_build(config):
        if n_shown or run_dir:
            option = "--show" if n_shown else "--run-dir"
            raise ConfigError(f"{option}: {config} is a build config, and it is for searches; remove it")
        return Checked(*forecast_lines(config, overrides))
    asked = given(config, files, overrides, console, build=False)
    plan = prepare(asked.config, run_dir or asked.run_dir)
    cluster = inspect_cluster(plan)
    made = {"config": asked.made} if asked.made else {}
    figures = made | forecast(plan).as_dict() | {"cluster": cluster}
    lines = [*asked.made_lines, *describe(plan), *(f"cluster      {line}" for line in cluster)]
    if not n_shown:
        return Checked(figures, lines)
    shown = show_prompts(plan, n_shown)
    lines += [f"note         {note}" for note in shown.notes]
    content = figures | {"notes": [*plan.notes, *shown.notes], "shown": shown.as_dicts()}
    return Checked(content, [*lines, *shown_prompts(shown.examples, console)])
