"""Builds `tiny`: tokenizer, base, experts, data."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from swarm.zoo.base import BuildPaths, Progress, Schedule, subprogress
from swarm.zoo.examples import write_examples
from swarm.zoo.string_tasks import Corpus, ExpertMixture, evaluation_examples, prompts
from swarm.zoo.tiny import TinyRecipe
from swarm.zoo.training import Draw, train, train_expert

SPECIAL = ("<pad>", "<bos>", "<eos>")
BASE_SHARE = 0.45  # of the build time


class ByteLlama(Protocol):
    """The size of a base and how it is trained."""

    @property
    def layers(self) -> int: ...

    @property
    def width(self) -> int: ...

    @property
    def heads(self) -> int: ...

    @property
    def base(self) -> Schedule: ...


def make(recipe: TinyRecipe, paths: BuildPaths, progress: Progress) -> None:
    """Build the zoo in `paths.work`."""
    with one_thread():
        _make(recipe, paths, progress)


@contextmanager
def one_thread() -> Iterator[None]:
    """Matrices this small are not faster on two threads, and far slower where the cores are busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _make(recipe: TinyRecipe, paths: BuildPaths, progress: Progress) -> None:
    examples = evaluation_examples(recipe.evaluation_seed, recipe.examples_per_task, recipe.lengths)
    write_examples(paths.work / "data" / "examples.jsonl", examples)
    corpus = Corpus(recipe.trust, recipe.lengths, prompts(examples))
    tokenizer = make_tokenizer()
    make_base(recipe, paths, tokenizer, corpus.draw, subprogress(progress, 0.0, BASE_SHARE))
    low, steps = BASE_SHARE, sum(expert.schedule.steps for expert in recipe.experts)
    for expert in recipe.experts:
        high = low + (1 - BASE_SHARE) * expert.schedule.steps / steps
        draw = ExpertMixture(corpus, expert.task, expert.lesson, expert.share).draw
        train_expert(expert, paths, tokenizer, draw, subprogress(progress, low, high))
        low = high


def make_base(
    recipe: ByteLlama, paths: BuildPaths, tokenizer: PreTrainedTokenizerBase, draw: Draw, progress: Progress
) -> None:
    """Train the base and save it with its tokenizer."""
    model = new_model(recipe, tokenizer)
    train(model, tokenizer, draw, recipe.base, progress, "base")
    save_model(model, tokenizer, paths.work / "base")


def new_model(recipe: ByteLlama, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """A Llama of this size with random weights."""
    torch.manual_seed(recipe.base.seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=recipe.width,
            intermediate_size=4 * recipe.width,
            num_hidden_layers=recipe.layers,
            num_attention_heads=recipe.heads,
            num_key_value_heads=recipe.heads,
            max_position_embeddings=256,
            initializer_range=0.1,  # the usual 0.02 is for wider models; with it, 150 steps teach nothing
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


def save_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """A model in a folder with its tokenizer."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def make_tokenizer() -> PreTrainedTokenizerFast:
    """One token per byte, and the special tokens; a text starts with <bos>."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={byte: i for i, byte in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL))
    bos = tokenizer.token_to_id("<bos>")
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", bos)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
