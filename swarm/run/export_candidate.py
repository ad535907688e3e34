"""Any candidate of a run as something to export, as long as its weights and settings are still there."""

from pathlib import Path

from swarm.config.load import dump_config, load_config
from swarm.core.candidates import Candidate
from swarm.core.errors import RunError
from swarm.export import Exported
from swarm.journal.archive import Archive
from swarm.run.directory import JOURNAL, config_path, read_summary
from swarm.run.plan import open_experts
from swarm.run.provenance import check_settings, check_weights
from swarm.run.summarise import Json


def exported_candidate(folder: Path, candidate_id: str = "") -> Exported:
    """What an export of the best, or of another candidate of the run, is made from. Raises UserError."""
    config = load_config(config_path(folder))
    catalog = open_experts(config)
    archive = Archive(folder / JOURNAL)
    check_weights(archive, catalog)
    check_settings(archive, config)
    summary = read_summary(folder) if archive.ended("run") else {}
    candidate = _candidate(archive, summary, candidate_id)
    return Exported(
        catalog=catalog,
        recipe=config.composition.recipe(candidate.position, catalog),
        dtype=config.engine.dtype,
        summary=summary if candidate.id == _best_id(summary) else {},
        config_yaml=dump_config(config),
        candidate_id=candidate.id,
    )


def _candidate(archive: Archive, summary: Json, candidate_id: str) -> Candidate:
    wanted = candidate_id or _best_id(summary)
    if not wanted:
        raise RunError(f"{archive.journal.path.parent}: no best yet; swarm resume it, or give --candidate ID")
    found = archive.of(wanted)
    if found is None:
        raise RunError(f"--candidate: {wanted!r} is not in {archive.journal.path}; use an id of an evaluation line")
    return found.candidate


def _best_id(summary: Json) -> str:
    best = summary.get("best")
    return str(best["id"]) if isinstance(best, dict) else ""
