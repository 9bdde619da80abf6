"""A hub on the loopback that speaks the protocol of huggingface.co, as far as models are pushed and pulled."""

import base64
import hashlib
import json
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

REGULAR = (".json", ".md", ".yaml")  # the rest goes the way of large files


@dataclass
class Repository:
    """Its commits, (sha, files), the last of which is main; and whether it may be seen without a token."""

    private: bool
    commits: list[tuple[str, dict[str, bytes]]] = field(default_factory=list)

    def at(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        if revision == "main":
            return self.commits[-1] if self.commits else ("0" * 40, {})
        return next((commit for commit in self.commits if commit[0] == revision), None)

    def commit(self, files: dict[str, bytes]) -> str:
        files = {**(self.commits[-1][1] if self.commits else {}), **files}
        content = json.dumps([(path, hashlib.sha256(data).hexdigest()) for path, data in sorted(files.items())])
        sha = hashlib.sha1(f"{len(self.commits)}{content}".encode()).hexdigest()
        self.commits.append((sha, files))
        return sha


@dataclass
class Hub:
    """What the server holds, what it was asked, and how it misbehaves."""

    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)  # method and path
    received: list[bytes] = field(default_factory=list)  # bodies
    agents: list[str] = field(default_factory=list)
    token: str | None = None  # that it demands for whatever changes something, and for what is private
    breaks_uploads: bool = False
    claimed_sizes: dict[str, int] = field(default_factory=dict)  # of files that it lies about
    fails_with: int = 0  # an HTTP status for every question
    answers: dict[str, bytes] = field(default_factory=dict)  # beginning of a path -> the body of its answer, instead of the right one
    headers: dict[str, str] = field(default_factory=dict)  # of files, instead of the right ones
    elsewhere: str = ""  # the address of another host that sends the files
    always_elsewhere: bool = False  # also where that is no host
    drips: bool = False  # answers come, but hardly
    ranges: list[str | None] = field(default_factory=list)  # parts of files that were asked for
    endless: bool = False  # files do not end
    breaks_after: int = 0  # bytes of an answer with a file, after which the connection breaks once
    secrets: list[tuple[str, str | None]] = field(default_factory=list)  # host and path that were asked, and the token
    sent: int = 0  # bytes of endless files


