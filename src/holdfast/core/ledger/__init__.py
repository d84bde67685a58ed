"""The ledger: a Merkle log of intents in C2SP tiles, its signed checkpoints, proofs, and an offline verifier."""

from holdfast.core.ledger.checkpoint import Checkpoint
from holdfast.core.ledger.ledger import InclusionProof, Ledger
from holdfast.core.ledger.verify import LedgerStatus, Verification, verify_ledger

__all__ = ["Checkpoint", "InclusionProof", "Ledger", "LedgerStatus", "Verification", "verify_ledger"]
