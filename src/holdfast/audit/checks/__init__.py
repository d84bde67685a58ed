"""Every check Holdfast ships, one file each; importing this package registers them.

A check imports what it works with when it runs: planning must not pay for numpy.
"""

from holdfast.audit.checks.data import contract, profile
from holdfast.audit.checks.deps import advisories, licences
from holdfast.audit.checks.endpoint import availability, hygiene
from holdfast.audit.checks.evasion import blackbox, exact, gradient, search
from holdfast.audit.checks.extraction import surrogate
from holdfast.audit.checks.poison import backdoor, labels, rows
from holdfast.audit.checks.privacy import attribute, membership
from holdfast.audit.checks.quality import performance
from holdfast.audit.checks.scan import artifact, reports, signature
from holdfast.audit.checks.training import attestation

__all__ = [
    "advisories",
    "artifact",
    "attestation",
    "attribute",
    "availability",
    "backdoor",
    "blackbox",
    "contract",
    "exact",
    "gradient",
    "hygiene",
    "labels",
    "licences",
    "membership",
    "performance",
    "profile",
    "reports",
    "rows",
    "search",
    "signature",
    "surrogate",
]
