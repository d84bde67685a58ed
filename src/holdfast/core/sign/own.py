"""The keys of an installation: its own, made at first use, and those of others that its people put beside it.

In the state folder: `keys/holdfast.pem` (private), `keys/holdfast.pub`, and `keys/trusted/*.pub`. A key is trusted for
where it lies, never for what a signed file says of it.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

from holdfast.core.errors import SignatureError
from holdfast.core.sign.keys import PublicKey, SigningKey

MAX_TRUSTED: Final = 1_000


def own_key(home: Path) -> SigningKey:
    """This installation's signing key, made at first use. Raises SignatureError where it cannot be read."""
    path = home / "keys" / "holdfast.pem"
    if not path.exists():
        # Two processes may start in the same fresh folder: the first to write wins, the other reads.
        with suppress(SignatureError):
            SigningKey.generate().save(path)
    key = SigningKey.load(path)
    public = path.with_suffix(".pub")
    if not public.exists():
        key.public.save(public)
    return key


def trusted_keys(home: Path) -> tuple[PublicKey, ...]:
    """The own key, where there is one, and every key in `keys/trusted`. Raises SignatureError on what is no key."""
    private = home / "keys" / "holdfast.pem"
    own = (SigningKey.load(private).public,) if private.exists() else ()
    listed = sorted((home / "keys" / "trusted").glob("*.pub"))
    if len(listed) > MAX_TRUSTED:
        raise SignatureError(
            f"there are {len(listed):,} trusted keys",
            cause=f"the limit is {MAX_TRUSTED:,}",
            fix=f"keep only keys in use in {home / 'keys' / 'trusted'}",
            code="HF-SIG-012",
        )
    return (*own, *(PublicKey.load(path) for path in listed))
