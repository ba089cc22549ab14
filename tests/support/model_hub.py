"""Stand-in for the Hugging Face Hub on this machine, as far as models are pushed and loaded."""

import base64
import hashlib
import json
import re

from tests.support.file_server import FileServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class ModelHub(FileServer):
    """Context manager that serves repositories of models over HTTP.

    Parameters
    ----------
    repositories : dict of dict of bytes
        Content of each file by its name, by the name of its repository. Pushes change it.
    gated : set of str, default=()
        Repositories that are shared on request only.

    Attributes
    ----------
    downloads : list of str
        Path of each file that was sent.
    tokens : set of (str or None)
        ``Authorization`` headers of all requests.
    """

    def __init__(self, repositories, gated=()):
        super().__init__({})
        self.repositories = repositories
        self.gated = gated
        self.downloads, self.tokens = [], set()

    def _answer(self, request):
        """Answer a request of huggingface_hub."""
        self.tokens.add(request.headers.get("Authorization"))
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        path = request.path.partition("?")[0]
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = "/".join(filter(None, [asked.get("organization") or "me", asked["name"]]))
            self.repositories.setdefault(name, {})
            return _send(request, 200, {"url": f"{self.address}/{name}", "name": name})
        if path == "/api/whoami-v2":
            return _send(request, 200, {"type": "user", "name": "me"})
        if path == "/api/validate-yaml":
            return _send(request, 200, {"warnings": [], "errors": []})
        found = re.fullmatch(r"/(?:api/models/)?([^/]+/[^/]+)(?:/(\w+)/([^/]+))?/?(.*)", path)
        repository, verb, revision, name = found.groups()
        files = self.repositories.get(repository)
        if files is None:
            return _refuse(request, 404, "RepoNotFound")
        if repository in self.gated:
            return _refuse(request, 403, "GatedRepo")
        if revision not in (None, "main", COMMIT):
            return _refuse(request, 404, "RevisionNotFound")
        if verb == "preupload":
            names = [file["path"] for file in json.loads(body)["files"]]
            plain = {"uploadMode": "regular", "shouldIgnore": False}
            return _send(request, 200, {"files": [{"path": n} | plain for n in names]})
        if verb == "commit":
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            url = f"{self.address}/{repository}/commit/{COMMIT}"
            return _send(request, 200, {"commitUrl": url, "commitOid": COMMIT, "success": True})
        if verb == "resolve":
            if name not in files:
                return _refuse(request, 404, "EntryNotFound")
            if request.command == "GET":
                self.downloads.append(path)
            return _send(request, 200, files[name])
        entries = [
            {"type": "file", "path": n, "size": len(c), "oid": _digest(c), "rfilename": n}
            for n, c in files.items()
        ]
        if verb == "tree":
            return _send(request, 200, entries)
        facts = {"id": repository, "modelId": repository, "sha": COMMIT, "siblings": entries}
        return _send(request, 200, facts)


def _digest(content):
    return hashlib.sha1(content).hexdigest()


def _refuse(request, status, code):
    return _send(request, status, {"error": code}, {"X-Error-Code": code, "X-Error-Message": code})


def _send(request, status, content, headers=()):
    is_file = isinstance(content, bytes)
    content = content if is_file else json.dumps(content).encode()
    request.send_response(status)
    request.send_header("Content-Length", str(len(content)))
    request.send_header("X-Repo-Commit", COMMIT)
    request.send_header("ETag", f'"{_digest(content)}"')
    request.send_header(
        "Content-Type", "application/octet-stream" if is_file else "application/json"
    )
    for name, value in dict(headers).items():
        request.send_header(name, value)
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(content)
