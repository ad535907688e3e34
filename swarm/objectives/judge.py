"""Another model judges what is written: any OpenAI-compatible endpoint, by a rating or against a reference answer.

Judges prefer what stands first, what is long and what is like their own (Zheng et al. 2023, arXiv 2306.05685): pairs
are shown in both orders, and the rest is for the user to check on answers of known quality.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, JsonValue, field_validator, model_validator

from swarm.core.errors import EvaluationError
from swarm.core.examples import Example
from swarm.core.requests import Answer
from swarm.core.secrets import NAME as SECRET
from swarm.objectives.base import Scored
from swarm.objectives.chat_endpoint import ChatEndpoint
from swarm.objectives.judging import COMPARE, RATE, as_text, filled, rating, verdict
from swarm.objectives.prompting import answer_text, build_prompt
from swarm.objectives.replies import ReplyObjective

Read = Callable[[str], float | None]


class Judge(ReplyObjective):
    """One text, which a model at an endpoint judges. Every prompt and text is sent there.

    Score: the number that the judge gives; for `pairwise`, 1 where the text is preferred to the example's answer, 0.5
    for a tie, 0 where it is not, mean of both orders. A reply that cannot be read is asked for once more.
    """

    type: Literal["judge"] = "judge"
    url: str = Field(description="the endpoint, up to what comes before /chat/completions: https://host/v1")
    model: str = Field(min_length=1, description="the model's name at the endpoint")
    key_env: str | None = Field(None, description="the environment variable that holds the key; its name, not the key")
    mode: Literal["score", "pairwise"] = Field("score", description="a rating, or a comparison with the right answer")
    judge_prompt: str | None = Field(
        None,
        description="what the judge is asked, with {prompt} and {answer} ({reference}, {lowest}, {highest}), or for "
        "pairwise {prompt}, {first} and {second}; default: a question of ours",
    )
    lowest: float = Field(1.0, description="the lowest rating")
    highest: float = Field(10.0, description="the highest rating")
    parameters: Mapping[str, JsonValue] = Field(
        {"temperature": 0, "max_tokens": 64}, description="what requests say beside model and messages"
    )
    cache: str | None = Field(
        None, description="folder that keeps replies; default: judge in $SWARM_CACHE or ~/.cache/swarm"
    )
    concurrency: int = Field(8, ge=1, le=256, description="requests at a time, per worker")
    timeout: float = Field(60.0, gt=0, description="seconds to wait for a reply")
    retries: int = Field(4, ge=0, le=20, description="tries after the first")
    backoff: float = Field(1.0, ge=0, description="seconds before the second try, doubled before each further one")

    @field_validator("url")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        """The value is not repeated, as it may hold a password."""
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("is no address; write http://host:port/v1 or https://host/v1")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError("holds more than an address; name the variable with the key in key_env")
        return value

    @field_validator("key_env")
    @classmethod
    def _name_of_a_variable(cls, value: str | None) -> str | None:
        """The value is not repeated, as it may be the key itself."""
        if value is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
            raise ValueError("is no name of an environment variable; export the key, and give the variable's name")
        return value

    @field_validator("parameters")
    @classmethod
    def _free_parameters(cls, value: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
        for name in value:
            if name in ("model", "messages", "stream") or SECRET.search(name.upper()):
                raise ValueError(f"{name!r} is not free for a parameter; remove it (a key is named in key_env)")
        return value

    @field_validator("cache")
    @classmethod
    def _place_of_its_own(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("/", "~")):
            raise ValueError(f"{value!r} is relative, and workers may run elsewhere; give the whole path")
        return value

    @model_validator(mode="after")
    def _asks_for_what_is_read(self) -> Self:
        needed = ("{answer}",) if self.mode == "score" else ("{first}", "{second}")
        lacking = [name for name in needed if name not in self._question]
        if lacking:
            raise ValueError(f"judge_prompt has no {lacking[0]}; put it where the judge is to read that answer")
        if self.lowest >= self.highest:
            raise ValueError(f"lowest {self.lowest:g} is not below highest {self.highest:g}; correct one")
        return self

    @property
    def range(self) -> tuple[float, float]:
        return (self.lowest, self.highest) if self.mode == "score" else (0.0, 1.0)

    def decisive(self) -> dict[str, object]:
        """Without how the endpoint is reached."""
        reaching = {"key_env", "cache", "concurrency", "timeout", "retries", "backoff"}
        return {key: value for key, value in super().decisive().items() if key not in reaching}

    def check(self, example: Example) -> None:
        """Also refuses examples without an answer where the judge is to see it, and a key that is not set."""
        super().check(example)
        if not example.answer and (self.mode == "pairwise" or "{reference}" in self._question):
            raise self.refusal(example, "has no answer to compare with; add `answer`, or set mode: score")
        self._endpoint.key()

    def notes(self, examples: Sequence[Example]) -> list[str]:
        asked = "one request" if self.mode == "score" else "two requests"
        return [f"{self.name}: prompts and texts are sent to {self.url}, {asked} for each example of each candidate"]

    def score_all(self, answered: Sequence[tuple[Example, Sequence[Answer]]]) -> list[Scored]:
        """Several requests at a time. What fails first ends it."""
        threads = ThreadPoolExecutor(self.concurrency)
        try:
            return list(threads.map(lambda each: self.score(*each), answered))
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

    def score(self, example: Example, answers: Sequence[Answer]) -> Scored:
        reply = self.reply(answers).strip()
        values = {
            "prompt": as_text(build_prompt(example, chat=False)),
            "answer": reply,
            "reference": answer_text(example),
            "lowest": f"{self.lowest:g}",
            "highest": f"{self.highest:g}",
        }
        if self.mode == "score":
            return Scored(self._judged(values, lambda said: rating(said, self.lowest, self.highest)), reply)
        first = self._judged({**values, "first": reply, "second": values["reference"]}, verdict)
        second = self._judged({**values, "first": values["reference"], "second": reply}, verdict)
        return Scored((first + 1.0 - second) / 2, reply)

    def right(self, example: Example) -> tuple[str, ...]:
        return super().right(example) if self.mode == "pairwise" else ("a high rating",)

    @property
    def _question(self) -> str:
        return self.judge_prompt or (RATE if self.mode == "score" else COMPARE)

    @property
    def _endpoint(self) -> ChatEndpoint:
        beside = Path(os.environ.get("SWARM_CACHE") or "~/.cache/swarm") / "judge"
        cache = Path(self.cache or beside).expanduser()
        return ChatEndpoint(self.name, self.url, self.key_env, cache, self.timeout, self.retries, self.backoff)

    def _judged(self, values: Mapping[str, str], read: Read) -> float:
        """What the judge's reply means. Raises EvaluationError where it cannot be read, the second time too."""
        messages = [{"role": "user", "content": filled(self._question, values)}]
        wanted = f"a number from {self.lowest:g} to {self.highest:g}" if self.mode == "score" else "A, B or tie"
        said = ""
        for _ in range(2):
            said = self._endpoint.reply({"model": self.model, "messages": messages, **self.parameters})
            if (value := read(said)) is not None:
                return value
            reminder = {"role": "user", "content": f"Reply with {wanted}, and nothing else."}
            messages = [*messages, {"role": "assistant", "content": said}, reminder]
        raise EvaluationError(f"objectives.{self.name}: {self.model} replied {said[:80]!r} instead of {wanted}")
