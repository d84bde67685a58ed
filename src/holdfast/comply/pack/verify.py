"""The offline verifier of packs: a folder and a public key from elsewhere, and no trust in what the folder says.

`broken`: something contradicts, or a byte is not what was signed. `unknown`: nothing does, but something could not be
shown: no key was given, or there is no pack. Hostile content costs at most the time to read it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from holdfast.comply.pack.build import LEDGER, MANIFEST, PREDICATE
from holdfast.comply.pack.proofs import holds
from holdfast.core.errors import EXIT_FINDINGS, EXIT_PASSED, EXIT_UNKNOWN, SignatureError
from holdfast.core.ledger import Checkpoint, LedgerStatus, verify_ledger
from holdfast.core.sign import PAYLOAD_TYPE, Envelope, PublicKey, Statement, dsse_verify, manifest

MAX_BYTES: Final = 512_000_000
MAX_PROBLEMS: Final = 20


@dataclass(frozen=True, slots=True)
class Verified:
    """What the verifier found. What the pack says of itself is only there when it was signed by the key."""

    status: LedgerStatus
    problems: tuple[str, ...]
    as_of: str | None = None
    state: str | None = None
    posture: str | None = None
    ledger: str | None = None
    size: int | None = None
    files: int = 0
    proofs: int = 0

    @property
    def exit_code(self) -> int:
        """0 ok, 1 broken, 3 unknown."""
        return {"ok": EXIT_PASSED, "broken": EXIT_FINDINGS, "unknown": EXIT_UNKNOWN}[self.status]


def verify_pack(folder: Path, key: PublicKey | None) -> Verified:
    """Verify a pack against a public key held elsewhere: signature, every file, the ledger, every proof."""
    if not (folder / MANIFEST).is_file():
        empty = not folder.is_dir() or not any(folder.iterdir())
        why = f"{folder}: there is no pack" if empty else f"{MANIFEST}: missing, in a folder that is not empty"
        return Verified(LedgerStatus.UNKNOWN if empty else LedgerStatus.BROKEN, (why,))
    if key is None:
        return Verified(LedgerStatus.UNKNOWN, ("no public key was given, so no signature shows anything",))
    try:
        signed = _read(folder / MANIFEST)
        payload = dsse_verify(signed, key, PAYLOAD_TYPE)
        if not _plain(signed, key):
            return Verified(LedgerStatus.BROKEN, (f"{MANIFEST}: holds bytes that nobody signed",))
        return _against(folder, key, Statement.parse(payload))
    except (SignatureError, OSError) as fault:
        cause = f"{fault.message}: {fault.cause}" if isinstance(fault, SignatureError) else str(fault)
        return Verified(LedgerStatus.BROKEN, (cause,))


def _plain(signed: bytes, key: PublicKey) -> bool:
    """Whether an envelope is spelt as we spell it: by this key alone, without an idle byte."""
    envelope = Envelope.parse(signed)
    return [item.key_id for item in envelope.signatures] == [key.key_id] and envelope.to_json() == signed


def _against(folder: Path, key: PublicKey, statement: Statement) -> Verified:
    said = statement.predicate
    problems = list(_files(folder, statement))
    if statement.predicate_type != PREDICATE:
        problems.append(f"{MANIFEST}: signs something else, {statement.predicate_type[:100]}")
    ledger = said.get("ledger")
    origin = ledger.get("origin") if isinstance(ledger, dict) else None
    found = verify_ledger(folder / LEDGER, key, origin=origin if isinstance(origin, str) else None)
    problems += [f"{LEDGER}/{problem}" for problem in found.problems]
    if not isinstance(ledger, dict) or (found.size, found.root) != (ledger.get("size"), ledger.get("root")):
        problems.append(f"{MANIFEST}: speaks of another ledger than the one beside it")
    proofs = 0
    if not problems:
        broken, proofs = _proofs(folder)
        problems += broken
    return Verified(
        LedgerStatus.BROKEN if problems else LedgerStatus.OK,
        tuple(problems[:MAX_PROBLEMS]),
        as_of=str(said.get("as_of")),
        state=str(said.get("state")),
        posture=str(said.get("posture")),
        ledger=found.root,
        size=found.size,
        files=len(statement.subjects),
        proofs=proofs,
    )


def _files(folder: Path, statement: Statement) -> Iterator[str]:
    """Every file must be signed with its digest, and everything signed must be there."""
    signed = {subject.name: f"sha256:{subject.sha256}" for subject in statement.subjects}
    there = {file.name: file.digest for file in manifest([folder], root=folder).files if file.name != MANIFEST}
    for name in sorted(signed.keys() | there.keys()):
        if name not in there:
            yield f"{name}: missing"
        elif name not in signed:
            yield f"{name}: not part of what was signed"
        elif there[name] != signed[name]:
            yield f"{name}: was changed after it was signed"


def _proofs(folder: Path) -> tuple[list[str], int]:
    """Every leaf that the pack names has a proof, and every proof leads to the checkpoint of the ledger beside it."""
    try:
        given = msgspec.json.decode(_read(folder / "proofs.json"))
        named = _leaves(msgspec.json.decode(_read(folder / "pack.json")))
        head = Checkpoint.parse((folder / LEDGER / "checkpoint").read_bytes())
        proofs = {proof["leaf"]: proof for proof in given["proofs"]}
    except (msgspec.DecodeError, ValueError, KeyError, TypeError, RecursionError) as fault:
        return [f"proofs.json or pack.json cannot be read: {fault}"], 0
    lacking = [f"leaf {leaf}: without a proof" for leaf in sorted(named - proofs.keys())]
    wrong = [
        f"leaf {leaf}: its proof does not lead to the checkpoint"
        for leaf, one in proofs.items()
        if not holds(one, head)
    ]
    return lacking + wrong, len(proofs)


def _leaves(value: Any) -> set[int]:
    """Every number under a key `leaf`, wherever it stands."""
    found: set[int] = set()
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if isinstance(item.get("leaf"), int):
                found.add(item["leaf"])
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return found


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise OSError(f"{path.name}: larger than {MAX_BYTES:,} bytes")
    return data
