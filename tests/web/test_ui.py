"""`swarm ui`: every view over HTTP, on finished, stopped and running searches; nothing else is served or changed."""

import http.client
import json
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml

from support.bad_inputs import Scene
from support.browser import Page, browsing, chromium, wait_until
from support.playground import Playground, command, run_cli
from swarm.run.directory import CONFIG, JOURNAL, SUMMARY
from swarm.run.lock import locked
from swarm.web.pages import Pages
from swarm.web.server import STREAMS, Server, open_server
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
def server(shelf: Path) -> Iterator[Server]:
    with serving(shelf) as opened:
        yield opened


@contextmanager
def serving(*folders: Path, pages: type[Pages] = Pages) -> Iterator[Server]:
    with open_server(pages(Shelf(folders)), 0) as opened:
        threading.Thread(target=opened.serve_forever, daemon=True).start()
        yield opened
        opened.shutdown()


@contextmanager
def asked(server: Server, path: str, **headers: str) -> Iterator[http.client.HTTPResponse]:
    """The answer to a request of the user's, whose connection is closed afterwards."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    known = {"Host": f"localhost:{server.server_port}", "Cookie": f"other={{}}; {server.cookie_name}={server.token}"}
    connection.request("GET", path, headers=known | headers)
    answer = connection.getresponse()
    yield answer
    connection.close()
    answer.close()


def got(server: Server, path: str, **headers: str) -> tuple[int, str, http.client.HTTPMessage]:
    with asked(server, path, **headers) as answer:
        return answer.status, answer.read().decode(), answer.headers


def test_the_list_names_every_run_and_escapes_it(server: Server) -> None:
    status, text, headers = got(server, "/")
    assert status == 200
    assert "stopped: searching" in text
    assert 'href="/run/first"' in text
    assert HOSTILE not in text
    assert "script-src 'self'" in headers["Content-Security-Policy"]


def test_a_run_is_its_report(server: Server, shelf: Path) -> None:
    _, text, _ = got(server, "/run/first")
    assert "Composed expert and baselines" in text or "Baselines" in text
    assert "/live.js" in text
    assert "http-equiv" not in text.partition("</head>")[0], "the report's own policy would refuse the script"
    assert "Unfinished" in got(server, "/run/stopped")[1]
    with locked(shelf / "stopped"):
        running = got(server, "/run/stopped")[1]
    assert "Running: " in running
    assert "It is searching." in running
    assert "It was" not in running
    assert "swarm resume" not in running
    assert HOSTILE not in got(server, f"/run/{quote(HOSTILE, safe='')}")[1]


def test_two_runs_are_compared(server: Server) -> None:
    address = f"/compare?first=first&second={quote(HOSTILE)}"
    status, text, _ = got(server, address)
    assert status == 200
    assert "on the same test examples" in text
    assert HOSTILE not in text
    assert "has not ended" in got(server, "/compare?first=first&second=stopped")[1]


def test_what_is_not_known_is_not_shown(shelf: Path, tmp_path: Path) -> None:
    """An interval without ends, a key that one run lacks, and null."""
    shutil.copytree(shelf / "first", tmp_path / "first")
    other = shutil.copytree(shelf / "first", tmp_path / "other")
    summary = json.loads((other / SUMMARY).read_text())
    summary["best"]["test"] |= {"low": None, "high": None}
    (other / SUMMARY).write_text(json.dumps(summary))
    config = yaml.safe_load((other / CONFIG).read_text())
    del config["seed"]
    config["optimizer"]["evaluations"] = 7
    (other / CONFIG).write_text(yaml.safe_dump(config))
    with serving(tmp_path) as opened:
        listed, found = got(opened, "/")[1], got(opened, "/compare?first=first&second=other")[1]
    assert "nan" not in re.sub("<style>.*?</style>", "", listed + found, flags=re.DOTALL)
    assert '<th scope="row">seed</th><td>0</td><td>–</td>' in found
    assert '<th scope="row">optimizer.evaluations</th><td>–</td><td>7</td>' in found


@pytest.mark.parametrize(
    "path",
    ["/run/nosuch", "/run/../secret.txt", "/run/..%2Fsecret.txt", "/secret.txt", "/run/first/journal.jsonl",
     "/run/%2Fetc%2Fpasswd", "/live.js/..", "/compare", "/compare?first=../first&second=first", "/nosuch"],
)  # fmt: skip
def test_only_runs_have_addresses(server: Server, path: str) -> None:
    status, text, _ = got(server, path)
    assert status == 404
    assert "not for the page" not in text
    assert "root:" not in text


@pytest.mark.parametrize(
    "host", ["attacker.example", "attacker.example:{port}", "localhost.attacker.example", "", "[::1"]
)
def test_another_host_is_refused(server: Server, host: str) -> None:
    assert got(server, "/", Host=host.format(port=server.server_port))[0] == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:8790", "[::1]", "[::1]:8790"])
def test_this_machine_needs_no_port(server: Server, host: str) -> None:
    assert got(server, "/", Host=host)[0] == 200


def test_other_users_of_the_machine_read_nothing(server: Server) -> None:
    for path in (
        "/",
        "/run/first",
        "/live.js",
        "/events",
        "/nosuch",
        "/?token=",
        "/?token=x",
        "/run/first?token=é",
        "http://[",
    ):
        for cookie in ("", "x", f"{server.cookie_name}=x", f"swarm-1={server.token}", f"{server.cookie_name}"):
            status, text, headers = got(server, quote(path, safe="/?=[:"), Cookie=cookie)
            assert status == (404 if path.startswith("http:") else 403)
            assert server.token not in f"{text}{headers}"
            assert "stopped" not in text
    assert "the address that swarm ui printed" in got(server, "/", Cookie="")[1]


def test_the_printed_address_opens_every_page(server: Server) -> None:
    status, _, headers = got(server, server.address.partition(str(server.server_port))[2], Cookie="")
    assert status == 200
    cookie, *limits = headers["Set-Cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Strict"} <= set(limits)
    assert got(server, "/run/first", Cookie=cookie)[0] == 200
    with serving() as another:
        assert got(another, "/", Cookie=cookie)[0] == 403
        assert another.cookie_name != server.cookie_name, "two servers of one host do not take each other's cookie"


def test_nothing_but_get_is_answered(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    connection.request("POST", "/run/first", body="x", headers={"Host": "localhost"})
    assert connection.getresponse().status == 501
    connection.close()


class Broken(Pages):
    """Pages with a bug."""

    def index(self) -> str:
        return str(1 // 0)


def test_a_bug_is_said_and_keeps_its_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    with serving(pages=Broken) as opened:
        status, text, headers = got(opened, "/")
    assert status == 500
    assert "ZeroDivisionError" in text
    assert "default-src" in headers["Content-Security-Policy"]
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_a_window_that_is_closed_is_no_error(shelf: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with serving(shelf) as opened:
        for words in (
            "GET /run/first HTTP/1.1\r\n",
            f"GET /run/first?token={opened.token} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ):
            with socket.create_connection(("127.0.0.1", opened.server_port)) as window:
                window.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closed with a reset
                window.sendall(words.encode())
        assert got(opened, "/")[0] == 200
    assert capfd.readouterr().err == ""


def test_streams_have_a_limit_and_end_with_their_window(tmp_path: Path) -> None:
    with serving(tmp_path) as opened:
        with ExitStack() as windows:
            for _ in range(STREAMS):
                assert windows.enter_context(asked(opened, "/events")).status == 200
            assert got(opened, "/events")[0] == 503
            assert got(opened, "/")[0] == 200
        wait_until(lambda: opened.streams.acquire(blocking=False), 20)
        opened.streams.release()
        with asked(opened, "/events") as answer:
            assert answer.status == 200


def test_names_say_where_a_run_is(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name does not depend on the order of folders; a run that is found twice is one run."""
    for name in ("a", "b"):
        shutil.copytree(shelf / "first", tmp_path / name / "first")
    (tmp_path / "link").symlink_to(tmp_path / "a" / "first")
    a, b = tmp_path / "a", tmp_path / "b"
    expected = {"a/first": a / "first", "b/first": b / "first"}
    assert Shelf([a, b]).runs() == expected
    assert Shelf([b, a, a / "first", tmp_path, tmp_path / "link"]).runs() == expected
    assert Shelf([a]).runs() == {"first": a / "first"}
    monkeypatch.chdir(a / "first" / "best")
    assert Shelf([Path("..")]).runs() == {"first": a / "first"}
    monkeypatch.chdir(a / "first")
    assert Shelf([Path()]).runs() == {"first": a / "first"}
    with serving(a, b) as opened:
        assert 'href="/run/a%2Ffirst"' in got(opened, "/")[1]
        assert got(opened, "/run/a%2Ffirst")[0] == 200
        assert got(opened, "/run/first")[0] == 404


