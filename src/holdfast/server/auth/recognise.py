"""From a request to who sent it, and whether a change it asks for is really theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from holdfast.server.auth.identity import Identity
from holdfast.server.auth.refusals import forged, not_signed_in
from holdfast.server.auth.secrets import form_token, same
from holdfast.server.site import Site

FORM_FIELD: Final = "form_token"
FORM_HEADER: Final = "x-form-token"


async def recognise(site: Site, request: Request) -> Identity | None:
    """Who sent a request: by its token where it has one, else by its cookie."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        found = await run_in_threadpool(site.entry.by_token, secret.strip())
    else:
        cookie = request.cookies.get(site.front.cookie)
        found = None if not cookie else await run_in_threadpool(site.entry.by_session, cookie)
    request.state.user = None if found is None else found.user.id
    return found


async def demand_identity(site: Site, request: Request) -> Identity:
    """Who sent a request. Raises AccessError (HF-ACC-001) for nobody."""
    found = await recognise(site, request)
    if found is None:
        raise not_signed_in()
    return found


def demand_genuine(site: Site, request: Request, secret: str | None, form: Mapping[str, str]) -> None:
    """Raise AccessError (HF-ACC-003) unless a browser that holds `secret` sent this from one of our pages.

    A program with a token (`secret` None) has no cookie that somebody else's page could make use of.
    """
    if secret is None:
        return
    given = form.get(FORM_FIELD) or request.headers.get(FORM_HEADER, "")
    if not (_from_here(site, request) and same(given, form_token(secret))):
        raise forged()


def _from_here(site: Site, request: Request) -> bool:
    origin = request.headers.get("origin")
    if origin is None:
        parts = urlsplit(request.headers.get("referer", ""))
        origin = f"{parts.scheme}://{parts.netloc}"
    return site.front.is_own(origin, request.headers.get("host", ""))
