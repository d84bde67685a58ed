"""Secrets: passwords hashed slowly (argon2id), random ids and tokens hashed once, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from holdfast.core.errors import UsageError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

TOKEN_PREFIX: Final = "hft_"  # noqa: S105 - what secrets begin with is none
SESSION_PREFIX: Final = "hfs_"
MIN_PASSWORD: Final = 12
MAX_PASSWORD: Final = 256
_HINT = 10
# One hash takes 64 MiB: many at once would be a way to exhaust the machine.
_hashing = threading.BoundedSemaphore(2)


def new_secret(prefix: str) -> str:
    """A secret of 256 random bits that names its kind, so that scanners find it where it should not be."""
    return prefix + secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    """How a random secret is kept; it is too long to be guessed from its digest."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def hint_of(secret: str) -> str:
    """The beginning, by which people tell tokens apart."""
    return secret[:_HINT]


def form_token(secret: str) -> str:
    """The token of every form given to the browser that holds this secret; nobody else can derive it."""
    return hmac.new(secret.encode("utf-8", "surrogatepass"), b"form", hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    """Whether two strings are equal, without telling how far they are."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


def hash_password(password: str) -> str:
    """The argon2id hash. Raises UsageError (HF-SRV-010) for a password too short or far too long."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise UsageError(
            "this password cannot be used",
            cause=f"it has {len(password)} characters; {MIN_PASSWORD} to {MAX_PASSWORD} are allowed",
            fix="take a phrase of several words",
            code="HF-SRV-010",
        )
    with _hashing:
        return _hasher().hash(password)


def password_fits(password: str, known: str | None) -> bool:
    """Whether a password is the one that was hashed. Takes as long where there is none to compare with."""
    from argon2.exceptions import Argon2Error, InvalidHashError

    with _hashing:
        try:
            return _hasher().verify(known or _nobody(), password[: MAX_PASSWORD + 1]) and known is not None
        except (Argon2Error, InvalidHashError):
            return False


@lru_cache(maxsize=1)
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()


@lru_cache(maxsize=1)
def _nobody() -> str:
    """The hash of a password that nobody knows."""
    return _hasher().hash(secrets.token_urlsafe(32))
