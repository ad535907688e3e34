"""A hub on this machine: the addresses of the Hugging Face Hub's API that a download needs, served from folders."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Handler(BaseHTTPRequestHandler):
    """Answers for repositories that lie as `owner/name` in a folder."""

    def __init__(self, *arguments: object, folder: Path, asked: list[str], page: bytes) -> None:
        self.folder, self.asked, self.page = folder, asked, page
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def answer(self, *, with_body: bool) -> None:
        self.asked.append(self.path)
        path = self.path.split("?")[0].strip("/")
        if self.page:
            self.send_json(self.page)
        elif path.startswith("api/models/"):
            _, _, owner, name, what, *_ = path.split("/")
            self.send_listing(self.folder / owner / name, what)
        elif "/resolve/" in path:
            repository, file = path.split(f"/resolve/{COMMIT}/")
            self.send_file(self.folder / repository / file, with_body)
        else:
            self.send_error(404)

    def send_listing(self, repository: Path, what: str) -> None:
        """What a repository holds: `tree` lists its files, `revision` says which commit it is at."""
        if not repository.is_dir():
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.end_headers()
            return
        files = sorted(repository.iterdir())
        tree = [{"type": "file", "path": f.name, "size": f.stat().st_size, "oid": COMMIT} for f in files]
        siblings = [{"rfilename": file.name} for file in files]
        revision = {"id": "/".join(repository.parts[-2:]), "sha": COMMIT, "siblings": siblings}
        self.send_json(json.dumps(tree if what == "tree" else revision).encode())

    def send_json(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def send_file(self, file: Path, with_body: bool) -> None:
        content = file.read_bytes()
        self.send_response(200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """No line on the terminal for each request."""


@contextmanager
def hub(folder: Path, page: bytes = b"") -> Iterator[tuple[str, list[str]]]:
    """Its address, for HF_ENDPOINT, and the paths that it is asked for. page: what it answers to everything."""
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, folder=folder, asked=asked, page=page))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
