"""`holdfast config show`: each setting in force, with its origin."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.cli.output import Form, Output, as_json, output_options, table
from holdfast.cli.terminal import Terminal
from holdfast.cli.verb import VerbGroup, verb
from holdfast.cli.workplace import Setting, settings_in_force, settings_options

if TYPE_CHECKING:
    from holdfast.core.settings import Settings

command = VerbGroup("config", help="Show the settings in force and where each comes from.", default="show")


@verb(
    "show",
    examples=(
        ("holdfast config show", "Every setting and where its value comes from."),
        (
            "holdfast config show --format json --home /srv/holdfast",
            "For scripts, one value set by flag.",
        ),
    ),
)
@settings_options
@output_options("text", "json")
@click.pass_obj
def show(terminal: Terminal, settings: Settings, forms: tuple[Form, ...], output: str | None) -> None:
    """Show every setting with its value and its origin."""
    found = settings_in_force(settings, Path.cwd())
    Output.of(forms, output).write(lambda form: _text(found) if form.format == "text" else _json(found), terminal)


def _text(found: list[Setting]) -> str:
    rows = [(item.name, "-" if item.value in (None, []) else str(item.value), item.origin) for item in found]
    return table(rows, ("SETTING", "VALUE", "ORIGIN"))


def _json(found: list[Setting]) -> str:
    return as_json({"schema_version": 1, "settings": [asdict(item) for item in found]})


command.add_command(show)
