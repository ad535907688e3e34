"""The help of `swarm` lists every command once, under the heading of what it is for."""

import typer.main

from support.playground import run_cli
from swarm.cli.main import app
from swarm.cli.panels import PANELS


def test_every_command_has_one_heading() -> None:
    listed = [command for commands in PANELS.values() for command in commands]
    assert sorted(listed) == sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def test_the_help_has_the_headings_in_order() -> None:
    text = run_cli("--help").out
    places = [text.index(f"─ {panel} ─") for panel in PANELS]
    assert places == sorted(places)
    assert "─ Commands ─" not in text
