"""A site's addition to the list of names that a pickle may use: one name, one mode, a reason, a person and an end."""

from __future__ import annotations

import _compat_pickle
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time
from functools import cached_property
from typing import Final, cast

from holdfast.core.domain.ids import JSONValue, digest

NEVER: Final = (
    sys.stdlib_module_names
    | frozenset(name.partition(".")[0] for name in _compat_pickle.IMPORT_MAPPING)
    | {"__main__", "__builtin__", "test"}
)
"""Packages whose names nobody may add: the standard library, Python 2's, and whatever program loads the model."""
FAMILIES: Final = frozenset(
    (
        *("os", "nt", "posix", "sys", "subprocess", "builtins", "__builtin__", "importlib", "imp", "runpy", "ctypes"),
        *("shutil", "socket", "pickle", "_pickle", "cPickle", "marshal", "pty", "multiprocessing"),
    )
)
"""What must not be reached by way of another package either: `acme.os.system` is `os.system`."""


def never(name: str) -> str | None:
    """Why a name is added by nobody, whatever library analysed it; None where that is for the list to say."""
    parts = name.split(".")
    if parts[0] in NEVER:
        return f"names of '{parts[0]}' are never added: it is the standard library, or any program"
    bad = next((part for part in parts if part in FAMILIES or part.startswith("__")), None)
    return None if bad is None else f"'{bad}' is never reached by way of another package"


@dataclass(frozen=True)
class NameAddition:
    """`mode` is c, h, n or v, as in the list. It holds from the day `since` up to, not including, `until` (UTC)."""

    name: str
    mode: str
    reason: str
    who: str
    since: date
    until: date

    def in_force(self, at: datetime) -> bool:
        """Whether it holds at a moment."""
        return _midnight(self.since) <= at < self.ends_at

    @property
    def ends_at(self) -> datetime:
        """The first moment at which it does not hold any more."""
        return _midnight(self.until)

    def plain(self) -> dict[str, JSONValue]:
        """As JSON values."""
        said = asdict(self)
        return {**said, "since": self.since.isoformat(), "until": self.until.isoformat()}

    @cached_property
    def digest(self) -> str:
        """Of all that it says, the reason and the name behind it included."""
        return digest(cast("JSONValue", self.plain()))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
