"""A run as a study of Optuna, in one SQLite file that optuna-dashboard shows."""

import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from swarm.core.errors import ConfigError, RunError
from swarm.core.files import replaced_file
from swarm.core.temporaries import temporary_folder
from swarm.journal.archive import Archive
from swarm.journal.records import EvaluationRecord, StartRecord
from swarm.preferences.weighted_sum import utility
from swarm.report.weights import read_bounds, read_weights
from swarm.run.directory import JOURNAL, config_path

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

STATES = {"ok": "COMPLETE", "failed": "FAIL", "stopped": "PRUNED"}
INSTALL = "pip install 'swarm-experts[optuna]' sqlalchemy alembic"


def write_study(folder: Path, file: Path, overwrite: bool = False) -> int:
    """Write the evaluations of a run's search as trials of one study. Returns how many.

    A trial's parameters are the candidate's coefficients, its value the utility, its attributes the id and the score of
    each objective. Candidates that failed are failed trials, those that racing stopped are pruned.

    Raises RunError where the folder holds no run, or nothing is scored yet; ConfigError where Optuna is not installed,
    and UserError where the file is there already.
    """
    config_path(folder)
    if os.path.isdir(file) or (os.path.lexists(file) and not overwrite):
        remedy = "name a file in it" if os.path.isdir(file) else "choose another name, or add --overwrite"
        raise RunError(f"{file} exists; {remedy}")
    if not file.absolute().parent.is_dir():
        raise RunError(f"{file.absolute().parent} is not a folder; create it, or name a file elsewhere")
    archive = Archive(folder / JOURNAL)
    if archive.start is None:
        raise RunError(f"{folder} holds no evaluations yet; swarm resume {shlex.quote(str(folder))}")
    found = [each for each in archive.scored if each.kind == "evaluation" and each.split == "search"]
    if not found:
        raise RunError(f"{folder} holds no evaluations yet; swarm resume {shlex.quote(str(folder))}")
    try:
        import optuna
        import sqlalchemy
    except ImportError as error:
        raise ConfigError(f"a study is written by Optuna, which cannot be imported ({error}); {INSTALL}") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    trials = _trials(folder, archive.start, found)
    with _writing(file), temporary_folder(file) as work:
        address = sqlalchemy.URL.create("sqlite", database=str(work / "study.db")).render_as_string()
        storage = optuna.storages.RDBStorage(address)
        study = optuna.create_study(storage=storage, study_name=folder.resolve().name, direction="maximize")
        study.add_trials(trials)
        storage.engine.dispose()
        with replaced_file(file) as stream:
            stream.write((work / "study.db").read_bytes())
    return len(trials)


def _trials(folder: Path, start: StartRecord, found: Sequence[EvaluationRecord]) -> list["FrozenTrial"]:
    """The evaluations as trials, over the bounds of the search."""
    import optuna

    weights, bounds = read_weights(folder, tuple(start.items)), read_bounds(folder) or (0.0, 1.0)
    columns = zip(*(each.position for each in found), strict=True)
    ends = [(min([bounds[0], *values]), max([bounds[1], *values])) for values in columns]
    space = {
        name: optuna.distributions.FloatDistribution(low, high)
        for name, (low, high) in zip(start.coordinates, ends, strict=True)
    }
    return [
        optuna.trial.create_trial(
            state=optuna.trial.TrialState[STATES[each.status]],
            value=utility(each.scores, weights) if each.status == "ok" else None,
            params=dict(zip(space, each.position, strict=True)),
            distributions=space,
            user_attrs={"candidate": each.id, **each.scores, **({"error": each.error} if each.error else {})},
        )
        for each in found
    ]


@contextmanager
def _writing(file: Path) -> Iterator[None]:
    """What the disk refuses becomes a RunError."""
    try:
        yield
    except OSError as error:
        raise RunError(f"{file} cannot be written ({error.strerror}); name another file, or free disk space") from None


def shown_command(file: Path) -> str:
    """What shows it."""
    return f"optuna-dashboard {shlex.quote(f'sqlite:///{os.path.abspath(file)}')}"
