"""How the model was made, as far as somebody trusted signed it: from which sealed data, by which code."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.audit.interface import Budget, NoParams, check
from holdfast.audit.origin import read_statement
from holdfast.audit.target import OriginParts, Target
from holdfast.core.domain.ids import digest_bytes
from holdfast.core.domain.observation import Fact, Observation
from holdfast.core.errors import SignatureError
from holdfast.core.sign import PAYLOAD_TYPE, Envelope, Provenance, PublicKey, Statement, dsse_verify
from holdfast.core.sign.provenance import HARDENING_BUILD, TRAINING_BUILD

ATTESTED, UNTRUSTED, BROKEN, ABSENT = "attested", "untrusted", "broken", "absent"
_BUILDS = {TRAINING_BUILD: "training", HARDENING_BUILD: "hardening"}
_MAX_SEALS = 100


@check(
    id="training.attestation",
    version=1,
    needs=("artifact", "attestation"),
    covers=("AML.T0018", "AML.T0020"),
)
def observe(target: Target, params: NoParams, budget: Budget) -> Observation:  # noqa: ARG001
    """Whether a trusted key signed how this very artifact was made, and from the training data declared here."""
    origin = target.parts.origin
    seen = [] if origin is None else [_look(origin, number) for number in range(len(origin.statements))]
    if not seen:
        return Observation.of(Fact("training.attestation", ABSENT, detail="no signed statement lies beside the model"))
    ranked = [ATTESTED, UNTRUSTED, BROKEN]
    return Observation.of(min(seen, key=lambda facts: ranked.index(str(facts[0].value))))


def _look(origin: OriginParts, number: int) -> list[Fact]:
    """The facts of one statement, what it comes to first."""
    path, planned = origin.statements[number]
    data = read_statement(path)
    if digest_bytes(data) != planned:
        return [_standing(BROKEN, path.name, "it changed while the audit ran")]
    try:
        envelope = Envelope.parse(data)
        made = Provenance.of(Statement.parse(envelope.payload))
    except SignatureError as fault:
        return [_standing(BROKEN, path.name, fault.cause)]
    if made.build_type not in _BUILDS:
        return [_standing(BROKEN, path.name, f"it tells of '{made.build_type[:80]}', which trains no model")]
    signer = _signer(envelope, origin.trusted)
    return [_judged(path.name, made, envelope, signer, origin), *_facts(made, signer, origin)]


def _judged(name: str, made: Provenance, envelope: Envelope, signer: PublicKey | None, origin: OriginParts) -> Fact:
    """What is wrong is wrong whoever signed it; only what would be right is asked for its signer."""
    if f"sha256:{made.subjects[0].sha256}" != origin.artifact or len(made.subjects) != 1:
        return _standing(BROKEN, name, "the model file is not the one it was signed for")
    if _data(made, origin) == "other":
        return _standing(BROKEN, name, "the training data declared here is not what the model was trained with")
    if signer is None:
        claimed = ", ".join(item.key_id[:80] for item in envelope.signatures[:3])
        return _standing(UNTRUSTED, name, f"signed by {claimed or 'nobody'}, which is no trusted key")
    return _standing(ATTESTED, name, f"{_BUILDS[made.build_type]} {made.invocation[:80]}")


def _standing(value: str, name: str, why: str) -> Fact:
    return Fact("training.attestation", value, detail=f"{name}: {why}")


def _signer(envelope: Envelope, trusted: tuple[str, ...]) -> PublicKey | None:
    for raw in trusted:
        key = PublicKey(bytes.fromhex(raw))
        try:
            dsse_verify(envelope, key, PAYLOAD_TYPE)
        except SignatureError:
            continue
        return key
    return None


def _facts(made: Provenance, signer: PublicKey | None, origin: OriginParts) -> Iterator[Fact]:
    """What the statement says; believed only as far as the first fact goes."""
    yield Fact("training.by", _BUILDS[made.build_type])
    if signer is not None:
        yield Fact("training.signer", signer.key_id)
    yield Fact("training.data", _data(made, origin))
    yield Fact("training.code", *_code(made))
    yield Fact("training.environment", _environment(made, origin))
    sealed = {
        str(material.notes["seal"])[:80]: material.name for material in made.materials if "seal" in material.notes
    }
    yield from (Fact("training.seal", seal, detail=name[:120]) for seal, name in list(sealed.items())[:_MAX_SEALS])


def _data(made: Provenance, origin: OriginParts) -> str:
    if origin.train is None:
        return "not-declared"
    return "same" if any(material.digest == origin.train for material in made.materials) else "other"


def _code(made: Provenance) -> tuple[str, None, None, str]:
    """clean, dirty or none, with the commit; `holdfast` where no code of the user's took part."""
    if made.build_type == HARDENING_BUILD:
        return "holdfast", None, None, "trained by Holdfast itself"
    said = made.internal.get("code")
    code = said if isinstance(said, dict) else {}
    state = code.get("state")
    known = state if state in ("clean", "dirty") and isinstance(code.get("commit"), str) else "none"
    return known, None, None, str(code.get("commit"))[:80]


def _environment(made: Provenance, origin: OriginParts) -> str:
    locks = [material.digest for material in made.materials if material.notes.get("role") == "lock"]
    if not locks:
        return "not-recorded"
    if origin.lock is None:
        return "not-declared"
    return "same" if origin.lock in locks else "other"
