"""One request, as pages and actions see it: who asks, of which moment, with which words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from holdfast.core.domain import Model
from holdfast.server.faults import not_found, wrong_parameter

if TYPE_CHECKING:
    from holdfast.core.store import Transaction
    from holdfast.server.auth.identity import Identity
    from holdfast.server.site import Site

MAX_WORD = 2_000


@dataclass(frozen=True)
class Visit:
    """A reading request. Everything it shows comes out of `tx`, one consistent view of the store."""

    site: Site
    who: Identity
    tx: Transaction
    now: datetime
    params: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def as_of(self) -> datetime:
        """The moment asked about; now where none is named."""
        return self.moment("as_of") or self.now

    @property
    def past(self) -> bool:
        """Whether another moment than now is asked about."""
        return bool(self.query.get("as_of"))

    def moment(self, name: str) -> datetime | None:
        """A moment in the query. Raises UsageError (HF-SRV-006) where it is none, or has not come yet."""
        text = self.query.get(name, "").strip()
        return None if not text else read_moment(name, text, self.now)

    def count(self, name: str, default: int, most: int) -> int:
        """A whole number in the query, from 0 to `most`."""
        text = self.query.get(name, "").strip()
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= 12 and int(text) <= most):
            raise wrong_parameter(name, f"{text[:40]!r} is no whole number from 0 to {most:,}", "write it in digits")
        return int(text)

    def word(self, name: str) -> str | None:
        """A word in the query; None where it is absent or empty."""
        text = self.query.get(name, "").strip()
        return text[:MAX_WORD] or None

    @cached_property
    def models(self) -> dict[str, Model]:
        """The models that this user may see, by name."""
        return {model.name: model for model in self.tx.models.all() if self.who.user.sees(model.unit)}

    def model(self, name: str) -> Model:
        """A model that this user may see. Raises UsageError (HF-SRV-003), also for those they may not."""
        if name not in self.models:
            raise not_found(f"model '{name[:80]}'")
        return self.models[name]


@dataclass(frozen=True)
class Deed:
    """A changing request, in the transaction that it commits or fails with."""

    site: Site
    who: Identity
    tx: Transaction
    params: Mapping[str, str]
    form: Mapping[str, str]

    @property
    def now(self) -> datetime:
        return self.tx.now

    def text(self, name: str, *, least: int = 1, most: int = MAX_WORD) -> str:
        """A field of the form. Raises UsageError (HF-SRV-006) where it is too short or too long."""
        value = self.form.get(name, "").strip()
        if not least <= len(value) <= most:
            raise wrong_parameter(name, f"it has {len(value)} characters", f"write {least} to {most:,} characters")
        return value

    def optional(self, name: str, most: int = MAX_WORD) -> str | None:
        """A field that may be empty."""
        return self.text(name, least=0, most=most) or None

    def demand_model(self, name: str) -> None:
        """Refuse, as if it were not there, what belongs to a model that this user may not see."""
        model = self.tx.models.find(name)
        if model is None or not self.who.user.sees(model.unit):
            raise not_found(f"model '{name[:80]}'")


def read_moment(name: str, text: str, now: datetime) -> datetime:
    """A moment as people and forms write it; UTC where no zone is named."""
    try:
        moment = datetime.fromisoformat(text[:40])
    except ValueError:
        raise wrong_parameter(name, f"{text[:40]!r} is no moment", "write 2026-01-05T09:00:00Z") from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise wrong_parameter(name, f"{text[:40]!r} is no moment of ours", "write 2026-01-05T09:00:00Z") from None
    if moment > now:
        raise wrong_parameter(name, f"{text[:40]!r} has not come yet", "name a moment in the past")
    return moment
