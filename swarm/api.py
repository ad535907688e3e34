"""Swarm from Python: the same runs as the command line's, in the same directories.

    import swarm

    run = swarm.search("swarm.yaml")
    run.best.coefficients            # {"maths": 0.83, "style": 0.41}
    model = run.best.model()         # a model of transformers
    run = swarm.Run.load("runs/swarm-20261129-184414")
    run.archive.to_pandas()
    run.choose("nash")               # the id of another member of the front, by a rule of choice
    run.dial().set(helpful=0.8, harmless=0.2)
    swarm.compose("base", {"adapters/maths": 0.6}, "composed", prepare="ties:density=0.5")
    model = swarm.load("composed")   # any export, or a run's directory; model.tokenizer

`swarm.search` is also the name of a package; type checkers know the function as `swarm.api.search`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from swarm import zoo
from swarm.config.load import config_of, load_config
from swarm.config.references import resolve
from swarm.config.schema import Config
from swarm.core.candidates import Evaluation
from swarm.core.errors import ConfigError
from swarm.export import Exported
from swarm.export import export as write_export
from swarm.export.adapter import at_rank
from swarm.journal.archive import Archive
from swarm.journal.front_summary import FrontSummary
from swarm.journal.summary import Summary
from swarm.preferences.reading import read_rule
from swarm.run.best_expert import BestExpert
from swarm.run.choice import Criterion, FinishedFront, checked_compare
from swarm.run.compose import composed
from swarm.run.delivered import open_delivered
from swarm.run.dial import Dial
from swarm.run.directory import JOURNAL, REPORTS, config_path, default_folder, read_summary, rebuild_report
from swarm.run.export_candidate import exported_candidate
from swarm.run.export_choice import export_chosen
from swarm.run.pipeline import resume_run, start_run
from swarm.run.requirements import check_machine
from swarm.search.status import Status

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

OnEvaluation = Callable[[Evaluation], None]
NAME = "search"  # of the default run directory, where the config has no file
DICT = "config"  # what messages call a config that is a mapping


def search(
    config: str | Path | Mapping[str, object],
    *,
    run_dir: str | Path | None = None,
    overrides: Sequence[str] = (),
    continue_from: str | Path | None = None,
    on_evaluation: OnEvaluation | None = None,
    on_note: Callable[[str], None] | None = None,
) -> "Run":
    """Search, select, test, export, report. Returns the finished run.

    config: a YAML file, or a mapping with the same keys; its relative paths count from the file's folder, or from the
        working directory.
    run_dir: a new directory; default: runs/CONFIG-TIME.
    overrides: as --set takes them, such as "optimizer.evaluations=100".
    continue_from: the directory of a run whose scores the search starts with.
    on_evaluation: called in this process with every evaluation of the search, in the order in which they end. An error
        that it raises stops the run, which can be resumed.
    on_note: called with what the user should know.

    Raises UserError (one line: key, value, remedy), and ExportError where best/ is not the model that was searched.
    """
    if isinstance(overrides, str):
        raise ConfigError(f"overrides: {overrides!r} is one text; give a list of them")
    if isinstance(config, Mapping):
        loaded, folder, place = config_of(config, DICT, overrides), Path.cwd(), default_folder(Path(NAME))
    else:
        path = _path(config)
        loaded, folder, place = load_config(path, overrides), path.resolve().parent, default_folder(path)
    check_machine(loaded)
    for name in zoo.named_in(loaded.models):
        zoo.build(name, zoo.cache_directory() / name, lambda text, share: None)
    place = place if run_dir is None else _path(run_dir)
    before = None if continue_from is None else _path(continue_from)
    start_run(resolve(loaded, folder), place, _Follower(on_evaluation, on_note), before)
    return Run.load(place)


def compose(
    base: str | Path,
    experts: Mapping[str, float],
    out: str | Path,
    *,
    format: str = "hf",
    dtype: str = "bfloat16",
    algebra: str = "delta",
    prepare: str = "",
    overrides: Sequence[str] = (),
    rank: int | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a composed expert of known coefficients: the base, plus each coefficient times its expert's update.

    base: a local folder, a hub id, or zoo:NAME. experts: path, hub id or zoo reference -> coefficient.
    format, dtype, algebra, prepare, overrides, rank: as `swarm compose` has them. Returns the folder. Raises UserError.
    """
    pairs = [f"{path}={float(coefficient)!r}" for path, coefficient in experts.items()]
    what = composed(str(base), pairs, dtype, algebra, prepare, overrides)
    return write_export(_at(what, rank, format), _path(out), format, overwrite)


