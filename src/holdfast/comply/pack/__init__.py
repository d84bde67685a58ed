"""Evidence packs: one document as HTML, PDF and JSON, with the ledger beside it, for others to verify offline."""

from holdfast.comply.pack.build import Built, Wish, build, preview
from holdfast.comply.pack.verify import Verified, verify_pack

__all__ = ["Built", "Verified", "Wish", "build", "preview", "verify_pack"]
