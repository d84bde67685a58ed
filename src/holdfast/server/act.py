"""Doing what an action says: the right to it, one transaction, and then whatever follows from it."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from holdfast.core.domain.access import Scope
from holdfast.core.errors import HoldfastError
from holdfast.server.auth.identity import Identity
from holdfast.server.page import Action, Done
from holdfast.server.site import Site
from holdfast.server.visit import Deed

_log = logging.getLogger("holdfast.server")


def perform(site: Site, item: Action, who: Identity, params: Mapping[str, str], form: Mapping[str, str]) -> Done:
    """Carry an action out. Raises AccessError without the right, and what the action raises; then nothing changed."""
    if item.right is None:
        who.demand_scope(Scope.WRITE)
    else:
        who.demand(item.right)
    done = site.store.run(lambda tx: item.act(Deed(site, who, tx, params, form)))
    try:
        site.holdfast.settle()
    except HoldfastError as fault:
        # What was asked for is done and kept; the loop answers later, when it can.
        _log.warning("the loop could not follow %s: %s", item.name, fault.message)
    return done
