"""Where an installation keeps its keys and its record, seen from code that runs outside the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast.core.domain import Clock
from holdfast.core.errors import ConfigError
from holdfast.core.settings import STATE_NAME, Settings, find_manifest
from holdfast.core.sign import PublicKey, SigningKey, own_key, trusted_keys


@dataclass(frozen=True, slots=True)
class Place:
    """Keys to sign and to trust with, and the state folder with the ledger; None where only keys were given."""

    key: SigningKey
    trusted: tuple[PublicKey, ...]
    home: Path | None
    database: str | None = None

    def tell(self, kind: str, body: Mapping[str, Any], about: str, clock: Clock) -> None:
        """Write a ledger entry, where there is a ledger. Raises StoreError."""
        if self.home is None:
            return
        from holdfast.core.store import Store

        store = Store.open(self.database, self.home, clock)
        try:
            with store.transaction() as tx:
                tx.intend(kind, dict(body), about=about)
        finally:
            store.close()


def home_of(settings: Settings, start: Path | None = None) -> Path | None:
    """The state folder: as set, else beside the manifest in force; None where there is neither."""
    manifest = settings.config or find_manifest(start or Path.cwd())
    return settings.home or (None if manifest is None else manifest.resolve().parent / STATE_NAME)


def place(
    home: Path | None = None,
    key: SigningKey | Path | None = None,
    trusted: Sequence[PublicKey | Path] | None = None,
) -> Place:
    """Keys as given, else those of the installation around. Raises ConfigError HF-SEA-013, SignatureError."""
    settings = Settings()
    found = home or home_of(settings)
    if key is None and found is None:
        raise ConfigError(
            "there is no key to sign with",
            cause=f"neither {Path.cwd()} nor a folder above it has a holdfast.yaml, and no state folder is set",
            fix="run beside holdfast.yaml, set HOLDFAST_HOME, or give key=",
            code="HF-SEA-013",
        )
    signing = _signing(key, found)
    known = trusted_keys(found) if found is not None else (signing.public,)
    if trusted is not None:
        known = tuple(one if isinstance(one, PublicKey) else PublicKey.load(one) for one in trusted)
    return Place(signing, known, found, settings.database)


def _signing(key: SigningKey | Path | None, home: Path | None) -> SigningKey:
    if isinstance(key, SigningKey):
        return key
    if key is not None:
        return SigningKey.load(Path(key))
    assert home is not None, "refused before"
    return own_key(home)
