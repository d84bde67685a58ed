"""The words a model's run can end with, and the errors they become."""

from __future__ import annotations

from holdfast.core.errors import SandboxError, TargetError

_CODES = {reason: code for code, reason in TargetError.REASONS.items()}
_BOX_CODES = {reason: code for code, reason in SandboxError.REASONS.items()}
_DISTRUST = "scan the artifact again and look at what it does; do not run it outside the sandbox"
_WORDS: dict[str, tuple[str, str]] = {
    "time": (
        "the model did not finish in time",
        "give fewer rows, or a higher wall limit if the model is known to be slow",
    ),
    "memory": (
        "the model asked for more memory than it may use",
        "give fewer rows, or a higher memory limit if the model is known to be large",
    ),
    "processes": ("the model tried to start processes", _DISTRUST),
    "write": ("the model tried to write or change files", _DISTRUST),
    "network": ("the model tried to use the network", _DISTRUST),
    "crash": (
        "the model crashed",
        "run it with the library versions it was made with (`runtime:` in holdfast.yaml)",
    ),
    "output": ("the model gave no usable answer", "check that the artifact is the model it claims to be"),
}


def target_error(reason: str, cause: str, fix: str | None = None) -> TargetError:
    """The model misbehaved; `reason` is one of the words of TargetError.REASONS."""
    message, usual_fix = _WORDS[reason]
    return TargetError(message, cause=printable(cause), fix=fix or usual_fix, code=_CODES[reason])


def sandbox_error(reason: str, message: str, cause: str, fix: str) -> SandboxError:
    """The sandbox, or the interpreter in it, is at fault and not the model."""
    return SandboxError(message, cause=printable(cause), fix=fix, code=_BOX_CODES[reason])


def printable(text: str, most: int = 600) -> str:
    """Words from a model as one harmless line: a terminal obeys control characters."""
    line = "".join(char if char.isprintable() else " " for char in text[: 4 * most])
    return " ".join(line.split())[:most]
