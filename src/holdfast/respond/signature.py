"""Signatures of webhook deliveries, in the form that the Standard Webhooks specification describes.

`webhook-signature: v1,<base64 of HMAC-SHA256 over "<webhook-id>.<webhook-timestamp>.<body>">`. A receiver checks the
signature, that the time is near, and that it has not seen the id: then nothing forged, old or doubled gets through.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Final

TOLERANCE_S: Final = 300
PREFIX: Final = "whsec_"


def key_of(secret: str) -> bytes:
    """The bytes of a secret: base64 behind `whsec_`, else the text itself. Raises ValueError on broken base64."""
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as fault:
        raise ValueError(f"the secret is no base64 behind {PREFIX}") from fault


def sign(secret: str, delivery: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers of a delivery."""
    stamp = str(int(at.timestamp()))
    return {
        "webhook-id": delivery,
        "webhook-timestamp": stamp,
        "webhook-signature": _value(secret, delivery, stamp, body),
    }


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
    """Whether a delivery is genuine and recent; for receivers. Header names in lower case."""
    stamp = headers.get("webhook-timestamp", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return False
    if abs(now.timestamp() - int(stamp)) > TOLERANCE_S:
        return False
    wanted = _value(secret, headers.get("webhook-id", ""), stamp, body)
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(wanted.encode(), one.encode()) for one in given)


def _value(secret: str, delivery: str, stamp: str, body: bytes) -> str:
    signed = f"{delivery}.{stamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key_of(secret), signed, hashlib.sha256)).decode()
