"""The store: tables, repositories, migrations, blobs and the outbox. The only room that knows SQL."""

from holdfast.core.store.attempts import Attempts, Backoff
from holdfast.core.store.blobs import Blobs
from holdfast.core.store.findings import FindingState, Occurrence, TrackedFinding
from holdfast.core.store.inputs import Inputs
from holdfast.core.store.intents import MAX_ENTRY_BYTES, LedgerState
from holdfast.core.store.judgements import Standing
from holdfast.core.store.models import PRODUCTION, Deployment
from holdfast.core.store.outbox import Message
from holdfast.core.store.owners import new_owner
from holdfast.core.store.store import Store
from holdfast.core.store.transaction import Transaction

__all__ = [
    "MAX_ENTRY_BYTES",
    "PRODUCTION",
    "Attempts",
    "Backoff",
    "Blobs",
    "Deployment",
    "FindingState",
    "Inputs",
    "LedgerState",
    "Message",
    "Occurrence",
    "Standing",
    "Store",
    "TrackedFinding",
    "Transaction",
    "new_owner",
]
