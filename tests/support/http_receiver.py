"""A webhook's receiver in threads, beside a gateway process: it hangs, fails, takes, or holds each
until it is released, as told.

Only the server belongs here. `ids` are those of the events that it took, in order, repeats too.
"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Literal


class HttpReceiver:
    """`with HttpReceiver() as receiver:`; `mode` may be changed at any time."""

    def __init__(self, mode: Literal["take", "fail", "hang", "hold"] = "take") -> None:
        self.mode = mode
        self.release = threading.Event()
        self.ids: list[str] = []
        self.requests = 0
        self._ended = threading.Event()
        self._changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver._take(self.headers["webhook-id"])
                if status is None:
                    receiver._ended.wait()
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/"

    def _take(self, id: str) -> int | None:
        with self._changed:
            self.requests += 1
            mode = self.mode
            if mode in ("take", "hold"):
                self.ids.append(id)
            self._changed.notify_all()
        if mode == "hold":
            self.release.wait()
        return {"take": 204, "hold": 204, "fail": 500, "hang": None}[mode]

    def await_requests(self, count: int, seconds: float = 60.0) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.requests >= count, seconds), self.requests

    def await_ids(self, ids: list[str], seconds: float = 60.0) -> None:
        """Until each of `ids` came, in that order; others and repeats may be between them."""

        def there() -> bool:
            wanted = set(ids)
            return [id for id in dict.fromkeys(self.ids) if id in wanted] == ids

        with self._changed:
            assert self._changed.wait_for(there, seconds), (len(self.ids), len(ids))

    def __enter__(self) -> HttpReceiver:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
