"""Our own bundle, for stores without a network: what feeds say, chained, dated, counted and, where wished, signed.

A folder or ZIP with `items.ndjson` and `manifest.json`, or `manifest.dsse.json` around the same manifest. The reader
is `feeds/bundle.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from holdfast.core.domain.clock import to_iso
from holdfast.core.domain.ids import JSONValue, canonical_json, digest_bytes
from holdfast.core.domain.intelligence import Tlp
from holdfast.core.errors import UsageError
from holdfast.core.sign import PublicKey, SigningKey, dsse_sign, dsse_verify
from holdfast.core.store import Transaction
from holdfast.core.store.codec import encode
from holdfast.core.store.intel import Said
from holdfast.intel.faults import bad_bundle, malformed, no_feed

VERSION: Final = 1
ITEMS: Final = "items.ndjson"
MANIFEST: Final = "manifest.json"
SIGNED: Final = "manifest.dsse.json"
PAYLOAD_TYPE: Final = "application/vnd.holdfast.intel-bundle+json"
MAX_MANIFEST: Final = 1_000_000


class Manifest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a bundle is: its place in the chain, the digest and number of its items, and until when it may be used."""

    version: int
    name: str
    sequence: int
    previous: str | None
    complete: bool
    made_at: datetime
    expires_at: datetime
    items: str
    count: int
    cursor: dict[str, Any] = {}

    @property
    def digest(self) -> str:
        """The link that the next bundle names."""
        return digest_bytes(canonical_json(self.plain()))

    def plain(self) -> dict[str, JSONValue]:
        """As JSON values."""
        plain: dict[str, JSONValue] = msgspec.to_builtins(self)
        return {**plain, "made_at": to_iso(self.made_at), "expires_at": to_iso(self.expires_at)}

    @classmethod
    def parse(cls, data: bytes, source: str) -> Manifest:
        """Read one. Raises DataError HF-INT-004."""
        try:
            if len(data) > MAX_MANIFEST:
                raise ValueError(f"more than {MAX_MANIFEST:,} bytes")
            read = msgspec.json.decode(data, type=cls)
        except (ValueError, RecursionError) as fault:
            raise malformed(source, str(fault)[:200]) from fault
        if read.version != VERSION or read.made_at.tzinfo is None or read.expires_at.tzinfo is None:
            raise malformed(source, f"version {read.version}, or a date without a timezone")
        return read


def opened(files: dict[str, bytes], key: PublicKey | None, source: str) -> Manifest:
    """The manifest of a bundle's files, checked: signed by `key` where one is given, and true of the items."""
    if key is not None:
        if SIGNED not in files:
            raise bad_bundle(source, f"it has no {SIGNED}, and this feed is to be signed")
        manifest = Manifest.parse(dsse_verify(files[SIGNED], key, PAYLOAD_TYPE), SIGNED)
    elif MANIFEST in files:
        manifest = Manifest.parse(files[MANIFEST], MANIFEST)
    else:
        raise malformed(source, f"it has no {MANIFEST}")
    items = files.get(ITEMS)
    if items is None or digest_bytes(items) != manifest.items:
        raise bad_bundle(source, "its items are not the ones that the manifest was made for")
    if items.count(b"\n") != manifest.count:
        raise bad_bundle(source, f"it holds {items.count(chr(10).encode())} items, the manifest says {manifest.count}")
    return manifest


def check_chain(manifest: Manifest, cursor: dict[str, Any], now: datetime, source: str) -> None:
    """Refuse what has expired, what is older than the last one, and a gap that no complete bundle bridges."""
    if now >= manifest.expires_at:
        raise bad_bundle(source, f"it expired at {to_iso(manifest.expires_at)}")
    last, digest = cursor.get("sequence"), cursor.get("bundle")
    if manifest.digest == digest:
        return
    if last is not None and manifest.sequence <= last:
        raise bad_bundle(source, f"it is number {manifest.sequence}, and number {last} was imported before")
    if not manifest.complete and manifest.previous != digest:
        raise bad_bundle(
            source, f"it follows {manifest.previous or 'nothing'}, but the last one imported is {digest or 'none'}"
        )


@dataclass(frozen=True, slots=True)
class Wish:
    """How a bundle is to be made. `after` is the manifest of the one before it."""

    name: str
    valid: timedelta = timedelta(days=7)
    most_tlp: Tlp = Tlp.GREEN
    after: Manifest | None = None
    key: SigningKey | None = None


def export(tx: Transaction, feeds: Iterable[str], folder: Path, wish: Wish) -> Manifest:
    """Write all that feeds say into a new or empty folder; what may not be passed on (TLP) is left out."""
    wanted = list(dict.fromkeys(feeds))
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(
            f"{folder} is not empty",
            cause="a bundle is written whole, and never over another one",
            fix="name a new folder",
            code="HF-INT-011",
        )
    known = sorted(state.feed.id for state in tx.intel.feeds())
    unknown = next((name for name in wanted if name not in known), None)
    if unknown is not None:
        raise no_feed(unknown, known)
    said = [one for feed in wanted for one in tx.intel.of_feed(feed) if one.item.tlp <= wish.most_tlp]
    items = b"".join(_lines(said))
    after = wish.after
    manifest = Manifest(
        VERSION,
        wish.name,
        1 if after is None else after.sequence + 1,
        None if after is None else after.digest,
        True,
        tx.now,
        tx.now + wish.valid,
        digest_bytes(items),
        len(said),
        {state.feed.id: dict(state.cursor) for state in tx.intel.feeds() if state.feed.id in wanted},
    )
    _write(folder, manifest, items, wish.key)
    return manifest


def _write(folder: Path, manifest: Manifest, items: bytes, key: SigningKey | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    body = canonical_json(manifest.plain())
    (folder / ITEMS).write_bytes(items)
    (folder / MANIFEST).write_bytes(body + b"\n")
    if key is not None:
        (folder / SIGNED).write_bytes(dsse_sign(PAYLOAD_TYPE, body, key).to_json())


def _lines(said: list[Said]) -> Iterator[bytes]:
    for one in said:
        item = one.item
        line = {
            "kind": item.kind,
            "native_id": item.native_id,
            "title": item.title,
            "severity": item.severity.value,
            "modified_at": to_iso(item.modified_at),
            "withdrawn_at": None if item.withdrawn_at is None else to_iso(item.withdrawn_at),
            "body": item.body,
        }
        yield encode(line).encode() + b"\n"
