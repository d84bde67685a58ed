"""Provenance: read back as it was written, refused when it is something else; keys are trusted for where they lie."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from holdfast.core.errors import SignatureError
from holdfast.core.sign import (
    PAYLOAD_TYPE,
    Material,
    Provenance,
    SigningKey,
    Statement,
    Subject,
    dsse_verify,
    own,
    own_key,
    trusted_keys,
)

KEY = SigningKey(bytes(range(32)))
MADE = Provenance(
    subjects=(Subject("model.json", "a" * 64),),
    build_type="urn:holdfast:training:v1",
    external={"seed": 7, "parameters": {"depth": 6}},
    internal={"python": "3.11"},
    materials=(
        Material("train.parquet", "sha256:" + "b" * 64, {"seal": "sha256:" + "c" * 64}),
        Material("x", "sha256:1"),
    ),
    invocation="trn_1",
    finished_at=datetime(2026, 1, 5, 9, tzinfo=UTC),
    started_at=datetime(2026, 1, 5, 8, tzinfo=UTC),
    said={"measured": {"auc": 0.8}},
)


def test_what_is_signed_is_read_back() -> None:
    payload = dsse_verify(MADE.sign(KEY).to_json(), KEY.public, PAYLOAD_TYPE)
    assert Provenance.of(Statement.parse(payload)) == MADE


Spoil = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda p: p.clear(),
        lambda p: p.update(buildDefinition=[]),
        lambda p: p["buildDefinition"].update(resolvedDependencies="all"),
        lambda p: p["buildDefinition"].update(resolvedDependencies=[{"name": 1, "digest": {"sha256": "a"}}]),
        lambda p: p["buildDefinition"].update(resolvedDependencies=[{"name": "a", "digest": 7}]),
        lambda p: p["buildDefinition"].update(resolvedDependencies=[{"name": "a", "digest": {"sha256": "a"}}] * 10_001),
        lambda p: p["buildDefinition"].update(externalParameters=None),
        lambda p: p["runDetails"]["metadata"].update(finishedOn="soon"),
        lambda p: p["runDetails"]["metadata"].update(invocationId=None),
    ],
)
def test_anything_else_is_refused(spoil: Spoil) -> None:
    import json

    value = json.loads(MADE.statement().to_json())
    spoil(value["predicate"])
    with pytest.raises(SignatureError) as caught:
        Provenance.of(Statement.parse(json.dumps(value).encode()))
    assert caught.value.code == "HF-SIG-011"


def test_the_own_key_is_made_once_and_trusted(tmp_path: Path) -> None:
    assert trusted_keys(tmp_path) == ()
    first = own_key(tmp_path)
    assert own_key(tmp_path) == first
    assert trusted_keys(tmp_path) == (first.public,)


def test_keys_of_others_are_trusted_when_they_are_put_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "keys" / "trusted"
    folder.mkdir(parents=True)
    KEY.public.save(folder / "farm.pub")
    KEY.public.save(folder / "not-named-so.txt")
    assert trusted_keys(tmp_path) == (KEY.public,)
    (folder / "broken.pub").write_text("no key")
    with pytest.raises(SignatureError) as caught:
        trusted_keys(tmp_path)
    assert caught.value.code == "HF-SIG-004"
    monkeypatch.setattr(own, "MAX_TRUSTED", 1)
    with pytest.raises(SignatureError) as many:
        trusted_keys(tmp_path)
    assert many.value.code == "HF-SIG-012"
