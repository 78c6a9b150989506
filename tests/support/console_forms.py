"""A console without a browser: its pages by HTTP, its forms as they ask to be sent.

Here: one visitor with cookies, over a real connection. Not here: what a page says (tests).
"""

from __future__ import annotations

import http.client
import re
import ssl
from pathlib import Path
from types import TracebackType
from urllib.parse import urlencode, urlsplit


class Forms:
    """One visitor; `cookies` by name. `certificate`: of a console that has one."""

    def __init__(self, address: str, certificate: Path | None = None) -> None:
        self.cookies: dict[str, str] = {}
        self._origin = address
        place = urlsplit(address).netloc
        self._connection = http.client.HTTPConnection(place, timeout=60)
        if certificate is not None:
            tls = ssl.create_default_context(cafile=certificate)
            tls.check_hostname = False  # it is known by its key
            self._connection = http.client.HTTPSConnection(place, timeout=60, context=tls)

    def get(self, path: str) -> str:
        return self._ask("GET", path)[1]

    def post(self, path: str, **form: str) -> int:
        """Send a form that stands on `path`; the answer's status."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.get(path))
        assert found is not None, path
        return self._ask("POST", path, urlencode({**form, "csrf": found[1]}))[0]

    def log_in(self, name: str, password: str) -> None:
        assert self.post("/login", name=name, password=password, to="/") == 303

    def _ask(self, method: str, path: str, body: str | None = None) -> tuple[int, str]:
        headers = {"Origin": self._origin, "Accept": "text/html"}
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        for line in answer.msg.get_all("Set-Cookie") or []:
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer.status, answer.read().decode("utf-8", "replace")

    def __enter__(self) -> Forms:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()
