"""Files held against their signature: the same to the byte, or which are missing, extra and changed. No network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from holdfast.core.errors import SignatureError
from holdfast.core.sign import AnyKey, SignedSet, load_key
from holdfast.core.sign.dsse import MAX_ENVELOPE_BYTES
from holdfast.core.sign.fileset import Listing, Told, hash_files, in_order, list_files
from holdfast.seal.signing import inside
from holdfast.seal.standing import EXITS, Standing
from holdfast.seal.whole import read_bounded

MAX_BESIDE: Final = 20
KEY_SUFFIXES: Final = (".pub", ".pem")


@dataclass(frozen=True, slots=True)
class Differences:
    """Names of files, and `why` for those that are no files now. `extra` is what nobody signed.

    `left_out` is there too, and the signature says that it does not speak of it.
    """

    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    why: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checked:
    """`beside` is a public key near the signature that verifies it: shown, and not trusted for lying there.

    `extra_allowed` where files that nobody signed were accepted.
    """

    path: Path
    signed: SignedSet
    found: Differences
    standing: Standing
    problems: tuple[str, ...]
    extra_allowed: bool
    beside: Path | None = None

    @property
    def exit_code(self) -> int:
        return EXITS[self.standing]


def check(
    root: Path, signature: Path, keys: Sequence[AnyKey], *, allow_extra: bool = False, told: Told | None = None
) -> Checked:
    """Hold a file or folder against a signature. Only `keys` are trusted, whatever lies beside the files.

    Raises SignatureError HF-SEA-021 where the signature cannot be read, HF-SIG-010 where a file cannot be.
    """
    root, signature = Path(root), Path(signature)
    signed = read_signature(signature, keys)
    found = _differences(root, signature, signed, told)
    problems = (*_forged(signed, keys), *_in_words(found, allow_extra=allow_extra))
    if problems:
        return Checked(signature, signed, found, Standing.BROKEN, problems, allow_extra)
    if signed.signer is None:
        why = f"it is signed by {', '.join(signed.claimed)}, which is no trusted key"
        return Checked(signature, signed, found, Standing.UNKNOWN, (why,), allow_extra, _beside(signature))
    return Checked(signature, signed, found, Standing.OK, (), allow_extra)


def read_signature(path: Path, keys: Sequence[AnyKey]) -> SignedSet:
    """A signature file, read within bounds and tried with `keys`. Raises SignatureError HF-SEA-021."""
    try:
        return SignedSet.parse(read_bounded(path, MAX_ENVELOPE_BYTES), keys)
    except OSError as fault:
        raise _no_signature(path, fault.strerror or str(fault)) from fault
    except ValueError as fault:
        raise _no_signature(path, str(fault)) from fault
    except SignatureError as fault:
        raise _no_signature(path, fault.cause) from fault


def _differences(root: Path, signature: Path, signed: SignedSet, told: Told | None) -> Differences:
    """Only what was signed is hashed: what is extra is told by its name alone."""
    listing = list_files(root, signed.rules)
    wanted = dict(signed.files)
    if listing.single and len(wanted) == 1:
        # A file that is a model of its own may have been renamed; its bytes are what was signed.
        wanted = dict.fromkeys(listing.files, *wanted.values())
    there = listing.files.keys() | listing.faults.keys()
    own = inside(root, signature)
    now = hash_files({name: path for name, path in listing.files.items() if name in wanted}, told=told)
    changed = {name for name, file in now.items() if file.digest != f"sha256:{wanted[name]}"}
    return Differences(
        missing=_sorted(wanted.keys() - there),
        extra=_sorted(there - wanted.keys() - {own}),
        changed=_sorted(changed | (wanted.keys() & listing.faults.keys())),
        left_out=listing.left_out,
        why=_reasons(listing),
    )


def _sorted(names: set[str]) -> tuple[str, ...]:
    return tuple(sorted(names, key=in_order))


def _reasons(listing: Listing) -> dict[str, str]:
    return {name: listing.faults[name] for name in _sorted(set(listing.faults))}


def _forged(signed: SignedSet, keys: Sequence[AnyKey]) -> Iterator[str]:
    """The name of a key proves nothing; that a trusted key is named and did not sign this, does."""
    named = {key.key_id for key in keys} & set(signed.claimed)
    if signed.signer is None and named:
        yield f"it names the trusted key {min(named)}, which did not sign what it says"


def _in_words(found: Differences, *, allow_extra: bool) -> Iterator[str]:
    """A sentence for each file that differs."""
    yield from (f"{name}: the file is missing" for name in found.missing)
    yield from (f"{name}: {found.why.get(name, 'its bytes changed')}" for name in found.changed)
    if not allow_extra:
        yield from (f"{name}: nobody signed it{_also(found, name)}" for name in found.extra)


def _also(found: Differences, name: str) -> str:
    return f", and {found.why[name]}" if name in found.why else ""


def _beside(signature: Path) -> Path | None:
    """A public key near the signature that it verifies with, looked for among a few files."""
    paths: list[Path] = []
    with suppress(OSError):  # a folder that may be entered and not listed
        paths = sorted(path for path in signature.absolute().parent.iterdir() if path.suffix in KEY_SUFFIXES)
    found: dict[AnyKey, Path] = {}
    for path in paths[:MAX_BESIDE]:
        with suppress(SignatureError):
            found.setdefault(load_key(path), path)
    signer = read_signature(signature, tuple(found)).signer
    return None if signer is None else found[signer]


def _no_signature(path: Path, why: str) -> SignatureError:
    return SignatureError(
        f"{path} is no signature of files",
        cause=why,
        fix="get it again from the one who signed the files; `holdfast seal sign` writes such files",
        code="HF-SEA-021",
    )
