"""The expert's folder: weights and settings of the part that was trained, a card, and what it was built from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from swarm.builders.base import ExpertBuilder
from swarm.builders.parts import part_of
from swarm.builders.trained_part import BaseFolder, TrainedPart
from swarm.builders.training import Trained
from swarm.core.files import write_json, write_text
from swarm.core.markdown import code_block, inline_code, plain_text

RECORD, CARD, CURATION = "build.json", "README.md", "curation.jsonl"
AVERAGED = 10  # steps at the start and at the end, whose mean loss is shown


@dataclass(frozen=True)
class Provenance:
    """What an expert was built from, for its card.

    base: the hub id or the folder.
    on_hub: whether base is a hub id.
    data: the file of examples.
    data_hash: the SHA-256 of the file.
    examples: that were trained on.
    chosen_of: among how many these were chosen, of which CURATION has an account; None: not chosen.
    steps, seed: of the training.
    record: what build.json holds: all on which the weights depend, and the versions of libraries.
    """

    base: str
    on_hub: bool
    data: str
    data_hash: str
    examples: int
    chosen_of: int | None
    steps: int
    seed: int
    record: Mapping[str, object]


@dataclass(frozen=True)
class Losses:
    """Mean losses of the first and the last steps."""

    first: float
    last: float

    @classmethod
    def of(cls, losses: Sequence[float]) -> "Losses":
        count = min(AVERAGED, max(1, len(losses) // 2))
        return cls(sum(losses[:count]) / count, sum(losses[-count:]) / count)


def write_expert(
    trained: Trained, builder: ExpertBuilder, provenance: Provenance, base: Path, dtype: str, dest: Path
) -> None:
    """Write the expert into the empty folder `dest`. Raises ExpertError where a trained weight is not finite."""
    part = part_of(builder)
    origin = BaseFolder(provenance.base, base, dtype, str(provenance.record["base"]))
    part.write(trained.checkpoint, origin, dest)
    losses = Losses.of(trained.losses)
    write_json(dest / RECORD, {**provenance.record, "loss": {"first": losses.first, "last": losses.last}})
    write_text(dest / CARD, _card(builder, part, provenance, losses))


def _card(builder: ExpertBuilder, part: TrainedPart, provenance: Provenance, losses: Losses) -> str:
    """README.md in Markdown, with the front matter of the Hugging Face hub."""
    front = ["---", f"library_name: {part.library}"]
    front += [f"base_model: {json.dumps(provenance.base)}"] if provenance.on_hub else []
    front += [f"tags: [swarm, {builder.type}]", "---", ""]
    snippet = part.snippet("PATH_OF_THIS_FOLDER", provenance.base)
    shown = builder.model_dump(exclude={"name", "type", "data", "held_out", "curate", "seed", "steps", "save_steps"})
    of = "" if provenance.chosen_of is None else f" of {provenance.chosen_of:,}, chosen as `{CURATION}` tells"
    data = f"{inline_code(provenance.data)}, {provenance.examples:,} examples{of}"
    facts = {
        "base": inline_code(provenance.base),
        "data": f"{data}, SHA-256 `{provenance.data_hash}`",
        "method": plain_text(builder.method),
        "steps": f"{provenance.steps:,} of {builder.batch_size * builder.gradient_accumulation_steps} examples",
        "learning rate": f"{builder.rate:g} at its peak, after a short warm-up and before a linear decay to 0",
        "seed": str(provenance.seed),
        "loss": f"{losses.first:.4f} in the first steps, {losses.last:.4f} in the last",
        "settings": inline_code(json.dumps(shown)),
    }
    lines = [f"# {plain_text(builder.name)}", "", "An expert that `swarm build` made from data.", ""]
    lines += ["| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in facts.items()), ""]
    lines += ["The loss is that of the training examples. It says nothing of how good the expert is.", ""]
    return "\n".join([*front, *lines, code_block(snippet.code, snippet.language), ""])
