"""The errors of the tree-model readers, one function per code."""

from __future__ import annotations

from holdfast.core.errors import FormatError


def damaged(kind: str, cause: str) -> FormatError:
    """The bytes do not follow the format."""
    return FormatError(
        f"the {kind} model cannot be read",
        cause=cause,
        fix="save the model again and compare its digest with the training job's",
        code="HF-FMT-010",
    )


def inconsistent(kind: str, cause: str) -> FormatError:
    """The bytes follow the format, but what they say cannot be a forest."""
    return FormatError(
        f"the {kind} model contradicts itself",
        cause=cause,
        fix="save the model again from its library; an edited or damaged file is never repaired here",
        code="HF-FMT-011",
    )


def oversize(kind: str, what: str, found: int, limit: int) -> FormatError:
    """Something is larger than the reader allows."""
    return FormatError(
        f"the {kind} model is larger than Holdfast reads",
        cause=f"{found:,} {what}; the limit is {limit:,}",
        fix="check the file's origin; a real model this large can still be tested as a black box",
        code="HF-FMT-012",
    )


def unsupported(kind: str, what: str) -> FormatError:
    """A sound model of a kind that has no flat-tree form here."""
    return FormatError(
        f"this {kind} model cannot be read as trees",
        cause=what,
        fix="test it as a black box through its runtime, or export it without that option",
        code="HF-FMT-013",
    )


def no_net(kind: str, what: str) -> FormatError:
    """A sound model that is no chain of known layers."""
    return FormatError(
        f"this {kind} model cannot be read as a net",
        cause=what,
        fix="test it as a black box through its runtime, or export it as dense layers and activations",
        code="HF-FMT-013",
    )


def not_trees(kind: str, found: str) -> FormatError:
    """The file is readable, and holds something else than a tree model."""
    return FormatError(
        "no tree model in the file",
        cause=f"it is {kind}; found {found}",
        fix="point to the file that holds the estimator itself",
        code="HF-FMT-014",
    )


def misfit(cause: str) -> FormatError:
    """A matrix that the model cannot take."""
    return FormatError(
        "the rows do not fit the model",
        cause=cause,
        fix="give the model's own columns, in its own order, as numbers",
        code="HF-FMT-015",
    )
