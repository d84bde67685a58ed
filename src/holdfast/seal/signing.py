"""Signing the files of a model: a folder, a run of a tracking server, a single file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Final

from holdfast.core.domain import system_clock
from holdfast.core.errors import DataError, UsageError
from holdfast.core.places import STATE_NAME
from holdfast.core.sign import AnySigningKey, EllipticSigningKey, FileSet, Rules, SetForm, SignedSet, hash_set, sign_set
from holdfast.core.sign.fileset import GIT_PATHS, Told, refuse_outside
from holdfast.seal.whole import write_whole

SIGNATURE_SUFFIX: Final = ".sig"


@dataclass(frozen=True, slots=True)
class SignedFiles:
    """A signature, its file, and what it is over."""

    path: Path
    signed: SignedSet
    files: FileSet


def signature_of(root: Path) -> Path:
    """Where the signature of a file or folder lies: beside it, so that it is no part of it."""
    plain = root.resolve() if root.name in ("", "..") else root
    return plain.with_name(plain.name + SIGNATURE_SUFFIX)


def sign(  # noqa: PLR0913  (each is a thing users set, most have defaults)
    root: Path,
    key: AnySigningKey,
    *,
    form: SetForm = "intoto",
    save: Path | None = None,
    ignore: Sequence[str] = (),
    links: bool = False,
    replace: bool = False,
    dry_run: bool = False,
    told: Told | None = None,
    at: datetime | None = None,
) -> SignedFiles:
    """Sign a file, or every file below a folder, by SHA-256; files are hashed several at a time.

    Left out, and signed as left out: what git keeps, our own state, the signature itself, and the paths in `ignore`,
    relative to the root. Raises DataError HF-SEA-005, -006, -019, UsageError HF-SEA-020, SignatureError HF-SIG-010.
    """
    root = Path(root)
    if form == "openssf" and not isinstance(key, EllipticSigningKey):
        raise _refused(
            "the OpenSSF form is signed with an ECDSA key, on P-256, P-384 or P-521",
            "name one with --key; openssl ecparam -name prime256v1 -genkey -noout -out key.pem makes one",
        )
    path = save or signature_of(root)
    rules = Rules(_left_out(root, path, ignore), links)
    try:
        files = hash_set(root, rules, told=told)
        text = sign_set(files, key, form, at or system_clock())
    except ValueError as fault:
        raise DataError(
            f"{root} cannot be signed as one set of files",
            cause=str(fault),
            fix="name the folder that holds the files, and sign parts of it one by one where they are very many",
            code="HF-SEA-019",
        ) from fault
    # Read back before anything is written: what nobody could verify is no signature.
    made = SignedFiles(path, SignedSet.parse(text, (key.public,)), files)
    if not dry_run:
        write_whole(path, text, replace=replace)
    return made


def _left_out(root: Path, signature: Path, ignore: Sequence[str]) -> tuple[str, ...]:
    names = [str(PurePosixPath(name)) for name in ignore]
    for name in names:
        try:
            refuse_outside(name)
        except ValueError as fault:
            raise _refused(str(fault), "name paths as seen from the folder that is signed: --ignore logs") from fault
    own = inside(root, signature)
    state = [STATE_NAME] if (root / STATE_NAME).is_dir() else []
    return tuple(sorted({*GIT_PATHS, *names, *state, *([] if own is None else [own])}))


def inside(root: Path, path: Path) -> str | None:
    """The name of `path` below `root`, None where it lies elsewhere."""
    real, place = root.resolve(), path.parent.resolve() / path.name
    return place.relative_to(real).as_posix() if place.is_relative_to(real) and place != real else None


def _refused(cause: str, fix: str) -> UsageError:
    return UsageError("the files cannot be signed like this", cause=cause, fix=fix, code="HF-SEA-020")