def test_a_page_hears_of_a_new_line(shelf: Path, finished_run: Path, tmp_path: Path) -> None:
    shutil.copytree(shelf / "stopped", tmp_path / "grows")
    lines = (finished_run / JOURNAL).read_text().splitlines(keepends=True)
    with serving(tmp_path) as opened:
        before = got(opened, "/run/grows")[1]
        with asked(opened, "/events?run=grows") as stream:
            with (tmp_path / "grows" / JOURNAL).open("a") as journal:
                journal.write(lines[14])
            assert stream.readline() == b"event: changed\n"
            assert json.loads(stream.readline().removeprefix(b"data: ")) == "grows"
        assert got(opened, "/run/grows")[1] != before


def test_reading_changes_nothing(server: Server, shelf: Path) -> None:
    def content() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in sorted(shelf.rglob("*")) if path.is_file()}

    before = content()
    for path in ("/", "/run/first", "/run/stopped", f"/compare?first=first&second={quote(HOSTILE)}"):
        got(server, path)
    assert content() == before


def test_mistakes_are_one_line(tmp_path: Path, server: Server) -> None:
    assert "is not a folder" in run_cli("ui", tmp_path / "no").err
    done = run_cli("ui", tmp_path, "--port", server.server_port)
    assert done.code == 2
    assert f"--port: {server.server_port} cannot be used" in done.err


