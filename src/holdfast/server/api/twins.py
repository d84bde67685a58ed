"""Pages and actions under /api: typed for OpenAPI by the same declarations that make the pages."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, Final, get_type_hints

import msgspec
from fastapi import FastAPI, Path, Query, Request
from pydantic import BaseModel, Field, PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, create_model
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from holdfast.core.domain.access import Scope
from holdfast.server.act import perform
from holdfast.server.auth.recognise import demand_genuine, demand_identity
from holdfast.server.faults import wrong_parameter
from holdfast.server.page import ACTIONS, PAGES, Action, Page, answer
from holdfast.server.site import Site
from holdfast.server.visit import Visit

JSON_TYPE: Final = "application/json"
MAX_FIELDS: Final = 40


class Fault(BaseModel):
    """What happened, why, and what to do."""

    code: str = Field(examples=["HF-ACC-001"])
    message: str
    cause: str
    fix: str


class Refusal(BaseModel):
    """Every answer that is none."""

    error: Fault


class Outcome(BaseModel):
    """What an action did. `shown` holds secrets that are shown once."""

    schema_version: int = 1
    done: str
    said: str
    location: str
    shown: dict[str, str] = {}


REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Refusal, "description": words}
    for status, words in (
        (400, "a parameter cannot be used"),
        (401, "nobody is signed in"),
        (403, "role, scope or unit do not allow it"),
        (404, "there is no such thing, or not for you"),
        (409, "it contradicts the state"),
    )
}


def add_twins(api: FastAPI, site: Site) -> None:
    """One GET per page and one POST per action."""
    for item in PAGES:
        api.add_api_route(
            item.path,
            _reader(site, item),
            methods=["GET"],
            summary=item.summary,
            response_model=_envelope(item),
            responses=REFUSALS,
            tags=[item.section],
            operation_id=_operation("get", item.path),
        )
    for deed in ACTIONS:
        api.add_api_route(
            deed.path,
            _doer(site, deed),
            methods=["POST"],
            summary=deed.summary,
            response_model=Outcome,
            responses=REFUSALS,
            tags=[deed.path.split("/")[1]],
            operation_id=_operation("post", deed.path),
            openapi_extra=_body_of(deed),
        )


def _reader(site: Site, item: Page) -> Callable[..., Awaitable[Response]]:
    async def endpoint(request: Request, **_: Any) -> Response:
        request.state.route = "/api" + item.path
        who = await demand_identity(site, request)
        who.demand_scope(Scope.READ)

        def work() -> bytes:
            with site.store.reading() as tx:
                visit = Visit(site, who, tx, site.now, request.path_params, request.query_params)
                return answer(item, visit).body

        return Response(await run_in_threadpool(work), media_type=JSON_TYPE)

    return _typed(endpoint, item.path, item.query)


def _doer(site: Site, item: Action) -> Callable[..., Awaitable[Response]]:
    async def endpoint(request: Request, **_: Any) -> Response:
        request.state.route = "/api" + item.path
        who = await demand_identity(site, request)
        form = _fields(await request.body())
        demand_genuine(site, request, who.secret, form)
        done = await run_in_threadpool(perform, site, item, who, request.path_params, form)
        said = Outcome(done=item.name, said=item.said, location=done.location, shown=dict(done.shown))
        return Response(said.model_dump_json(), media_type=JSON_TYPE)

    return _typed(endpoint, item.path, {})


def _fields(body: bytes) -> dict[str, str]:
    """The fields of an action as a JSON object of strings. Raises UsageError (HF-SRV-006)."""
    try:
        form = msgspec.json.decode(body or b"{}", type=dict[str, str])
    except (msgspec.DecodeError, RecursionError):
        raise wrong_parameter("body", "it is no JSON object of strings", 'send {"reason": "..."}') from None
    if len(form) > MAX_FIELDS:
        raise wrong_parameter("body", f"it has {len(form):,} fields", f"send at most {MAX_FIELDS}")
    return form


def _typed(endpoint: Callable[..., Any], path: str, query: Mapping[str, str]) -> Callable[..., Any]:
    """The endpoint with a signature that FastAPI can document: path and query parameters by name."""
    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Request)]
    for name in re.findall(r"{(\w+)(?::\w+)?}", path):
        parameters.append(inspect.Parameter(name, kind, annotation=Annotated[str, Path()]))
    for name, words in query.items():
        annotation = Annotated[str | None, Query(description=words)]
        parameters.append(inspect.Parameter(name, kind, default=None, annotation=annotation))
    endpoint.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    endpoint.__name__ = re.sub(r"\W+", "_", path).strip("_")
    return endpoint


def _envelope(item: Page) -> type[BaseModel]:
    """The type of a twin: what every answer says, and the fields of the view."""
    assert is_dataclass(item.kind), item.path
    hints = get_type_hints(item.kind)
    view: dict[str, Any] = {one.name: (_documented(hints[one.name]), ...) for one in fields(item.kind)}
    head: dict[str, Any] = {"schema_version": (int, 1), "as_of": (str, ...), "inputs_digest": (str, ...)}
    return create_model(item.kind.__name__ + "Answer", **{**head, **view})


def _documented(kind: Any) -> Any:
    """The type where it has a JSON schema; values that nest without end have none, and are said to be anything."""
    try:
        TypeAdapter(kind).json_schema()
    except (PydanticSchemaGenerationError, PydanticUserError, RecursionError):
        return Any
    return kind


def _body_of(item: Action) -> dict[str, Any]:
    described = {name: {"type": "string", "description": words} for name, words in item.fields.items()}
    schema = {"type": "object", "properties": described, "additionalProperties": {"type": "string"}}
    return {"requestBody": {"content": {JSON_TYPE: {"schema": schema}}}}


def _operation(method: str, path: str) -> str:
    return f"{method}_{re.sub(r'[^a-z]+', '_', path.lower()).strip('_')}"
