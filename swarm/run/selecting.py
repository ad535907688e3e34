"""The selection of a run: how its candidates are compared, from the plan and the journal."""

from swarm.journal.archive import Archive
from swarm.run.plan import Plan
from swarm.search.baselines import Baselines
from swarm.search.front_selection import FrontSelection
from swarm.search.selection import Selection


def selection_of(plan: Plan, archive: Archive) -> Selection:
    """By one utility, or, where a front is searched for or floors are to be kept, by several goals."""
    settings, baselines = plan.config.selection, Baselines.of(plan.space)
    soft, pooled = plan.config.optimizer.climbs_soft, settings.rule == "pooled"
    if not plan.goals.several:
        return Selection(archive, plan.weights, baselines, soft, pooled)
    return FrontSelection(
        archive,
        plan.weights,
        baselines,
        soft,
        pooled,
        space=plan.space,
        goals=plan.goals,
        rule=settings.select,
        cautious=settings.compare == "lower_bounds",
        nearest=settings.floors == "nearest",
        labels={name: [example.group for example in own] for name, own in plan.examples("select").items()},
    )
