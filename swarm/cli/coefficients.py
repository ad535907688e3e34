"""Coefficients for the terminal, and apart from them how a router is used."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from swarm.cli.shorten import shorten
from swarm.cli.wrapping import LEAST_TEXT, packed
from swarm.core.terminal_text import one_line
from swarm.journal.router_use import BIAS, ROUTER, STRENGTH, router_names

if TYPE_CHECKING:
    from swarm.journal.summary import Summary

COEFFICIENTS, OF_ROUTER = "coefficients  ", "router        "
COEFFICIENTS_SHOWN = 12
LONGEST_COEFFICIENT = len(" -1000.00,")
IN_SUMMARY, UNITS = "all are in summary.json", "in units of the search"
Named = tuple[str, float]


def of_experts(found: Mapping[str, float]) -> list[str]:
    """ "maths 0.50" for every coordinate that is an expert's."""
    of_router = router_names(found)
    return [f"{name} {value:z.2f}" for name, value in found.items() if name not in of_router]


def of_router(found: Mapping[str, float]) -> list[str]:
    """ "strength 0.80", "bias maths 0.10", ... in units of the search; empty without a router."""
    if found.get(STRENGTH, 1.0) <= 0.0:
        return ["not used"]  # at strength 0 nothing else acts
    shared, biases = router_values(found)
    return [f"{name} {value:z.2f}" for name, value in (*shared, *biases)]


def router_values(found: Mapping[str, float]) -> tuple[list[Named], list[Named]]:
    """What holds for all experts, and the bias of each."""
    names = router_names(found)
    shared = [(name.removeprefix(ROUTER), found[name]) for name in names if not name.startswith(BIAS)]
    biases = [(f"bias {name.removeprefix(BIAS)}", found[name]) for name in names if name.startswith(BIAS)]
    return shared, biases


class CoefficientLines:
    """The coefficients that were selected: all where they are few, else the largest, and where the rest stands.

    Below them how the router is used, where there is one.
    """

    def __init__(self, summary: "Summary") -> None:
        found = summary.best.coefficients
        names = router_names(found)
        self._experts = [
            (f"{expert} {group}".rstrip(), value)
            for expert, groups in found.items()
            if expert not in names
            for group, value in groups.items()
        ]
        self._shared, self._biases = router_values({name: next(iter(found[name].values())) for name in names})

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        few = len(self._experts) <= COEFFICIENTS_SHOWN
        shown = self._experts if few else _largest(self._experts, COEFFICIENTS_SHOWN)
        more = [] if few else [f"the {len(shown)} largest of {len(self._experts)}: {IN_SUMMARY}"]
        yield from _lines(COEFFICIENTS, shown, more, options.max_width)
        left = COEFFICIENTS_SHOWN - len(self._shared)
        few = len(self._biases) <= left
        biases = self._biases if few else _largest(self._biases, left)
        more = [] if few else [f"the {len(biases)} largest biases of {len(self._biases)}: {IN_SUMMARY}"]
        yield from _lines(OF_ROUTER, [*self._shared, *biases], [*more, UNITS], options.max_width)


def _largest(named: Sequence[Named], count: int) -> list[Named]:
    return sorted(named, key=lambda each: -abs(each[1]))[:count]


def _lines(heading: str, named: Sequence[Named], more: Sequence[str], width: int) -> list[Text]:
    """These values, and what more is said of them; nothing where there is none."""
    if not named:
        return []
    narrow = width - len(heading) < LEAST_TEXT  # too narrow for a margin: a number would be cut
    margin = 0 if narrow else len(heading)
    columns = width - margin
    names = max(1, columns - LONGEST_COEFFICIENT)
    items = [f"{shorten(one_line(name), names)} {value:z.2f}" for name, value in named]
    lines = packed([*items, *more], columns)
    texts = [(" " * margin if i else heading[:margin]) + line for i, line in enumerate(lines)]
    return [Text(text, no_wrap=True) for text in ([heading.rstrip(), *texts] if narrow else texts)]
