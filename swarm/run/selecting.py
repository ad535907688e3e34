"""The selection of a run: how its candidates are compared, from the plan and the journal, or from the journal alone."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from swarm.config.schema import Config
from swarm.core.space import Array, Baseline, Space
from swarm.journal.archive import Archive
from swarm.journal.records import StartRecord
from swarm.run.plan import Plan, goals_of, ranges_of
from swarm.search.baselines import Baselines
from swarm.search.front_selection import FrontSelection
from swarm.search.selection import Selection

Labels = Mapping[str, Sequence[str]]


def selection_of(plan: Plan, archive: Archive) -> Selection:
    """By one utility, or, where a front is searched for or floors are to be kept, by several goals."""
    settings = plan.config.selection
    if plan.goals.several:
        labels = {name: [example.group for example in own] for name, own in plan.examples("select").items()}
        return _by_goals(plan.config, archive, plan.space, labels)
    return Selection(
        archive,
        plan.weights,
        Baselines.of(plan.space),
        plan.config.optimizer.climbs_soft,
        settings.rule == "pooled",
        ranges_of(plan.config),
        smoothed_in=plan.space if _may_be_smoothed(plan) else None,
    )


def _may_be_smoothed(plan: Plan) -> bool:
    """Whether the exact bound of racing stops none of the optimizer's candidates, and every score has a range.

    Without one a few very bad scores decide the variance, and with it how far the process may be wrong about the best.
    """
    ranges = ranges_of(plan.config)
    bounded = all(math.isfinite(end) for name, weight in plan.weights.items() if weight for end in ranges[name])
    return plan.config.optimizer.takes_estimates and bounded


def selection_of_journal(config: Config, archive: Archive) -> FrontSelection:
    """By several goals, of a run whose baselines are scored: without its data and its models, which may be gone."""
    start = archive.start
    assert start is not None, "whoever asks has refused a run without a journal"
    labels = {name: [item.group for item in splits.get("select", ())] for name, splits in start.items.items()}
    return _by_goals(config, archive, _scored_space(config, archive, start), labels)


def _by_goals(config: Config, archive: Archive, space: Space, labels: Labels) -> FrontSelection:
    assert archive.start is not None, "whoever asks has refused a run without a journal"
    items = archive.start.items.items()
    sizes = {name: (len(splits.get("search", ())), len(splits.get("select", ()))) for name, splits in items}
    settings, goals = config.selection, goals_of(config, sizes)
    return FrontSelection(
        archive,
        goals.weights,
        Baselines.of(space),
        config.optimizer.climbs_soft,
        settings.rule == "pooled",
        goals.ranges,
        space=space,
        goals=goals,
        rule=settings.select,
        cautious=settings.compare == "lower_bounds",
        nearest=settings.floors == "nearest",
        labels=labels,
    )


def _scored_space(config: Config, archive: Archive, start: StartRecord) -> Space:
    """The bounds of the config, with coordinates and baselines as the journal has them."""
    known: dict[str, Array] = {r.id: np.array(r.position) for r in archive.scored if r.split == "search"}
    dimensions, (low, high) = len(start.coordinates), config.composition.bounds
    uniforms = [(float(at_D.max()), at_D) for name, at_D in known.items() if name.startswith("uniform:")]
    return Space(
        coordinates=start.coordinates,
        low_D=np.full(dimensions, low),
        high_D=np.full(dimensions, high),
        base=Baseline.base(known["base"]),
        experts=tuple(Baseline.expert(name, known[f"expert:{name}"]) for name in start.experts),
        uniforms=tuple(Baseline.uniform(scale, at_D) for scale, at_D in sorted(uniforms, key=lambda pair: pair[0])),
    )
