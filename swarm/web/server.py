"""The server of `swarm ui`: the standard library's, on the loopback address, for reading alone.

It answers GET requests whose Host is this machine, so that no page of another site can read it under a name of its own,
and which know its token: other users of the machine must not read prompts. The address that is printed holds the token,
and the first visit leaves it in a cookie. A page may load its own script and nothing else.
"""

import json
import secrets
import select
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from urllib.parse import parse_qs, unquote, urlsplit

from swarm.core.errors import ConfigError
from swarm.web.pages import Pages, failed

LOOPBACK = "127.0.0.1"
HOSTS = (LOOPBACK, "localhost", "::1")
STREAMS = 64  # open at a time; each has a thread
IDLE_SECONDS = 60  # after which a connection that says nothing is closed
POLL_SECONDS = 1.0  # between two looks at the files
STILL_SECONDS = 15.0  # after which an idle stream says that it is there
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; "
    "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    server: "Server"

    def __init__(self, pages: Pages, *arguments: object) -> None:
        self._pages = pages
        self._answered = self._is_first = False
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer. An error of ours is said on the page, and keeps its traceback on the terminal."""
        self._answered = self._is_first = False
        try:
            self._answer()
        except (ConnectionError, TimeoutError):
            raise
        except Exception as error:
            self.close_connection = True
            if not self._answered:
                self._send(failed(f"{type(error).__name__}: {error}"), HTTPStatus.INTERNAL_SERVER_ERROR)
            raise

    def _answer(self) -> None:
        """From the table of views; anything else is not found."""
        try:
            asked = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(asked.query).items()}
        except ValueError:
            self._page(None)
            return
        self._is_first = self.server.admits(query.get("token", ""))
        if refused := self._refused():
            self._send(failed(refused), HTTPStatus.FORBIDDEN)
            return
        view, _, name = asked.path.lstrip("/").partition("/")
        views: dict[str, Callable[[], None]] = {
            "": lambda: self._page(self._pages.index()),
            "run": lambda: self._page(self._pages.run(unquote(name))),
            "compare": lambda: self._page(self._pages.compared(query.get("first", ""), query.get("second", ""))),
            "events": lambda: self._stream(query.get("run", "")),
            "live.js": lambda: self._send(_script(), kind="text/javascript"),
        }
        if view not in views or (name and view != "run"):
            self._page(None)
            return
        views[view]()

    def _refused(self) -> str:
        """Why the request is not answered; "" where it is."""
        if _host(self.headers.get("Host", "")) not in HOSTS:
            return "this page answers to localhost alone"
        if not (self._is_first or self.server.admits(self._cookie())):
            return "this page is for the user who started it; open the address that swarm ui printed"
        return ""

    def _cookie(self) -> str:
        """The token of an earlier visit. Cookies of other programs on this host, of any form, may stand beside it."""
        pairs = (each.strip().partition("=") for each in self.headers.get("Cookie", "").split(";"))
        return next((value for name, _, value in pairs if name == self.server.cookie_name), "")

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: the terminal belongs to the user."""

    def _page(self, text: str | None) -> None:
        if text is None:
            self._send(failed("there is no such page"), HTTPStatus.NOT_FOUND)
        else:
            self._send(text)

    def _send(self, text: str, status: HTTPStatus = HTTPStatus.OK, kind: str = "text/html") -> None:
        content = text.encode("utf-8", errors="replace")
        self._answered = True
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        visit = f"{self.server.cookie_name}={self.server.token}; HttpOnly; SameSite=Strict; Path=/"
        cookie = {"Set-Cookie": visit} if self._is_first and status != HTTPStatus.FORBIDDEN else {}
        for name, value in {**HEADERS, **cookie}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, name: str) -> None:
        """Server-sent events: one each time that the run, or any run, has changed."""
        before = self._pages.shelf.stamps(name)
        if not self.server.streams.acquire(blocking=False):
            self._send(failed("too many pages are open; close some"), HTTPStatus.SERVICE_UNAVAILABLE)
            return
        try:
            self._answered = True
            self.send_response(HTTPStatus.OK)
            for header, value in {"Content-Type": "text/event-stream", "Connection": "close", **HEADERS}.items():
                self.send_header(header, value)
            self.end_headers()
            self.close_connection = True
            self._follow(name, before)
        finally:
            self.server.streams.release()

    def _follow(self, name: str, before: object) -> None:
        """Until the window is closed."""
        told = time.monotonic()
        while not select.select([self.connection], [], [], POLL_SECONDS)[0]:  # a closed one can be read: it has ended
            now = self._pages.shelf.stamps(name)
            if now != before:
                self._write(f"event: changed\ndata: {json.dumps(name)}\n\n")
                before, told = now, time.monotonic()
            elif time.monotonic() - told > STILL_SECONDS:
                self._write(": still here\n\n")
                told = time.monotonic()

    def _write(self, text: str) -> None:
        self.wfile.write(text.encode())
        self.wfile.flush()


class Server(ThreadingHTTPServer):
    """Serves the pages until it is shut down, to whoever knows its token.

    streams: the streams that may yet be opened.
    """

    daemon_threads = True  # an open stream does not keep the program alive

    def __init__(self, pages: Pages, port: int) -> None:
        self.token = secrets.token_urlsafe(24)
        self.streams = threading.BoundedSemaphore(STREAMS)
        super().__init__((LOOPBACK, port), partial(Handler, pages))

    @property
    def address(self) -> str:
        """What the user opens."""
        return f"http://{LOOPBACK}:{self.server_port}/?token={self.token}"

    @property
    def cookie_name(self) -> str:
        """Of this port: a browser sends the cookies of a host to all its ports."""
        return f"swarm-{self.server_port}"

    def admits(self, token: str) -> bool:
        return secrets.compare_digest(token.encode("utf-8", "replace"), self.token.encode())

    def handle_error(self, request: object, client_address: object) -> None:
        """A window that was closed is no error; anything else keeps its traceback."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def open_server(pages: Pages, port: int) -> Server:
    """A server on the loopback address; port 0: any that is free. Raises ConfigError where the port is taken."""
    try:
        return Server(pages, port)
    except OSError as error:
        raise ConfigError(f"--port: {port} cannot be used ({error.strerror}); name another, or 0 for any") from None


def _host(value: str) -> str | None:
    """The name in a Host header, without the port."""
    try:
        return urlsplit(f"//{value}").hostname
    except ValueError:
        return None


def _script() -> str:
    return (files("swarm.web") / "templates" / "live.js").read_text(encoding="utf-8")
