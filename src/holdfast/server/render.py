"""Views as HTML. Everything is escaped; what does not show is spelt out; nothing inline that the policy forbids."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from holdfast.core.domain import from_iso, to_iso
from holdfast.core.report.escape import visible
from holdfast.core.report.plot import Plot
from holdfast.core.report.words import by_name

NAVIGATION: Final = (
    ("posture", "Posture", "/posture"),
    ("models", "Models", "/estate/models"),
    ("alerts", "Alerts", "/watch/alerts"),
    ("backlog", "Backlog", "/backlog"),
    ("intel", "Intelligence", "/intel"),
    ("respond", "Response", "/respond"),
    ("comply", "Compliance", "/comply"),
    ("ledger", "Ledger", "/ledger"),
    ("settings", "Settings", "/settings"),
)

_ID: Final = re.compile(r"\b([a-z]{3}_[0-9a-f]{8})[0-9a-f]{16,}")
_DIGEST: Final = re.compile(r"(sha256:[0-9a-f]{8})[0-9a-f]{5,56}")


def render(template: str, values: Mapping[str, Any]) -> str:
    """A template with its values, as a whole page."""
    return environment().get_template(template).render(values)


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The templates and what they may use."""
    made = Environment(
        loader=PackageLoader("holdfast.server"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["navigation"] = NAVIGATION
    made.filters.update(
        time=time,
        when=when,
        day=day,
        age=age,
        short=short,
        number=number,
        plot=plot,
        lines=lines,
        words=words,
        iso=iso,
        seconds=seconds,
        exact=exact,
        brief=brief,
        by_name=by_name,
    )
    return made


def _shown(value: Any) -> Any:
    """Plain text shows every character, digests shortened; what is markup already, or no text, stays as it is."""
    if value is None:
        return ""
    return _DIGEST.sub(r"\1…", visible(value)) if type(value) is str else value


def time(moment: datetime | None) -> Markup:
    """A UTC moment, to the second; an en dash where there is none."""
    if moment is None:
        return Markup('<span class="none">–</span>')
    text = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return Markup('<time datetime="{}">{} UTC</time>').format(to_iso(moment), text)


def when(moment: datetime | None) -> Markup:
    """A UTC moment, to the minute: for lists."""
    if moment is None:
        return time(None)
    text = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    return Markup('<time datetime="{}">{} UTC</time>').format(to_iso(moment), text)


def day(moment: date) -> Markup:
    """A day."""
    return Markup('<time datetime="{0}">{0}</time>').format(moment.isoformat()[:10])


def age(moment: datetime | timedelta | None, now: datetime | None = None) -> str:
    """How long ago, or how long, in the two words that people say."""
    if moment is None:
        return "never"
    span = moment if isinstance(moment, timedelta) else (now or moment) - moment
    seconds = abs(int(span.total_seconds()))
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            count = seconds // size
            return f"{count:,} {unit}{'s' if count > 1 else ''}"
    return "less than a minute"


def short(name: str | None) -> Markup:
    """The beginning of a digest or a derived id; the whole of it is in its title."""
    if not name:
        return Markup('<span class="none">–</span>')
    kept = re.sub(r"^(sha256:[0-9a-f]{8}|[a-z]{3}_[0-9a-f]{8})[0-9a-f]{8,}$", r"\1…", name)
    return Markup('<code class="digest" title="{}">{}</code>').format(visible(name), visible(kept, 80))


def number(value: float | None) -> str:
    """A figure with as many digits as it deserves."""
    if value is None:
        return "–"
    whole = isinstance(value, int) or (value.is_integer() and abs(value) < 1e15)
    return f"{value:,.0f}" if whole else f"{value:,.4g}"


def iso(text: str | None) -> Markup:
    """A moment that a view gives as text."""
    return time(None if text is None else from_iso(text))


def seconds(span: float) -> str:
    """A span of seconds in the words that people say."""
    return age(timedelta(seconds=span))


def brief(text: str) -> str:
    """Text in which long ids are shortened, where people read it and copy nothing."""
    return _ID.sub(r"\1…", text)


def exact(text: str) -> Markup:
    """Text as it is, with its digests in full: what people copy."""
    return escape(visible(text))


def words(value: Any) -> str:
    """A value of a mapping, said shortly."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "–"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {words(item)}" for name, item in value.items()) or "–"
    return "–" if value is None else str(value)


def lines(text: str) -> Markup:
    """Text that may have several lines."""
    return Markup("<br>").join(escape(visible(line)) for line in text.splitlines())


def plot(drawn: Plot) -> Markup:
    """The picture in the page's colours. `Plot` escapes what it is given."""
    return Markup(drawn.svg(themed=True))  # noqa: S704
