"""Spans of time as people write them in a policy: `24h`, `7d`."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_FORM = re.compile(r"([1-9][0-9]{0,4})([mhdw])")


def parse_duration(value: object) -> timedelta:
    """`90m`, `24h`, `7d` or `2w`. Raises ValueError for anything else."""
    form = _FORM.fullmatch(value) if isinstance(value, str) else None
    if form is None:
        raise ValueError("write a span of time as a number and m, h, d or w, such as 24h or 7d")
    return timedelta(**{_UNITS[form[2]]: int(form[1])})


def format_duration(span: timedelta) -> str:
    """The largest unit that says `span` without a fraction."""
    minutes = round(span.total_seconds() / 60)
    for size, letter in ((1440, "d"), (60, "h")):
        if minutes % size == 0:
            return f"{minutes // size}{letter}"
    return f"{minutes}m"
