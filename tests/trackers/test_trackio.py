"""Trackio: a process for each run, so that its files lie where they should and nothing is sent unasked."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
from pydantic import ValidationError

from support.summaries import summary_with
from support.tracked import READERS
from swarm.search.status import Status
from swarm.trackers import TrackedRun
from swarm.trackers.trackio import Trackio

pytest.importorskip("trackio", reason="the extra trackio is not installed")

STATUS = Status(
    best=0.75, best_id="3-1", mean=0.5, iteration=3, evaluations=10, most=100, evaluations_per_minute=30.0,
    tokens=4000, tokens_per_second=200.0, workers=2, busy=0.875, failures=1, seconds_left=180.0,
)  # fmt: skip
CONFIG = {"base": "somewhere", "experts": [{"path": "one"}, {"path": "two"}], "optimizer": {"evaluations": 60}}
PLAIN = "import trackio; run = trackio.init(project='p', space_id=None); run.log({'a': 1}); run.finish()"


def tracked(folder: Path) -> TrackedRun:
    return TrackedRun.of(folder, "trackio", CONFIG)


def session(run: TrackedRun, steps: list[int], **settings: object) -> None:
    tracker = Trackio(**settings).start(run)
    for step in steps:
        tracker.log(replace(STATUS, evaluations=step))
    tracker.finish(summary_with(optimism=0.125))


def rows(database: Path, text: str) -> list[tuple]:
    with closing(sqlite3.connect(database)) as opened:
        return opened.execute(text).fetchall()


def at_every_database(code: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the process of a run execute this line where it opens its database."""
    hook = (
        f"import sys\ndef hook(event, _):\n    if event == 'sqlite3.connect':\n        {code}\nsys.addaudithook(hook)\n"
    )
    (folder / "hooks").mkdir()
    (folder / "hooks" / "sitecustomize.py").write_text(hook)
    monkeypatch.syspath_prepend(folder / "hooks")


@pytest.fixture
def bodies() -> list[dict]:
    """What is sent to the hub of `asked`, where it is JSON."""
    return []


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, bodies: list[dict]) -> Iterator[list[str]]:
    """What a hub and a proxy are asked for, in an environment with a token, a Space and a server of Trackio."""
    found: list[str] = []

    class Refuses(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.append(self.path)
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")  # as the hub says it
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_CONNECT = do_GET

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with suppress(ValueError):
                bodies.append(json.loads(sent))
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refuses)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    for name in ("HF_ENDPOINT", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "TRACKIO_SERVER_URL"):
        monkeypatch.setenv(name, address)
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefghijklmnop")
    monkeypatch.setenv("TRACKIO_WRITE_TOKEN", "written")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    yield found
    server.shutdown()
    server.server_close()


def test_nothing_is_sent_unasked_whatever_the_environment_says(tmp_path: Path, asked: list[str]) -> None:
    session(tracked(tmp_path), [1, 2])
    assert asked == []
    assert [step for step, _ in READERS["trackio"](tmp_path / "trackers" / "trackio")["search/best"]] == [1, 2]
    environment = {**os.environ, "TRACKIO_DIR": str(tmp_path / "plain")}
    subprocess.run([sys.executable, "-c", PLAIN], env=environment, capture_output=True, timeout=100)
    assert asked, "the same environment makes Trackio by itself send"


def test_a_server_gets_a_run_only_where_the_config_names_it(tmp_path: Path, asked: list[str]) -> None:
    tracker = Trackio(server_url=os.environ["TRACKIO_SERVER_URL"]).start(tracked(tmp_path))
    tracker.log(STATUS)
    with pytest.raises(OSError, match="could not be sent"):  # it answers 404 to everything
        tracker.finish(None)
    assert asked


