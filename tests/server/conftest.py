"""One filled estate behind one real server for all tests that only read; a second one for those that change things."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from console_estate import Estate, estate
from holdfast.server.running import Running, running


@dataclass(frozen=True)
class Served:
    """A running server and the estate behind it."""

    estate: Estate
    server: Running

    @property
    def url(self) -> str:
        return self.server.url

    def client(self, token: str | None = None) -> httpx.Client:
        """A program: with the token of a role, or with none."""
        headers = {} if token is None else {"authorization": f"Bearer {self.estate.tokens[token]}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False)

    @contextmanager
    def sign_in(self, name: str, password: str) -> Iterator[httpx.Client]:
        """A browser that has signed in, and sends its own origin."""
        with self.client() as browser:
            browser.headers["origin"] = self.url
            form = {"form_token": token_in(browser.get("/login").text), "name": name, "password": password}
            answer = browser.post("/login", data=form)
            assert answer.status_code == 303, answer.text
            yield browser


def token_in(page: str) -> str:
    """The token of the first form of a page."""
    return page.split('name="form_token" value="', 1)[1].split('"', 1)[0]


@contextmanager
def serve(folder: Path) -> Iterator[Served]:
    with estate(folder) as filled, running(filled.holdfast, loop=False) as server:
        yield Served(filled, server)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """For tests that change nothing."""
    with serve(tmp_path_factory.mktemp("read")) as found:
        yield found


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """For tests that change things, each its own."""
    with serve(tmp_path_factory.mktemp("change")) as found:
        yield found


@pytest.fixture(scope="session")
def form_token() -> Callable[[str], str]:
    """Finds the token in a page."""
    return token_in
