"""Every error Holdfast raises on purpose, and the process exit code it leads to.

HoldfastError
 ├─ UsageError         2  HF-USE  the command line asks for something that makes no sense
 ├─ ConfigError        2  HF-CFG  holdfast.yaml or a setting is wrong
 ├─ ContractError      2  HF-CON  contract.yaml is wrong, or contradicts the data
 ├─ PolicyError        2  HF-POL  a policy file is wrong
 ├─ DataError          2  HF-DAT  a data file cannot be used as described
 ├─ PrerequisiteError  2  HF-PRE  an extra, a program or a service is missing
 ├─ FormatError        3  HF-FMT  an artifact cannot be read as what it claims to be
 ├─ TargetError        3  HF-TGT  the model under test misbehaved
 ├─ SandboxError       3  HF-BOX  the sandbox could not be built or gave no usable answer
 ├─ StoreError         3  HF-STO  the state folder or database cannot be used
 ├─ LedgerError        1  HF-LED  the ledger does not verify
 ├─ SignatureError     1  HF-SIG  a signature or a signed statement does not verify
 └─ AccessError        4  HF-ACC  the caller may not do this

An error is part of the interface: what happened (`message`), why (`cause`), what to do (`fix`), and a
stable `code` with a page in `pages/errors/<code>.md` that `holdfast explain <code>` prints. Uncertainty
about the world is never an error: it is the value `unknown` with a reason.
"""

from __future__ import annotations

from typing import ClassVar

EXIT_PASSED = 0
EXIT_FINDINGS = 1
EXIT_USAGE = 2
EXIT_UNKNOWN = 3
EXIT_ACCESS = 4
EXIT_INTERRUPTED = 130


class HoldfastError(Exception):
    """What happened, why, what to do about it, and a stable code."""

    exit_code: ClassVar[int] = EXIT_USAGE

    def __init__(self, message: str, *, cause: str, fix: str, code: str) -> None:
        super().__init__(message)
        self.message = message
        self.cause = cause
        self.fix = fix
        self.code = code

    def __str__(self) -> str:
        return f"error[{self.code}]: {self.message}\n  cause: {self.cause}\n  fix: {self.fix}"

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.cause, self.fix, self.code))


def _rebuild(kind: type[HoldfastError], message: str, cause: str, fix: str, code: str) -> HoldfastError:
    """Make the error again in another process; keyword-only arguments defeat the default pickling."""
    return kind(message, cause=cause, fix=fix, code=code)


class UsageError(HoldfastError):
    """The command line asks for something that makes no sense."""


class ConfigError(HoldfastError):
    """holdfast.yaml or a setting is wrong."""


class ContractError(HoldfastError):
    """contract.yaml is wrong, or contradicts the data."""


class PolicyError(HoldfastError):
    """A policy file is wrong."""


class DataError(HoldfastError):
    """A data file cannot be used as described."""


class PrerequisiteError(HoldfastError):
    """An extra, a program or a service is missing."""


class FormatError(HoldfastError):
    """An artifact cannot be read as what it claims to be."""

    exit_code = EXIT_UNKNOWN


class TargetError(HoldfastError):
    """The model under test misbehaved; `reason` is the word for how."""

    exit_code = EXIT_UNKNOWN

    REASONS: ClassVar[dict[str, str]] = {
        "HF-TGT-001": "time",
        "HF-TGT-002": "memory",
        "HF-TGT-003": "processes",
        "HF-TGT-004": "write",
        "HF-TGT-005": "network",
        "HF-TGT-006": "crash",
        "HF-TGT-007": "output",
    }

    @property
    def reason(self) -> str:
        return self.REASONS[self.code]


class SandboxError(HoldfastError):
    """The sandbox could not be built or gave no usable answer; `reason` is the word for why."""

    exit_code = EXIT_UNKNOWN

    REASONS: ClassVar[dict[str, str]] = {
        "HF-BOX-001": "isolation",
        "HF-BOX-002": "interpreter",
        "HF-BOX-003": "library",
        "HF-BOX-004": "request",
        "HF-BOX-005": "start",
    }

    @property
    def reason(self) -> str:
        return self.REASONS[self.code]


class StoreError(HoldfastError):
    """The state folder or database cannot be used."""

    exit_code = EXIT_UNKNOWN


class LedgerError(HoldfastError):
    """The ledger does not verify."""

    exit_code = EXIT_FINDINGS


class SignatureError(HoldfastError):
    """A signature or a signed statement does not verify."""

    exit_code = EXIT_FINDINGS


class AccessError(HoldfastError):
    """The caller may not do this."""

    exit_code = EXIT_ACCESS
