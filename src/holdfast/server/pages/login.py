"""Signing in and out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from holdfast.core.errors import AccessError
from holdfast.server.auth.entry import LONGEST
from holdfast.server.auth.recognise import demand_genuine, recognise
from holdfast.server.auth.refusals import STATUS
from holdfast.server.auth.secrets import form_token, new_secret
from holdfast.server.html import read_form
from holdfast.server.render import render
from holdfast.server.site import Site

BEFORE: Final = "hfv_"
BEFORE_COOKIE: Final = "holdfast_visit"
"""Holds a secret before anybody is signed in, so that the login form has a token too."""


def login_routes(site: Site) -> list[BaseRoute]:
    """/login and /logout."""
    return [
        Route("/login", _form(site), methods=["GET"]),
        Route("/login", _sign_in(site), methods=["POST"]),
        Route("/logout", _sign_out(site), methods=["POST"]),
    ]


Endpoint = Callable[[Request], Awaitable[Response]]


def _form(site: Site) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        request.state.route = "/login"
        if await recognise(site, request) is not None:
            return RedirectResponse(local(request.query_params.get("next")), status_code=303)
        return _page(site, request, local(request.query_params.get("next")))

    return endpoint


def _page(site: Site, request: Request, wanted: str, fault: AccessError | None = None) -> Response:
    secret = request.cookies.get(BEFORE_COOKIE) or new_secret(BEFORE)
    values = {"wanted": wanted, "fault": fault, "form_token": form_token(secret), "who": None, "section": ""}
    response = HTMLResponse(render("login.html", values), status_code=200 if fault is None else STATUS[fault.code])
    response.set_cookie(BEFORE_COOKIE, secret, httponly=True, samesite="lax", secure=site.front.secure, path="/")
    return response


def _sign_in(site: Site) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        request.state.route = "/login"
        form = await read_form(request)
        demand_genuine(site, request, request.cookies.get(BEFORE_COOKIE, ""), form)
        wanted = local(form.get("next"))
        address = request.client.host if request.client else "-"
        try:
            secret = await run_in_threadpool(
                site.entry.sign_in, form.get("name", "")[:200], form.get("password", ""), address
            )
        except AccessError as fault:
            return _page(site, request, wanted, fault)
        response = RedirectResponse(wanted, status_code=303)
        response.set_cookie(
            site.front.cookie,
            secret,
            max_age=int(LONGEST.total_seconds()),
            httponly=True,
            samesite="lax",
            secure=site.front.secure,
            path="/",
        )
        response.delete_cookie(BEFORE_COOKIE, path="/")
        return response

    return endpoint


def _sign_out(site: Site) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        request.state.route = "/logout"
        who = await recognise(site, request)
        form = await read_form(request)
        if who is not None and who.secret is not None:
            demand_genuine(site, request, who.secret, form)
            await run_in_threadpool(site.entry.sign_out, who.secret)
        response = RedirectResponse("/login", status_code=303)
        response.delete_cookie(site.front.cookie, path="/", secure=site.front.secure, httponly=True, samesite="lax")
        return response

    return endpoint


def local(path: str | None) -> str:
    """A path on this server to go on to; the posture where it is none, or leads elsewhere."""
    wanted = path or ""
    safe = wanted.startswith("/") and not wanted.startswith(("//", "/login", "/logout")) and wanted.isprintable()
    return wanted if safe and "\\" not in wanted and len(wanted) <= 1000 else "/posture"
