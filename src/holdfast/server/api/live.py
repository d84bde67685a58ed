"""The alert stream, and directives for whatever stands in front of a model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from holdfast.core.domain.access import Scope
from holdfast.core.store.alerts import AlertRow
from holdfast.server.auth.identity import Identity
from holdfast.server.auth.recognise import demand_identity, recognise
from holdfast.server.faults import wrong_parameter
from holdfast.server.pages.alerts import live_row
from holdfast.server.pulse import BATCH, Rows, stream
from holdfast.server.site import Site


def live_router(site: Site) -> APIRouter:
    """Routes that are no twin of a page."""
    router = APIRouter()

    @router.get("/watch/alerts/stream", tags=["alerts"], summary="Alerts as they are raised, as server-sent events")
    async def alerts(request: Request, after: int | None = None) -> Response:
        request.state.route = "/api/watch/alerts/stream"
        who = await demand_identity(site, request)
        who.demand_scope(Scope.READ)
        site.pulse.demand_place()
        since = _since(request.headers.get("last-event-id"), after)

        async def allowed() -> bool:
            return await recognise(site, request) is not None

        body = stream(site.pulse, since, lambda sequence: _after(site, who, sequence), allowed)
        headers = {"x-accel-buffering": "no"}
        return StreamingResponse(body, media_type="text/event-stream", headers=headers)

    @router.get("/respond/directives", tags=["respond"], summary="The directives in force, of one model or of all")
    async def directives(request: Request, model: str | None = None) -> Response:
        request.state.route = "/api/respond/directives"
        who = await demand_identity(site, request)
        who.demand_scope(Scope.READ, Scope.INGEST)
        return Response(await run_in_threadpool(_directives, site, who, model), media_type="application/json")

    return router


def _since(header: str | None, after: int | None) -> int:
    """Where to go on: the browser's own memory first. Raises UsageError (HF-SRV-006)."""
    text = (header or "").strip()
    if not text:
        return max(0, after or 0)
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise wrong_parameter("Last-Event-ID", f"{text[:40]!r} is no sequence", "send the id of the last event")
    return int(text)


def _after(site: Site, who: Identity, sequence: int) -> Rows:
    with site.store.reading() as tx:
        rows = tx.alerts.after(sequence, BATCH)
        models = {model.name: model.unit for model in tx.models.all()}
    return [(row.sequence, _said(row, who, models)) for row in rows]


def _said(row: AlertRow, who: Identity, models: dict[str, str]) -> dict[str, Any] | None:
    unit = models.get(row.alert.model)
    if not who.sees_everything and (unit is None or not who.user.sees(unit)):
        return None
    said: dict[str, Any] = msgspec.to_builtins(live_row(row))
    return said


def _directives(site: Site, who: Identity, model: str | None) -> bytes:
    from holdfast.respond.queries import directives_view

    with site.store.reading() as tx:
        view = directives_view(tx, site.now, model=model)
        units = {known.name: known.unit for known in tx.models.all()}
    seen = tuple(one for one in view.directives if who.user.sees(units.get(one.model, "")))
    return msgspec.json.encode(replace(view, directives=seen).to_json())
