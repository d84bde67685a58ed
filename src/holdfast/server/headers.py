"""The headers of every answer: nothing runs that is not ours, nothing is framed, sniffed, cached or told elsewhere."""

from __future__ import annotations

from typing import Final

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
STATIC_PREFIX: Final = "/static/"

_ALWAYS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not no-referrer: browsers would then send `Origin: null` with our own forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
_YEAR_S: Final = 31_536_000


def security_headers(path: str, *, secure: bool) -> dict[str, str]:
    """What is added to an answer under `path`; `secure` where browsers come over TLS."""
    caching = "no-cache" if path.startswith(STATIC_PREFIX) else "no-store"
    tls = {"strict-transport-security": f"max-age={_YEAR_S}"} if secure else {}
    return {**_ALWAYS, **tls, "cache-control": caching}
