"""The application: pages, their JSON twins, live alerts, the door for events. It constructs; the rooms decide."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from holdfast import __version__
from holdfast.app import Holdfast
from holdfast.core.domain.access import Scope as TokenScope
from holdfast.core.errors import HoldfastError
from holdfast.server import pages as pages  # noqa: PLC0414 - declares the pages
from holdfast.server.api.live import live_router
from holdfast.server.api.twins import add_twins
from holdfast.server.auth.recognise import demand_identity
from holdfast.server.events import Events
from holdfast.server.faults import as_json, status_of, too_large, wrong_parameter
from holdfast.server.front import Front
from holdfast.server.guard import EVENTS_PATH, MAX_BODY_BYTES, Guard, TooLargeError, logged
from holdfast.server.html import fault_page, from_http, page_routes
from holdfast.server.pack import pack_route
from holdfast.server.pages.login import login_routes
from holdfast.server.site import Site

STATIC = Path(__file__).parent / "static"


def build_app(holdfast: Holdfast, front: Front | None = None) -> ASGIApp:
    """The ASGI application of one Holdfast; `front` says under which address it is reached."""
    return application(Site(holdfast, front or Front.of("127.0.0.1", 8600, tls=False)))


def application(site: Site) -> ASGIApp:
    """The same, for a site that the caller keeps a hand on."""
    routes: list[BaseRoute] = [
        Route("/", _home, methods=["GET"]),
        Route("/healthz", _health(site), methods=["GET"]),
        Route("/metrics", _metrics(site), methods=["GET"]),
        *login_routes(site),
        pack_route(site),
        *page_routes(site),
        Route(EVENTS_PATH, Events(site)),
        Mount("/static", StaticFiles(directory=STATIC)),
        Mount("/api", _api(site)),
    ]
    handlers: dict[Any, Any] = dict.fromkeys((HoldfastError, HTTPException, Exception), _as_page(site))
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return Guard(app, site)


async def _home(_: Request) -> Response:
    return RedirectResponse("/posture", status_code=303)


def _health(site: Site) -> Callable[[Request], Awaitable[Response]]:
    def look() -> None:
        with site.store.reading() as tx:
            tx.models.count()

    async def endpoint(request: Request) -> Response:
        request.state.route = "/healthz"
        try:
            await run_in_threadpool(look)
        except HoldfastError as fault:
            return JSONResponse({"status": "failing", "code": fault.code}, 503)
        return JSONResponse({"status": "ok"})

    return endpoint


def _metrics(site: Site) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        request.state.route = "/metrics"
        who = await demand_identity(site, request)
        who.demand_scope(TokenScope.READ)
        text = await run_in_threadpool(site.metrics.text, site.store)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    return endpoint


def _as_page(site: Site) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handle(request: Request, fault: Exception) -> Response:
        known = _known(request, fault)
        if request.url.path.startswith(("/metrics", "/watch/events")):
            return _refusal(known)
        return await fault_page(site, request, known)

    return handle


def _known(request: Request, fault: Exception) -> HoldfastError:
    """Any fault as one with a code. The guard's own are for the guard."""
    if isinstance(fault, HoldfastError):
        return fault
    if isinstance(fault, RequestValidationError):
        return _wrong(fault)
    if isinstance(fault, HTTPException):
        return from_http(request, fault)
    if isinstance(fault, TooLargeError):
        return too_large(MAX_BODY_BYTES)
    return logged(request.scope)


def _refusal(fault: HoldfastError) -> Response:
    headers = {"www-authenticate": "Bearer"} if status_of(fault) == 401 else None
    return JSONResponse(as_json(fault), status_of(fault), headers)


def _api(site: Site) -> FastAPI:
    api = FastAPI(
        title="Holdfast",
        version=__version__,
        description="Every page of the console as JSON, and every action. Authorization: Bearer hft_...",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    api.include_router(live_router(site))
    add_twins(api, site)

    async def openapi(request: Request) -> Response:
        request.state.route = "/api/openapi.json"
        await demand_identity(site, request)
        return JSONResponse(_described(api))

    async def refuse(request: Request, fault: Exception) -> Response:
        return _refusal(_known(request, fault))

    api.add_route("/openapi.json", openapi, include_in_schema=False)
    for kind in (HoldfastError, RequestValidationError, HTTPException, Exception):
        api.add_exception_handler(kind, refuse)
    return api


def _wrong(fault: RequestValidationError) -> HoldfastError:
    first = fault.errors()[0]
    return wrong_parameter(str(first["loc"][-1]), str(first["msg"]), "see /api/openapi.json")


def _described(api: FastAPI) -> dict[str, Any]:
    found = api.openapi()
    schemes = {
        "token": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": "holdfast"},
    }
    found.setdefault("components", {})["securitySchemes"] = schemes
    found["security"] = [{"token": []}, {"session": []}]
    found["servers"] = [{"url": "/api"}]
    return found