@pytest.mark.slow
def test_a_browser_shows_every_view(server: Server, tmp_path: Path) -> None:
    for path in ("/?", "/run/first?", "/run/stopped?", f"/compare?first=first&second={quote(HOSTILE)}&"):
        picture = tmp_path / "view.png"
        address = f"http://127.0.0.1:{server.server_port}{path}token={server.token}"
        shoot = chromium("--timeout=4000", "--window-size=420,900", f"--screenshot={picture}", address)
        subprocess.run(shoot, check=True, capture_output=True, timeout=90)
        assert picture.stat().st_size > 5000, path
        picture.unlink()


@contextmanager
def ui_process(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`swarm ui` in a process of its own, and the address that it prints."""
    with subprocess.Popen(command("ui", folder, "--port", 0), stdout=subprocess.PIPE, text=True) as ui:
        try:
            assert ui.stdout is not None
            yield ui, ui.stdout.readline().split()[0]
        finally:
            ui.kill()


@pytest.mark.slow
def test_a_browser_exchanges_the_content_by_itself(shelf: Path, finished_run: Path, tmp_path: Path) -> None:
    """A page that is hidden has no stream, and is renewed when it is shown; it says when its server has ended."""
    run = shutil.copytree(shelf / "stopped", tmp_path / "runs" / "grows")
    lines = (finished_run / JOURNAL).read_text().splitlines(keepends=True)

    def grow(to: int) -> str:
        (run / JOURNAL).write_text("".join(lines[:to]))
        return f"Unfinished: {sum(json.loads(line)['kind'] == 'evaluation' for line in lines[:to])} evaluations so far"

    def says(page: Page, words: str) -> bool:
        return words in str(page.evaluate("document.body?.innerText"))

    grown = grow(14)
    with browsing(tmp_path / "profile") as browser, ui_process(tmp_path / "runs") as (ui, address):
        page = browser.open(address.replace("/?", "/run/grows?"))
        wait_until(lambda: says(page, grown))
        wait_until(lambda: page.evaluate("location.search") == "")  # the token is out of sight
        page.evaluate("window.mark = 1")
        grown = grow(15)
        wait_until(lambda: says(page, grown))
        assert page.evaluate("window.mark") == 1, "it was not loaded again"
        others = [browser.open(address.partition("?")[0]) for _ in range(8)]
        wait_until(lambda: says(others[-1], "1 run"))
        grown = grow(16)
        time.sleep(3)
        assert not says(page, grown)
        page.bring_to_front()
        wait_until(lambda: says(page, grown))
        assert not says(page, "not live")
        ui.terminate()
        wait_until(lambda: says(page, "not live: the server has ended"))


def test_the_server_loads_no_torch() -> None:
    code = "import sys, swarm.web.server; print({'torch', 'transformers', 'ray'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
