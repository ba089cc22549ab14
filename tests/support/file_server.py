"""Local file server that can fail in controlled ways."""

import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer:
    """Context manager that serves files over HTTP on this machine.

    Parameters
    ----------
    files : dict
        Content of each file as bytes, by name.
    breaks_after : list of int, default=()
        Number of bytes after which the connection is closed, for each of the first requests.
    ranges : bool, default=True
        Whether the server supports requests for a range of bytes.
    delay : float, default=0
        Time in seconds before each response.

    Attributes
    ----------
    requests : list of (str, str or None)
        Name and ``Range`` header of each request.
    statuses : list of int
        Status of each response.
    """

    def __init__(self, files, breaks_after=(), ranges=True, delay=0):
        self.files = files
        self.breaks_after = list(breaks_after)
        self.ranges = ranges
        self.delay = delay
        self.requests, self.statuses = [], []

    def __enter__(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer._answer(self)

            do_HEAD = do_POST = do_GET

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def address(self):
        """URL of the folder with the files."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def _answer(self, handler):
        name, asked = handler.path.lstrip("/"), handler.headers.get("Range")
        self.requests.append((name, asked))
        time.sleep(self.delay)
        content = self.files.get(name)
        if content is None:
            return self._send(handler, 404, b"no such file")
        if asked is None or not self.ranges:
            return self._send(handler, 200, content)
        first = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
        if first >= len(content):
            return self._send(handler, 416, b"", f"bytes */{len(content)}")
        said = f"bytes {first}-{len(content) - 1}/{len(content)}"
        return self._send(handler, 206, content[first:], said)

    def _send(self, handler, status, content, content_range=None):
        self.statuses.append(status)
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content)))
        if content_range is not None:
            handler.send_header("Content-Range", content_range)
        handler.end_headers()
        sent = self.breaks_after.pop(0) if self.breaks_after else len(content)
        handler.wfile.write(content[:sent])