def load(path: str | Path, *, device: str = "auto", dtype: "str | torch.dtype | None" = None) -> "PreTrainedModel":
    """An export as a model of transformers, with its tokenizer as the attribute `tokenizer`.

    path: a folder of a whole model, an adapter or a recipe, a recipe.json, or a run's directory, whose best/ is loaded.
    device: auto, cpu, cuda, cuda:1. dtype: of the weights; None for that of the search, or of the files.

    A recipe of logits or routing is several models behind one (LogitModel): `model.set` changes coefficients between
    two calls, `model.rows` gives each row of a batch its own. Raises UserError.
    """
    from swarm.engines.transformers.delivered_model import delivered_model

    found = open_delivered(_path(path), "" if dtype is None else str(dtype).removeprefix("torch."))
    return delivered_model(found.catalog, found.recipe, found.dtype, device)


@dataclass(frozen=True)
class Run:
    """A run's directory, read from its files; loading one runs nothing.

    folder: where it is.
    """

    folder: Path
    _read: list[Archive] = field(default_factory=list, repr=False, compare=False)

    @classmethod
    def load(cls, folder: str | Path) -> "Run":
        """The run in a directory, finished or not. Raises RunError where there is none."""
        config_path(_path(folder))
        return cls(_path(folder))

    @property
    def config(self) -> Config:
        """The resolved config, with every value."""
        return load_config(config_path(self.folder))

    @property
    def archive(self) -> Archive:
        """All that is scored by now. Raises RunError where the journal is damaged."""
        if not self._read:
            self._read.append(Archive(self.folder / JOURNAL))
        self._read[0].follow()
        return self._read[0]

    @property
    def finished(self) -> bool:
        """Whether the run has come to its end."""
        return self.archive.ended("run") is not None

    @property
    def summary(self) -> Summary:
        """Result, baselines, intervals, verdict and cost. Raises RunError where the run has not ended."""
        found, start = read_summary(self.folder, self.archive), self.archive.start
        return found.named(tuple(start.items) if start else ())

    @property
    def best(self) -> BestExpert:
        """The composed expert. Raises RunError where the run has not ended."""
        return BestExpert(self.folder, self.summary.best)

    @property
    def front(self) -> FrontSummary:
        """The front's members with their scores. Raises RunError where the run has none, or has not ended."""
        found = FinishedFront.of(self.folder).summary.front
        assert found is not None, "a run with several goals has a summary of them"
        return found

    def choose(self, select: str, *, compare: str = "", groups: Sequence[str] = ()) -> str:
        """The id of the member that a rule chooses, such as "knee" or "cvar:alpha=0.5"; without an evaluation.

        Nothing is written; `export` with select= records the choice. Raises UserError.
        """
        return FinishedFront.of(self.folder).chosen(_criterion(select, compare, groups)).candidate.id

    def dial(self, *, form: str = "auto", device: str = "auto", dtype: str = "") -> Dial:
        """Base and experts as a live model whose weighting can be set between two calls. Raises UserError."""
        return Dial(self.folder, form, device, dtype)

    def resume(self, *, overrides: Sequence[str] = (), on_evaluation: OnEvaluation | None = None) -> "Run":
        """Go on after a stop, a crash or a kill, to the same result as an uninterrupted run. Raises UserError."""
        resume_run(self.folder, _Follower(on_evaluation, None), overrides)
        return Run.load(self.folder)

    def report(self) -> Path:
        """Write report.html and report.md again, as far as the run got. Returns the first. Raises RunError."""
        rebuild_report(self.folder)
        return self.folder / REPORTS[0]

    def export(
        self,
        dest: str | Path,
        *,
        candidate: str = "",
        select: str = "",
        by: str = "",
        format: str = "hf",
        rank: int | None = None,
        overwrite: bool = False,
    ) -> Path:
        """Write the best, or the candidate of this id or of this rule, as hf, adapter, mergekit or recipe.

        select, by: the rule, and who decides; recorded in decisions.jsonl.
        rank: of an adapter: the nearest one of that rank, whose card says what it loses. Raises UserError.
        """
        if select and (candidate or rank is not None):
            raise ConfigError(f"{'candidate' if candidate else 'rank'} and select do not go together; give one of them")
        if select:
            export_chosen(self.folder, _path(dest), _criterion(select), format, overwrite, by)
            return _path(dest)
        what = _at(exported_candidate(self.folder, candidate), rank, format)
        return write_export(what, _path(dest), format, overwrite)


def _at(what: Exported, rank: int | None, format: str) -> Exported:
    return what if rank is None else at_rank(what, rank, format)


@dataclass(frozen=True)
class _Follower:
    """A listener that passes on what a caller wants to hear."""

    on_evaluation: OnEvaluation | None
    on_note: Callable[[str], None] | None
    phases: list[str] = field(default_factory=list)

    def phase(self, text: str) -> None:
        self.phases.append(text)

    def note(self, text: str) -> None:
        if self.on_note:
            self.on_note(text)

    def evaluated(self, evaluation: Evaluation, status: Status) -> None:
        if self.on_evaluation:
            self.on_evaluation(evaluation)


def _criterion(select: str, compare: str = "", groups: Sequence[str] = ()) -> Criterion:
    return Criterion(read_rule(select), checked_compare(compare), tuple(groups))


def _path(path: str | Path) -> Path:
    return Path(path).expanduser()
