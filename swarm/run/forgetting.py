"""The forgetting matrix: how well each expert answers each expert's held-out examples, and what is lost in sequence.

A score is the mean log-likelihood of an answer's token, in nats, where the answer is given (teacher-forced). The rows
are the base, every expert by itself, and one set of weights that is trained on the experts' data one after another.
"""

import csv
import io
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from swarm.core.files import write_json, write_text
from swarm.run.build_plan import BuildPlan
from swarm.run.build_training import BuildListener, Stage, train_stage

JSON_FILE, CSV_FILE = "forgetting.json", "forgetting.csv"
UNIT = "mean log-likelihood of a token, in nats"
Scores = Mapping[str, float]  # expert whose held-out examples are answered -> score


@dataclass(frozen=True)
class Forgetting:
    """The matrix.

    base: the scores of the base.
    experts: expert -> its scores.
    sequence: after training on each expert's data in turn, its name and the scores then.
    examples, tokens: of the held-out answers.
    """

    base: Scores
    experts: Mapping[str, Scores]
    sequence: Sequence[tuple[str, Scores]]
    examples: Mapping[str, int]
    tokens: Mapping[str, int]

    @property
    def lost(self) -> dict[str, float]:
        """Of each expert's data what training on the next ones' took away: the score right after it, less the last."""
        last = self.sequence[-1][1]
        return {name: scores[name] - last[name] for name, scores in self.sequence[:-1]}

    def rows(self) -> Iterator[tuple[str, Scores]]:
        yield "base", self.base
        yield from self.experts.items()
        for count, (name, scores) in enumerate(self.sequence, 1):
            yield (f"in sequence, 1: {name}" if count == 1 else f"in sequence, {count}: then {name}"), scores

    def content(self) -> dict[str, object]:
        sequence = [{"after": name, "scores": scores} for name, scores in self.sequence]
        return {
            "unit": UNIT,
            "base": self.base,
            "experts": self.experts,
            "sequence": sequence,
            "lost": self.lost,
            "examples": self.examples,
            "tokens": self.tokens,
        }

    @classmethod
    def of_content(cls, content: Mapping[str, object]) -> "Forgetting":
        sequence = [(each["after"], each["scores"]) for each in content["sequence"]]  # type: ignore[attr-defined]
        return cls(content["base"], content["experts"], sequence, content["examples"], content["tokens"])  # type: ignore[arg-type]


def known_matrix(plan: BuildPlan) -> Forgetting | None:
    """The matrix of an earlier build of the same experts."""
    try:
        content = json.loads((plan.out / JSON_FILE).read_text())
        same = content.pop("records") == _records(plan)
        return Forgetting.of_content(content) if same else None
    except (OSError, ValueError, LookupError, AttributeError):
        return None


def forgetting_matrix(plan: BuildPlan, work: Path, listener: BuildListener) -> Forgetting:
    """Train in sequence, score everything, and write the matrix beside the experts. Raises UserError."""
    stages = _stages(plan)
    folders = [plan.out / plan.experts[0].builder.name]  # the first of the sequence is the first expert itself
    for count, stage in enumerate(stages, 2):
        text = f"training in sequence, {count} of {len(plan.experts)}: {plan.experts[stage.i].builder.name}"
        started = Stage(stage.name, stage.i, folders[-1], stage.record)
        folders.append(train_stage(plan, started, work, listener, text).checkpoint)
    found = _scored(plan, folders, listener)
    write_json(plan.out / JSON_FILE, {**found.content(), "records": _records(plan)})
    write_text(plan.out / CSV_FILE, _csv(found))
    for stage in stages:
        shutil.rmtree(work / stage.name, ignore_errors=True)
    return found


def _stages(plan: BuildPlan) -> list[Stage]:
    """The trainings after the first, which have no start yet."""
    records = _records(plan)
    return [Stage(f".sequence-{i + 1}", i, None, {"sequence": records[: i + 1]}) for i in range(1, len(plan.experts))]


def _scored(plan: BuildPlan, sequence: Sequence[Path], listener: BuildListener) -> Forgetting:
    from swarm.builders.scoring import opened_model, token_score

    names = [expert.builder.name for expert in plan.experts]
    places: list[Path | None] = [None, *(plan.out / name for name in names), *sequence]
    counts: dict[str, tuple[int, int]] = {}
    listener.phase("scoring held-out examples")
    listener.steps(0, len(places))
    scores: list[dict[str, float]] = []
    for done, place in enumerate(places, 1):
        model, own = opened_model(plan.base.path, place, plan.dtype), {}
        for expert in plan.experts:
            found = token_score(model, expert.rows.held_out, expert.builder.batch_size)
            own[expert.builder.name] = found.mean
            counts[expert.builder.name] = found.examples, found.tokens
        scores.append(own)
        listener.steps(done, len(places))
    return Forgetting(
        base=scores[0],
        experts=dict(zip(names, scores[1 : len(names) + 1], strict=True)),
        sequence=list(zip(names, scores[len(names) + 1 :], strict=True)),
        examples={name: examples for name, (examples, _) in counts.items()},
        tokens={name: tokens for name, (_, tokens) in counts.items()},
    )


def _csv(found: Forgetting) -> str:
    """One line per row of the matrix."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["weights", *found.base])
    writer.writerows([name, *(f"{score:.6f}" for score in scores.values())] for name, scores in found.rows())
    return text.getvalue()


def _records(plan: BuildPlan) -> list[object]:
    return json.loads(json.dumps([expert.record for expert in plan.experts]))  # type: ignore[no-any-return]
