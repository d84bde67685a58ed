"""Ids of what people create (UUIDv7), and digests as ids of what is derived."""

from __future__ import annotations

import hashlib
import json
import os
import uuid

from holdfast.core.domain.clock import Clock

JSONValue = None | bool | int | float | str | list["JSONValue"] | tuple["JSONValue", ...] | dict[str, "JSONValue"]


def new_id(prefix: str, clock: Clock) -> str:
    """A time-ordered id such as `mdl_0199…` (UUIDv7, RFC 9562 section 5.7)."""
    millis = int(clock().timestamp() * 1000) & (2**48 - 1)
    noise = int.from_bytes(os.urandom(10), "big")
    rand_a, rand_b = noise >> 68, noise & (2**62 - 1)
    value = millis << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b
    return f"{prefix}_{uuid.UUID(int=value).hex}"


def canonical_json(value: JSONValue) -> bytes:
    """One byte string for one value: sorted keys, no spaces, UTF-8. Raises ValueError on NaN or infinity.

    Names out of hostile files may hold lone surrogates; they are encoded as they are, so that every name has a digest.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "surrogatepass")


def digest_bytes(data: bytes) -> str:
    """`sha256:` and the hex digest of `data`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def digest(value: JSONValue) -> str:
    """The id of something derived: the digest of its canonical JSON."""
    return digest_bytes(canonical_json(value))
