"""Models signed and checked: each file that is missing, extra or changed is named; no key is trusted for its place."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.core.errors import DataError, HoldfastError, SignatureError, UsageError
from holdfast.core.sign import AnySigningKey, EllipticSigningKey, SetForm, SigningKey
from holdfast.seal import check, sign
from holdfast.seal.signatures import checked_view, signed_files_view
from holdfast.seal.signing import signature_of
from holdfast.seal.standing import Standing

FORMS: tuple[SetForm, ...] = ("intoto", "openssf")
EC = EllipticSigningKey(ec.derive_private_key(7654321, ec.SECP256R1()))
ED = SigningKey(bytes(range(32)))
KEYS: dict[SetForm, AnySigningKey] = {"intoto": ED, "openssf": EC}
FILES = ("MLmodel", "model.pkl", "code/loader.py", "metrics/auc")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    root = tmp_path / "model"
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


def problems(root: Path, form: SetForm = "intoto", **asked: bool) -> tuple[str, ...]:
    return check(root, signature_of(root), (KEYS[form].public,), **asked).problems


@pytest.mark.parametrize("form", FORMS)
def test_a_model_as_it_was_signed_is_ok_and_moves(form: SetForm, model: Path, tmp_path: Path) -> None:
    made = sign(model, KEYS[form], form=form)
    assert (made.path, made.files.bytes) == (tmp_path / "model.sig", sum(map(len, FILES)))
    assert check(model, made.path, (KEYS[form].public,)).standing is Standing.OK
    (tmp_path / "elsewhere").mkdir()
    model.rename(tmp_path / "elsewhere" / "renamed")
    found = check(tmp_path / "elsewhere" / "renamed", made.path, (ED.public, EC.public))
    assert (found.standing, found.exit_code, found.problems) == (Standing.OK, 0, ())


@pytest.mark.parametrize("form", FORMS)
def test_each_difference_is_named(form: SetForm, model: Path) -> None:
    sign(model, KEYS[form], form=form)
    (model / "MLmodel").unlink()
    (model / "model.pkl").write_bytes(b"model.pkX")
    (model / "code" / "__init__.py").write_bytes(b"")
    found = check(model, signature_of(model), (KEYS[form].public,))
    assert (found.standing, found.exit_code) == (Standing.BROKEN, 1)
    assert (found.found.missing, found.found.changed) == (("MLmodel",), ("model.pkl",))
    assert found.found.extra == ("code/__init__.py",)
    assert found.problems == (
        "MLmodel: the file is missing",
        "model.pkl: its bytes changed",
        "code/__init__.py: nobody signed it",
    )


def test_extra_files_fail_unless_allowed(model: Path) -> None:
    sign(model, ED)
    (model / "code" / "extra.py").write_bytes(b"import os")
    assert problems(model) == ("code/extra.py: nobody signed it",)
    found = check(model, signature_of(model), (ED.public,), allow_extra=True)
    assert (found.standing, found.found.extra) == (Standing.OK, ("code/extra.py",))


def test_a_file_that_became_a_link_or_a_pipe_is_changed_whatever_is_behind_it(model: Path) -> None:
    sign(model, ED)
    (model / "model.pkl").rename(model.parent / "model.pkl")
    (model / "model.pkl").symlink_to(model.parent / "model.pkl")
    assert problems(model) == ("model.pkl: it is a link, and links are not followed here",)
    (model / "model.pkl").unlink()
    os.mkfifo(model / "model.pkl")
    assert problems(model) == ("model.pkl: it is no regular file",)


def test_links_inside_are_signed_by_what_is_behind_them(model: Path) -> None:
    (model / "latest").symlink_to("model.pkl")
    with pytest.raises(SignatureError, match="latest"):
        sign(model, ED)
    sign(model, ED, links=True)
    assert problems(model) == ()
    (model / "latest").unlink()
    (model / "latest").symlink_to("MLmodel")
    assert problems(model) == ("latest: its bytes changed",)
    (model.parent / "out").write_bytes(b"model.pkl")
    (model / "latest").unlink()
    (model / "latest").symlink_to("../out")
    assert problems(model) == ("latest: it is a link that leads out of the folder",)


def test_the_signature_inside_of_the_model_is_no_part_of_it(model: Path) -> None:
    made = sign(model, ED, save=model / "model.sig", ignore=("metrics", "code/"))
    assert {"model.sig", "metrics", "code", ".git"} <= set(made.signed.rules.ignored)
    assert set(made.signed.files) == {"MLmodel", "model.pkl"}
    (model / "metrics" / "new").write_bytes(b"not looked at")
    found = check(model, model / "model.sig", (ED.public,))
    assert (found.standing, found.found.left_out) == (Standing.OK, ("code", "metrics", "model.sig"))
    (model / "model.sig").rename(model / "renamed.sig")
    assert check(model, model / "renamed.sig", (ED.public,)).standing is Standing.OK
    (model / "model.sig").write_bytes(b"another file may not hide behind the name")
    assert check(model, model / "renamed.sig", (ED.public,)).found.left_out[-1] == "model.sig"


@pytest.mark.parametrize("form", FORMS)
def test_a_single_file_may_be_renamed(form: SetForm, tmp_path: Path) -> None:
    (tmp_path / "m.ubj").write_bytes(b"model")
    made = sign(tmp_path / "m.ubj", KEYS[form], form=form)
    (tmp_path / "m.ubj").rename(tmp_path / "n.ubj")
    assert check(tmp_path / "n.ubj", made.path, (KEYS[form].public,)).standing is Standing.OK
    (tmp_path / "n.ubj").write_bytes(b"modem")
    found = check(tmp_path / "n.ubj", made.path, (KEYS[form].public,))
    assert found.problems == ("n.ubj: its bytes changed",)


@pytest.mark.parametrize("form", FORMS)
def test_a_key_beside_the_files_is_shown_and_never_trusted(form: SetForm, model: Path, tmp_path: Path) -> None:
    made = sign(model, KEYS[form], form=form)
    stranger = SigningKey.generate()
    found = check(model, made.path, (stranger.public,))
    assert (found.standing, found.exit_code, found.beside) == (Standing.UNKNOWN, 3, None)
    (tmp_path / "signer.pub").write_bytes(ED.public.pem() if form == "intoto" else EC.public.text)
    (tmp_path / "broken.pem").write_bytes(b"nothing")
    found = check(model, made.path, (stranger.public,))
    assert (found.standing, found.beside) == (Standing.UNKNOWN, tmp_path / "signer.pub")
    assert KEYS[form].public.key_id in found.problems[0]
    assert check(model, made.path, ()).standing is Standing.UNKNOWN


@pytest.mark.parametrize("form", FORMS)
def test_a_statement_that_was_changed_under_a_trusted_name_is_broken_and_not_just_unknown(
    form: SetForm, model: Path, tmp_path: Path
) -> None:
    (model / "model.pkl").write_bytes(b"evil")
    forged = sign(model, KEYS[form], form=form).path.read_bytes()
    (model / "model.pkl").write_bytes(b"model.pkl")
    honest = sign(model, KEYS[form], form=form, replace=True).path.read_bytes()
    mixed, inner = json.loads(honest), json.loads(forged)
    if form == "openssf":
        mixed["dsseEnvelope"]["payload"] = inner["dsseEnvelope"]["payload"]
    else:
        mixed["payload"] = inner["payload"]
    (tmp_path / "model.sig").write_text(json.dumps(mixed))
    (model / "model.pkl").write_bytes(b"evil")
    found = check(model, tmp_path / "model.sig", (KEYS[form].public,))
    assert found.standing is Standing.BROKEN
    assert "which did not sign what it says" in found.problems[0]


def test_what_is_there_is_not_overwritten(model: Path) -> None:
    sign(model, ED)
    with pytest.raises(DataError) as raised:
        sign(model, ED)
    assert raised.value.code == "HF-SEA-005"
    (model / "MLmodel").write_bytes(b"new")
    sign(model, ED, replace=True)
    assert problems(model) == ()
    before = signature_of(model).read_bytes()
    sign(model, ED, replace=True, dry_run=True)
    assert signature_of(model).read_bytes() == before


def code(model: Path, **asked: object) -> str:
    with pytest.raises(HoldfastError) as raised:
        sign(model, ED, **asked)  # type: ignore[arg-type]
    return raised.value.code


def test_what_cannot_be_signed_is_refused(model: Path, tmp_path: Path) -> None:
    (tmp_path / "empty" / ".git").mkdir(parents=True)
    (tmp_path / "empty" / ".git" / "config").write_bytes(b"x")
    assert code(tmp_path / "empty") == "HF-SEA-019"
    assert code(model, ignore=tuple(FILES)) == "HF-SEA-019"
    assert code(tmp_path / "none") == "HF-SIG-010"
    assert code(model, form="openssf") == "HF-SEA-020"
    for name in ("../x", "/x", "."):
        with pytest.raises(UsageError) as raised:
            sign(model, ED, ignore=(name,))
        assert raised.value.code == "HF-SEA-020"
    assert not signature_of(model).exists()


def test_what_is_no_signature_is_refused(model: Path, tmp_path: Path) -> None:
    made = sign(model, ED)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "junk").write_bytes(b"{}")
    (tmp_path / "large").write_bytes(b" " * 17_000_000)
    for path in (tmp_path / "none", tmp_path / "pipe", tmp_path / "junk", tmp_path / "large", model):
        with pytest.raises(SignatureError) as raised:
            check(model, path, (ED.public,))
        assert raised.value.code == "HF-SEA-021"
        assert str(path) in raised.value.message
    with pytest.raises(SignatureError) as raised:
        check(tmp_path / "gone", made.path, (ED.public,))
    assert raised.value.code == "HF-SIG-010"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(FILES), byte=st.integers(0, 99), bit=st.integers(0, 7), form=st.sampled_from(FORMS))
def test_every_flipped_bit_is_seen(name: str, byte: int, bit: int, form: SetForm, model: Path) -> None:
    sign(model, KEYS[form], form=form, replace=True)
    data = bytearray((model / name).read_bytes())
    data[byte % len(data)] ^= 1 << bit
    (model / name).write_bytes(data)
    assert problems(model, form) == (f"{name}: its bytes changed",)
    data[byte % len(data)] ^= 1 << bit
    (model / name).write_bytes(data)
    assert problems(model, form) == ()


def test_the_views_are_plain(model: Path) -> None:
    made = sign(model, ED)
    view = signed_files_view(made)
    assert (view["form"], view["signer"], len(view["files"])) == ("intoto", ED.public.key_id, len(FILES))
    found = checked_view(check(model, made.path, ()))
    assert (found["status"], found["missing"], found["signature"]["signer"]) == ("unknown", [], None)