@contextmanager
def running_hub():
    """A hub of its own, on a port that is free."""
    hub = Hub()

    class Handler(_Handler):
        pass

    Handler.hub = hub
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._begin()
        parts = self.path_parts
        if self.refused:
            return
        if parts[:2] == ["api", "models"] and parts[4:5] in (["revision"], []):
            self._info("/".join(parts[2:4]), parts[5] if len(parts) > 5 else "main")
        elif parts[:2] == ["api", "models"] and parts[4:5] == ["tree"]:
            self._tree("/".join(parts[2:4]), parts[5])
        elif parts[2:3] == ["resolve"]:
            self._file("/".join(parts[:2]), parts[3], "/".join(parts[4:]))
        else:
            self._answer(404, {"error": f"no such page {self.path}"})

    do_HEAD = do_GET

    def do_POST(self):
        body = self._begin()
        parts = self.path_parts
        if self.refused:
            return
        if self.hub.token and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            self._answer(
                401, {"error": "Invalid username or password."}, {"X-Error-Message": "Invalid credentials in Authorization header"}
            )
        elif parts == ["api", "repos", "create"]:
            self._create(json.loads(body))
        elif parts == ["api", "validate-yaml"]:
            self._answer(200, {"errors": [], "warnings": []})
        elif parts[4:5] == ["preupload"]:
            modes = [{"path": f["path"], "uploadMode": _mode(f["path"]), "shouldIgnore": False} for f in json.loads(body)["files"]]
            self._answer(200, {"files": modes})
        elif parts[-3:] == ["lfs", "objects", "batch"]:
            self._answer(200, {"transfer": "basic", "objects": [self._lfs(o) for o in json.loads(body)["objects"]]})
        elif parts[:1] == ["verify"]:
            self._answer(200, {})
        elif parts[4:5] == ["commit"]:
            self._commit("/".join(parts[2:4]), [json.loads(line) for line in body.splitlines()])
        else:
            self._answer(404, {"error": f"no such page {self.path}"})

    def do_PUT(self):
        if self.hub.breaks_uploads:
            self.rfile.read(min(50, int(self.headers["Content-Length"])))
            self.close_connection = True
            self.connection.close()
            return
        body = self._begin()
        self.hub.objects[self.path_parts[-1]] = body
        self._answer(200, {})

    def _begin(self) -> bytes:
        self.path_parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.hub.asked.append((self.command, self.path))
        self.hub.received.append(body)
        self.hub.agents.append(self.headers.get("User-Agent", ""))
        self.hub.secrets.append((self.headers["Host"] + self.path, self.headers.get("Authorization")))
        if self.hub.drips:
            self._drip()
        other = next((other for start, other in self.hub.answers.items() if self.path.startswith(start)), None)
        self.refused = bool(self.hub.fails_with) or other is not None
        if self.hub.fails_with:
            self._answer(self.hub.fails_with, {"error": "out of order"})
        elif other is not None:
            self._send(200, other, {"Content-Type": "application/json"})
        return body

    def _repository(self, name: str) -> Repository | None:
        found = self.hub.repositories.get(name)
        if found is None or (found.private and self.headers.get("Authorization") != f"Bearer {self.hub.token}"):
            self._answer(401 if found is None else 404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
            return None
        return found

    def _at(self, name: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        repository = self._repository(name)
        if repository is None:
            return None
        found = repository.at(revision)
        if found is None:
            self._answer(404, {"error": f"Invalid rev id: {revision}"}, {"X-Error-Code": "RevisionNotFound"})
        return found

    def _info(self, name: str, revision: str):
        if found := self._at(name, revision):
            sha, files = found
            siblings = [{"rfilename": path, "size": self._size(path, data), "blobId": _oid(data)} for path, data in files.items()]
            self._answer(200, {"id": name, "modelId": name, "sha": sha, "private": False, "siblings": siblings, "tags": [], "downloads": 0})

    def _tree(self, name: str, revision: str):
        if found := self._at(name, revision):
            entries = [{"type": "file", "path": path, "size": self._size(path, data), "oid": _oid(data)} for path, data in found[1].items()]
            self._answer(200, entries)

    def _size(self, path: str, data: bytes) -> int:
        return self.hub.claimed_sizes.get(path, len(data))

    def _file(self, name: str, revision: str, path: str):
        if found := self._at(name, revision):
            sha, files = found
            if path not in files:
                self._answer(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": sha})
                return
            headers = {"ETag": f'"{_oid(files[path])}"', "X-Repo-Commit": sha, **self.hub.headers}
            if self.hub.always_elsewhere or (self.hub.elsewhere and not self.hub.elsewhere.endswith(self.headers["Host"])):
                own = {"ETag": '"of the other host"', "X-Linked-ETag": headers["ETag"], "Location": self.hub.elsewhere + self.path}
                self._send(302, b"", {**headers, **own})
            elif self.hub.endless and self.command == "GET":
                self._send_without_end(headers)
            else:
                self._send_part(files[path], headers)

    def _drip(self):
        with suppress(OSError):
            while self.hub.drips:
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                time.sleep(0.02)

    def _send_part(self, content: bytes, headers: dict):
        self.hub.ranges.append(self.headers.get("Range"))
        start = int((self.headers.get("Range") or "bytes=0-")[len("bytes=") : -1])
        status, content = (206, content[start:]) if start else (200, content)
        if self.hub.breaks_after and self.command == "GET" and len(content) > self.hub.breaks_after:
            self._send(status, content, headers, self.hub.breaks_after)
            self.hub.breaks_after, self.close_connection = 0, True
        else:
            self._send(status, content, headers)

    def _send_without_end(self, headers: dict):
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        with suppress(OSError):
            while self.hub.sent < 2**28:
                self.hub.sent += self.wfile.write(bytes(2**16))

    def _create(self, wanted: dict):
        name = "/".join(part for part in (wanted.get("organization"), wanted["name"]) if part)
        if name in self.hub.repositories:
            self._answer(409, {"error": "You already created this model repo", "url": f"{self.hub.url}/{name}"})
            return
        self.hub.repositories[name] = Repository(bool(wanted.get("private")) or wanted.get("visibility") == "private")
        self._answer(200, {"url": f"{self.hub.url}/{name}", "name": name})

    def _lfs(self, wanted: dict) -> dict:
        oid = wanted["oid"]
        actions = {"upload": {"href": f"{self.hub.url}/lfs/{oid}"}, "verify": {"href": f"{self.hub.url}/verify/{oid}"}}
        return wanted if oid in self.hub.objects else {**wanted, "actions": actions}

    def _commit(self, name: str, lines: list[dict]):
        files = {}
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.objects[value["oid"]]
        sha = self.hub.repositories[name].commit(files)
        self._answer(200, {"success": True, "commitOid": sha, "commitUrl": f"{self.hub.url}/{name}/commit/{sha}", "hookOutput": ""})

    def _answer(self, status: int, content, headers: dict | None = None):
        self._send(status, json.dumps(content).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _send(self, status: int, content: bytes, headers: dict, most: int | None = None):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[:most])


def _mode(path: str) -> str:
    return "regular" if path.endswith(REGULAR) else "lfs"


def _oid(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()
