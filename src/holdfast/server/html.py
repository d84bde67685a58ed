"""Pages over HTTP: routes made of the declared pages and actions, signing in and out, errors as pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from holdfast.core.domain.access import Scope
from holdfast.core.errors import HoldfastError
from holdfast.server.act import perform
from holdfast.server.auth.identity import Identity
from holdfast.server.auth.recognise import demand_genuine, demand_identity, recognise
from holdfast.server.auth.secrets import form_token
from holdfast.server.faults import not_found, status_of, wrong_method, wrong_parameter
from holdfast.server.page import ACTIONS, PAGES, Action, Answer, Page, answer
from holdfast.server.render import render
from holdfast.server.site import Site
from holdfast.server.visit import Visit

MAX_FIELDS: Final = 40
SAID: Final = {item.name: item.said for item in ACTIONS}

Endpoint = Callable[[Request], Awaitable[Response]]


def page_routes(site: Site) -> list[BaseRoute]:
    """One route per declared page and action."""
    pages: list[BaseRoute] = [Route(item.path, _page_endpoint(site, item), methods=["GET"]) for item in PAGES]
    actions = [Route(item.path, _action_endpoint(site, item), methods=["POST"]) for item in ACTIONS]
    return [*actions, *pages]


def _page_endpoint(site: Site, item: Page) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        request.state.route = item.path
        who = await recognise(site, request)
        if who is None:
            return _to_login(request)
        who.demand_scope(Scope.READ)
        return await run_in_threadpool(_shown, site, item, who, request)

    return endpoint


def _shown(site: Site, item: Page, who: Identity, request: Request) -> Response:
    with site.store.reading() as tx:
        visit = Visit(site, who, tx, site.now, request.path_params, request.query_params)
        made = answer(item, visit)
        return HTMLResponse(render(item.template, page_values(made, request)))


def page_values(made: Answer, request: Request) -> dict[str, Any]:
    """What every template of a page is given."""
    who = made.visit.who
    return {
        "view": made.view,
        "visit": made.visit,
        "who": who,
        "section": made.page.section,
        "inputs_digest": made.inputs_digest,
        "twin": _twin(request),
        "path": request.url.path,
        "said": SAID.get(request.query_params.get("done", "")),
        "form_token": form_token(who.secret) if who.secret else "",
        "dated": "as_of" in made.page.query,
    }


def _twin(request: Request) -> str:
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "done"]
    return "/api" + request.url.path + (f"?{urlencode(kept)}" if kept else "")


def _action_endpoint(site: Site, item: Action) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        request.state.route = item.path
        who = await demand_identity(site, request)
        form = await read_form(request)
        demand_genuine(site, request, who.secret, form)
        done = await run_in_threadpool(perform, site, item, who, request.path_params, form)
        if done.shown:
            values = {"who": who, "section": "settings", "shown": done.shown, "said": item.said, "back": done.location}
            return HTMLResponse(render("shown.html", {**values, "form_token": form_token(who.secret or "")}))
        joint = "&" if "?" in done.location else "?"
        return RedirectResponse(f"{done.location}{joint}done={item.name}", status_code=303)

    return endpoint


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form, without files. Raises UsageError (HF-SRV-006) where it is none."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise wrong_parameter("content-type", f"{kind[:60]!r} is no form", "send application/x-www-form-urlencoded")
    try:
        form = await request.form(max_files=0, max_fields=MAX_FIELDS)
    except HTTPException as fault:
        raise wrong_parameter("form", str(fault.detail), "send the form as the page has it") from None
    return {name: value for name, value in form.items() if isinstance(value, str)}


def _to_login(request: Request) -> Response:
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse("/login?next=" + quote(wanted, safe=""), status_code=303)


async def fault_page(site: Site, request: Request, fault: HoldfastError) -> Response:
    """An error as a page, with what to do; whoever is not signed in is asked to."""
    if fault.code == "HF-ACC-001" and request.method == "GET":
        return _to_login(request)
    who = await recognise(site, request)
    values: Mapping[str, Any] = {
        "fault": fault,
        "status": status_of(fault),
        "who": who,
        "section": "",
        "form_token": form_token(who.secret) if who is not None and who.secret else "",
    }
    return HTMLResponse(render("fault.html", values), status_code=status_of(fault))


def from_http(request: Request, fault: HTTPException) -> HoldfastError:
    """The router's own refusals in our words."""
    return wrong_method() if fault.status_code == 405 else not_found(f"page at {request.url.path[:80]}")
