"""Trackers that speak issues over REST in the shape of GitHub's API, at any base address.

Made twice by nobody: before a ticket is made it is looked for by its key, and the request carries the key as
`Idempotency-Key` for servers that know it. Changed under nobody: updates carry `If-Match` with the ticket's ETag.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from holdfast.backlog.interface import (
    ASKS,
    LABEL,
    Changes,
    Draft,
    Remote,
    Tracker,
    TrackerError,
    block,
    merged,
    tracker,
)
from holdfast.core.domain.backlog import TrackerLink

if TYPE_CHECKING:
    import httpx

TIMEOUT_S: Final = 10.0
MAX_ANSWER_BYTES: Final = 4_000_000
PAGE: Final = 100
MAX_PAGES: Final = 50
MAX_TEXT: Final = 60_000
_KEY: Final = re.compile(r"holdfast:(itm_[0-9a-f]{32})")


@tracker("rest")
def rest(link: TrackerLink, environ: Mapping[str, str] = os.environ) -> Tracker:
    """A tracker over REST. Raises TrackerError (HF-BLG-012) where its token is not in the environment."""
    token = None if link.token_env is None else environ.get(link.token_env)
    if link.token_env is not None and not token:
        raise TrackerError(
            f"the token of the tracker '{link.name}' is missing",
            cause=f"the environment variable {link.token_env} is not set",
            fix=f"set it to a token that may read and write the tickets of {link.project}",
            code="HF-BLG-012",
        )
    return RestTracker(link, token)


@dataclass
class RestTracker:
    """One project's issues."""

    link: TrackerLink
    token: str | None = field(default=None, repr=False)

    def create(self, draft: Draft) -> Remote:
        """Look for the key first; then make it."""
        known = self.find(draft.key)
        if known is not None:
            return known
        said = {"title": draft.title[:250], "body": block(draft.body)[:MAX_TEXT], "labels": [LABEL, _label(draft.key)]}
        answer = self._ask("POST", self._issues, body=said, headers={"Idempotency-Key": draft.key})
        return self._remote(answer)

    def find(self, key: str) -> Remote | None:
        """By the label that names the key; of several the oldest."""
        query = {"labels": _label(key), "state": "all", "per_page": "10", "sort": "created", "direction": "asc"}
        found = [one for one in map(self._parsed, self._list(self._issues, query)) if one.key == key]
        return found[0] if found else None

    def read(self, number: str) -> Remote | None:
        """The ticket with its ETag."""
        answer = self._ask("GET", f"{self._issues}/{number}", missing=True)
        return None if answer is None else self._remote(answer)

    def update(self, remote: Remote, draft: Draft) -> Remote | None:
        """Change what differs, on condition that nobody else has changed it."""
        wanted: dict[str, Any] = {"title": draft.title[:250], "body": merged(remote.body, draft.body)[:MAX_TEXT]}
        is_now = {"title": remote.title, "body": remote.body}
        if draft.closed is not None:
            wanted["state"], is_now["state"] = (_state(closed) for closed in (draft.closed, remote.closed))
        changes = {name: value for name, value in wanted.items() if is_now[name] != value}
        if not changes:
            return remote
        headers = {"If-Match": remote.version} if remote.version else {}
        answer = self._ask("PATCH", f"{self._issues}/{remote.number}", body=changes, headers=headers, stale=True)
        return None if answer is None else self._remote(answer)

    def comment(self, number: str, key: str, text: str) -> None:
        """Unless a comment with this key is there."""
        mark, place = f"<!-- holdfast:{key} -->", f"{self._issues}/{number}/comments"
        for page in range(1, MAX_PAGES + 1):
            found = self._list(place, {"per_page": str(PAGE), "page": str(page)})
            if any(mark in str(one.get("body", "")) for one in found):
                return
            if len(found) < PAGE:
                break
        self._ask("POST", place, body={"body": f"{text[:MAX_TEXT]}\n{mark}"}, headers={"Idempotency-Key": key})

    def changed(self, since: str | None) -> Changes:
        """All pages, from the oldest change on."""
        tickets: list[Remote] = []
        cursor = since
        for page in range(1, MAX_PAGES + 1):
            query = {"labels": LABEL, "state": "all", "sort": "updated", "direction": "asc", "per_page": str(PAGE)}
            found = self._list(self._issues, {**query, "page": str(page), **({"since": since} if since else {})})
            tickets += map(self._parsed, found)
            cursor = max([cursor or "", *(str(one.get("updated_at", "")) for one in found)]) or None
            if len(found) < PAGE:
                break
        return Changes(tuple(one for one in tickets if one.key is not None), cursor)

    def close(self) -> None:
        """Close the connections, if there are any."""
        if "_client" in self.__dict__:
            self._client.close()

    @property
    def _issues(self) -> str:
        return f"{self.link.url.rstrip('/')}/repos/{self.link.project}/issues"

    @cached_property
    def _client(self) -> httpx.Client:
        import httpx

        headers = {"Accept": "application/json", "User-Agent": "holdfast"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        # Neither proxies nor .netrc from the environment: the token goes to the tracker and nowhere else.
        return httpx.Client(timeout=TIMEOUT_S, follow_redirects=False, headers=headers, trust_env=False)

    def _list(self, url: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        answer = self._ask("GET", url, query=query)
        found = None if answer is None else answer.body
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise self._fault("it did not answer with a list of tickets")
        return found

    def _ask(
        self,
        method: str,
        url: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        missing: bool = False,
        stale: bool = False,
    ) -> _Answer | None:
        """One request; None for 404 and 410 where it may be `missing`, for 409 and 412 where it may be `stale`."""
        import httpx

        try:
            with self._client.stream(method, url, json=body, params=query, headers=dict(headers or {})) as got:
                data = _bounded(got)
        except httpx.HTTPError as fault:
            raise self._fault(f"{type(fault).__name__}: {fault}") from fault
        if (missing and got.status_code in (404, 410)) or (stale and got.status_code in (409, 412)):
            return None
        if data is None or got.status_code not in (200, 201):
            raise self._fault("its answer is too large" if data is None else f"it answered {got.status_code}")
        try:
            return _Answer(json.loads(data), got.headers.get("ETag"))
        except (ValueError, RecursionError) as fault:
            raise self._fault(f"its answer is no JSON: {fault}") from fault

    def _remote(self, answer: _Answer | None) -> Remote:
        if answer is None or not isinstance(answer.body, dict):
            raise self._fault("it did not answer with a ticket")
        return self._parsed(answer.body, answer.etag)

    def _parsed(self, said: Mapping[str, Any], etag: str | None = None) -> Remote:
        number, labels = said.get("number"), said.get("labels")
        if not isinstance(number, int) or not isinstance(labels, list) or said.get("state") not in ("open", "closed"):
            raise self._fault("it did not answer with a ticket: number, state and labels are expected")
        names = [str(one.get("name", "")) if isinstance(one, dict) else str(one) for one in labels]
        keys = [match[1] for name in names if (match := _KEY.fullmatch(name))]
        return Remote(
            number=str(number),
            key=keys[0] if keys else None,
            title=str(said.get("title") or ""),
            body=str(said.get("body") or ""),
            closed=said["state"] == "closed",
            version=etag,
            asks=ASKS in names,
            url=str(said["html_url"])[:2000] if said.get("html_url") else None,
        )

    def _fault(self, cause: str) -> TrackerError:
        return TrackerError(
            f"the tracker '{self.link.name}' does not answer as it should",
            cause=cause[:300],
            fix="look at its address and the token's rights; `holdfast backlog sync` tries again",
            code="HF-BLG-013",
        )


@dataclass(frozen=True, slots=True)
class _Answer:
    body: Any
    etag: str | None


def _bounded(got: httpx.Response) -> bytes | None:
    """The body, or None when there is more of it than any tracker needs."""
    data = bytearray()
    for chunk in got.iter_bytes():
        data += chunk
        if len(data) > MAX_ANSWER_BYTES:
            return None
    return bytes(data)


def _label(key: str) -> str:
    return f"holdfast:{key}"


def _state(closed: bool) -> str:
    return "closed" if closed else "open"
