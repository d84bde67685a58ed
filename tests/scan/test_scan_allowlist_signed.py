"""A list from elsewhere counts where a trusted key signed it, and allows nothing that no list may."""

from __future__ import annotations

import base64
import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.core.errors import FormatError, HoldfastError, SignatureError
from holdfast.core.sign import SigningKey, dsse_sign
from holdfast.scan import ScanVerdict, scan
from holdfast.scan.allowlist import Allowlist
from holdfast.scan.allowlist.header import as_bytes, sealed
from holdfast.scan.allowlist.signed import PAYLOAD_TYPE, main, read_signed, sign_list

KEY, OTHER = SigningKey.generate(), SigningKey.generate()
DAY = date(2027, 1, 2)


def document(names: dict[str, dict[str, str]] | None = None, aliases: list[list[str]] | None = None) -> dict:
    return {
        "schema": 2,
        "header": {"generator": 1, "python": "3.11", "generations": []},
        "covered": ["acme"],
        "standard": [],
        "aliases": aliases or [],
        "names": names or {"acme.models": {"n": "Scorer", "c": "Other Another"}},
    }


def raw(dated: date = DAY, **parts: object) -> bytes:
    return as_bytes(sealed(document(**parts), dated))


def kept(folder: Path, envelope: bytes) -> Path:
    path = folder / "names.dsse.json"
    path.write_bytes(envelope)
    return path


def test_a_signed_list_is_read_and_judges(tmp_path: Path) -> None:
    names = read_signed(kept(tmp_path, sign_list(raw(), KEY)), [OTHER.public, KEY.public])
    assert names.version != Allowlist.builtin().version
    assert names.mode("acme.models.Scorer") == "n"
    model = tmp_path / "model.pkl"
    model.write_bytes(b"\x80\x02cacme.models\nScorer\n)\x81.")
    assert scan(model).verdict is ScanVerdict.UNKNOWN
    found = scan(model, names=names)
    assert (found.verdict, found.names) == (ScanVerdict.CLEAN, names)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (raw, "HF-SIG-005"),
        (lambda: sign_list(raw(), OTHER), "HF-SIG-007"),
        (lambda: dsse_sign("application/json", raw(), KEY).to_json(), "HF-SIG-006"),
        (lambda: dsse_sign(PAYLOAD_TYPE, b"{}", KEY).to_json(), "HF-SCN-004"),
        (lambda: dsse_sign(PAYLOAD_TYPE, raw().replace(b"Scorer", b"Scores"), KEY).to_json(), "HF-SCN-003"),
        (lambda: sign_list(raw(date(2020, 1, 1)), KEY), "HF-SCN-007"),
    ],
    ids=["unsigned", "strange-key", "other-type", "no-list", "altered", "old"],
)
def test_what_is_not_signed_whole_and_new_is_refused(tmp_path: Path, make, code: str) -> None:
    with pytest.raises(HoldfastError) as refused:
        read_signed(kept(tmp_path, make()), [KEY.public])
    assert refused.value.code == code


def test_without_a_key_nothing_is_believed(tmp_path: Path) -> None:
    with pytest.raises(SignatureError) as refused:
        read_signed(kept(tmp_path, sign_list(raw(), KEY)), [])
    assert refused.value.code == "HF-SCN-005"


def test_a_list_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError) as refused:
        read_signed(tmp_path / "none.json", [KEY.public])
    assert refused.value.code == "HF-SCN-004"


@pytest.mark.parametrize(
    "parts",
    [
        {"names": {"os": {"c": "system"}}},
        {"names": {"builtins": {"c": "eval"}}},
        {"names": {"builtins": {"c": "getattr"}}},
        {"names": {"subprocess": {"v": "Popen"}}},
        {"names": {"__main__": {"n": "Model"}}},
        {"names": {"requests": {"c": "Session"}}},
        {"names": {"torch.hub": {"c": "load"}}},
        {"names": {"torch.storage": {"c": "_load_from_bytes"}}},
        {"names": {"acme": {"r": "getattr"}}},
        {"names": {"acme": {"d": "Outer.inner"}}},
        {"names": {"acme": {"c": "system"}}, "aliases": [["os", "acme"]]},
    ],
)
def test_no_signature_lifts_the_floor(tmp_path: Path, parts: dict) -> None:
    with pytest.raises(FormatError) as refused:
        sign_list(raw(**parts), KEY)
    assert refused.value.code == "HF-SCN-006"
    with pytest.raises(FormatError) as refused:
        read_signed(kept(tmp_path, dsse_sign(PAYLOAD_TYPE, raw(**parts), KEY).to_json()), [KEY.public])
    assert refused.value.code == "HF-SCN-006"


def test_a_mode_nobody_knows_is_refused() -> None:
    with pytest.raises(FormatError):
        Allowlist.parse(raw(names={"acme": {"x": "Scorer"}}))


def test_the_list_inside_could_be_signed() -> None:
    from holdfast.scan.allowlist import NAMES

    assert sign_list(NAMES.read_bytes(), KEY).startswith(b'{"payload":')


def test_signing_as_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    KEY.save(tmp_path / "key.pem")
    (tmp_path / "names.json").write_bytes(raw())
    words = [str(tmp_path / "names.json"), "--key", str(tmp_path / "key.pem"), "--output", str(tmp_path / "out.json")]
    monkeypatch.setattr("sys.argv", ["signed", *words])
    main()
    assert read_signed(tmp_path / "out.json", [KEY.public]).header.dated == DAY


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_byte_of_an_envelope_can_be_changed_unseen(tmp_path: Path, data: st.DataObject) -> None:
    envelope = json.loads(sign_list(raw(), KEY))
    part = data.draw(st.sampled_from(["payload", "sig"]))
    holder = envelope if part == "payload" else envelope["signatures"][0]
    content = bytearray(base64.b64decode(holder[part]))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    holder[part] = base64.b64encode(content).decode()
    with pytest.raises(SignatureError):
        read_signed(kept(tmp_path, json.dumps(envelope).encode()), [KEY.public])
