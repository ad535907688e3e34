"""The last step of a run: the export, the summary, the report, and the verification of the export."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from swarm.config.load import dump_config
from swarm.core.candidates import Candidate
from swarm.core.errors import ExpertError, RunError, SwarmError
from swarm.core.files import write_json
from swarm.export import Exported, export, lack_of
from swarm.journal.archive import Archive
from swarm.journal.records import EndRecord
from swarm.journal.summary import Coefficients, ExportCheck, Summary
from swarm.report import write_report
from swarm.run.choice import Criterion, FinishedFront
from swarm.run.decisions import Written, append_decisions, decision_by_rule, read_decisions
from swarm.run.directory import BEST, SUMMARY
from swarm.run.listener import Listener, tell_steps
from swarm.run.plan import Plan
from swarm.run.provenance import base_source, expert_sources, notes
from swarm.run.summarise import Result, summarise
from swarm.run.summarise_front import recipe_coefficients, summarise_front
from swarm.run.verify_export import verify_export
from swarm.search.front_selection import FrontSelection


@dataclass(frozen=True)
class FinalStep:
    """Writes what a finished search leaves behind. Run again, it writes the same files."""

    plan: Plan
    folder: Path
    archive: Archive
    listener: Listener

    def run(self, result: Result) -> Summary:
        """Export, summary and report. The export is verified last, as that may fail on a driver with little memory."""
        summary = self._summary(result)
        self._export(self._exported(result, summary))
        self._write(summary)
        self._record(result, summary)
        if self.archive.ended("run") is None:
            self.archive.append(EndRecord(phase="run", reason="done"))
        return self._verified(result, summary)

    def _record(self, result: Result, summary: Summary) -> None:
        """The choice of the search's end as the first of decisions.jsonl, once, where several things count."""
        if not isinstance(result.selection, FrontSelection):
            return
        with self._resumable():
            if any(each.action == "search" for each in read_decisions(self.folder)):
                return
            found = FinishedFront(self.folder, self.plan.config, self.archive, summary, result.selection)
            written = Written(
                form=self._form(self._exported(result, summary)), path=str((self.folder / BEST).absolute())
            )
            record = decision_by_rule(found, "search", found.chosen(Criterion(result.selection.rule)), "", written)
            append_decisions(self.folder, [record.model_copy(update={"candidate": result.winner.id})])

    def whole(self, result: Result, summary: Summary) -> bool:
        """Whether best/ is what `run` has written, and verified where that is possible."""
        exported = self._exported(result, summary)
        return not self._lacks(exported) and (
            summary.export_check is not None or not self._verifiable(exported, self._form(exported))
        )

    def complete(self, result: Result, summary: Summary) -> Summary:
        """Of a run that has ended: what a killed process or a deletion has left undone. Scores stay as they are."""
        exported = self._exported(result, summary)
        if lack := self._lacks(exported):
            self.listener.note(f"{self.folder / BEST} is not whole ({lack}): it is written again")
            self._export(exported)
        return self._verified(result, summary)

    def _export(self, exported: Exported) -> None:
        self.listener.phase("exporting")
        form = self._form(exported)
        if form != self.plan.config.export.format:
            what = "a recipe" if form == "recipe" else "a checkpoint"
            why = "the best is the base itself, which has no adapter"
            if not exported.plain:
                why = "the best is not one model's weights"
            self.listener.note(f"{why}: best/ holds {what}")
        with self._resumable():
            export(exported, self.folder / BEST, form, overwrite=True)

    def _lacks(self, exported: Exported) -> str:
        """What best/ lacks, or ""."""
        return lack_of(exported, self.folder / BEST, self._form(exported))

    def _verified(self, result: Result, summary: Summary) -> Summary:
        exported = self._exported(result, summary)
        form = self._form(exported)
        check = self._verify(form, result.winner) if self._verifiable(exported, form) else None
        checked = summary.model_copy(update={"export_check": check})
        self._write(checked)
        return checked

    def _summary(self, result: Result) -> Summary:
        ended = self.archive.ended("search")
        known: dict[str, object] = {
            "seed": self.plan.config.seed,
            "base": base_source(self.plan),
            "experts": expert_sources(self.plan),
            "notes": (*notes(self.archive, self.plan), *self.plan.remarks, *(ended.notes if ended else ())),
            "export_check": None,
        }
        if self.archive.start and self.archive.start.continued:
            known["continued"] = self.archive.start.continued
        if isinstance(result.selection, FrontSelection):
            rule = self.plan.config.selection.select
            known["front"] = summarise_front(result.selection, result.winner, rule, self._coefficients)
        return summarise(result).model_copy(update=known)

    def _coefficients(self, candidate: Candidate) -> Coefficients:
        recipe = self.plan.config.composition.recipe(candidate.position, self.plan.catalog)
        return recipe_coefficients(recipe, self.plan.space.coordinates, candidate.position)

    def _exported(self, result: Result, summary: Summary) -> Exported:
        return Exported(
            catalog=self.plan.catalog,
            recipe=result.recipe,
            dtype=self.plan.config.engine.dtype,
            summary=summary,
            config_yaml=dump_config(self.plan.config),
            candidate_id=result.winner.id,
            on_step=partial(tell_steps, self.listener),
        )

    def _write(self, summary: Summary) -> None:
        with self._resumable():
            write_json(self.folder / SUMMARY, summary.content())
            write_report(self.folder, self.archive.records, summary)

    @contextmanager
    def _resumable(self) -> Iterator[None]:
        """A block of writing: where it fails, the message says how to go on, too. Nothing is scored again."""
        try:
            yield
        except RunError as error:
            raise RunError(f"{error}, then swarm resume {self.folder}") from error.__cause__

    def _form(self, exported: Exported) -> str:
        """The form that the config names, where it can hold the best: what combines logits or routes is a recipe.

        The base has no adapter: where it is the best, a checkpoint or a recipe.
        """
        form = self.plan.config.export.format
        if not exported.plain:
            return "recipe"
        if form != "adapter" or exported.active:
            return form
        return "recipe" if self.plan.catalog.base.codes else "hf"

    def _verifiable(self, exported: Exported, form: str) -> bool:
        """Whether best/ is a model that differs from what the search has run: a recipe of weights is the same."""
        return (form in ("hf", "adapter") or not exported.plain) and bool(self.plan.config.export.check_examples)

    def _verify(self, form: str, winner: Candidate) -> ExportCheck | None:
        """The exported model's scores against those of the search; None where they cannot be compared here."""
        best, settings = self.folder / BEST, self.plan.config.export
        seen = self.archive.at(winner.position, "search")
        if seen is None:
            return None
        self.listener.phase("verifying the export")
        examples = {name: part[: settings.check_examples] for name, part in self.plan.examples("search").items()}
        try:
            checked = verify_export(best, form, self.plan.spec, examples, seen, partial(tell_steps, self.listener))
        except ExpertError as error:
            n = sum(len(part) for part in examples.values())
            return ExportCheck(n=n, equal=0, differs=(f"{best} cannot be loaded ({error})",))
        except SwarmError as error:
            self.listener.note(f"the export could not be verified here: {error}")
            return None
        if checked.equal < checked.n and not checked.differs:
            different = f"{checked.n - checked.equal} of {checked.n} examples"
            self.listener.note(
                f"the export gives different scores on {different}, by rounding: computed alike, the search's "
                "engine gives those of the export"
            )
        return checked
