"""What a report says of the best candidate: its experts' coefficients, and how its router is used."""

from dataclasses import dataclass

from swarm.journal.summary import Best, Coefficients
from swarm.report.coefficients import coefficients_words, limits_of, without_router
from swarm.report.figures.coefficient_bars import bounds_words, coefficients_figure, router_figure
from swarm.report.figures.svg import Figure
from swarm.report.read_journal import Journal
from swarm.report.region import Region
from swarm.report.weights import Bounds

UNBOUNDED = ("model_swarms",)  # optimizers that no bound of the composition holds back


@dataclass(frozen=True)
class Composed:
    """The best's coefficients, and apart from them the coordinates of its router: empty without one.

    words, router_words: in one line. figures: of each that is not empty. near_bounds: as `bounds_words`.
    """

    coefficients: Coefficients
    router: Coefficients
    words: str
    router_words: str
    figures: tuple[Figure, ...]
    near_bounds: str


def composed(journal: Journal, best: Best | None, region: Region | None, bounds: Bounds | None) -> Composed:
    """bounds: of the config, where it states them."""
    found, router = without_router(best.coefficients if best else {})
    is_bounded = journal.start.optimizer not in UNBOUNDED and best is not None and best.source == "search"
    limits = limits_of(bounds, journal) if bounds and is_bounded else {}
    near = bounds_words(found, bounds, limits) if bounds else ""
    shared = {limits[name][place] for name in found for place in limits.get(name, ())}
    drawn = coefficients_figure(found, region, near, shared.pop() if len(shared) == 1 else None)
    return Composed(
        coefficients=found,
        router=router,
        words=coefficients_words(found),
        router_words=coefficients_words(router),
        figures=tuple(filter(None, (drawn, router_figure(router, region)))),
        near_bounds=near,
    )
