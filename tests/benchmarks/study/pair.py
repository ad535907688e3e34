"""What proxy-tuning on SmolLM2 needs: a small pair, SmolLM2 tuned directly, questions and facts, in one folder.

A step whose result is in the folder is not done again; all of them take about ten minutes of one core.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
from loading import load_model, load_tokenizer
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from study.healing import FROZEN, Report, heal, learn, texts, trainable
from study.world import World, world
from swarm.core.examples import Example
from swarm.zoo.base import Schedule
from swarm.zoo.examples import write_examples, write_json_lines
from swarm.zoo.training import TrainingBatch, answer_loss, encode

TEXTS, PASSES = 1152, 2
SMALL = Schedule(steps=14, batch=24, rate=5e-4, seed=1)
LARGE = Schedule(steps=14, batch=24, rate=2e-4, seed=1)
TUNED_LAYERS = 10  # the last ones of SmolLM2

Load = Callable[[], PreTrainedModel]


def make(folder: Path, base: Path, say: Report) -> None:
    """`small`, `small-tuned`, `large-tuned`, `data/questions.jsonl`, `data/facts.jsonl`."""
    rng = random.Random(0)
    known = world(rng)
    write_data(folder / "data", known)
    tokenizer = load_tokenizer(base, padding_side="left")
    load = partial(load_model, base, torch.bfloat16)
    written = folder / "texts.json"
    if not written.exists():
        written.write_text(json.dumps(texts(load().eval(), tokenizer, known.taught, TEXTS, rng)))
    _kept(folder / "small", tokenizer, lambda: heal(load, json.loads(written.read_text()), PASSES, say))
    small = partial(load_model, folder / "small", torch.bfloat16)
    _kept(folder / "small-tuned", tokenizer, lambda: tuned(small(), FROZEN, tokenizer, known.taught, SMALL, say))
    _kept(folder / "large-tuned", tokenizer, lambda: tuned(load(), -TUNED_LAYERS, tokenizer, known.taught, LARGE, say))


def write_data(folder: Path, known: World) -> None:
    """Questions that no model is trained on, and facts with choices."""
    write_examples(folder / "questions.jsonl", known.asked)
    facts = ({"id": e.id, "prompt": e.prompt, "choices": e.choices, "answer": e.answer} for e in known.facts)
    write_json_lines(folder / "facts.jsonl", facts)


def tuned(
    model: PreTrainedModel,
    first: int,
    tokenizer: PreTrainedTokenizerBase,
    taught: Sequence[Example],
    schedule: Schedule,
    say: Report,
) -> PreTrainedModel:
    """The layers from `first` on, and the last norm, learn the answers to these questions; in bfloat16."""
    trained = trainable(model, model.model.layers[first:])
    learn(trained, _losses(model, tokenizer, taught, schedule), schedule.steps, schedule.rate, say)
    return model.bfloat16()


def _losses(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, taught: Sequence[Example], schedule: Schedule
) -> Iterator[Callable[[], Tensor]]:
    rng = random.Random(schedule.seed)
    for _ in range(schedule.steps):
        yield partial(_loss, model, encode(tokenizer, rng.sample(taught, schedule.batch)))


def _loss(model: PreTrainedModel, batch: TrainingBatch) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return answer_loss(model, batch)


def _kept(folder: Path, tokenizer: PreTrainedTokenizerBase, made: Load) -> None:
    if not (folder / "config.json").exists():
        made().save_pretrained(folder)
        tokenizer.save_pretrained(folder)
