"""Our side of an endpoint: one declared address, bounded in time and bytes, redirects never followed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any

from holdfast.core.errors import TargetError

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 10.0
MAX_REPLY_BYTES = 1 << 20
NO_REPLY = 0
"""Status of a request that ended without an answer: the connection was closed, or time was over."""
JSON = "application/json"


class Written(str):
    """A number with a fraction, as it was written."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; `body` ends at the bound, `headers` have lower-case names."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    why: str = ""

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        return 400 <= self.status < 500

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def document(self) -> Any:
        """The body as JSON, numbers with a fraction as `Written`; None where it is none."""
        try:
            return json.loads(self.body, parse_float=Written)
        except (ValueError, RecursionError):
            return None


class Wire:
    """Requests to one address. The token goes there, in a header, and nowhere else: not to logs, nor to facts."""

    def __init__(self, url: str, token: str | None) -> None:
        self._url, self._token, self.sent = url, token, 0
        self._client: httpx.Client | None = None

    def __enter__(self) -> Wire:
        import httpx

        self._client = httpx.Client(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._client is not None
        self._client.close()

    def post(self, body: bytes, *, token: str | None = "", content_type: str = JSON) -> Reply:
        """POST a body. `token`: the declared one where it is empty, none where it is None."""
        return self.send("POST", body, token=token, content_type=content_type)

    def send(self, method: str, body: bytes = b"", *, token: str | None = "", content_type: str = JSON) -> Reply:
        """One request, with an answer in any case."""
        import httpx

        assert self._client is not None, "used as a context manager"
        self.sent += 1
        headers = {"content-type": content_type, "accept": JSON, "user-agent": "holdfast-audit"}
        given = self._token if token == "" else token
        if given is not None:
            headers["authorization"] = f"Bearer {given}"
        try:
            with self._client.stream(method, self._url, content=body or None, headers=headers) as answer:
                return Reply(answer.status_code, _headers(answer), _read(answer))
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as fault:
            return Reply(NO_REPLY, why=type(fault).__name__)

    def demand(self, body: bytes) -> Reply:
        """A valid request, which has to be answered. Raises TargetError HF-AUD-002, so that it is tried again."""
        reply = self.post(body)
        if reply.accepted:
            return reply
        said = f"HTTP {reply.status}" if reply.status else f"no answer ({reply.why})"
        raise TargetError(
            "the endpoint does not answer a valid request",
            cause=f"it gave {said}",
            fix="see that it runs, that the token is valid and that url and protocol in holdfast.yaml are right",
            code="HF-AUD-002",
        )


def _headers(answer: httpx.Response) -> dict[str, str]:
    return {name.lower(): value[:500] for name, value in list(answer.headers.items())[:100]}


def _read(answer: httpx.Response) -> bytes:
    """At most the bound, as it came over the wire: a compressed answer is not unpacked."""
    held = bytearray()
    for piece in answer.iter_raw(65_536):
        held += piece
        if len(held) >= MAX_REPLY_BYTES:
            break
    return bytes(held[:MAX_REPLY_BYTES])
