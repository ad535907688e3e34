"""decisions.jsonl: every choice from a run's front, with all that it takes to make it again.

One JSON object per line, appended under the run's lock and forced to disk. A last line that a crash has cut off is left
out by readers and removed by the next writer; any other damage is an error.
"""

import errno
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from swarm import __version__
from swarm.core.errors import ConfigError, RunError, first_line
from swarm.core.interrupts import uninterrupted
from swarm.journal.records import first_problem
from swarm.journal.strict_json import read_json
from swarm.preferences import RULES
from swarm.preferences.context_map import Blend
from swarm.run.choice import Chosen, Compare, Criterion, FinishedFront
from swarm.run.plural_choice import clusters_of

FILE = "decisions.jsonl"
Action = Literal["search", "export", "report", "dial", "plural"]


class DecisionPart(BaseModel):
    """What newer versions add is ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Written(DecisionPart):
    """What was written. form: hf, adapter, mergekit or recipe. path: the folder, absolute."""

    form: str
    path: str


class DecidedOn(DecisionPart):
    """The run. settings: the fingerprint of its settings in the journal. scores: that of what choices rest on."""

    name: str
    settings: str
    scores: str


class Decision(DecisionPart):
    """One choice.

    time: UTC, ISO 8601. action: what it was made for; "search" is the choice at the end of the search itself.
    candidate: who was chosen; for a point between members, their shares in words.
    rule: with all settings; {} where a preference or clusters chose. compare: mean scores or their lower bounds.
    groups: the groups that were heard; empty: all. inputs: what was compared, in words and numbers.
    objectives, reference, weights, floors: as they stood; floors as the config writes them.
    preference: objective -> weight, summing to 1, of a dial. member_only: whether only existing members were allowed.
    coefficients: of a dial, by coordinate.
    cluster: the groups that this candidate serves, of a plural delivery. most: clusters that were allowed; 0: any.
    run: whose front it was. version: of Swarm. by: who decided, as given.
    exported: what was written; None for nothing.
    """

    time: str
    action: Action
    candidate: str
    rule: Mapping[str, object] = {}
    compare: Compare = "means"
    groups: tuple[str, ...] = ()
    inputs: str = ""
    objectives: tuple[str, ...]
    reference: Mapping[str, float]
    weights: Mapping[str, float]
    floors: Mapping[str, str] = {}
    preference: Mapping[str, float] = {}
    member_only: bool = False
    coefficients: Mapping[str, float] = {}
    cluster: tuple[str, ...] = ()
    most: int = 0
    run: DecidedOn
    version: str
    by: str = ""
    exported: Written | None = None


def decision(
    found: FinishedFront, action: Action, candidate: str, by: str = "", exported: Written | None = None
) -> Decision:
    """What every choice from this front records; the rest is added with `model_copy`."""
    front, start = found.front, found.archive.start
    return Decision(
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        action=action,
        candidate=candidate,
        objectives=front.objectives,
        reference=dict(zip(front.objectives, map(float, front.reference_K), strict=True)),
        weights={name: front.goals.weights[name] for name in front.objectives},
        floors={name: str(floor) for name, floor in front.goals.floors.items()},
        run=DecidedOn(
            name=found.folder.absolute().name, settings=start.settings if start else "", scores=found.fingerprint
        ),
        version=__version__,
        by=by,
        exported=exported,
    )


def decision_by_rule(
    found: FinishedFront, action: Action, chosen: Chosen, by: str = "", exported: Written | None = None
) -> Decision:
    """A choice by a rule."""
    criterion = chosen.criterion
    known = {
        "rule": criterion.rule.model_dump(mode="json", exclude_none=True),
        "compare": chosen.compare,
        "groups": criterion.groups,
        "inputs": chosen.inputs,
    }
    return decision(found, action, chosen.candidate.id, by, exported).model_copy(update=known)


def repeated(record: Decision, found: FinishedFront) -> str:
    """Whom the same choice takes today: equal to `record.candidate` unless the run's scores changed.

    Raises ConfigError where it cannot be made any more.
    """
    if record.action == "plural":
        served = {cluster.groups: cluster.candidate for cluster in clusters_of(found, record.most).clusters}
        return served.get(record.cluster, "nobody: the groups are clustered otherwise")
    if record.preference:
        return candidate_of(found.context_map().at(record.preference), record.member_only)
    kind = str(record.rule.get("type"))
    if kind not in RULES:
        raise ConfigError(f"rule: {kind!r} is unknown to this version of Swarm; it was chosen with {record.version}")
    try:
        rule = RULES[kind].model_validate(record.rule)
    except ValidationError as error:
        raise ConfigError(f"rule: {kind}: {first_problem(error)}; it was chosen with Swarm {record.version}") from None
    return found.chosen(Criterion(rule, record.compare, record.groups)).candidate.id


def candidate_of(blend: Blend, member_only: bool = False) -> str:
    """The member at a point of the front; between members, their shares in words. member_only: the nearest member."""
    nearest_first = sorted(blend.shares.items(), key=lambda item: -item[1])
    if member_only or len(nearest_first) == 1:
        return nearest_first[0][0]
    return " + ".join(f"{share:.6f} of {name}" for name, share in nearest_first)


def read_decisions(folder: Path) -> list[Decision]:
    """In the order in which they were made. Raises RunError where a line is damaged."""
    path = folder / FILE
    try:
        lines = path.read_bytes().split(b"\n")[:-1]  # what stands behind the last end of a line was cut off
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror}); restore it from a copy") from None
    return [_read(path, number, line) for number, line in enumerate(lines, 1)]


def append_decisions(folder: Path, records: Sequence[Decision]) -> None:
    """Append lines, all or none. The run's lock is held. Raises RunError where the file cannot be written."""
    path = folder / FILE
    text = b"".join(_line(record) for record in records)
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            with uninterrupted():
                _append(handle, text)
        finally:
            os.close(handle)
    except OSError as error:
        remedy = "make it writable" if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) else "free disk space"
        raise RunError(f"{path} cannot be written ({error.strerror}), and choices are kept there; {remedy}") from error


def _line(record: Decision) -> bytes:
    content = record.model_dump(mode="json", exclude_defaults=True) | {"compare": record.compare}
    return json.dumps(content, ensure_ascii=True, allow_nan=False).encode() + b"\n"


def _append(handle: int, text: bytes) -> None:
    """Behind the last whole line; where it fails, what was there stays."""
    whole = _whole_bytes(handle)
    os.ftruncate(handle, whole)
    try:
        written = 0
        while written < len(text):
            written += os.write(handle, text[written:])
        os.fsync(handle)
    except OSError:
        with suppress(OSError):
            os.ftruncate(handle, whole)
        raise


def _whole_bytes(handle: int) -> int:
    """The bytes up to the end of the last line that has one."""
    content = os.pread(handle, os.fstat(handle).st_size, 0)
    return content.rfind(b"\n") + 1


def _read(path: Path, number: int, line: bytes) -> Decision:
    try:
        return Decision.model_validate(read_json(line))
    except ValueError as error:
        reason = first_problem(error) if isinstance(error, ValidationError) else first_line(error)
        raise RunError(f"{path}:{number}: this is no decision ({reason}); restore the file from a copy") from None
