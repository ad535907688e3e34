"""What a finished search leaves behind: the export, the summary, the report, and the check of the export."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from swarm.config.load import dump_config
from swarm.core.candidates import Candidate
from swarm.core.errors import SwarmError
from swarm.core.files import write_json
from swarm.export import Exported, export
from swarm.journal.archive import Archive
from swarm.report import write_report
from swarm.run.directory import BEST, SUMMARY
from swarm.run.plan import Plan
from swarm.run.provenance import notes, sources
from swarm.run.summarise import Json, Result, summarise
from swarm.run.verify_export import verify_export


class Listener(Protocol):
    """Who is told what is being done, and what the user should know."""

    def phase(self, text: str) -> None: ...

    def note(self, text: str) -> None: ...


@dataclass(frozen=True)
class Finish:
    """The last step of a run. Doing it again gives the same files."""

    plan: Plan
    folder: Path
    archive: Archive
    listener: Listener

    def run(self, result: Result) -> Json:
        """Export, summary and report, then the export's check, which may fail where the driver is a small machine."""
        summary = summarise(result) | {
            "seed": self.plan.config.seed,
            **sources(self.plan),
            "notes": notes(self.archive, self.plan),
        }
        config = self.plan.config
        exported = Exported(
            catalog=self.plan.catalog,
            recipe=result.recipe,
            dtype=config.engine.dtype,
            summary=summary,
            config_yaml=dump_config(config),
            candidate_id=result.winner.id,
        )
        self.listener.phase("exporting")
        form = self._form(exported)
        best = export(exported, self.folder / BEST, form, overwrite=True)
        self._publish(summary | {"export_check": None})
        if self.archive.ended("run") is None:
            self.archive.append("end", phase="run", reason="done")
        summary["export_check"] = self._load_back(best, form, result.winner)
        self._publish(summary)
        return summary

    def _publish(self, summary: Json) -> None:
        write_json(self.folder / SUMMARY, summary)
        write_report(self.folder, self.archive.lines, summary)

    def _form(self, exported: Exported) -> str:
        """The form of export that the user asked for, or a checkpoint where there is no such form of the best."""
        form = self.plan.config.export.format
        if form != "adapter" or exported.active:
            return form
        self.listener.note("the best is the base itself, of which there is no adapter: best/ holds a checkpoint")
        return "hf"

    def _load_back(self, best: Path, form: str, winner: Candidate) -> Json | None:
        """Scores of the exported model against those that the search saw; None where there is nothing to load."""
        settings = self.plan.config.export
        seen = self.archive.at(winner.position, "search")
        if form not in ("hf", "adapter") or seen is None or not settings.check_examples:
            return None
        self.listener.phase("loading the export back")
        examples = {name: part[: settings.check_examples] for name, part in self.plan.examples("search").items()}
        try:
            checked = verify_export(best, form, self.plan.spec, examples, seen)
        except SwarmError as error:
            self.listener.note(f"the export could not be loaded back here: {error}")
            return None
        if checked.equal < checked.n:
            self.listener.note(f"the export gives other scores on {checked.n - checked.equal} of {checked.n} examples")
        return asdict(checked)
