"""An OpenAI-compatible endpoint on this machine that answers as a function says, and keeps what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Reply = str | tuple[int, str] | tuple[int, str, dict[str, str]]  # a text, or a status with a body and headers


@dataclass
class JudgeServer:
    """url: up to /v1; asked: the last message of every request; keys: its Authorization header."""

    url: str
    asked: list[str] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    bodies: list[dict[str, object]] = field(default_factory=list)


@contextmanager
def judge_server(reply: Callable[[str, int], Reply]) -> Iterator[JudgeServer]:
    """reply: what it says to a message, from the message and the number of requests so far."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked = body["messages"][-1]["content"]
            with lock:
                number = len(server.asked)
                server.asked.append(asked)
                server.keys.append(self.headers["Authorization"])
                server.bodies.append(body)
            found = reply(asked, number) if self.path == "/v1/chat/completions" else (404, f"no {self.path}")
            if isinstance(found, str):
                found = 200, json.dumps({"choices": [{"message": {"role": "assistant", "content": found}}]})
            status, text, *headers = found
            self.send_response(status)
            for name, value in (headers[0] if headers else {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    lock = threading.Lock()
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = JudgeServer(f"http://127.0.0.1:{http.server_port}/v1")
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
