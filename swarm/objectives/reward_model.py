"""A reward model or any other sequence classifier scores what the model writes."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from swarm.core.errors import ConfigError
from swarm.core.examples import Example, Message, Prompt
from swarm.core.requests import Answer
from swarm.core.space import Array
from swarm.objectives.base import Scored
from swarm.objectives.choosing import softmax
from swarm.objectives.classifier_batches import Input
from swarm.objectives.prompting import build_prompt
from swarm.objectives.replies import ReplyObjective
from swarm.objectives.sequence_classifier import Device, classifier_files, is_multi_label, labels_of, logits

NO_CHAT_OF_ITS_OWN = "is a chat, which reads: pair cannot give whole; set reads: chat, or reads: answer"


class RewardModel(ReplyObjective):
    """One text, which a sequence classifier of Hugging Face reads: weights as safetensors, no code of its own.

    Score: the logit of `label`; for `probability`, its sigmoid where the labels are one or do not exclude each other,
    else its softmax.
    """

    type: Literal["reward_model"] = "reward_model"
    model: str = Field(description="the folder of a sequence classifier, or its hub id")
    metric: Literal["logit", "probability"] = Field("logit", description="the logit of the label, or its probability")
    label: int | str | None = Field(None, description="the label's name or index; needed where there are several")
    reads: Literal["answer", "pair", "chat"] = Field(
        "answer", description="what the classifier is given: the answer, prompt and answer as a pair, or both as a chat"
    )
    device: Device = Field("cpu", description="where the classifier runs: cpu, or cuda beside the engine")
    paths: ClassVar[tuple[str, ...]] = ("model",)

    @property
    def range(self) -> tuple[float, float]:
        return (0.0, 1.0) if self.metric == "probability" else (-math.inf, math.inf)

    def decisive(self) -> dict[str, object]:
        """Without the folder, whose files decide, and without the device."""
        return {key: value for key, value in super().decisive().items() if key not in ("model", "device")}

    def files(self, modules: Path) -> tuple[Path, ...]:
        return classifier_files(self.model)

    def check(self, example: Example) -> None:
        """Also refuses a model that is no classifier, and a label that it has not (ConfigError)."""
        super().check(example)
        self._label()
        if self.reads == "pair" and not isinstance(example.prompt, str):
            raise self.refusal(example, NO_CHAT_OF_ITS_OWN)

    def score(self, example: Example, answers: Sequence[Answer]) -> Scored:
        (scored,) = self.score_all([(example, answers)])
        return scored

    def score_all(self, answered: Sequence[tuple[Example, Sequence[Answer]]]) -> list[Scored]:
        """The texts together, where the classifier is faster so."""
        replies = [self.reply(answers).strip() for _, answers in answered]
        texts = [self._input(example, reply) for (example, _), reply in zip(answered, replies, strict=True)]
        found = logits(self.model, self.device, texts)
        return [Scored(self._score(logits_L), reply) for logits_L, reply in zip(found, replies, strict=True)]

    def _score(self, logits_L: Array) -> float:
        label = self._label()
        if self.metric == "logit":
            return float(logits_L[label])
        apart = len(logits_L) == 1 or is_multi_label(self.model)
        return math.exp(-float(np.logaddexp(0.0, -logits_L[label]))) if apart else float(softmax(logits_L)[label])

    def right(self, example: Example) -> tuple[str, ...]:
        labels = self._labels
        return (labels[self._label()] if len(labels) > 1 else "a high reward",)

    def _input(self, example: Example, reply: str) -> Input:
        """The prompt is the example's own, without the template that the searched model gets."""
        if self.reads == "answer":
            return reply
        asked: Prompt = build_prompt(example, self.reads == "chat")
        return (asked, reply) if isinstance(asked, str) else (*asked, Message("assistant", reply))

    @property
    def _labels(self) -> tuple[str, ...]:
        return labels_of(self.model, f"objectives.{self.name}.model")

    def _label(self) -> int:
        """The place of the label among the logits. Raises ConfigError."""
        labels, key = self._labels, f"objectives.{self.name}.label"
        listed = ", ".join(labels[:20])
        if self.label is None and len(labels) > 1:
            raise ConfigError(f"{key}: missing, and the model has {len(labels)} labels; choose one of {listed}")
        if isinstance(self.label, int) and not 0 <= self.label < len(labels):
            raise ConfigError(f"{key}: {self.label} is no index (0 to {len(labels) - 1}); choose one of {listed}")
        if isinstance(self.label, str) and self.label not in labels:
            raise ConfigError(f"{key}: {self.label!r} is no label of the model; choose one of {listed}")
        return labels.index(self.label) if isinstance(self.label, str) else self.label or 0
