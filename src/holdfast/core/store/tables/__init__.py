"""The schema at its newest version; `migrations/` leads older stores here, and a test holds the two together.

One file per group of rooms that write the tables. Importing this package fills `metadata`.
"""

from holdfast.core.store.tables import access, backlog, comply, harden, intel, loop, respond, watch
from holdfast.core.store.tables.base import (
    attempts,
    baselines,
    deployed,
    deployments,
    findings,
    journal,
    judgements,
    leases,
    ledger_hashes,
    ledger_intents,
    ledger_state,
    model_versions,
    models,
    observation_targets,
    observations,
    occurrences,
    outbox,
    standings,
)
from holdfast.core.store.tables.columns import metadata

__all__ = [
    "access",
    "attempts",
    "backlog",
    "baselines",
    "comply",
    "deployed",
    "deployments",
    "findings",
    "harden",
    "intel",
    "journal",
    "judgements",
    "leases",
    "ledger_hashes",
    "ledger_intents",
    "ledger_state",
    "loop",
    "metadata",
    "model_versions",
    "models",
    "observation_targets",
    "observations",
    "occurrences",
    "outbox",
    "respond",
    "standings",
    "watch",
]
