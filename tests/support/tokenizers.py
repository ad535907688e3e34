"""Tokenizers of the kinds that published models have, trained on a few lines, and a tiny model for each."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

SPECIAL = ("<pad>", "<bos>", "<eos>", "<unk>")
BOS, EOS = 1, 2
VOCABULARY = 420
# The pattern of Llama 3: punctuation takes the newlines behind it, whitespace before a word stays apart.
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CHAT_TEMPLATE = (
    "<bos>{% for message in messages %}[{{ message['role'] }}]\n{{ message['content'] }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant]\n\n{% endif %}"
)
CORPUS = 4 * [
    "def f(x):\n    return x + 1\n\n\ndef g(x):\n\n        if x > 10:\n            return f(x)\n    return 0\n",
    "Question: Which is the capital of France?\n\nAnswer: Paris\n\nQuestion: What is two and two?\n\nAnswer: four\n",
    "Où est la bibliothèque ? Elle est là-bas, près de l'église.\n首都是巴黎。北京是中国的首都。\nпривет, мир\n",
    "  two   spaces and\ttabs \n\n\n and the end of it all, with a list:\n- one\n- two\n- three\n",
]


def byte_level(regex: str | None = None, **training: int) -> Tokenizer:
    """Byte-level BPE with a pattern of its own, or with GPT-2's."""
    made = Tokenizer(models.BPE())
    if regex is None:
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        split = pre_tokenizers.Split(Regex(regex), "isolated")
        made.pre_tokenizer = pre_tokenizers.Sequence(
            [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
        )
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        special_tokens=list(SPECIAL), initial_alphabet=alphabet, show_progress=False, **{"vocab_size": 400} | training
    )
    made.train_from_iterator(CORPUS, trainer)
    return made


def metaspace() -> Tokenizer:
    """Unigram over text in which spaces are written as words' first character, as sentencepiece does it."""
    made = Tokenizer(models.Unigram())
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    made.decoder = decoders.Metaspace(prepend_scheme="first")
    trainer = trainers.UnigramTrainer(
        vocab_size=200, special_tokens=list(SPECIAL), unk_token="<unk>", show_progress=False
    )
    made.train_from_iterator(CORPUS, trainer)
    return made


def adding(template: str) -> Tokenizer:
    """GPT-2's kind, with special tokens around every text."""
    made = byte_level()
    made.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[("<bos>", BOS), ("<eos>", EOS)]
    )
    return made


KINDS: Mapping[str, Callable[[], Tokenizer]] = {
    "gpt2": byte_level,
    "llama3": lambda: byte_level(LLAMA3),
    "metaspace": metaspace,
    "bytes": lambda: byte_level(vocab_size=0),
    "prepends-bos": lambda: adding("<bos> $A"),
    "appends-eos": lambda: adding("<bos> $A <eos>"),
}


def make_kind(path: Path, tokenizer: Tokenizer) -> Path:
    """A Llama with random weights, untied, whose tokenizer is this one."""
    torch.manual_seed(0)
    LlamaForCausalLM(_llama()).save_pretrained(path)
    return _save(tokenizer, path)


def make_pair_kind(path: Path, tokenizer: Tokenizer) -> Path:
    """A T5 with random weights whose tokenizer is this one."""
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=VOCABULARY,
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=2,
        num_heads=4,
        initializer_factor=3.0,
        pad_token_id=0,
        eos_token_id=EOS,
        decoder_start_token_id=0,
    )
    T5ForConditionalGeneration(config).save_pretrained(path)
    return _save(tokenizer, path)


def _llama() -> LlamaConfig:
    return LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        initializer_range=0.3,
        tie_word_embeddings=False,
        pad_token_id=0,
        bos_token_id=BOS,
        eos_token_id=EOS,
    )


def _save(tokenizer: Tokenizer, path: Path) -> Path:
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>", unk_token="<unk>"
    )
    fast.chat_template = CHAT_TEMPLATE  # writes <bos> itself, as published templates do
    fast.save_pretrained(path)
    return path
