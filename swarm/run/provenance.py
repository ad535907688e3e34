"""The provenance of a run: what it rests on, and that this is the same when the run is resumed."""

import ast
import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote

from swarm import __version__
from swarm.config.schema import Config
from swarm.core.errors import RunError
from swarm.core.examples import Example, Split
from swarm.data.splits import Splits
from swarm.experts.catalog import Catalog
from swarm.journal.archive import Archive
from swarm.journal.records import Item, Source, StartRecord
from swarm.journal.summary import SPLITS
from swarm.objectives.base import Objective
from swarm.run.directory import CONFIG
from swarm.run.plan import Plan

PROMPT_CHARACTERS = 240  # of a prompt in the journal: enough for a report


def start_record(plan: Plan) -> StartRecord:
    """The first line of the journal."""
    objectives = {objective.name: objective for objective in plan.config.objectives}
    grouped = plan.config.several_goals
    return StartRecord(
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        version=__version__,
        seed=plan.config.seed,
        optimizer=plan.config.optimizer.type,
        settings=settings_of(plan.config),
        coordinates=tuple(plan.space.coordinates),
        base=base_source(plan),
        experts=expert_sources(plan),
        items={name: items(splits, objectives[name], grouped) for name, splits in plan.splits.items()},
        notes=tuple(plan.notes),
        code=code_of(plan.config),
    )


def code_of(config: Config) -> dict[str, dict[str, str]]:
    """Objective -> file -> fingerprint, of the user's modules that its scores depend on."""
    modules = Path(config.modules)
    files = {objective.name: objective.files(modules) for objective in config.objectives}
    return {
        name: {os.path.relpath(file, modules): _fingerprint(file) for file in each}
        for name, each in files.items()
        if each
    }


def _fingerprint(file: Path) -> str:
    """A fingerprint of a file's content. Comments and layout of Python do not count."""
    if file.suffix == ".py":
        with suppress(SyntaxError, ValueError):
            return hashlib.sha256(ast.unparse(ast.parse(file.read_bytes())).encode()).hexdigest()[:16]
    with file.open("rb") as stream:  # a model's weights may be larger than memory
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]


def base_source(plan: Plan) -> Source:
    base = plan.catalog.base
    return Source(path=str(base.path), fingerprint=base.tensors.fingerprint)


def expert_sources(plan: Plan) -> dict[str, Source]:
    """Where the experts were read from, and what they were trained on where the config says it."""
    trained_on = {e.name: e.trained_on for e in plan.config.experts if e.trained_on}
    found = {e.name: Source(path=str(e.path), fingerprint=e.fingerprint) for e in plan.catalog.sources}
    return {
        name: source.model_copy(update={"trained_on": tuple(trained_on[name])}) if name in trained_on else source
        for name, source in found.items()
    }


def notes(archive: Archive, plan: Plan) -> list[str]:
    """What the user should know about data and experts, found when the run began and now, without repeats."""
    return list(dict.fromkeys((*_began(archive).notes, *plan.notes)))


def check_same(archive: Archive, plan: Plan) -> None:
    """Raise RunError where anything that scores or positions depend on is not what the run began with."""
    check_weights(archive, plan.catalog)
    check_settings(archive, plan.config)
    if not archive.ended("run"):
        check_code(archive, plan.config)
    began, now = _began(archive), start_record(plan)
    for key, name in (("coordinates", "list of coordinates"), ("seed", "seed"), ("items", "choice of examples")):
        if getattr(began, key) != getattr(now, key):
            raise _changed(archive, name)


def check_open(archive: Archive, overrides: Sequence[str]) -> None:
    """Raise RunError where overrides would change a search or a selection that has ended: it is not continued."""
    folder = archive.journal.path.parent
    for late in overrides:
        if late.startswith("optimizer.") and (ended := archive.ended("search")):
            over = (
                f"the search of {folder} has ended ({ended.reason}), and its finalists were compared on fresh examples"
            )
        elif late.startswith("selection.") and (ended := archive.ended("select")):
            over = f"the selection of {folder} has ended (it chose {ended.reason})"
        else:
            continue
        raise RunError(
            f"--set {late}: {over}; start a new run that knows its scores and pays for new ones alone: swarm search "
            f"{quote(str(folder / CONFIG))} --set {quote(late)} --run-dir NEW --continue-from {quote(str(folder))}"
        )


