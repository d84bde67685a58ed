"""The errors of this room, worded once."""

from __future__ import annotations

from holdfast.core.errors import DataError, UsageError


def unreadable(what: str, cause: str) -> DataError:
    """A location that cannot be read at all."""
    return DataError(
        f"cannot read the feed at {what}",
        cause=cause,
        fix="check the path or address, and `holdfast intel list` for what the feed is registered as",
        code="HF-INT-003",
    )


def malformed(what: str, cause: str) -> DataError:
    """A document that is not of the form its feed is registered as."""
    return DataError(
        f"{what} is not what the feed should give",
        cause=cause,
        fix="get the file again, or register the feed under its own kind: `holdfast intel add --help`",
        code="HF-INT-004",
    )


def too_large(what: str, cause: str) -> DataError:
    """A feed beyond the bounds."""
    return DataError(
        f"{what} is larger than a feed may be",
        cause=cause,
        fix="give the part of it that is about your ecosystem, or split it into several feeds",
        code="HF-INT-005",
    )


def shrunk(feed: str, gone: int, standing: int) -> DataError:
    """A feed that no longer says most of what it said."""
    return DataError(
        f"the feed '{feed}' no longer says {gone} of {standing} things",
        cause="so much at once is more often a broken or cut file than news; nothing was withdrawn",
        fix="look at the source; if it is right, import it with --accept-removals",
        code="HF-INT-006",
    )


def bad_bundle(what: str, cause: str) -> DataError:
    """A bundle that was changed, has expired, or leaves a gap."""
    return DataError(
        f"the bundle {what} is refused",
        cause=cause,
        fix="carry every bundle over, in order and unchanged; a complete one bridges a gap",
        code="HF-INT-007",
    )


def no_feed(feed: str, known: list[str]) -> UsageError:
    """A feed that is not registered."""
    return UsageError(
        f"there is no feed '{feed}'",
        cause=f"registered: {', '.join(known) or 'none'}",
        fix="register it: `holdfast intel add ID --kind osv --location FILE`",
        code="HF-INT-008",
    )


def no_item(name: str) -> UsageError:
    """An item that no feed has ever spoken of."""
    return UsageError(
        f"nothing is known under '{name}'",
        cause="no feed has said anything of that id, alias or package",
        fix="give a uid (itl_…), a CVE, GHSA, MAL or PYSEC id, or an ATLAS id; `holdfast intel list` shows the feeds",
        code="HF-INT-009",
    )


def wrong_feed(cause: str) -> UsageError:
    """A feed that cannot be registered as it is described."""
    return UsageError(
        "the feed cannot be registered like this",
        cause=cause,
        fix="see the examples of `holdfast intel add --help`",
        code="HF-INT-010",
    )


def wrong_decision(cause: str) -> UsageError:
    """A person's decision that cannot be kept as it was made."""
    return UsageError(
        "the decision cannot be recorded like this",
        cause=cause,
        fix="say why in a sentence, and name a moment to come: --reason TEXT --until 2026-02-01T00:00:00Z",
        code="HF-INT-012",
    )
