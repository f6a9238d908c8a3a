"""As much of the hub as huggingface_hub asks for to publish a folder and to fetch one, on this machine."""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlparse


class FakeHub:
    """A server of repositories; ``repositories["owner/name"]`` are files by their paths, and can be changed."""

    def __init__(self):
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.private: set[str] = set()
        self.asked: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                hub.read(self, send=True)

            def do_HEAD(self):
                hub.read(self, send=False)

            def do_POST(self):
                hub.write(self, self.rfile.read(int(self.headers.get("Content-Length") or 0)) or self.chunks())

            def chunks(self) -> bytes:
                whole = b""
                while self.headers.get("Transfer-Encoding") == "chunked" and (size := int(self.rfile.readline(), 16)):
                    whole += self.rfile.read(size)
                    self.rfile.readline()
                return whole

            def answer(self, content: bytes, status: int = 200, send: bool = True, **headers: str):
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if send:
                    self.wfile.write(content)

            def told(self, value, status: int = 200, **headers: str):
                self.answer(json.dumps(value).encode(), status, **{"Content-Type": "application/json", **headers})

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def commit(self, name: str) -> str:
        files = self.repositories[name]
        return hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()

    def read(self, handler, send: bool):
        path = unquote(urlparse(handler.path).path)
        self.asked.append(path)
        parts = path.strip("/").split("/")
        name = "/".join(parts[2:4] if parts[0] == "api" else parts[:2])
        if name not in self.repositories:
            missing = {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}
            return handler.answer(b"{}", 404, send, **missing)
        files, commit = self.repositories[name], self.commit(name)
        if parts[0] != "api":
            content = files["/".join(parts[4:])]
            headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": commit}
            return handler.answer(content, 200, send, **headers)
        if parts[4:5] == ["tree"]:
            listed = [
                {"type": "file", "path": each, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for each, content in files.items()
            ]
            return handler.told(listed)
        if parts[5:] not in ([], ["main"], [commit]):
            return handler.answer(b"{}", 404, send, **{"X-Error-Code": "RevisionNotFound", "X-Error-Message": "none"})
        listed = [{"rfilename": each} for each in files]
        return handler.told(
            {"id": name, "sha": commit, "private": name in self.private, "siblings": listed, "tags": []}
        )

    def write(self, handler, body: bytes):
        path = unquote(urlparse(handler.path).path)
        self.asked.append(path)
        parts = path.strip("/").split("/")
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked.get('organization') or 'tester'}/{asked['name']}"
            self.repositories.setdefault(name, {})
            if asked.get("private") or asked.get("visibility") == "private":
                self.private.add(name)
            return handler.told({"url": f"{self.address}/{name}", "id": name, "name": name})
        if path == "/api/validate-yaml":
            return handler.told({"errors": [], "warnings": []})
        name = "/".join(parts[2:4])
        if parts[4] == "preupload":
            asked = json.loads(body)["files"]
            return handler.told(
                {"files": [{"path": each["path"], "uploadMode": "regular", "shouldIgnore": False} for each in asked]}
            )
        assert parts[4] == "commit", path
        for line in body.splitlines():
            each = json.loads(line)
            if each["key"] == "file":
                self.repositories[name][each["value"]["path"]] = base64.b64decode(each["value"]["content"])
        commit = self.commit(name)
        return handler.told(
            {"commitUrl": f"{self.address}/{name}/commit/{commit}", "commitOid": commit, "success": True}
        )
