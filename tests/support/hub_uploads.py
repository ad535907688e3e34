"""A hub on this machine that takes uploads: repositories are created as folders, and commits write their files."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from support.hub import COMMIT, Handler


@dataclass
class Uploads:
    """What a hub was sent.

    created: the bodies of requests for new repositories.
    tokens: who sent anything, as given.
    """

    address: str
    folder: Path
    asked: list[str] = field(default_factory=list)
    created: list[dict[str, object]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)


class Receiver(Handler):
    """Every file is sent in the commit itself: what is small is not stored apart."""

    def __init__(self, *arguments: object, uploads: Uploads) -> None:
        self.uploads = uploads
        super().__init__(*arguments, folder=uploads.folder, asked=uploads.asked, page=b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.uploads.asked.append(self.path)
        self.uploads.tokens.add(self.headers.get("Authorization", ""))
        kind, *rest = self.path.split("?")[0].strip("/").split("/")[1:]
        if kind == "repos":
            self.create(json.loads(body))
        elif kind == "validate-yaml":
            self.send_json(b'{"errors": [], "warnings": []}')
        elif rest[2] == "preupload":
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            self.send_json(json.dumps({"files": files}).encode())
        else:
            self.commit(self.folder / rest[0] / rest[1], body)

    def create(self, wanted: dict[str, object]) -> None:
        repository = f"{wanted['organization']}/{wanted['name']}"
        self.uploads.created.append(wanted)
        place = self.folder / repository
        content = json.dumps(
            {"url": f"{self.uploads.address}/{repository}", "id": repository, "name": repository}
        ).encode()
        self.send_response(409 if place.exists() else 200)
        place.mkdir(parents=True, exist_ok=True)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def commit(self, repository: Path, body: bytes) -> None:
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "file":
                file = repository / line["value"]["path"]
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(base64.b64decode(line["value"]["content"]))
        address = f"{self.uploads.address}/{repository.relative_to(self.folder)}/commit/{COMMIT}"
        self.send_json(json.dumps({"commitUrl": address, "commitOid": COMMIT, "success": True}).encode())


@contextmanager
def uploading_hub(folder: Path) -> Iterator[Uploads]:
    """What a hub that keeps its repositories in `folder` is sent; its address is for HF_ENDPOINT."""
    uploads = Uploads("", folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Receiver, uploads=uploads))
    uploads.address = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield uploads
    finally:
        server.shutdown()
        server.server_close()
