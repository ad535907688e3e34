"""A routed run on a terminal: how its router is used stands apart from the coefficients of experts."""

import json
import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from support.playground import EXPERTS, Playground, run_cli
from support.routers import write_random_router
from support.summaries import summary_with
from swarm.cli.coefficients import of_experts, of_router
from swarm.cli.table import summary_table
from swarm.experts.catalog import ExpertSpec, open_catalog
from swarm.journal.router_use import router_names
from swarm.run.comparing import Comparison

SHARED = ("strength", "sharpness", "fractal", "natural")


@pytest.fixture(scope="module")
def routed(playground: Playground, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with a router. Of six candidates five use it."""
    folder = tmp_path_factory.mktemp("routed")
    catalog = open_catalog(playground.base, [ExpertSpec(name, playground.expert(name)) for name in EXPERTS])
    write_random_router(folder / "router", catalog)
    words = ("--set", f"composition={{type: routed, router: {folder / 'router'}}}", "--set", "export.format=recipe")
    small = ("--set", "optimizer={type: bayesian, evaluations: 6}", "--set", "splits={search: 6, select: 6, test: 8}")
    done = run_cli("search", playground.config_file, "--run-dir", folder / "run", *words, *small)
    assert done.code == 0, done.err
    return folder / "run"


def test_candidates_are_listed_with_their_router_apart(routed: Path) -> None:
    lines = run_cli("candidates", routed).out.splitlines()[1:-1]
    for line, each in zip(lines, json.loads(run_cli("candidates", routed, "--json").out)["candidates"], strict=True):
        experts, _, router = line.partition("  router: ")
        used = each["coefficients"]["router.strength"] > 0
        assert "strength" not in experts
        assert router.startswith("strength 1.00  sharpness " if used else "not used")
    assert sum("router: strength" in line for line in lines) == 5


def test_watch_names_the_router_on_a_line_of_its_own(routed: Path) -> None:
    watched = run_cli("watch", routed, "--once").out
    assert re.search(r"(?m)^coefficients red [\d.-]+, green [\d.-]+, blue [\d.-]+$", watched)
    assert re.search(r"(?m)^router (not used|strength )", watched)


def test_two_runs_are_compared_with_their_routers_apart() -> None:
    named = ("red", "router.bias.red", "router.strength")
    coefficients = dict.fromkeys(named, (0.5, None))
    found = Comparison((Path("one"), Path("two")), ("1-0", "2-0"), {}, ({}, {}), coefficients, {}, {}, {})
    assert [dict(each) for each in found.in_two] == [{"red": (0.5, None)}, dict.fromkeys(named[1:], (0.5, None))]
    assert found.content()["coefficients"] == {name: [0.5, None] for name in named}


@pytest.mark.parametrize("width", [40, 80])
def test_of_many_biases_the_largest_are_shown_and_nothing_is_cut(width: int) -> None:
    experts = {f"expert{i}": {"": 1.0 + i} for i in range(12)}
    router = {f"router.bias.{name}": {"": i / 10} for i, name in enumerate(experts)}
    router |= {f"router.{name}": {"": 0.5} for name in SHARED}
    best = {"id": "3-1", "coefficients": experts | router}
    console = Console(file=StringIO(), width=width, highlight=False)
    console.print(summary_table(summary_with(best=best)))
    text = " ".join(console.file.getvalue().split())
    assert "coefficients expert0 1.00, expert1 2.00" in text
    assert (
        "expert11 12.00 router strength 0.50, sharpness 0.50, fractal 0.50, natural 0.50, bias expert11 1.10," in text
    )
    assert "bias expert4 0.40," in text
    assert "bias expert3" not in text
    assert text.count("in units of the search") == 1
    if width == 80:
        assert "the 8 largest biases of 12: all are in summary.json, in units of the search" in text


def test_experts_may_have_names_like_those_of_the_router() -> None:
    plain = {"router.one": 0.5, "router.attention": 0.25}
    assert (of_experts(plain), of_router(plain)) == (["router.one 0.50", "router.attention 0.25"], [])
    routed = {"router.one": 0.5, "router": 0.75, "router.bias.router.one": 0.1, "router.bias.router": 0.2}
    routed |= {"router.strength": 1.0, "router.sharpness": 0.0}
    assert set(routed) - set(router_names(routed)) == {"router.one", "router"}
    assert of_router(routed) == ["strength 1.00", "sharpness 0.00", "bias router.one 0.10", "bias router 0.20"]
    assert of_router(routed | {"router.strength": -0.5}) == ["not used"]
