"""A search that continues another run: that run's scores are known to it from the start.

They are copied into the new journal before its directory has a name, so the new run needs the old one no longer. What
is known is never scored again and not counted by budgets. Scores hold for the same base, experts, data and scoring
alone; anything else is refused by name. The bounds of the coefficients may differ: they decide where a search goes, and
not how a position scores.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from swarm.config.load import load_config
from swarm.config.schema import Config
from swarm.core.errors import RunError, UserError
from swarm.journal.archive import Archive
from swarm.journal.records import Continued, EvaluationRecord, KnownRecord, StartRecord
from swarm.run.directory import JOURNAL, config_path
from swarm.run.plan import Plan
from swarm.run.provenance import check_settings, start_record

OPTION = "--continue-from"
BOUNDS = {"low", "high"}  # of a composition


@dataclass(frozen=True)
class Source:
    """The run that is continued, as it is when the new one begins.

    config: its own.
    start: its first line.
    archive: its journal.
    """

    folder: Path
    config: Config
    start: StartRecord
    archive: Archive


def open_source(folder: Path) -> Source:
    """Raise RunError where the folder holds no run with a score that can be continued."""
    try:
        config = load_config(config_path(folder))
        archive = Archive(folder / JOURNAL)
        if archive.start:
            check_settings(archive, config)
    except UserError as error:
        raise RunError(f"{OPTION}: {error}") from None
    if archive.start is None or not _searched(archive):
        raise RunError(
            f"{OPTION}: {folder} holds no score of a search yet; swarm resume {folder}, or search without {OPTION}"
        )
    return Source(folder, config, archive.start, archive)


def first_lines(plan: Plan, source: Source, tell: Callable[[str], None]) -> list[StartRecord | KnownRecord]:
    """The first lines of a journal that continues the source. Raises RunError where its scores do not hold here.

    tell: called with each note on what is continued.
    """
    began = start_record(plan)
    for what, there, here in _differences(source, plan.config, began):
        raise RunError(
            f"{OPTION}: {source.folder}: {what} differs ({there} there, {here} here), so its scores do not hold here; "
            f"take the same, or search without {OPTION}"
        )
    copied = _known(source.archive, re.sub(r"[^\w.-]", "_", source.folder.absolute().name))
    every = [each for each in copied if tuple(each.position) not in plan.space.same_model]  # scored twice by older runs
    known = every if _bounds(source.config) == _bounds(plan.config) else [each for each in every if _within(plan, each)]
    continued = Continued(
        run=str(source.folder.absolute()),
        evaluations=sum(record.was == "evaluation" for record in known),
        tested=any(record.split == "test" for record in source.archive.scored) or _tested_before(source.start),
    )
    notes = [*_notes(plan, continued, source), *_outside_notes(plan, continued, len(every) - len(known))]
    for note in notes:
        tell(note)
    return [began.model_copy(update={"continued": continued, "notes": (*began.notes, *notes)}), *known]


def _tested_before(start: StartRecord) -> bool:
    return start.continued is not None and start.continued.tested


def _searched(archive: Archive) -> bool:
    return bool(archive.prior_results()) or any(evaluation.status == "ok" for evaluation in archive.searched())


def _known(archive: Archive, name: str) -> Iterator[KnownRecord]:
    """Every score in full of a journal, once for each position and split; what that run continued comes first.

    A candidate's id begins with its run's name; where two runs of a chain have one name, with that name twice.
    """
    taken: set[str] = set()
    seen: set[tuple[str, tuple[float, ...]]] = set()
    for record in archive.records:
        if not isinstance(record, (EvaluationRecord, KnownRecord)) or record.status != "ok":
            continue
        if (place := (record.split, record.position)) in seen:
            continue
        seen.add(place)
        own = isinstance(record, EvaluationRecord)
        candidate = f"{name}/{record.id}" if own else record.id
        while own and candidate in taken:
            candidate = f"{name}/{candidate}"
        if not own:
            taken.add(candidate)
        yield KnownRecord.of(record, candidate)


def _notes(plan: Plan, continued: Continued, source: Source) -> Iterator[str]:
    yield f"this search continues {continued.run}: {continued.evaluations} evaluations are known, and not scored again"
    lost = sum(evaluation.status != "ok" for evaluation in source.archive.searched())
    if lost:
        yield f"{lost} evaluations of {continued.run} failed or were stopped: such a candidate is scored if it comes up"
    if not plan.config.optimizer.remembers:
        yield (
            f"optimizer {plan.config.optimizer.type} starts afresh: what {continued.run} found saves evaluations and "
            "may win, but does not lead the search (it would lead guided_pso, bayesian and pso)"
        )


def _outside_notes(plan: Plan, continued: Continued, lost: int) -> Iterator[str]:
    if lost:
        low, high = plan.space.low_D.min(), plan.space.high_D.max()
        yield f"{lost} scores of {continued.run} are left out: they lie outside the bounds here, {low:g} to {high:g}"


def _bounds(config: Config) -> dict[str, object]:
    return config.composition.model_dump(include=BOUNDS)


def _within(plan: Plan, known: KnownRecord) -> bool:
    bounds = zip(plan.space.low_D, known.position, plan.space.high_D, strict=True)
    return all(low <= x <= high for low, x, high in bounds)


def _differences(source: Source, config: Config, began: StartRecord) -> Iterator[tuple[str, object, object]]:
    """What scores depend on and differs: its name, and its value there and here."""
    there, here = source.start.sources, began.sources
    for owner in dict.fromkeys((*there, *here)):
        if owner not in there or owner not in here:
            yield owner, "present" if owner in there else "absent", "present" if owner in here else "absent"
        elif there[owner].fingerprint != here[owner].fingerprint:
            yield f"fingerprint of {owner}", there[owner].fingerprint, here[owner].fingerprint
    if source.start.coordinates != began.coordinates:
        yield "the list of coordinates", ", ".join(source.start.coordinates), ", ".join(began.coordinates)
    yield from _differing(_scoring(source.config), _scoring(config))
    yield from _differing(source.start.code, began.code, "code of objective ")
    for name, items in began.items.items():
        for split, examples in items.items():
            before = source.start.items[name].get(split, ())
            if before != examples:
                yield f"the {split} split of {name}", f"{len(before)} examples", _examples(len(examples), len(before))


def _examples(here: int, there: int) -> str:
    return f"{here} others: seed, splits and data decide them" if here == there else f"{here} examples"


def _differing(
    there: Mapping[str, object], here: Mapping[str, object], owner: str = ""
) -> Iterator[tuple[str, object, object]]:
    """The innermost keys at which two trees of settings differ."""
    for key in dict.fromkeys((*there, *here)):
        one, other = there.get(key), here.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _differing(one, other, f"{owner}{key}." if not owner.endswith(" ") else f"{owner}{key}: ")
        elif one != other:
            yield f"{owner}{key}", "none" if one is None else one, "none" if other is None else other


def _scoring(config: Config) -> dict[str, object]:
    """The settings that decide what a position means and how it scores: not weights, optimizers or budgets."""
    return {
        "composition": config.composition.model_dump(mode="json", exclude=BOUNDS),
        "experts": {e.name: config.decisive(e) for e in config.experts},
        "objectives": {o.name: {k: v for k, v in o.decisive().items() if k != "weight"} for o in config.objectives},
        "engine": config.engine.decides_scores(),
    }