def check_weights(archive: Archive, catalog: Catalog) -> None:
    """Raise RunError where the base or an expert is not the one that the run began with."""
    began = _began(archive).sources
    now = {"base": (catalog.base.path, catalog.base.tensors.fingerprint)}
    now |= {f"expert {expert.name}": (expert.path, expert.fingerprint) for expert in catalog.sources}
    for owner, (path, fingerprint) in now.items():
        before = began[owner].fingerprint if owner in began else "none"
        if before != fingerprint:
            raise RunError(
                f"{archive.journal.path.parent}: {owner} at {path} changed since the run began "
                f"(fingerprint {before} then, {fingerprint} now); put the old files back"
            )


def check_settings(archive: Archive, config: Config) -> None:
    """Raise RunError where settings that decide scores or positions are not those that the run began with."""
    if _began(archive).settings != settings_of(config):
        raise _changed(archive, "setting of composition, objectives, experts, optimizer, engine, racing or finalists")


def check_code(archive: Archive, config: Config) -> None:
    """Raise RunError where a user's function, or a module that it imports, is not the one that the run began with."""
    now = code_of(config)
    for name, began in _began(archive).code.items():
        files = now.get(name, {})
        for file in (*began, *files):
            if began.get(file) != files.get(file):
                raise RunError(
                    f"{archive.journal.path.parent}: objective {name}: {Path(config.modules, file)} changed since the "
                    f"run began (fingerprint {began.get(file, 'none')} then, {files.get(file, 'none')} now); "
                    "put the old file back or start a new run"
                )


def _began(archive: Archive) -> StartRecord:
    if archive.start is None:
        raise RunError(
            f"{archive.journal.path}: nothing has been scored yet; swarm resume {archive.journal.path.parent}"
        )
    return archive.start


def _changed(archive: Archive, name: str) -> RunError:
    return RunError(
        f"{archive.journal.path.parent / CONFIG}: another {name} than the run began with, or another version of swarm; "
        "undo the change or start a new run"
    )


def settings_of(config: Config) -> str:
    """A fingerprint of all settings that decide scores and positions. Budgets and workers may change."""
    engine = config.engine.decides_scores()
    decisive = {
        "composition": config.composition.decisive(),
        "objectives": [objective.decisive() for objective in config.objectives],
        "experts": [config.decisive(expert) for expert in config.experts],
        "optimizer": config.optimizer.decisive(),
        # A list with gaps, as in the journals of earlier versions, whose runs can be resumed.
        "method": [engine.pop(name, None) for name in ("method", "particles", "adapters")],
        **engine,
        # Races are stopped with regard to the finalists. With the exact bound alone, rungs change no result.
        "finalists": config.finalists if config.racing.rungs else None,
        "racing": config.racing.model_dump(mode="json") if config.racing.sequential else {},
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]


def items(splits: Splits, objective: Objective, grouped: bool) -> dict[Split, tuple[Item, ...]]:
    """The examples as the journal keeps them for reports. Split -> examples in order.

    grouped: whether the groups that the data name are kept, too: rules of choice may ask for them.
    """
    return {split: tuple(_item(example, objective, grouped) for example in splits.of(split)) for split in SPLITS}


def _item(example: Example, objective: Objective, grouped: bool) -> Item:
    """An example with its prompt cut, and with what counts as right where it has no answer."""
    prompt = _prompt_text(example.prompt)[:PROMPT_CHARACTERS]
    answer = example.answer or " or ".join(objective.right(example))
    group = example.group if grouped else ""
    return Item(id=example.id, task=example.task, prompt=prompt, answer=answer, group=group)


def _prompt_text(prompt: object) -> str:
    return prompt if isinstance(prompt, str) else str(prompt[-1].content)  # type: ignore[index]
