"""The list of names a scan goes by: the one inside or a signed one, with what a policy adds to it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.core.errors import SignatureError

if TYPE_CHECKING:
    from holdfast.core.sign import PublicKey
    from holdfast.scan.allowlist import Allowlist


def names_for(listed: Path | None, keys: tuple[Path, ...], policy: str | None, at: datetime) -> Allowlist | None:
    """The list in force at a moment; None where it is the one inside and nothing is added.

    Raises FormatError and SignatureError on a list that is not to be believed, PolicyError on a wrong policy.
    """
    if listed is None and policy is None:
        return None
    from holdfast.scan.allowlist import Allowlist

    names = Allowlist.builtin() if listed is None else _signed(listed, keys)
    return names if policy is None else _with_additions(names, policy, at)


def _signed(listed: Path, keys: tuple[Path, ...]) -> Allowlist:
    from holdfast.core.sign import PublicKey
    from holdfast.scan.allowlist.signed import read_signed

    return read_signed(listed, [PublicKey.load(key) for key in keys] if keys else _trusted(listed))


def _trusted(listed: Path) -> tuple[PublicKey, ...]:
    """The keys of the state folder, where this is a place that has one."""
    from holdfast.app import state_folder
    from holdfast.core.errors import ConfigError
    from holdfast.core.settings import Settings
    from holdfast.core.sign import trusted_keys

    try:
        home = state_folder(Settings())
    except ConfigError as fault:
        raise SignatureError(
            f"there is no key to hold {listed} against",
            cause="no --key is given, and there is no state folder here whose keys are trusted",
            fix="name the signer's public key with --key",
            code="HF-SCN-005",
        ) from fault
    return trusted_keys(home)


def _with_additions(names: Allowlist, policy: str, at: datetime) -> Allowlist:
    from holdfast.cli.gate import read_policy
    from holdfast.gate.additions import refuse
    from holdfast.scan.additions import widened

    chosen = read_policy(policy)
    refuse([chosen], names)
    return widened(names, chosen.names, at)
