"""Moments and days as options: RFC 3339, moments with a timezone."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import click

from holdfast.core.domain.clock import from_iso


class Moment(click.ParamType[datetime]):
    """`2026-01-05T09:00:00Z`."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read one; a moment without a timezone is refused."""
        if isinstance(value, datetime):
            return value
        try:
            return from_iso(str(value))
        except ValueError as fault:
            self.fail(str(fault), param, ctx)


class Day(click.ParamType[date]):
    """`2026-01-05`."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Read one."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(str(value))
        except ValueError as fault:
            self.fail(f"{value!r} is no day such as 2026-01-05: {fault}", param, ctx)
