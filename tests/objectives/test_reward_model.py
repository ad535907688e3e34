"""A reward model scores what is written: with the classifier's own logits, its labels, and safetensors alone."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from support.classifiers import make_classifier
from support.models import CHAT_TEMPLATE, make_base
from swarm.config.references import paths_of
from swarm.core.errors import ConfigError, DataError, EvaluationError, ExpertError
from swarm.core.examples import Example, Message
from swarm.core.requests import Text
from swarm.objectives.reward_model import RewardModel
from swarm.objectives.sequence_classifier import labels_of

ASKED = Example("q", "Why is the sky blue?", "", context="Of light.")
CHAT = replace(ASKED, prompt=(Message("system", "Be brief."), Message("user", "Why?")), context="")
REPLY = "Short waves scatter more."


@pytest.fixture(scope="module")
def reward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_classifier(tmp_path_factory.mktemp("models") / "reward", template=CHAT_TEMPLATE)


@pytest.fixture(scope="module")
def emotions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_classifier(tmp_path_factory.mktemp("models") / "emotions", ("joy", "anger", "fear"), seed=1)


def score(model: Path, reply: str = REPLY, example: Example = ASKED, **settings: object) -> float:
    objective = RewardModel(name="x", model=str(model), **settings)
    objective.check(example)
    return objective.score(example, [Text(reply, 5)]).score


def logits(model: Path, *texts: str, **settings: object) -> list[float]:
    """As transformers gives them."""
    classifier = AutoModelForSequenceClassification.from_pretrained(model, dtype=torch.float32)
    encoded = AutoTokenizer.from_pretrained(model)(*texts, return_tensors="pt", **settings)
    with torch.inference_mode():
        return classifier(**encoded).logits[0].tolist()


def test_the_score_is_the_logit_of_the_label(reward: Path, emotions: Path) -> None:
    assert score(reward) == pytest.approx(logits(reward, REPLY)[0], abs=1e-5)
    assert score(reward) != score(reward, "Because.")
    expected = logits(emotions, REPLY)
    for label, name in enumerate(("joy", "anger", "fear")):
        assert score(emotions, label=name) == score(emotions, label=label) == pytest.approx(expected[label], abs=1e-5)


def test_probability_is_a_sigmoid_of_one_label_and_a_softmax_of_several(reward: Path, emotions: Path) -> None:
    (logit,) = logits(reward, REPLY)
    assert score(reward, metric="probability") == pytest.approx(1 / (1 + math.exp(-logit)), abs=1e-5)
    powers = np.exp(logits(emotions, REPLY))
    assert score(emotions, metric="probability", label="fear") == pytest.approx(powers[2] / powers.sum(), abs=1e-5)


def test_labels_that_do_not_exclude_each_other_have_a_sigmoid_each(tmp_path: Path) -> None:
    model = make_classifier(tmp_path / "m", ("toxic", "rude"), problem_type="multi_label_classification")
    expected = 1 / (1 + math.exp(-logits(model, REPLY)[1]))
    assert score(model, metric="probability", label="rude") == pytest.approx(expected, abs=1e-5)


def test_what_it_reads(reward: Path) -> None:
    asked = "Of light.\n\nWhy is the sky blue?"
    assert score(reward, reads="pair") == pytest.approx(logits(reward, asked, REPLY, max_length=64, truncation=True)[0])
    rendered = f"<|user|>{asked}<|assistant|>{REPLY}"
    ids = AutoTokenizer.from_pretrained(reward)(rendered, add_special_tokens=False, return_tensors="pt").input_ids
    classifier = AutoModelForSequenceClassification.from_pretrained(reward)
    with torch.inference_mode():
        expected = float(classifier(input_ids=ids[:, -64:]).logits[0, 0])
    assert score(reward, reads="chat") == pytest.approx(expected, abs=1e-5)
    assert score(reward, reads="chat", example=CHAT, chat=True) != score(reward, reads="chat")
    with pytest.raises(DataError, match="is a chat, which reads: pair cannot give whole; set reads: chat"):
        score(reward, reads="pair", example=CHAT, chat=True)


def test_the_template_of_the_searched_model_is_not_read(reward: Path) -> None:
    assert score(reward, reads="pair", template="Q: {prompt}\nA:") == score(reward, reads="pair")


def test_long_and_empty_replies_are_scored(reward: Path) -> None:
    assert math.isfinite(score(reward, "word " * 500))
    for reads in ("answer", "pair", "chat"):
        assert math.isfinite(score(reward, "", reads=reads))


def test_a_chat_that_the_template_refuses_fails_the_evaluation(tmp_path: Path) -> None:
    model = make_classifier(tmp_path / "m", template="{{ raise_exception('no roles of this kind') }}")
    with pytest.raises(EvaluationError, match=r"fails at a text .no roles of this kind"):
        score(model, reads="chat")


def test_thinking_can_be_left_out(reward: Path) -> None:
    thought = f"<think>Hm.</think>{REPLY}"
    assert score(reward, thought, strip_thinking=True) == score(reward) != score(reward, thought)


@pytest.mark.parametrize(
    ("label", "problem"),
    [
        (None, "label: missing, and the model has 3 labels; choose one of joy, anger, fear"),
        ("sorrow", "label: 'sorrow' is no label of the model; choose one of joy"),
        (3, r"label: 3 is no index \(0 to 2\); choose one of joy"),
        (-1, "label: -1 is no index"),
    ],
)
def test_a_label_that_is_not_there_is_refused(emotions: Path, label: object, problem: str) -> None:
    with pytest.raises(ConfigError, match=f"objectives.x.{problem}"):
        score(emotions, label=label)


class TestFoldersThatAreRefused:
    def test_a_language_model(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="is LlamaForCausalLM; name a model that is"):
            score(make_base(tmp_path / "base"))

    def test_a_language_model_that_is_called_a_classifier(self, tmp_path: Path) -> None:
        """Its head would be random."""
        base = make_base(tmp_path / "base")
        config = json.loads((base / "config.json").read_text())
        (base / "config.json").write_text(json.dumps(config | {"architectures": ["LlamaForSequenceClassification"]}))
        with pytest.raises(ConfigError, match=r"lacks score\.weight, which would be random"):
            score(base, label=0)

    def test_pickled_weights(self, reward: Path, tmp_path: Path) -> None:
        folder = Path(shutil.copytree(reward, tmp_path / "pickled"))
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
        with pytest.raises(ConfigError, match="holds no safetensors; convert its weights"):
            score(folder)

    def test_damaged_weights(self, reward: Path, tmp_path: Path) -> None:
        folder = Path(shutil.copytree(reward, tmp_path / "damaged"))
        (folder / "model.safetensors").write_bytes(b"x" * 100)
        with pytest.raises(ConfigError, match="cannot be loaded as a classifier"):
            score(folder)

    @pytest.mark.parametrize("config", ["", "[]", '{"architectures": 3}', '{"id2label": {"1": "a"}}', "{"])
    def test_damaged_configs(self, config: str, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_text(config)
        with pytest.raises(ConfigError, match=r"config\.json|ForSequenceClassification"):
            labels_of(str(tmp_path), "objectives.x.model")

    def test_no_template_for_chats(self, emotions: Path) -> None:
        with pytest.raises(ConfigError, match=r"reads: chat, but the tokenizer of .* has no chat template"):
            score(emotions, reads="chat", label="joy")


def test_a_run_depends_on_the_files_and_not_on_their_place(reward: Path) -> None:
    objective = RewardModel(name="x", model=str(reward))
    assert {file.name for file in objective.files(Path())} >= {"config.json", "tokenizer.json", "model.safetensors"}
    assert objective.decisive() == RewardModel(name="x", model="/elsewhere", device="cuda").decisive()
    assert objective.paths == ("model",)


def test_the_model_is_a_folder_beside_the_config_or_a_hub_id(reward: Path) -> None:
    beside = paths_of(RewardModel(name="x", model=reward.name), reward.parent, "objectives.0")
    assert beside == {"model": str(reward)}
    with pytest.raises(ExpertError, match=r"objectives\.0\.model: .*nobody/nothing.* hub"):
        paths_of(RewardModel(name="x", model="nobody/nothing"), reward.parent, "objectives.0")
