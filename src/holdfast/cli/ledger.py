"""`holdfast ledger`: verify the record offline, hand it to others, read it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.output import Form, Output, as_json, output_options, table
from holdfast.cli.terminal import Terminal
from holdfast.cli.verb import VerbGroup, verb
from holdfast.cli.workplace import settings_options

if TYPE_CHECKING:
    from holdfast.core.ledger import Verification
    from holdfast.core.settings import Settings

command = VerbGroup("ledger", help="Verify, export and read the record of what happened.")

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)
MAX_SHOWN = 10_000


@verb(
    "verify",
    examples=(
        ("holdfast ledger verify evidence/ledger --key holdfast.pub", "Verify a folder that somebody handed over."),
        (
            "holdfast ledger verify --key holdfast.pub --checkpoint last-week.checkpoint",
            "Verify the own ledger, and that it still begins as it did last week.",
        ),
    ),
)
@click.argument("folder", type=FOLDER, required=False)
@click.option("--key", type=FILE, help="The public key you trust, from elsewhere. Without it the answer is unknown.")
@click.option("--checkpoint", type=FILE, help="An older checkpoint of the same ledger that you kept.")
@click.option("--origin", help="The name the ledger must have.")
@settings_options
@output_options("text", "json")
@click.pass_obj
def verify(
    terminal: Terminal,
    /,
    folder: Path | None,
    settings: Settings,
    forms: tuple[Form, ...],
    output: str | None,
    **trust: Any,
) -> int:
    """Verify the ledger in FOLDER (default: the own) without any service. Exits 0 ok, 1 broken, 3 unknown."""
    from holdfast.core.ledger import verify_ledger
    from holdfast.core.sign import PublicKey

    key = None if trust["key"] is None else PublicKey.load(trust["key"])
    remembered = None if trust["checkpoint"] is None else trust["checkpoint"].read_bytes()
    found = verify_ledger(folder or _own(settings), key, remembered=remembered, origin=trust["origin"])
    Output.of(forms, output).write(
        lambda form: _told(found) if form.format == "text" else as_json({"schema_version": 1, **asdict(found)}),
        terminal,
    )
    return found.exit_code


def _own(settings: Settings) -> Path:
    from holdfast.app import state_folder

    return state_folder(settings) / "ledger"


def _told(found: Verification) -> str:
    lines = [f"{found.status}"]
    if found.size is not None:
        lines.append(f"  {found.size:,} entries of '{found.origin}', root {found.root}")
    lines += [f"  {problem}" for problem in found.problems]
    if found.found_key is not None:
        lines.append(f"  the folder names the key {found.found_key}; that proves nothing by itself")
    return "\n".join(lines)


@verb(
    "export",
    examples=(
        ("holdfast ledger export evidence/ledger", "Write the whole ledger into a new folder."),
        ("holdfast ledger export /media/usb/ledger --home /srv/holdfast", "Of another state folder."),
    ),
)
@click.argument("folder", type=FOLDER)
@settings_options
@click.pass_obj
def export(terminal: Terminal, folder: Path, settings: Settings) -> None:
    """Write the ledger from the database into FOLDER, new or empty, for somebody else to verify."""
    from holdfast.app import Holdfast

    with Holdfast.open(settings) as holdfast:
        holdfast.ledger.append_pending()
        head = holdfast.ledger.export(folder)
        terminal.out(f"wrote {head.size:,} entries to {folder}, root {head.root.hex()}")
        terminal.log(f"give the public key by another way: {holdfast.home / 'keys' / 'holdfast.pub'}")


@verb(
    "show",
    examples=(
        ("holdfast ledger show", "The last twenty entries."),
        ("holdfast ledger show --last 1000 --format json --output entries.json", "More of them, for a script."),
    ),
)
@click.option("--last", type=click.IntRange(1, MAX_SHOWN), default=20, show_default=True, help="How many entries.")
@settings_options
@output_options("text", "json")
@click.pass_obj
def show(terminal: Terminal, last: int, settings: Settings, forms: tuple[Form, ...], output: str | None) -> None:
    """Show the newest entries, oldest first."""
    from holdfast.app import Holdfast

    with Holdfast.open(settings) as holdfast, holdfast.store.reading() as tx:
        size = tx.intents.state().size
        entries = [json.loads(entry) for entry in tx.intents.entries(max(0, size - last), size)]
    first = size - len(entries)
    Output.of(forms, output).write(
        lambda form: _rows(first, entries) if form.format == "text" else _as_json(first, entries), terminal
    )


def _rows(first: int, entries: list[dict[str, Any]]) -> str:
    rows = [
        (str(first + step), str(entry["recorded_at"]), str(entry["kind"]), _short(entry["body"]))
        for step, entry in enumerate(entries)
    ]
    return table(rows, ("LEAF", "RECORDED AT", "KIND", "BODY"))


def _short(body: dict[str, Any]) -> str:
    """Names and short values; digests are for the JSON form."""
    return ", ".join(f"{name} {value}" for name, value in body.items() if len(str(value)) <= 40)


def _as_json(first: int, entries: list[dict[str, Any]]) -> str:
    return as_json({"schema_version": 1, "entries": [{"leaf": first + n, **entry} for n, entry in enumerate(entries)]})


for _verb in (verify, export, show):
    command.add_command(_verb)
