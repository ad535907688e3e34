"""What a run rests on, and that it still does when the run goes on."""

from datetime import UTC, datetime

from swarm import __version__
from swarm.archive import Archive
from swarm.errors import RunError
from swarm.lines import StartLine
from swarm.plan import Plan, items
from swarm.rundir import CONFIG
from swarm.summary import Json

SAME = (
    ("coordinates", "list of coordinates"),
    ("seed", "seed"),
    ("items", "choice of examples"),
    ("settings", "setting of composition, objectives, experts, optimizer or dtype"),
)


def start_line(plan: Plan) -> Json:
    """The journal's first line: what the run rests on."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": __version__,
        "seed": plan.config.seed,
        "optimizer": plan.config.optimizer.type,
        "settings": plan.settings,
        "coordinates": list(plan.space.coordinates),
        **sources(plan),
        "items": {name: items(splits) for name, splits in plan.splits.items()},
        "notes": plan.notes,
    }


def sources(plan: Plan) -> Json:
    """Where base and experts were read from, and their fingerprints."""
    catalog = plan.catalog
    return {
        "base": {"path": str(catalog.base.path), "fingerprint": catalog.base.tensors.fingerprint},
        "experts": {e.name: {"path": str(e.path), "fingerprint": e.fingerprint} for e in catalog.experts},
    }


def check_same(archive: Archive, plan: Plan) -> None:
    """A run goes on only with the weights, the coordinates, the examples and the seed that it began with."""
    assert archive.start is not None
    folder = archive.journal.path.parent
    began, goes_on = (StartLine.model_validate(line) for line in (archive.start, start_line(plan)))
    for owner, now in goes_on.sources.items():
        before = began.sources.get(owner)
        if before is None or before.fingerprint != now.fingerprint:
            was = before.fingerprint if before else "none"
            raise RunError(
                f"{folder}: {owner} at {now.path} changed since the run began (fingerprint {now.fingerprint}, "
                f"then {was}); put the old files back"
            )
    for key, name in SAME:
        if getattr(began, key) != getattr(goes_on, key):
            raise RunError(
                f"{folder / CONFIG}: it gives another {name} than the run began with; "
                "undo the change or start a new run"
            )
