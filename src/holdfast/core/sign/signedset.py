"""A signed set of files, in one of two forms: what was signed, by whom it claims to be, and by whom it is.

`intoto`: an in-toto statement in a DSSE envelope; its subjects are the files. `openssf`: a Sigstore bundle as the
OpenSSF's model signing writes and reads it (`openssf.py`). Reading tells them apart by their content, and trusts no key
but those it is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Self

from holdfast import __version__
from holdfast.core.domain import digest_bytes, from_iso, to_iso
from holdfast.core.errors import SignatureError
from holdfast.core.sign.dsse import MAX_ENVELOPE_BYTES, Envelope, Signature, pae, signer_of
from holdfast.core.sign.elliptic import AnyKey, AnySigningKey, EllipticSigningKey
from holdfast.core.sign.fileset import MAX_SET, FileSet, Rules, refuse_outside
from holdfast.core.sign.openssf import SIGNATURE_TYPE, bundle, read_bundle, read_resources, resources_statement, texts
from holdfast.core.sign.statement import MAX_STATEMENT_BYTES, PAYLOAD_TYPE, Statement, Subject
from holdfast.core.sign.strict import parse_object

FILES_TYPE: Final = "urn:holdfast:files:v1"
MAX_WORDS: Final = 2_000

SetForm = Literal["intoto", "openssf"]


@dataclass(frozen=True, slots=True)
class SignedSet:
    """`files` gives a SHA-256 in hex for each name; a single file may be named `.`.

    `claimed` is who the envelope says signed it; `signer` is the trusted key that did, None where none did.
    `digest` names what was signed. `when` is what the signer says of the time; the OpenSSF form says nothing.
    """

    form: SetForm
    name: str
    files: Mapping[str, str]
    rules: Rules
    claimed: tuple[str, ...]
    signer: AnyKey | None
    digest: str
    when: datetime | None = None

    @classmethod
    def parse(cls, data: bytes, keys: Sequence[AnyKey]) -> Self:
        """Read a signature file, bounded, and try it with `keys`. Raises SignatureError HF-SIG-013."""
        try:
            value = parse_object(data, MAX_ENVELOPE_BYTES)
            form: SetForm = "openssf" if "mediaType" in value else "intoto"
            if form == "openssf":
                envelope, claimed = read_bundle(value)
            else:
                envelope = Envelope.of(value)
                claimed = tuple(item.key_id[:100] or "somebody unnamed" for item in envelope.signatures)
            if envelope.payload_type != PAYLOAD_TYPE:
                raise ValueError(f"its payload is '{envelope.payload_type[:100]}', not '{PAYLOAD_TYPE}'")
            return cls._of(envelope, claimed, keys, form)
        except SignatureError as fault:
            raise _unreadable(fault.cause) from fault
        except ValueError as fault:
            raise _unreadable(str(fault)[:300]) from fault

    @classmethod
    def _of(cls, envelope: Envelope, claimed: tuple[str, ...], keys: Sequence[AnyKey], form: SetForm) -> Self:
        statement = Statement.parse(envelope.payload)
        wanted = FILES_TYPE if form == "intoto" else SIGNATURE_TYPE
        if statement.predicate_type != wanted:
            raise ValueError(f"its predicate is '{statement.predicate_type[:100]}', not '{wanted}'")
        read = _files if form == "intoto" else read_resources
        files, rules = read(statement)
        if not 1 <= len(files) <= MAX_SET:
            raise ValueError(f"it names {len(files):,} files; there have to be 1 to {MAX_SET:,}")
        for name in files:
            if name != "." or len(files) > 1:
                refuse_outside(name)
            if rules.leaves_out(name):
                raise ValueError(f"the file {name[:100]!r} is named, and left out at once")
        name, when = _said(statement) if form == "intoto" else (statement.subjects[0].name[:MAX_WORDS], None)
        signer = signer_of(envelope, keys)
        return cls(form, name, files, rules, claimed, signer, digest_bytes(envelope.payload), when)


def sign_set(files: FileSet, key: AnySigningKey, form: SetForm, at: datetime) -> bytes:
    """The signature file. Raises ValueError where the form does not know the kind of key, or the set is too large."""
    if form == "openssf":
        if not isinstance(key, EllipticSigningKey):
            raise ValueError("the OpenSSF form is signed with an ECDSA key, on P-256, P-384 or P-521")
        payload = _bounded(resources_statement(files))
        return bundle(payload, key.sign(pae(PAYLOAD_TYPE, payload)), key.public)
    payload = _bounded(_statement(files, at).to_json())
    signature = Signature(key.public.key_id, key.sign(pae(PAYLOAD_TYPE, payload)))
    return Envelope(PAYLOAD_TYPE, payload, (signature,)).to_json()


def _statement(files: FileSet, at: datetime) -> Statement:
    predicate = {
        "signedAt": to_iso(at),
        "tool": {"holdfast": __version__},
        "name": files.name,
        "bytes": files.bytes,
        "ignored": list(files.rules.ignored),
        "links": files.rules.links,
    }
    return Statement(tuple(Subject.of(file.name, file.digest) for file in files.files), FILES_TYPE, predicate)


def _files(statement: Statement) -> tuple[dict[str, str], Rules]:
    found = {subject.name: subject.sha256 for subject in statement.subjects}
    if len(found) < len(statement.subjects):
        raise ValueError("a file is named twice")
    ignored, links = statement.predicate.get("ignored"), statement.predicate.get("links")
    if not isinstance(links, bool):
        raise ValueError("'links' must be true or false")
    return found, Rules(texts(ignored, "ignored"), links)


def _said(statement: Statement) -> tuple[str, datetime]:
    name, when = statement.predicate.get("name"), statement.predicate.get("signedAt")
    if not isinstance(name, str) or not isinstance(when, str):
        raise ValueError("'name' and 'signedAt' must be text")
    return name[:MAX_WORDS], from_iso(when)


def _bounded(payload: bytes) -> bytes:
    if len(payload) > MAX_STATEMENT_BYTES:
        raise ValueError(f"what would be signed has {len(payload):,} bytes; the limit is {MAX_STATEMENT_BYTES:,}")
    return payload


def _unreadable(cause: str) -> SignatureError:
    return SignatureError(
        "the signature of a set of files cannot be read",
        cause=cause,
        fix="get it again from the one who signed the files",
        code="HF-SIG-013",
    )
