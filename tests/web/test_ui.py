"""`swarm ui`: every view over HTTP, on finished, stopped and running searches; nothing else is served or changed."""

import http.client
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from support.bad_inputs import Scene
from support.playground import Playground, run_cli
from swarm.run.directory import JOURNAL
from swarm.run.lock import locked
from swarm.web.pages import Pages
from swarm.web.server import open_server
from swarm.web.watcher import Shelf

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def shelf(playground: Playground, finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shelf")
    shutil.copytree(finished_run, folder / "first")
    shutil.copytree(finished_run, folder / HOSTILE)
    shutil.move(Scene(folder, playground, finished_run).stopped_run(lines=14), folder / "stopped")
    (folder / "secret.txt").write_text("not for the page")
    return folder


@pytest.fixture(scope="module")
def port(shelf: Path) -> Iterator[int]:
    with serving(shelf) as number:
        yield number


@contextmanager
def serving(*folders: Path) -> Iterator[int]:
    with open_server(Pages(Shelf(folders)), 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def got(port: int, path: str, host: str = "localhost") -> tuple[int, str, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Host": f"{host}:{port}"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text, answer.headers


def test_the_list_names_every_run_and_escapes_it(port: int) -> None:
    status, text, headers = got(port, "/")
    assert status == 200
    assert "stopped: searching" in text
    assert 'href="/run/first"' in text
    assert HOSTILE not in text
    assert "script-src 'self'" in headers["Content-Security-Policy"]


def test_a_run_is_its_report(port: int, shelf: Path) -> None:
    _, text, _ = got(port, "/run/first")
    assert "Composed expert and baselines" in text or "Baselines" in text
    assert "/live.js" in text
    assert "http-equiv" not in text.partition("</head>")[0], "the report's own policy would refuse the script"
    assert "Unfinished" in got(port, "/run/stopped")[1]
    with locked(shelf / "stopped"):
        running = got(port, "/run/stopped")[1]
    assert "Running: " in running
    assert "swarm resume" not in running
    assert HOSTILE not in got(port, f"/run/{quote(HOSTILE, safe='')}")[1]


def test_two_runs_are_compared(port: int) -> None:
    address = f"/compare?first=first&second={quote(HOSTILE)}"
    status, text, _ = got(port, address)
    assert status == 200
    assert "on the same test examples" in text
    assert HOSTILE not in text
    assert "has not ended" in got(port, "/compare?first=first&second=stopped")[1]


@pytest.mark.parametrize(
    "path",
    ["/run/nosuch", "/run/../secret.txt", "/run/..%2Fsecret.txt", "/secret.txt", "/run/first/journal.jsonl",
     "/run/%2Fetc%2Fpasswd", "/live.js/..", "/compare", "/compare?first=../first&second=first", "/nosuch"],
)  # fmt: skip
def test_only_runs_have_addresses(port: int, path: str) -> None:
    status, text, _ = got(port, path)
    assert status == 404
    assert "not for the page" not in text
    assert "root:" not in text


def test_another_host_is_refused(port: int) -> None:
    assert got(port, "/", host="attacker.example")[0] == 403


def test_nothing_but_get_is_answered(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/run/first", body="x", headers={"Host": f"localhost:{port}"})
    assert connection.getresponse().status == 501
    connection.close()


def test_a_page_hears_of_a_new_line(shelf: Path, finished_run: Path, tmp_path: Path) -> None:
    shutil.copytree(shelf / "stopped", tmp_path / "grows")
    lines = (finished_run / JOURNAL).read_text().splitlines(keepends=True)
    with serving(tmp_path) as number:
        before = got(number, "/run/grows")[1]
        connection = http.client.HTTPConnection("127.0.0.1", number, timeout=30)
        connection.request("GET", "/events?run=grows", headers={"Host": f"localhost:{number}"})
        stream = connection.getresponse()
        with (tmp_path / "grows" / JOURNAL).open("a") as journal:
            journal.write(lines[14])
        assert stream.readline() == b"event: changed\n"
        assert json.loads(stream.readline().removeprefix(b"data: ")) == "grows"
        connection.close()
        assert got(number, "/run/grows")[1] != before


def test_reading_changes_nothing(port: int, shelf: Path) -> None:
    def content() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in sorted(shelf.rglob("*")) if path.is_file()}

    before = content()
    for path in ("/", "/run/first", "/run/stopped", f"/compare?first=first&second={quote(HOSTILE)}"):
        got(port, path)
    assert content() == before


def test_mistakes_are_one_line(tmp_path: Path, port: int) -> None:
    assert "is not a folder" in run_cli("ui", tmp_path / "no").err
    done = run_cli("ui", tmp_path, "--port", port)
    assert done.code == 2
    assert f"--port: {port} cannot be used" in done.err


@pytest.mark.slow
def test_a_browser_shows_every_view(port: int, shelf: Path, tmp_path: Path) -> None:
    """Headless Chromium renders each view with its script, and the page exchanges its content by itself."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on this machine")
    for path in ("/", "/run/first", "/run/stopped", f"/compare?first=first&second={quote(HOSTILE)}"):
        picture = tmp_path / "view.png"
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--timeout=4000", "--window-size=420,900",
                   f"--screenshot={picture}", f"http://127.0.0.1:{port}{path}"]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=90)
        assert picture.stat().st_size > 5000, path
        picture.unlink()


def test_the_server_loads_no_torch() -> None:
    code = "import sys, swarm.web.server; print({'torch', 'transformers', 'ray'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
