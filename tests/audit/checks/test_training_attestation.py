"""training.attestation: attested, absent, broken, untrusted; for training runs and for hardened versions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

import bank
from holdfast.audit.checks.training.attestation import observe
from holdfast.audit.interface import Budget, NoParams
from holdfast.audit.origin import origin
from holdfast.audit.target import Target
from holdfast.core.domain.observation import Fact
from holdfast.core.sign import Material, Provenance, SigningKey, Subject, file_digest, own_key
from holdfast.core.sign.provenance import HARDENING_BUILD, HARDENING_SUFFIX, TRAINING_BUILD, TRAINING_SUFFIX

WHEN = datetime(2026, 1, 5, tzinfo=UTC)


class Place:
    """A model file with data, and a state folder with its own key."""

    def __init__(self, folder: Path) -> None:
        self.parts = bank.write(folder, n=40)
        self.parts.artifact.write_bytes(b"a model")
        self.home = folder / "state"
        self.key = own_key(self.home)

    def sign(self, key: SigningKey | None = None, *, build: str = TRAINING_BUILD, **changes: object) -> None:
        assert self.parts.train is not None
        train = Material("train.parquet", file_digest(self.parts.train)[0], {"role": "train", "seal": "sha256:5ea1"})
        made = Provenance(
            subjects=(Subject.of("model.ubj", file_digest(self.parts.artifact)[0]),),
            build_type=build,
            external={"seed": 1},
            internal={"code": {"commit": "c0ffee", "state": "clean", "dirty": []}},
            materials=(train,),
            invocation="trn_1",
            finished_at=WHEN,
        )
        made = replace(made, **changes)  # type: ignore[arg-type]
        suffix = HARDENING_SUFFIX if build == HARDENING_BUILD else TRAINING_SUFFIX
        self.statement(suffix).write_bytes(made.sign(key or self.key).to_json())

    def statement(self, suffix: str = TRAINING_SUFFIX) -> Path:
        return self.parts.artifact.with_name(self.parts.artifact.name + suffix)

    def facts(self) -> dict[str, Fact]:
        files = {"artifact": self.parts.artifact, "train": self.parts.train, "lock": self.parts.lock}
        hashes = {role: file_digest(path)[0] for role, path in files.items() if path is not None}
        parts = replace(self.parts, origin=origin(self.parts.artifact, self.home, hashes))
        seen = observe(Target(parts), NoParams(), Budget())
        return {fact.kind: fact for fact in seen.facts}

    def said(self) -> object:
        return self.facts()["training.attestation"].value


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_signed_statement_about_this_file_and_this_data_is_believed(place: Place) -> None:
    place.sign()
    values = {kind: fact.value for kind, fact in place.facts().items()}
    assert values == {
        "training.attestation": "attested",
        "training.by": "training",
        "training.signer": place.key.public.key_id,
        "training.data": "same",
        "training.code": "clean",
        "training.environment": "not-recorded",
        "training.seal": "sha256:5ea1",
    }


def test_without_a_statement_it_is_absent(place: Place) -> None:
    assert list(place.facts()) == ["training.attestation"]
    assert place.said() == "absent"


def test_a_changed_model_or_changed_data_breaks_it(place: Place) -> None:
    place.sign()
    place.parts.artifact.write_bytes(b"a Model")
    assert place.said() == "broken"
    place.parts.artifact.write_bytes(b"a model")
    assert place.said() == "attested"
    assert place.parts.train is not None
    whole = place.parts.train.read_bytes()
    place.parts.train.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert place.said() == "broken"
    assert place.facts()["training.data"].value == "other"


def test_a_strangers_word_does_not_count_until_his_key_is_put_there(place: Place) -> None:
    stranger = SigningKey.generate()
    place.sign(stranger)
    assert place.said() == "untrusted"
    assert stranger.public.key_id in str(place.facts()["training.attestation"].detail)
    (place.home / "keys" / "trusted").mkdir()
    stranger.public.save(place.home / "keys" / "trusted" / "farm.pub")
    assert place.said() == "attested"


def test_what_is_wrong_stays_wrong_whoever_signed(place: Place) -> None:
    place.sign(SigningKey.generate())
    place.parts.artifact.write_bytes(b"another")
    assert place.said() == "broken"


def test_a_hardened_version_is_accepted_by_its_provenance(place: Place) -> None:
    place.sign(build=HARDENING_BUILD, internal={"libraries": {}})
    values = {kind: fact.value for kind, fact in place.facts().items()}
    assert (values["training.attestation"], values["training.by"]) == ("attested", "hardening")
    assert values["training.code"] == "holdfast"


def test_the_better_of_two_statements_counts(place: Place) -> None:
    place.sign(build=HARDENING_BUILD)
    place.statement().write_bytes(b"{}")
    assert place.said() == "attested"


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"\xff" * 99, b"[" * 99_999, b"x" * 17_000_000],
    ids=["empty", "bare", "bytes", "deep", "large"],
)
def test_hostile_statements_are_broken(content: bytes, place: Place) -> None:
    place.statement().write_bytes(content)
    assert place.said() == "broken"


def test_statements_that_tell_of_something_else_are_broken(place: Place) -> None:
    place.sign(build="urn:other")
    assert place.said() == "broken"
    place.sign(subjects=(Subject("model.ubj", "0" * 64), Subject.of("m", file_digest(place.parts.artifact)[0])))
    assert place.said() == "broken"


@pytest.mark.parametrize("flip", range(0, 900, 61))
def test_no_byte_of_the_statement_is_idle(flip: int, place: Place) -> None:
    place.sign()
    whole = bytearray(place.statement().read_bytes())
    keyid = whole.find(b'"keyid"')
    at = flip % len(whole)
    whole[at] ^= 1
    place.statement().write_bytes(whole)
    assert place.said() != "attested" or keyid <= at < whole.find(b'"sig"')


def test_uncommitted_code_and_another_lock_are_said(place: Place) -> None:
    lock = Material("requirements.lock", "sha256:" + "0" * 64, {"role": "lock"})
    place.sign(internal={"code": {"commit": "c0ffee", "state": "dirty"}}, materials=(lock,))
    assert place.facts()["training.code"].value == "dirty"
    assert place.facts()["training.environment"].value == "other"
    place.sign(internal={"code": "?"}, materials=())
    assert place.facts()["training.code"].value == "none"


def test_a_statement_that_changes_under_the_audit_is_broken(place: Place) -> None:
    place.sign()
    hashes = {"artifact": file_digest(place.parts.artifact)[0]}
    parts = replace(place.parts, origin=origin(place.parts.artifact, place.home, hashes))
    place.sign(external={"seed": 2})
    seen = observe(Target(parts), NoParams(), Budget())
    assert seen.facts[0].value == "broken"
