"""Trackio: a process for each run, so that its files lie where they should and nothing is sent unasked."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

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


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What a hub and a proxy are asked for, in an environment with a token, a Space and a server of Trackio."""
    found: list[str] = []

    class Refuses(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.append(self.path)
            self.send_error(404)

        do_POST = do_HEAD = do_CONNECT = do_GET

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


def test_a_token_stays_out_of_the_config() -> None:
    with pytest.raises(ValidationError, match="leave write_token out and set TRACKIO_WRITE_TOKEN"):
        Trackio(server_url="http://host:7860/?write_token=abc")
