"""The expert's folder: weights and settings that transformers or PEFT load, a card, and what it was built from."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from swarm.builders.base import ExpertBuilder
from swarm.builders.models import ADAPTER, load_model, quiet
from swarm.builders.training import Trained
from swarm.core.errors import ExpertError
from swarm.core.files import write_json, write_text
from swarm.core.loading import load_snippet
from swarm.core.markdown import code_block, inline_code, plain_text

ADAPTER_CONFIG, RECORD, CARD, CURATION = "adapter_config.json", "build.json", "README.md", "curation.jsonl"
AVERAGED = 10  # steps at the start and at the end, whose mean loss is shown
# Of the base's folder, beside weights: what a full checkpoint needs to be loaded.
BESIDE_WEIGHTS = (
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "tokenizer.model",
    "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "chat_template.jinja",
)  # fmt: skip


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
    if builder.full:
        _write_checkpoint(trained.checkpoint, base, dtype, dest)
    else:
        _write_adapter(trained.checkpoint, provenance.base, dest)
    losses = Losses.of(trained.losses)
    write_json(dest / RECORD, {**provenance.record, "loss": {"first": losses.first, "last": losses.last}})
    write_text(dest / CARD, _card(builder, provenance, losses))


def _write_adapter(checkpoint: Path, base: str, dest: Path) -> None:
    tensors = load_file(checkpoint / ADAPTER)
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ExpertError(f"{name} is not finite after training; lower learning_rate")
    save_file(dict(sorted(tensors.items())), dest / ADAPTER, {"format": "pt"})
    config = json.loads((checkpoint / ADAPTER_CONFIG).read_text())
    config |= {"base_model_name_or_path": base}
    if isinstance(config["target_modules"], list):  # a set, in an order that differs from process to process
        config["target_modules"] = sorted(config["target_modules"])
    write_text(dest / ADAPTER_CONFIG, json.dumps(config, indent=2, sort_keys=True) + "\n")


def _write_checkpoint(checkpoint: Path, base: Path, dtype: str, dest: Path) -> None:
    """The weights in the base's dtype, under the base's config and tokenizer."""
    with quiet():
        model = load_model(checkpoint, "float32")
        for name, parameter in model.named_parameters():
            if not parameter.isfinite().all():
                raise ExpertError(f"{name} is not finite after training; lower learning_rate")
        model.to(getattr(torch, dtype)).save_pretrained(dest)
    for name in BESIDE_WEIGHTS:
        if (base / name).is_file():
            shutil.copyfile(base / name, dest / name)


def _card(builder: ExpertBuilder, provenance: Provenance, losses: Losses) -> str:
    """README.md in Markdown, with the front matter of the Hugging Face hub."""
    front = ["---", f"library_name: {'transformers' if builder.full else 'peft'}"]
    front += [f"base_model: {json.dumps(provenance.base)}"] if provenance.on_hub else []
    front += [f"tags: [swarm, {builder.type}]", "---", ""]
    snippet = load_snippet("hf" if builder.full else "adapter", "PATH_OF_THIS_FOLDER", provenance.base)
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
