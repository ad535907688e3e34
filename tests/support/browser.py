"""Headless Chromium, driven by its DevTools protocol over a pipe: pages are opened, shown, hidden and asked."""

import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pytest


def chromium(*options: str) -> list[str]:
    """The command line; the test is skipped where there is no Chromium."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium on this machine")
    return [found, "--headless", "--no-sandbox", "--disable-gpu", *options]


@dataclass(frozen=True)
class Page:
    """A page of a browser. One is shown at a time: the last one that was opened or brought to the front."""

    browser: "Browser"
    target: str
    session: str

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        found = self.browser.call("Runtime.evaluate", self.session, expression=expression)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def bring_to_front(self) -> None:
        self.browser.call("Target.activateTarget", targetId=self.target)


class Browser:
    """The two ends of the pipe."""

    def __init__(self, commands: BinaryIO, answers: BinaryIO) -> None:
        self._commands, self._answers, self._ids = commands, answers, itertools.count(1)

    def open(self, address: str) -> Page:
        target = self.call("Target.createTarget", url=address)["targetId"]
        return Page(self, target, self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])

    def call(self, method: str, session: str = "", **parameters: object) -> dict[str, Any]:
        """The result of a command of the protocol; events in between are passed over."""
        number = next(self._ids)
        command = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        self._commands.write(json.dumps(command).encode() + b"\0")
        while (answer := self._read()).get("id") != number:
            pass
        assert "error" not in answer, answer
        return answer["result"]  # type: ignore[no-any-return]

    def _read(self) -> dict[str, Any]:
        text = b"".join(iter(lambda: self._answers.read(1) or b"\0", b"\0"))
        assert text, "the browser has ended"
        return json.loads(text)  # type: ignore[no-any-return]


@contextmanager
def browsing(profile: Path) -> Iterator[Browser]:
    """A browser that is closed at the end."""
    (theirs_in, commands), (answers, theirs_out) = os.pipe(), os.pipe()
    command = chromium("--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank")
    shell = ["bash", "-c", f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}', *command]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(shell, pass_fds=(theirs_in, theirs_out), stdout=quiet, stderr=quiet) as process:
        os.close(theirs_in)
        os.close(theirs_out)
        with os.fdopen(commands, "wb", 0) as out, os.fdopen(answers, "rb") as back:
            try:
                browser = Browser(out, back)
                yield browser
                browser.call("Browser.close")
            finally:
                process.terminate()


def wait_until(happens: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.1)
