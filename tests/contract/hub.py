"""A small hub on 127.0.0.1: enough of the real one's protocol for its own clients.

It serves repositories of datasets and models from memory, logs every request, and can be told to
misbehave.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

NAME = "(?P<repo>[^/]+/[^/]+)"
API = re.compile(rf"/api/(?:datasets|models)/{NAME}(?:/(?P<verb>[a-z-]+)/(?P<rest>.*))?")
FILE = re.compile(rf"/(?:datasets/)?{NAME}/resolve/(?P<revision>[^/]+)/(?P<file>.+)")


@dataclass
class Repo:
    """One repository at one commit."""

    files: dict[str, bytes]
    card: dict = field(default_factory=dict)
    token: str | None = None
    gated: bool = False

    @property
    def commit(self):
        digest = hashlib.sha1(usedforsecurity=False)
        for name, content in sorted(self.files.items()):
            digest.update(name.encode() + content)
        return digest.hexdigest()

    def knows(self, revision):
        return revision in ("main", "v1", self.commit)


@dataclass
class Fault:
    """Answers `status` to the next `times` requests that match, or cuts their body."""

    pattern: str
    times: int = 1
    status: int = 503
    cut: int | None = None
    headers: dict[str, str] = field(default_factory=dict)


class Hub:
    """Repositories, faults to come, and what was asked."""

    def __init__(self):
        self.repos: dict[str, Repo] = {}
        self.faults: list[Fault] = []
        self.asked: list[str] = []
        self.lock = threading.Lock()
        self.url = ""

    def fault_for(self, request):
        with self.lock:
            self.asked.append(request)
            for fault in self.faults:
                if fault.times and re.search(fault.pattern, request):
                    fault.times -= 1
                    return fault
        return None

    def fetched(self, repo=""):
        """Return the names of the files whose content was asked for, of one repository or all."""
        lines = (line for line in self.asked if line.startswith("GET ") and f"{repo}/" in line)
        found = map(FILE.search, lines)
        return [unquote(match["file"]) for match in found if match]


@contextmanager
def serving(hub):
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(hub))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler_for(hub):
    class Handler(_Handler):
        pass

    Handler.hub = hub
    return Handler


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a body would wait 40 ms for the word that its head arrived

    def do_GET(self):
        self._answer()

    def do_HEAD(self):
        self._answer()

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        self._answer(parse_qs(self.rfile.read(length).decode()))

    def log_message(self, *_):
        """Stay silent: the log is kept in the hub."""

    def _answer(self, form=None):
        path = unquote(urlsplit(self.path).path)
        fault = self.hub.fault_for(f"{self.command} {path}")
        if fault is not None and fault.cut is None:
            return self._send(fault.status, b"busy", fault.headers)
        match = FILE.fullmatch(path) or API.fullmatch(path)
        repo = self.hub.repos.get(match["repo"]) if match else None
        if repo is None:
            return self._refuse(404, "RepoNotFound")
        if self._lacks_token(repo):
            code = "GatedRepo" if repo.gated else "RepoNotFound"
            return self._refuse(403 if self.headers.get("Authorization") else 401, code)
        if match.re is FILE:
            return self._file(repo, match["revision"], match["file"], fault)
        return self._api(repo, match, form)

    def _lacks_token(self, repo):
        return repo.token is not None and self.headers.get("Authorization") != (
            f"Bearer {repo.token}"
        )

    def _api(self, repo, match, form):
        verb, rest = match["verb"] or "revision", match["rest"] or "main"
        revision, _, folder = (rest, "", "") if verb == "revision" else rest.partition("/")
        if not repo.knows(revision):
            return self._refuse(404, "RevisionNotFound")
        if verb == "tree":
            return self._tree(repo, folder)
        if verb == "paths-info":
            names = [name for name in form["paths"] if name in repo.files]
            return self._json([_file_info(name, repo.files[name]) for name in names])
        siblings = [{"rfilename": name} for name in repo.files]
        return self._json(
            {
                "_id": "1",
                "id": match["repo"],
                "sha": repo.commit,
                "private": False,
                "gated": "manual" if repo.gated else False,
                "disabled": False,
                "downloads": 0,
                "likes": 0,
                "tags": [],
                "siblings": siblings,
                "cardData": repo.card,
            }
        )

    def _tree(self, repo, folder):
        recursive = "recursive=true" in urlsplit(self.path).query.lower()
        prefix = f"{folder}/" if folder else ""
        below = [name for name in sorted(repo.files) if name.startswith(prefix)]
        if folder and not below:
            return self._refuse(404, "EntryNotFound")
        folders = {
            name[: position.start()]
            for name in below
            for position in re.finditer("/", name)
            if position.start() > len(prefix)
        }
        if not recursive:
            below = [name for name in below if "/" not in name[len(prefix) :]]
            folders = {name for name in folders if "/" not in name[len(prefix) :]}
        entries = [{"type": "directory", "path": name, "oid": "0"} for name in sorted(folders)]
        return self._json(entries + [_file_info(name, repo.files[name]) for name in below])

    def _file(self, repo, revision, name, fault):
        if not repo.knows(revision):
            return self._refuse(404, "RevisionNotFound")
        headers = {"X-Repo-Commit": repo.commit}
        if name not in repo.files:
            return self._refuse(404, "EntryNotFound", headers)
        content = repo.files[name]
        etag = hashlib.sha256(content).hexdigest()
        headers |= {"ETag": f'"{etag}"', "Accept-Ranges": "bytes"}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        status = 200
        if wanted:
            first, last = int(wanted[1]), int(wanted[2] or len(content) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
            content, status = content[first : last + 1], 206
        return self._send(status, content, headers, cut=fault.cut if fault else None)

    def _json(self, content):
        self._send(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _refuse(self, status, code, headers=None):
        self._send(status, b"{}", {"X-Error-Code": code, **(headers or {})})

    def _send(self, status, content, headers=None, cut=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[:cut])
        if cut is not None:
            self.close_connection = True


def _file_info(name, content):
    digest = hashlib.sha256(content).hexdigest()
    return {"type": "file", "path": name, "size": len(content), "oid": digest[:40]}
