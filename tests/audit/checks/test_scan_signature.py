"""scan.signature: valid, invalid, untrusted, absent; in both forms, by the manifest's key and by the trusted ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

import bank
from holdfast.audit.checks.scan.signature import observe
from holdfast.audit.interface import Budget, NoParams
from holdfast.audit.origin import signature
from holdfast.audit.target import Parts, Target
from holdfast.cli.main import run
from holdfast.core.domain.observation import Fact
from holdfast.core.errors import ConfigError, SignatureError
from holdfast.core.sign import AnySigningKey, EllipticSigningKey, SetForm, SigningKey, file_digest, own_key
from holdfast.estate.manifest import Manifest
from holdfast.seal import sign

MANIFEST = """\
version: 1
models:
  - name: limits
    unit: cards
    region: eu
    owner: o
    tier: high
    purpose: p
    artifact: model/data/model.ubj
    policy: policy.yaml
    signature: {file: model.sig, key: signer.pub}
"""
POLICY = """\
version: 1
id: signed
required: {any: [scan.signature]}
rules:
  - id: signed-by-a-trusted-key
    on: fact
    kind: artifact.signature
    check: scan.signature
    deny: [absent, invalid, untrusted]
    allow: [valid]
    technique: AML.T0010.003
    severity: high
cases:
  - {rule: signed-by-a-trusted-key, given: {artifact.signature: untrusted}, expect: failed}
  - {rule: signed-by-a-trusted-key, given: {artifact.signature: valid}, expect: passed}
"""


class Place:
    """A model folder, a manifest that names its signature, and a state folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "state"
        self.artifact = folder / "model" / "data" / "model.ubj"
        self.artifact.parent.mkdir(parents=True)
        self.artifact.write_bytes(b"a model")
        (folder / "model" / "MLmodel").write_bytes(b"flavors: {}")
        (folder / "policy.yaml").write_text(POLICY)
        self.key: AnySigningKey = own_key(self.home)
        self.write(MANIFEST)
        self.sign()

    def write(self, manifest: str) -> None:
        (self.folder / "holdfast.yaml").write_text(manifest)

    def sign(self, key: AnySigningKey | None = None, form: SetForm = "intoto", of: str = "model") -> None:
        by = key or self.key
        sign(self.folder / of, by, form=form, save=self.folder / "model.sig", replace=True)
        (self.folder / "signer.pub").write_bytes(by.public.pem())

    def parts(self) -> Parts:
        (subject,) = Manifest.load(self.folder / "holdfast.yaml").subjects
        hashes = {part.role: file_digest(part.path)[0] for part in subject.parts}
        (self.folder / "bank").mkdir(exist_ok=True)
        made = bank.write(self.folder / "bank", n=10)
        return Parts(made.model, self.artifact, "xgboost-ubj", signature=signature(subject, self.home, hashes))

    def facts(self) -> dict[str, Fact]:
        return {fact.kind: fact for fact in observe(Target(self.parts()), NoParams(), Budget()).facts}

    def said(self) -> tuple[object, str]:
        fact = self.facts()["artifact.signature"]
        return fact.value, str(fact.detail)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_file_of_a_signed_folder_is_valid(place: Place) -> None:
    values = {kind: fact.value for kind, fact in place.facts().items()}
    assert values == {
        "artifact.signature": "valid",
        "artifact.signature-form": "intoto",
        "artifact.signer": place.key.public.key_id,
    }
    assert place.said()[1] == "model.sig: model.ubj, one of 2 files that were signed"


def test_a_bundle_over_the_file_alone_is_valid(place: Place) -> None:
    key = EllipticSigningKey(ec.generate_private_key(ec.SECP256R1()))
    place.sign(key, "openssf", of="model/data/model.ubj")
    values = {kind: fact.value for kind, fact in place.facts().items()}
    assert (values["artifact.signature"], values["artifact.signature-form"]) == ("valid", "openssf")
    assert values["artifact.signer"] == key.public.key_id


def test_without_a_key_in_the_manifest_the_trusted_ones_count(place: Place) -> None:
    place.write(MANIFEST.replace(", key: signer.pub", ""))
    assert place.said()[0] == "valid"
    stranger = SigningKey.generate()
    place.sign(stranger)
    value, why = place.said()
    assert (value, stranger.public.key_id in why) == ("untrusted", True)
    assert "artifact.signer" not in place.facts()
    (place.home / "keys" / "trusted").mkdir()
    stranger.public.save(place.home / "keys" / "trusted" / "them.pub")
    assert place.said()[0] == "valid"


def test_a_key_in_the_manifest_is_the_only_one_that_counts(place: Place) -> None:
    (place.folder / "signer.pub").write_bytes(SigningKey.generate().public.pem())
    assert place.said()[0] == "untrusted"


def test_other_bytes_and_other_files_are_invalid_whoever_signed(place: Place) -> None:
    (place.folder / "signer.pub").write_bytes(SigningKey.generate().public.pem())
    place.artifact.write_bytes(b"a modem")
    assert place.said() == ("invalid", "model.sig: model.ubj has other bytes than were signed")
    place.artifact.write_bytes(b"flavors: {}")
    assert place.said()[0] == "invalid", "the bytes of another signed file are not the model's"
    place.artifact.write_bytes(b"a model")
    (place.folder / "other").mkdir()
    for name in ("a", "b"):
        (place.folder / "other" / name).write_bytes(b"a model")
    place.sign(of="other")
    assert place.said() == ("invalid", "model.sig: it speaks of 2 files, and not of model.ubj")


@pytest.mark.parametrize("junk", [b"", b"{}", b"[" * 1000, b" " * 17_000_000])
def test_what_cannot_be_read_is_invalid(junk: bytes, place: Place) -> None:
    (place.folder / "model.sig").write_bytes(junk)
    assert place.said()[0] == "invalid"


def test_a_signature_that_changes_while_the_audit_runs_is_invalid(place: Place) -> None:
    parts = place.parts()
    place.sign(SigningKey.generate())
    (fact, *_) = observe(Target(parts), NoParams(), Budget()).facts
    assert (fact.value, "changed while the audit ran" in str(fact.detail)) == ("invalid", True)


def test_none_is_absent_and_a_wrong_place_is_an_error(place: Place) -> None:
    place.write(MANIFEST.replace("    signature: {file: model.sig, key: signer.pub}\n", ""))
    assert place.said()[0] == "absent"
    place.write(MANIFEST.replace("model.sig", "none.sig"))
    with pytest.raises(ConfigError) as raised:
        place.parts()
    assert raised.value.code == "HF-CFG-006"
    place.write(MANIFEST)
    (place.folder / "signer.pub").write_bytes(b"no key")
    with pytest.raises(SignatureError) as refused:
        place.parts()
    assert refused.value.code == "HF-SIG-004"


def test_the_gate_can_ask_for_it(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place.folder)
    monkeypatch.setenv("HOLDFAST_HOME", str(place.home))
    words = ["gate", "--depth", "quick", "--workers", "1"]
    assert run(words) == 0, capsys.readouterr().out
    place.artifact.write_bytes(b"a modem")
    assert run(words) == 1
    assert "artifact.signature is invalid" in capsys.readouterr().out
