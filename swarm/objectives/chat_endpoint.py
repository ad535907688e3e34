"""Asks an OpenAI-compatible endpoint, and keeps every reply on disk, so that no question is paid for twice.

The key is read from the environment when a request is sent. It is in the request's header alone: not in the settings,
the kept replies or an error. Redirects are refused, as they would take it elsewhere.
"""

import hashlib
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Never

from swarm.core.errors import ConfigError, EvaluationError
from swarm.core.files import write_json
from swarm.core.secrets import environment_secrets, redacted

AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})  # another try may succeed
USERS_MISTAKE = {401: "key_env", 403: "key_env", 404: "url"}  # status -> the key that is wrong
LONGEST_WAIT = 60.0  # seconds between two tries
MOST_BYTES = 1 << 20  # of a reply


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """None: the redirect becomes an error."""


OPENER = urllib.request.build_opener(_NoRedirects)


@dataclass(frozen=True)
class ChatEndpoint:
    """Where and how to ask.

    owner: the objective, for messages.
    url: the address, to which /chat/completions is added.
    key_env: the environment variable with the key; None where none is needed.
    cache: the folder in which replies are kept.
    timeout: seconds to wait for a reply.
    retries: tries after the first.
    backoff: seconds before the second try; doubled before each further one.
    """

    owner: str
    url: str
    key_env: str | None
    cache: Path
    timeout: float
    retries: int
    backoff: float

    def reply(self, body: Mapping[str, object]) -> str:
        """The text that it replies to this request, or has replied to the same one before.

        Raises EvaluationError where it gives none, ConfigError where it refuses the key or the address.
        """
        kept = self.cache / _place(self.url, body)
        try:
            return str(json.loads(kept.read_text(encoding="utf-8"))["reply"])
        except (OSError, ValueError, KeyError, TypeError):
            text = self._asked(json.dumps(body).encode())
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            remedy = f"{kept.parent} cannot be made ({error.strerror}); choose another folder"
            raise ConfigError(f"objectives.{self.owner}.cache: {remedy}") from None
        write_json(kept, {"url": self.url, "request": body, "reply": text})
        return text

    def key(self) -> str:
        """The key; "" where none is needed. Raises ConfigError where the variable is not set."""
        found = os.environ.get(self.key_env, "").strip() if self.key_env else ""
        if not (found.isascii() and found.isprintable()):
            raise ConfigError(f"objectives.{self.owner}.key_env: {self.key_env} holds more than a key; correct it")
        if self.key_env and not found:
            raise ConfigError(
                f"objectives.{self.owner}.key_env: the environment variable {self.key_env} is not set; export it where "
                "workers run, or remove key_env"
            )
        return found

    def _asked(self, body: bytes) -> str:
        for attempt in range(self.retries + 1):
            try:
                return self._tried(body)
            except urllib.error.HTTPError as error:
                problem, waits = f"HTTP {error.code}: {_said(error)}", _retry_after(error)
                if error.code not in AGAIN:
                    self._refused(error.code, problem)
            except (OSError, HTTPException, ValueError, LookupError, TypeError) as error:  # no connection, or nonsense
                problem, waits = f"{type(error).__name__}: {error}", 0.0
            if attempt < self.retries:
                time.sleep(min(LONGEST_WAIT, max(waits, self.backoff * 2**attempt)))
        raise EvaluationError(self._line(f"gave no reply in {self.retries + 1} tries ({problem})"))

    def _tried(self, body: bytes) -> str:
        headers = {"Content-Type": "application/json"}
        if key := self.key():
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(f"{self.url.rstrip('/')}/chat/completions", body, headers, method="POST")
        with OPENER.open(request, timeout=self.timeout) as stream:
            content = json.loads(stream.read(MOST_BYTES))["choices"][0]["message"]["content"]
        return content if isinstance(content, str) else ""

    def _refused(self, status: int, problem: str) -> Never:
        if status in USERS_MISTAKE:
            key = USERS_MISTAKE[status]
            raise ConfigError(self._line(f"refuses to answer ({problem}); correct {key}", f".{key}"))
        raise EvaluationError(self._line(f"refuses to answer ({problem})"))

    def _line(self, problem: str, key: str = "") -> str:
        """One line without the key, whatever the endpoint says."""
        own = [os.environ[self.key_env]] if self.key_env and os.environ.get(self.key_env) else []
        line = f"objectives.{self.owner}{key}: the endpoint at {self.url} {problem}"
        return redacted(" ".join(line.split()), [*own, *environment_secrets()])


def _place(url: str, body: Mapping[str, object]) -> str:
    """Where a reply is kept: a function of the whole request, and of nothing else."""
    whole = json.dumps({"url": url, "request": body}, sort_keys=True).encode()
    digest = hashlib.sha256(whole).hexdigest()
    return f"{digest[:2]}/{digest}.json"


def _said(error: urllib.error.HTTPError) -> str:
    """What the endpoint says of an error, in short."""
    try:
        text = error.read(2000).decode(errors="replace")
    except (OSError, HTTPException):
        text = ""
    return " ".join(text.split())[:200] or str(error.reason)


def _retry_after(error: urllib.error.HTTPError) -> float:
    """Seconds that the endpoint asks to wait; 0 where it names none, or a date."""
    value = error.headers.get("Retry-After", "") if error.headers else ""
    return float(value) if value.isdecimal() else 0.0
