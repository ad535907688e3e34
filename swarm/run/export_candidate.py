"""Any candidate of a run as something to export, as long as its weights and settings are still there."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from swarm.config.load import dump_config, load_config
from swarm.core.candidates import Candidate
from swarm.core.errors import RunError
from swarm.export import Exported
from swarm.export.base import OtherCandidate
from swarm.journal.archive import Archive
from swarm.journal.summary import SPLITS, Summary
from swarm.run.directory import JOURNAL, config_path, is_sweep, is_targets, read_summary
from swarm.run.plan import open_experts, ranges_of
from swarm.run.provenance import check_settings, check_weights
from swarm.run.summarise import scores_at
from swarm.statistics.intervals import Range

SHOWN = 6  # ids in a message


def exported_candidate(folder: Path, candidate_id: str = "") -> Exported:
    """The input of an export: the best of the run, or another of its candidates. Raises UserError."""
    config = load_config(config_path(folder))
    catalog = open_experts(config)
    archive = Archive(folder / JOURNAL)
    check_weights(archive, catalog)
    check_settings(archive, config)
    summary = read_summary(folder, archive) if archive.ended("run") else None
    candidate = _candidate(archive, summary, candidate_id)
    is_best = summary is not None and candidate.id == summary.best.id
    return Exported(
        catalog=catalog,
        recipe=config.composition.recipe(candidate.position, catalog),
        dtype=config.engine.dtype,
        summary=summary if is_best else None,
        config_yaml=dump_config(config),
        candidate_id=candidate.id,
        other=None if is_best else _other(archive, candidate, summary, ranges_of(config)),
    )


def _candidate(archive: Archive, summary: Summary | None, candidate_id: str) -> Candidate:
    wanted = candidate_id or (summary.best.id if summary else "")
    if not wanted:
        folder = archive.journal.path.parent
        if is_sweep(folder) or is_targets(folder):
            raise RunError(f"{folder}: one best was not chosen there; give --candidate ID, as sweep or targets name it")
        raise RunError(f"{folder}: the run has not ended and has no best yet; swarm resume it, or give --candidate ID")
    found = archive.of(wanted)
    if found is None:
        known = ", ".join(_known(archive, summary, wanted))
        such = f", such as {known}" if known else ""
        path = archive.journal.path
        raise RunError(f"--candidate: {wanted!r} is not in {path}; use an id of an evaluation line{such}")
    return _as_selected(archive, summary, found.candidate)


def _as_selected(archive: Archive, summary: Summary | None, candidate: Candidate) -> Candidate:
    """The selected candidate where this one is at its position: a position may have several ids."""
    best = archive.of(summary.best.id) if summary else None
    return best.candidate if best and best.candidate.position == candidate.position else candidate


def _known(archive: Archive, summary: Summary | None, wanted: str) -> list[str]:
    """A few ids to choose from: those like the wanted one, the selected candidate, then baselines and finalists."""
    best = summary.best.id if summary else ""
    ids = list(dict.fromkeys(one.id for one in archive.scored if archive.of(one.id)))
    baselines = [id for id in ids if not id[:1].isdigit()]
    finalists = [one.id for one in archive.scored if one.kind == "select" and one.split == "select"]
    alike = [id for id in ids if id.partition(":")[0] == wanted or id.partition(":")[2] == wanted]
    alike += get_close_matches(wanted, baselines)
    order = dict.fromkeys([*alike[: SHOWN - 1], best, *finalists, *baselines, *ids])
    return [f"{id} (selected)" if id == best else id for id in order if id in ids][:SHOWN]


def _other(
    archive: Archive, candidate: Candidate, summary: Summary | None, ranges: Mapping[str, Range]
) -> OtherCandidate:
    found = {split: scores_at(archive, candidate, split, ranges) for split in SPLITS}
    missing: dict[str, str] = {}
    for split in SPLITS:
        tried = archive.of(candidate.id, split)
        if tried and tried.status == "stopped":
            examples = max(map(len, tried.examples.values()), default=0)
            missing[split] = f"stopped after {examples} examples"
        elif tried and tried.status == "failed":
            missing[split] = "failed"
    return OtherCandidate({split: scores for split, scores in found.items() if scores}, missing, summary)
