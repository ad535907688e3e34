"""Texts in batches have the logits that they have alone, up to float32's rounding, whatever order they come in."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    XLNetConfig,
    XLNetForSequenceClassification,
)

from support.classifiers import make_classifier
from support.models import CHAT_TEMPLATE, VOCABULARY, make_tokenizer
from swarm.core.examples import Message
from swarm.core.space import Array
from swarm.objectives.classifier_batches import Classifier, Input

TEXTS = (
    "",
    "No.",
    "Short waves scatter more.",
    "no",
    "No.",
    "Why is the sky blue, and grass green?",
    "word " * 30,
    "b",
)
SIZE = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 32, "intermediate_size": 64}
DECODER = {
    "vocab_size": VOCABULARY,
    "n_layer": 2,
    "n_head": 4,
    "num_labels": 1,
    "bos_token_id": 257,
    "eos_token_id": 258,
}


@pytest.fixture(scope="module")
def reward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_classifier(tmp_path_factory.mktemp("models") / "reward", ("a", "b", "c"), template=CHAT_TEMPLATE)


def llama(folder: Path, **config: object) -> Classifier:
    model = AutoModelForSequenceClassification.from_pretrained(folder, use_safetensors=True, dtype=torch.float32).eval()
    for key, value in config.items():
        setattr(model.config, key, value)
    return Classifier(model, AutoTokenizer.from_pretrained(folder), str(folder), "cpu")


def made(kind: Any, config: Any, **tokenizer: Any) -> Classifier:
    torch.manual_seed(0)
    model = kind(config).eval()
    for name, weights in model.named_parameters():
        if name.startswith(("classifier.weight", "score.weight", "logits_proj.weight")):
            weights.data *= 50  # so that logits of two texts are apart
    words = make_tokenizer()
    for key, value in tokenizer.items():
        setattr(words, key, value)
    return Classifier(model, words, "made", "cpu")


def check_equal(classifier: Classifier, texts: tuple[Input, ...], tokens: int) -> list[Array]:
    alone = [classifier.alone(text) for text in texts]
    together = classifier.together(texts, tokens)
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * float(np.abs(np.array(alone)).max()))
    assert np.ptp(np.array(alone), axis=0).max() > 100 * np.abs(np.array(alone) - together).max(), "texts are apart"
    return together


@pytest.mark.parametrize("tokens", [0, 64, 200, 4096])
def test_batches_have_the_logits_of_each_text_alone(reward: Path, tokens: int) -> None:
    check_equal(llama(reward), TEXTS, tokens)


def test_pairs_and_chats_too(reward: Path) -> None:
    pairs = tuple((text, TEXTS[-i - 1]) for i, text in enumerate(TEXTS))
    chats = tuple((Message("user", asked), Message("assistant", said)) for asked, said in pairs)
    check_equal(llama(reward), pairs, 4096)
    check_equal(llama(reward), chats, 4096)
    bert = BertConfig(vocab_size=VOCABULARY, max_position_embeddings=512, pad_token_id=256, num_labels=2, **SIZE)
    kinds = ["input_ids", "token_type_ids", "attention_mask"]
    check_equal(made(BertForSequenceClassification, bert, model_input_names=kinds), pairs, 4096)


def test_the_order_of_texts_and_the_company_of_equal_ones_change_no_bit(reward: Path) -> None:
    classifier, places = llama(reward), list(range(len(TEXTS)))
    found = check_equal(classifier, TEXTS, 100)
    for seed in range(5):
        random.Random(seed).shuffle(places)
        again = classifier.together([*(TEXTS[place] for place in places), TEXTS[0]], 100)
        for place, one in zip([*places, 0], again, strict=True):
            assert np.array_equal(one, found[place])


def test_fewer_passes_are_made(reward: Path) -> None:
    classifier, passes = llama(reward), []
    classifier.together(TEXTS, 4096)
    classifier._model.register_forward_pre_hook(lambda *_: passes.append(1))
    classifier.together(TEXTS, 4096)
    assert len(passes) <= 2


def test_models_that_answer_otherwise_in_a_batch_take_each_text_alone(reward: Path) -> None:
    """XLNet reads the last place, whatever stands there; a decoder without a pad token cannot tell it."""
    for classifier in (
        made(XLNetForSequenceClassification, XLNetConfig(d_model=32, d_inner=64, **DECODER), padding_side="left"),
        made(GPT2ForSequenceClassification, GPT2Config(n_embd=32, **DECODER)),
        llama(reward, pad_token_id=None),
    ):
        assert not classifier._takes_batches
        texts = tuple(filter(None, TEXTS))
        for one, text in zip(classifier.together(texts, 4096), texts, strict=True):
            assert np.array_equal(one, classifier.alone(text))


def test_a_tokenizer_that_pads_on_the_left_is_not_asked_to_pad(reward: Path) -> None:
    gpt2 = GPT2Config(n_embd=32, pad_token_id=256, **DECODER)
    classifier = made(GPT2ForSequenceClassification, gpt2, padding_side="left")
    assert classifier._takes_batches
    check_equal(classifier, tuple(filter(None, TEXTS)), 4096)
