"""A hub on this machine: the answers that huggingface_hub 1 and 2 need to list and read a table."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

_RESOLVE = re.compile(r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
_API = re.compile(r"/api/datasets/([^/]+/[^/]+)(?:/(revision|tree|paths-info)/([^/]+)(?:/(.*))?)?")


@dataclass
class FakeHub:
    """Serves ``root/<org>/<name>`` as data sets, each at one commit.

    Attributes:
        root: The folder that is served.
        commits: Id -> its only commit.
        refused: Id -> the status that it is refused with.
        asked: Every path asked for.
        sent: Bytes of file contents sent.
        reads_left: Parts of files that are still given; None for no limit.
    """

    root: Path
    commits: dict[str, str]
    refused: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    sent: int = 0
    reads_left: int | None = None
    url: str = ""

    @contextlib.contextmanager
    def running(self) -> Iterator[FakeHub]:
        hub = self

        class Handler(_Handler):
            served = hub

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def entries(self, hub_id: str) -> list[dict[str, Any]]:
        folder = self.root / hub_id
        return [
            {
                "type": "directory" if path.is_dir() else "file",
                "oid": "0" * 40,
                "size": 0 if path.is_dir() else path.stat().st_size,
                "path": path.relative_to(folder).as_posix(),
            }
            for path in sorted(folder.rglob("*"))
        ]


class _Handler(BaseHTTPRequestHandler):
    served: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Says nothing."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        hub = self.served
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        hub.asked.append(f"{self.command} {path}")
        found = _RESOLVE.fullmatch(path) or _API.fullmatch(path)
        if found is None:
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
        hub_id = found[1]
        if hub_id in hub.refused or hub_id not in hub.commits:
            status = hub.refused.get(hub_id, 404)
            codes = {404: "RepoNotFound", 403: "GatedRepo"}
            return self._send(status, b"", {"X-Error-Code": codes.get(status, "")})
        if found.re is _RESOLVE:
            return self._file(hub_id, found[2], found[3])
        revision = found[3] or "main"
        if revision not in (hub.commits[hub_id], "main"):
            return self._send(404, b"", {"X-Error-Code": "RevisionNotFound"})
        if found[2] == "tree":
            return self._tree(hub_id, found[4] or "")
        if found[2] == "paths-info":
            return self._paths(hub_id, body)
        info: dict[str, Any] = {"id": hub_id, "sha": hub.commits[hub_id], "siblings": []}
        return self._json(info)

    def _tree(self, hub_id: str, folder: str) -> None:
        prefix = f"{folder}/" if folder else ""
        entries = [e for e in self.served.entries(hub_id) if e["path"].startswith(prefix)]
        if "recursive=true" not in self.path.lower():
            entries = [e for e in entries if "/" not in e["path"].removeprefix(prefix)]
        if folder and not entries:
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
        return self._json(entries)

    def _paths(self, hub_id: str, body: bytes) -> None:
        try:
            wanted = json.loads(body)["paths"]
        except ValueError:
            wanted = [
                unquote(part[6:]) for part in body.decode().split("&") if part[:6] == "paths="
            ]
        self._json([e for e in self.served.entries(hub_id) if e["path"] in wanted])

    def _file(self, hub_id: str, revision: str, name: str) -> None:
        path = self.served.root / hub_id / name
        commit = self.served.commits[hub_id]
        if revision not in (commit, "main") or not path.is_file():
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
        content = path.read_bytes()
        headers = {"ETag": '"etag"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        status = 200
        if asked := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or ""):
            if self.served.reads_left == 0:
                return self._send(403, b"", {})
            if self.served.reads_left is not None:
                self.served.reads_left -= 1
            first, last = int(asked[1]), int(asked[2])
            headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
            content, status = content[first : last + 1], 206
        if self.command == "GET":
            self.served.sent += len(content)
        return self._send(status, content, headers)

    def _json(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
