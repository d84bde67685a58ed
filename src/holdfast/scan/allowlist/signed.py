"""A list of names from elsewhere: believed where a key that this installation trusts has signed it, and else refused.

    python -m holdfast.scan.allowlist.signed names.json --key key.pem --output names.dsse.json

One DSSE envelope around the list's own bytes. A signature does not lift the floor: no list lets a pickle use the
standard library beyond what is written by hand here, or a package that is denied for what it is for.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from holdfast.core.domain.addition import NEVER
from holdfast.core.errors import FormatError, SignatureError
from holdfast.core.sign import PublicKey, SigningKey, dsse_sign, dsse_verify
from holdfast.core.sign.dsse import MAX_ENVELOPE_BYTES
from holdfast.scan.allowlist import Allowlist
from holdfast.scan.allowlist.header import unreadable
from holdfast.scan.allowlist.seeds import SEEDS
from holdfast.scan.allowlist.tools import purpose
from holdfast.scan.allowlist.unneeded import UNNEEDED

PAYLOAD_TYPE: Final = "application/vnd.holdfast.names+json"


def sign_list(raw: bytes, key: SigningKey) -> bytes:
    """The envelope of a list. Raises FormatError where the bytes are no list, or one that no signature would help."""
    refuse_reaching(Allowlist.parse(raw))
    return dsse_sign(PAYLOAD_TYPE, raw, key).to_json()


def read_signed(path: Path, keys: Sequence[PublicKey]) -> Allowlist:
    """The list in an envelope.

    Raises FormatError HF-SCN-003 to -007, and SignatureError HF-SIG-005 to -007 where no trusted key signed it.
    """
    if not keys:
        raise SignatureError(
            f"there is no key to hold {path} against",
            cause="this installation has no trusted key",
            fix="put the signer's public key into keys/trusted of the state folder, or name it with --key",
            code="HF-SCN-005",
        )
    found = Allowlist.parse(dsse_verify(_bytes(path), keys, PAYLOAD_TYPE))
    refuse_reaching(found)
    own = Allowlist.builtin().header.dated
    if found.header.dated < own:
        raise FormatError(
            f"the list of names {path} is older than the one inside",
            cause=f"it is of {found.header.dated}, the one inside of {own}",
            fix="leave it out, or make a new one with this version",
            code="HF-SCN-007",
        )
    return found


def refuse_reaching(names: Allowlist) -> None:
    """Raises FormatError HF-SCN-006 on a list that allows what no list may."""
    bad = next(_reaching(names), None)
    if bad is not None:
        raise FormatError(
            "the list of names allows what no list may",
            cause=f"it has '{bad[:200]}'",
            fix="make the list with `holdfast.scan.allowlist.generate` of this version, and sign nothing else",
            code="HF-SCN-006",
        )


def _reaching(names: Allowlist) -> Iterator[str]:
    denied, by_hand = _denied(), _by_hand()
    for path, mode in names.modes.items():
        package = path.partition(".")[0]
        listed = by_hand.get(path)
        if (package in denied or {mode, listed} & {"r", "d"} or purpose(path)) and listed != mode:
            yield path
    for old, new in names.aliases:
        # An alias lends names: none may lend a denied package the names of another.
        if not new or old.partition(".")[0] in denied or new.partition(".")[0] in denied:
            yield f"{old} as {new}"


@cache
def _denied() -> frozenset[str]:
    return NEVER | frozenset(package for packages in UNNEEDED.values() for package in packages.split())


@cache
def _by_hand() -> dict[str, str]:
    return {f"{module}.{name}": mode for module, mode, names, _ in SEEDS for name in names.split()}


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_ENVELOPE_BYTES + 1)
    except OSError as fault:
        raise unreadable(f"{path}: {fault.strerror or fault}") from fault
    return raw


def main() -> None:
    """Sign a list that the generator wrote."""
    parser = argparse.ArgumentParser(description="Sign a list of names.")
    parser.add_argument("list", type=Path)
    parser.add_argument("--key", type=Path, required=True, help="a private key")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    options.output.write_bytes(sign_list(options.list.read_bytes(), SigningKey.load(options.key)))


if __name__ == "__main__":
    main()
