"""A console's requests without a process and without a browser.

Here: what a browser sends to an application in the test's own loop. Not here: a console of its own
process (console.py, console_forms.py), what a page says (tests).
"""

import re

from aiohttp import web
from aiohttp.test_utils import TestClient

from support.console import PASSWORD


class Browser:
    """What a browser sends, over `client`."""

    def __init__(self, client: TestClient[web.Request, web.Application]) -> None:
        self.client = client
        self.origin = str(client.make_url("/")).rstrip("/")

    async def csrf(self, path: str) -> str:
        async with self.client.get(path) as answer:
            found = re.search(r'name="csrf" value="([^"]+)"', await answer.text())
        assert found is not None
        return found[1]

    async def post(self, path: str, origin: str | None = None, **form: str) -> tuple[int, str]:
        headers = {"Origin": origin or self.origin}
        async with self.client.post(
            path, data=form, headers=headers, allow_redirects=False
        ) as answer:
            return answer.status, answer.headers.get("Location") or await answer.text()

    async def log_in(self, name: str, password: str = PASSWORD, to: str = "/") -> tuple[int, str]:
        form = {"name": name, "password": password, "to": to}
        return await self.post("/login", csrf=await self.csrf("/login"), **form)

    async def get(self, path: str, **headers: str) -> web.Response:
        answer = await self.client.get(path, headers=headers, allow_redirects=False)
        await answer.read()
        return answer  # pyright: ignore[reportReturnType]
