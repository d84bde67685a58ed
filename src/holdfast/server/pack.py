"""An evidence pack over HTTP: built for one moment, handed out as a zip, kept nowhere."""

from __future__ import annotations

import shutil
import tempfile
import threading
from pathlib import Path
from typing import Final

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from holdfast.comply.catalogue import select
from holdfast.comply.pack import Wish, build
from holdfast.core.domain.access import Scope
from holdfast.core.errors import ConfigError
from holdfast.server.auth.recognise import demand_identity
from holdfast.server.auth.refusals import not_allowed, out_of_unit
from holdfast.server.auth.rights import Right, holds
from holdfast.server.faults import not_found
from holdfast.server.site import Site
from holdfast.server.visit import read_moment

PATH: Final = "/comply/pack.zip"
_building = threading.Lock()


def pack_route(site: Site) -> Route:
    """GET /comply/pack.zip?as_of=&framework=, for those who may take evidence out of every unit."""

    async def endpoint(request: Request) -> Response:
        request.state.route = PATH
        who = await demand_identity(site, request)
        who.demand_scope(Scope.READ)
        if not holds(who.role, Right.TAKE_EVIDENCE):
            raise not_allowed(who.role, Right.TAKE_EVIDENCE)
        if not who.sees_everything:
            raise out_of_unit("a pack about every unit")
        file = await run_in_threadpool(_packed, site, _wish(site, request))
        done = BackgroundTask(shutil.rmtree, file.parent, ignore_errors=True)
        return FileResponse(file, media_type="application/zip", filename="evidence.zip", background=done)

    return Route(PATH, endpoint, methods=["GET"])


def _wish(site: Site, request: Request) -> Wish:
    framework = request.query_params.get("framework", "").strip() or None
    if framework is not None:
        try:
            select((framework,))
        except ConfigError:
            raise not_found(f"framework '{framework[:80]}'") from None
    text, now = request.query_params.get("as_of", "").strip(), site.now
    return Wish(read_moment("as_of", text, now) if text else now, framework=framework)


def _packed(site: Site, wish: Wish) -> Path:
    """The zip, in a folder of its own. One at a time: a pack exports the whole ledger."""
    folder = Path(tempfile.mkdtemp(prefix="holdfast-pack-"))
    try:
        with _building:
            holdfast = site.holdfast
            build(site.store, holdfast.ledger, holdfast.key, wish, folder / "evidence")
            return Path(shutil.make_archive(str(folder / "evidence"), "zip", folder / "evidence"))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
