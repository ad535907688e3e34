"""Prints what `swarm check` finds of the installation."""

from collections.abc import Sequence

import typer

from swarm.cli.screen import print_json, print_lines
from swarm.core.errors import ConfigError

COLUMNS = 22  # of level and subject


def examine(hub: bool, as_json: bool, unused: Sequence[str] = ()) -> None:
    """Print the findings. Where one of them is a problem, the exit code is 2.

    unused: options that were given and that only a config has a use for. Raises ConfigError.
    """
    if unused:
        raise ConfigError(
            f"{', '.join(unused)}: nothing to check it with; give a config, or --base, --experts and --data"
        )
    from swarm.run.doctor import examined

    found = examined(hub)
    problems = [each for each in found if each.level == "problem"]
    if as_json:
        print_json({"findings": [each.content() for each in found]})
        raise typer.Exit(2 if problems else 0)
    print_lines([each.line for each in found], COLUMNS)
    if problems:
        count = f"{len(problems)} problem{'s' * (len(problems) > 1)}"
        raise ConfigError(f"this machine is not ready for a search: {count}, see above ({problems[0].what} first)")
    print_lines(["ready; next: swarm search quickstart, or swarm init for a config of your own"])
