"""Any candidate of a run as something to export, as long as its weights and settings are still there."""

from pathlib import Path

from swarm.config.load import dump_config, load_config
from swarm.core.candidates import Candidate
from swarm.core.errors import RunError
from swarm.export import Exported
from swarm.journal.archive import Archive
from swarm.journal.summary import Summary
from swarm.run.directory import JOURNAL, config_path, read_summary
from swarm.run.plan import open_experts
from swarm.run.provenance import check_settings, check_weights


def exported_candidate(folder: Path, candidate_id: str = "") -> Exported:
    """The input of an export: the best of the run, or another of its candidates. Raises UserError."""
    config = load_config(config_path(folder))
    catalog = open_experts(config)
    archive = Archive(folder / JOURNAL)
    check_weights(archive, catalog)
    check_settings(archive, config)
    summary = read_summary(folder, archive) if archive.ended("run") else None
    candidate = _candidate(archive, summary, candidate_id)
    return Exported(
        catalog=catalog,
        recipe=config.composition.recipe(candidate.position, catalog),
        dtype=config.engine.dtype,
        summary=summary if summary and candidate.id == summary.best.id else None,
        config_yaml=dump_config(config),
        candidate_id=candidate.id,
    )


def _candidate(archive: Archive, summary: Summary | None, candidate_id: str) -> Candidate:
    wanted = candidate_id or (summary.best.id if summary else "")
    if not wanted:
        folder = archive.journal.path.parent
        raise RunError(f"{folder}: the run has not ended and has no best yet; swarm resume it, or give --candidate ID")
    found = archive.of(wanted)
    if found is None:
        raise RunError(f"--candidate: {wanted!r} is not in {archive.journal.path}; use an id of an evaluation line")
    return found.candidate
