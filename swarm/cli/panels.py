"""Help that lists the commands by what they are for."""

from typing import TYPE_CHECKING

from swarm.cli.flags import PlainFlags

if TYPE_CHECKING:
    from typer._click.core import Command, Context

PANELS = {
    "Search": ("search", "resume", "test", "check", "init", "schema", "sweep", "targets"),
    "Look at runs": ("runs", "watch", "report", "candidates", "compare", "decisions", "study", "ui"),
    "Write and use models": ("export", "dial", "compose", "generate"),
    "Experts and data": ("build", "vector", "curate", "fit-router", "zoo"),
}
PANEL_OF = {command: panel for panel, commands in PANELS.items() for command in commands}


class Panels(PlainFlags):
    """The commands under the headings of PANELS, in its order."""

    def list_commands(self, ctx: "Context") -> list[str]:
        known = super().list_commands(ctx)
        return [*(name for name in PANEL_OF if name in known), *(name for name in known if name not in PANEL_OF)]

    def get_command(self, ctx: "Context", cmd_name: str) -> "Command | None":
        command = super().get_command(ctx, cmd_name)
        if command is not None and cmd_name in PANEL_OF:
            command.rich_help_panel = PANEL_OF[cmd_name]  # type: ignore[attr-defined]  # typer's own subclasses have it
        return command
