"""The server of `swarm ui`: the standard library's, on the loopback address, for reading alone.

It answers GET requests whose Host is this machine, so that no page of another site can read it under a name of its own.
A page may load its own script and nothing else.
"""

import json
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
HOSTS = (LOOPBACK, "localhost", "[::1]")
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
    """One request."""

    protocol_version = "HTTP/1.1"

    def __init__(self, pages: Pages, *arguments: object) -> None:
        self._pages = pages
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer from the table of views; anything else is not found."""
        if self.headers.get("Host", "").rpartition(":")[0] not in HOSTS:
            self._send(failed("this page answers to localhost alone"), HTTPStatus.FORBIDDEN)
            return
        asked = urlsplit(self.path)
        view, _, name = asked.path.lstrip("/").partition("/")
        query = {key: values[0] for key, values in parse_qs(asked.query).items()}
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

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: the terminal belongs to the user."""

    def _page(self, text: str | None) -> None:
        if text is None:
            self._send(failed("there is no such page"), HTTPStatus.NOT_FOUND)
        else:
            self._send(text)

    def _send(self, text: str, status: HTTPStatus = HTTPStatus.OK, kind: str = "text/html") -> None:
        content = text.encode("utf-8", errors="replace")
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, name: str) -> None:
        """Server-sent events: one each time that the run, or any run, has changed."""
        before, told = self._pages.shelf.stamps(name), time.monotonic()
        self.send_response(HTTPStatus.OK)
        for header, value in {"Content-Type": "text/event-stream", "Connection": "close", **HEADERS}.items():
            self.send_header(header, value)
        self.end_headers()
        self.close_connection = True
        try:
            while True:
                time.sleep(POLL_SECONDS)
                now = self._pages.shelf.stamps(name)
                if now != before:
                    self._write(f"event: changed\ndata: {json.dumps(name)}\n\n")
                    before, told = now, time.monotonic()
                elif time.monotonic() - told > STILL_SECONDS:
                    self._write(": still here\n\n")
                    told = time.monotonic()
        except OSError:
            return  # the window was closed

    def _write(self, text: str) -> None:
        self.wfile.write(text.encode())
        self.wfile.flush()


class Server(ThreadingHTTPServer):
    """Serves the pages until it is shut down."""

    daemon_threads = True  # an open stream does not keep the program alive


def open_server(pages: Pages, port: int) -> Server:
    """A server on the loopback address; port 0: any that is free. Raises ConfigError where the port is taken."""
    try:
        return Server((LOOPBACK, port), partial(Handler, pages))
    except OSError as error:
        raise ConfigError(f"--port: {port} cannot be used ({error.strerror}); name another, or 0 for any") from None


def _script() -> str:
    return (files("swarm.web") / "templates" / "live.js").read_text(encoding="utf-8")
