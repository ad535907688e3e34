"""What `swarm check` prints: the plan, and with --show, prompts and what the base answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from swarm.cli.shown_prompts import shown_prompts
from swarm.config.load import load_config
from swarm.config.references import resolve
from swarm.core.errors import ConfigError
from swarm.run.forecast import describe, forecast, inspect_cluster
from swarm.run.plan import make_plan
from swarm.run.requirements import check_machine
from swarm.run.show_prompts import show_prompts
from swarm.run.tracking import load_trackers


@dataclass(frozen=True)
class Checked:
    """A checked config.

    content: all of it, for --json.
    lines: the same in words.
    """

    content: Mapping[str, object]
    lines: Sequence[str]


def checked(config: Path, overrides: Sequence[str], n_shown: int, console: Console) -> Checked:
    """Open and check all that a config names. Raises UserError."""
    if n_shown < 0:
        raise ConfigError(f"--show: {n_shown}; give the number of examples to show")
    loaded = load_config(config, overrides)
    load_trackers(loaded)
    check_machine(loaded)
    plan = make_plan(resolve(loaded, config.resolve().parent))
    cluster = inspect_cluster(plan)
    figures = forecast(plan).as_dict() | {"cluster": cluster}
    lines = [*describe(plan), *(f"cluster      {line}" for line in cluster)]
    if not n_shown:
        return Checked(figures, lines)
    shown = show_prompts(plan, n_shown)
    lines += [f"note         {note}" for note in shown.notes]
    content = figures | {"notes": [*plan.notes, *shown.notes], "shown": shown.as_dicts()}
    return Checked(content, [*lines, *shown_prompts(shown.examples, console)])
