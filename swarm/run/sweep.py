"""A sweep: every objective scored over a range of an expert's coefficient, in a directory of its own.

The directory is that of a run, with the file `sweep.yaml`: config, journal and export of single candidates are the
same. A sweep is resumed as a run is: what is in the journal is not scored again.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import yaml
from pydantic import ValidationError

from swarm.config.load import dump_config, load_config
from swarm.config.references import find
from swarm.config.schema import Config
from swarm.core.candidates import Candidate, PruningBounds, Task
from swarm.core.errors import RunError
from swarm.core.files import write_text
from swarm.core.outcomes import Failure, closed
from swarm.evaluation.bundle_sizes import BundleSizes
from swarm.experts.cosines import cosines
from swarm.journal.archive import Archive
from swarm.journal.file import text_of
from swarm.journal.records import EndRecord, Kind
from swarm.report.sweep_page import write_sweep
from swarm.run.directory import CONFIG, JOURNAL, SWEEP, check_creatable, check_free, config_path, known_run, new_run
from swarm.run.listener import Listener, tell_steps
from swarm.run.plan import Plan, make_plan, ranges_of
from swarm.run.provenance import check_same, start_record
from swarm.run.requirements import check_machine, check_memory
from swarm.run.sweep_settings import SweepSettings, check_size, sweep_candidates, swept_experts, swept_names
from swarm.run.workers import open_pool
from swarm.statistics.sweeps import Row, Sweep, swept

Candidates = Mapping[Candidate, Mapping[str, float]]  # with the coefficient of each expert
KINDS: Mapping[str, Kind] = {"search": "evaluation", "select": "select", "test": "test"}


def start_sweep(config: Config, settings: SweepSettings, folder: Path, listener: Listener) -> Sweep:
    """Sweep a resolved config in a new directory. Raises UserError."""
    check_free(folder)
    check_creatable(folder)
    check_machine(config)
    plan = make_plan(config, listener.phase)
    check_size(settings, len(swept_experts(settings, swept_names(plan.space))))
    check_memory(plan)
    start = start_record(plan).model_copy(update={"optimizer": "sweep"})
    files = {
        JOURNAL: text_of([start]),
        CONFIG: dump_config(config),
        SWEEP: yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False),
    }
    with new_run(folder, files) as archive:
        return _carry_on(plan, settings, folder, archive, listener)


def on_another_base(config: Config, settings: SweepSettings, base: str) -> tuple[Config, SweepSettings]:
    """Config and settings for experts that act on another base than their own. Raises ConfigError, ExpertError."""
    place = str(find(base, Path.cwd(), "--base"))
    experts = [expert.model_copy(update={"any_base": True}) for expert in config.experts]
    moved = config.model_copy(update={"base": place, "experts": experts})
    return moved, settings.model_copy(update={"original_base": config.base})


def resume_sweep(folder: Path, listener: Listener, overrides: Sequence[str] = ()) -> Sweep:
    """Continue a stopped sweep, to the same result; of a finished one, write its files again. Raises UserError.

    overrides: of workers, as for a run.
    """
    config, settings = load_config(config_path(folder), overrides), read_settings(folder)
    with known_run(folder) as archive:
        check_machine(config)
        plan = make_plan(config, listener.phase, resumed=True)
        check_same(archive, plan)
        if overrides:
            write_text(folder / CONFIG, dump_config(config))
        return _carry_on(plan, settings, folder, archive, listener)


def check_swept(folder: Path) -> None:
    """Raise RunError where a sweep is not finished."""
    if Archive(folder / JOURNAL).ended("search") is None:
        raise RunError(f"{folder}: the sweep has not ended; swarm resume {folder} finishes it")


def read_settings(folder: Path) -> SweepSettings:
    """The settings of a sweep's directory. Raises RunError."""
    try:
        return SweepSettings.model_validate(yaml.safe_load((folder / SWEEP).read_text(encoding="utf-8")))
    except (OSError, ValueError, yaml.YAMLError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise RunError(f"{folder / SWEEP} is damaged ({reason}); restore it, or sweep again in a new folder") from None


def _carry_on(plan: Plan, settings: SweepSettings, folder: Path, archive: Archive, listener: Listener) -> Sweep:
    for note in () if archive.scored else (*plan.notes, *plan.remarks):
        listener.note(note)
    candidates = sweep_candidates(settings, plan.space)
    _score(plan, settings, candidates, archive, listener)
    if archive.ended("search") is None:
        archive.append(EndRecord(phase="search", reason="sweep"))
    listener.phase("writing the result")
    found = _result(plan, settings, candidates, archive, listener)
    write_sweep(folder, found)
    return found


def _score(plan: Plan, settings: SweepSettings, candidates: Candidates, archive: Archive, listener: Listener) -> None:
    """Score what the journal does not hold."""
    split = settings.split
    unknown = [each for each in candidates if archive.at(each.position, split) is None]
    if not unknown:
        return
    listener.phase("starting workers")
    pool = open_pool(plan, listener.note)
    try:
        for note in pool.notes:
            listener.note(note)
        pool.load(split, plan.workloads[split])
        listener.phase("sweeping")
        done = len(candidates) - len(unknown)
        tell_steps(listener, done, len(candidates))
        together = _together(plan, settings)
        with closed(pool.run(deque(Task(each, together=together, split=split) for each in unknown))) as outcomes:
            for outcome in outcomes:
                if isinstance(outcome, Failure):
                    archive.append_failure(outcome)
                    continue
                archive.append_evaluation(KINDS[split], outcome, split, margins=True)
                done += 1
                tell_steps(listener, done, len(candidates))
    finally:
        pool.close()


def _together(plan: Plan, settings: SweepSettings) -> int:
    """How many candidates the engine scores fastest in one batch."""
    engine, catalog = plan.config.engine, plan.catalog
    sizes = BundleSizes(plan.spec, plan.workloads[settings.split], lambda requests: engine.together(catalog, requests))
    return sizes(PruningBounds())


def _result(plan: Plan, settings: SweepSettings, candidates: Candidates, archive: Archive, listener: Listener) -> Sweep:
    names, split = swept_names(plan.space), settings.split
    found = {each: archive.at(each.position, split) for each in candidates}
    failed = [evaluation for evaluation in found.values() if evaluation is None or evaluation.status != "ok"]
    if len(failed) == len(found):
        error = failed[0].error if failed[0] else "nothing was scored"
        raise RunError(f"{archive.journal.path}: every candidate failed: {error}; correct that and sweep again")
    if failed:
        listener.note(f"{len(failed)} of {len(found)} candidates failed; the curves leave them out")
    rows = [
        Row(each.id, candidates[each], evaluation.examples, evaluation.margins, ranges_of(plan.config))
        for each, evaluation in found.items()
        if evaluation is not None and evaluation.status == "ok"
    ]
    experts = [name for name in swept_experts(settings, names) if _is_known(rows, name)]
    angles, norms = cosines(plan.catalog)
    facts = {
        "base": plan.config.base,
        "original_base": settings.original_base or None,
        "split": split,
        "examples": plan.workloads[split].sizes,
        "experts": experts,
        "grid": settings.grid,
        "groups": _groups(plan, settings),
        "candidates": len(candidates),
        "failed": len(failed),
        "tokens": sum(record.tokens for record in archive.scored),
        "seconds": round(archive.elapsed, 1),
    }
    return replace(swept(rows, experts, _pairs(plan, settings)), cosines=angles, norms=norms, facts=facts)


def _is_known(rows: Sequence[Row], expert: str) -> bool:
    """Whether there is a curve of this expert alone."""
    return any(all(c == 0 for name, c in row.coefficients.items() if name != expert) for row in rows)


def _groups(plan: Plan, settings: SweepSettings) -> list[list[str]]:
    """The names of the objectives, those of the same examples together."""
    groups: dict[object, list[str]] = {}
    for name, own in plan.examples(settings.split).items():
        groups.setdefault(tuple((e.id, e.prompt) for e in own), []).append(name)
    return list(groups.values())


def _pairs(plan: Plan, settings: SweepSettings) -> list[tuple[str, str]]:
    """Objectives of the same examples, whose curves may cross: those whose scores are shares."""
    shares = {each.name for each in plan.config.objectives if each.range == (0.0, 1.0)}
    groups = [[name for name in group if name in shares] for group in _groups(plan, settings)]
    return [pair for group in groups for pair in combinations(group, 2)]
