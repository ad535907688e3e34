"""Help that shows flags without a type: `--json`, not `--json <bool>`, which looks as if it took a value."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from typer.core import TyperGroup, TyperOption

if TYPE_CHECKING:
    from typer._click.core import Command, Context, Parameter


class PlainFlags(TyperGroup):
    """A group whose flags, and those of its commands, are shown so. `--help` is one of each."""

    def get_params(self, ctx: "Context") -> "list[Parameter]":
        parameters = super().get_params(ctx)
        _hide_types(parameters)
        return parameters

    def get_command(self, ctx: "Context", cmd_name: str) -> "Command | None":
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            _hide_types(command.get_params(ctx))
        return command


def _hide_types(parameters: "Sequence[Parameter]") -> None:
    for each in parameters:
        if isinstance(each, TyperOption) and each.is_flag:
            each.metavar = ""