def test_it_holds_the_config_and_says_nothing_on_the_screen(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    session(tracked(tmp_path), [1])
    ((name, kept),) = rows(tmp_path / "trackers/trackio/swarm.db", "select run_name, config from configs")
    assert name == tmp_path.name
    assert {key: value for key, value in json.loads(kept).items() if not key.startswith("_")} == CONFIG
    assert capfd.readouterr() == ("", "")


def test_runs_of_one_process_keep_apart(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    trackers = [Trackio().start(tracked(folder)) for folder in folders]
    for i, tracker in enumerate(trackers):
        tracker.log(replace(STATUS, best=float(i)))
    for tracker in trackers:
        tracker.finish(None)
    found = [READERS["trackio"](folder / "trackers" / "trackio")["search/best"] for folder in folders]
    assert found == [[(10, 0.0)], [(10, 1.0)]]


def test_in_a_folder_of_the_user_runs_of_one_name_are_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "all"))
    runs = [tracked(tmp_path / place / "run") for place in ("here", "there")]
    for steps in ([1, 2], [3]):  # each goes on once
        for run in runs:
            session(run, steps)
    steps = rows(
        tmp_path / "all" / "swarm.db", "select run_id, group_concat(distinct step) from metrics group by run_id"
    )
    assert sorted(found for _, found in steps) == ["1,2,3", "1,2,3"]
    names = {name for (name,) in rows(tmp_path / "all" / "swarm.db", "select distinct run_name from metrics")}
    assert len(names) == 2
    assert all(name.startswith("run-") for name in names)
    assert not list(tmp_path.glob("*/run/trackers/trackio/*.db"))


def test_what_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "file"))
    with pytest.raises(OSError, match="file"):
        session(tracked(tmp_path), [1])


@pytest.mark.parametrize("kind", ["FutureWarning", "DeprecationWarning", "UserWarning"])
def test_a_warning_of_another_package_is_no_error(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_every_database(f"import warnings; warnings.warn('of another package', {kind})", tmp_path, monkeypatch)
    session(tracked(tmp_path), [1, 2])
    assert [step for step, _ in READERS["trackio"](tmp_path / "trackers" / "trackio")["search/best"]] == [1, 2]


def test_a_process_that_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_every_database("import time; time.sleep(1000)", tmp_path, monkeypatch)
    monkeypatch.setattr("swarm.trackers.trackio.SECONDS_TO_END", 0.5)
    before = psutil.Process().children()
    tracker = Trackio().start(tracked(tmp_path))
    (process,) = (each for each in psutil.Process().children() if each not in before)
    tracker.log(STATUS)
    with pytest.raises(OSError, match=r"it has not finished within 0\.5 s"):
        tracker.finish(None)
    assert not process.is_running()


def test_a_process_that_ended_early_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_every_database("import os; os._exit(0)", tmp_path, monkeypatch)
    before = psutil.Process().children()
    tracker = Trackio().start(tracked(tmp_path))
    (process,) = (each for each in psutil.Process().children() if each not in before)
    tracker.log(STATUS)
    until = time.monotonic() + 60
    while process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < until:
        time.sleep(0.05)
    with pytest.raises(OSError, match="its process has ended before the run"):
        tracker.log(STATUS)
    tracker.log(STATUS)
    tracker.finish(None)


@pytest.mark.parametrize(("settings", "private"), [({}, True), ({"private": False}, False)])
def test_a_new_space_is_private_unless_the_config_says_otherwise(
    settings: dict[str, bool], private: bool, tmp_path: Path, asked: list[str], bodies: list[dict]
) -> None:
    tracker = Trackio(space_id="me/runs", **settings).start(tracked(tmp_path))
    with pytest.raises(OSError, match="me/runs"):  # nothing is made
        tracker.finish(None)
    made = next(body for body in bodies if body.get("type") == "space")
    assert made.get("private", made.get("visibility") == "private") is private  # versions of the hub's client differ


@pytest.mark.parametrize(
    "address",
    [
        "http://host:7860/?write_token=abc",
        "http://me:pw@host:7860",
        "http://***@host",
        "me:pw@host",
        "host?write_token=a",
        "http://host?key=a",
    ],
)
def test_passwords_and_tokens_stay_out_of_the_config(address: str) -> None:
    with pytest.raises(ValidationError, match="leave user, password and write_token out, and set TRACKIO_WRITE_TOKEN"):
        Trackio(server_url=address)
    assert Trackio(server_url="http://host:7860/").server_url == "http://host:7860/"
