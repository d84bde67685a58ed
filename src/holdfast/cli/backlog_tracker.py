"""`holdfast backlog tracker` and `holdfast backlog sync`: the backlog as tickets elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.output import Form, Output, as_json, output_options, table
from holdfast.cli.terminal import Terminal
from holdfast.cli.verb import VerbGroup, verb
from holdfast.cli.workplace import settings_options
from holdfast.core.domain.clock import to_iso
from holdfast.core.report.escape import visible

if TYPE_CHECKING:
    from holdfast.core.settings import Settings

trackers = VerbGroup("tracker", help="Show the backlog as tickets in a tracker.")

by_option = click.option("--by", required=True, metavar="NAME", help="Who does this.")
dry_option = click.option("--dry-run", is_flag=True, help="Say what would be recorded, and record nothing.")


@verb(
    "add",
    examples=(
        (
            "holdfast backlog tracker add work --url https://git.bank.example/api/v3 --project risk/models --by ana",
            "Issues of one project, without a token.",
        ),
        (
            "holdfast backlog tracker add work --url https://git.bank.example --project a/b --token-env TOKEN --by ana",
            "With a token, read from the environment at every use.",
        ),
    ),
)
@click.argument("name")
@click.option("--url", required=True, help="Base address of its REST interface.")
@click.option("--project", required=True, help="Whose tickets, as owner/name.")
@click.option("--token-env", metavar="VARIABLE", help="Environment variable that holds the token.")
@click.option("--kind", default="rest", show_default=True, help="How it is spoken to.")
@by_option
@dry_option
@settings_options
@click.pass_obj
def add(terminal: Terminal, /, by: str, dry_run: bool, settings: Settings, **said: Any) -> None:
    """Connect the tracker NAME: from now on every item is a ticket there."""
    from holdfast.app import Holdfast
    from holdfast.backlog.interface import TRACKERS
    from holdfast.backlog.tickets import check, connect
    from holdfast.core.domain.backlog import TrackerLink

    TRACKERS.load_named(settings.plugins)
    link = check(TrackerLink(**said))
    with Holdfast.open(settings) as holdfast:
        if not dry_run:
            holdfast.store.run(lambda tx: connect(tx, link, by))
            holdfast.settle()
    terminal.out(f"{'would connect' if dry_run else 'connected'} {link.name}: {link.project} at {link.url}")
    terminal.log("next: holdfast backlog sync")


@verb(
    "remove",
    examples=(
        ("holdfast backlog tracker remove work --by ana", "Nothing more is shown there; its tickets stay."),
        ("holdfast backlog tracker remove work --by ana --dry-run", "Is it connected?"),
    ),
)
@click.argument("name")
@by_option
@dry_option
@settings_options
@click.pass_obj
def remove(terminal: Terminal, /, name: str, by: str, dry_run: bool, settings: Settings) -> None:
    """Disconnect the tracker NAME."""
    from holdfast.app import Holdfast
    from holdfast.backlog.tickets import disconnect, find_link

    with Holdfast.open(settings) as holdfast:
        with holdfast.store.reading() as tx:
            find_link(tx, name)
        if not dry_run:
            holdfast.store.run(lambda tx: disconnect(tx, name, by))
            holdfast.settle()
    terminal.out(f"{'would disconnect' if dry_run else 'disconnected'} {visible(name)}")


@verb(
    "list",
    examples=(
        ("holdfast backlog tracker list", "The connected trackers and what waits for each."),
        ("holdfast backlog tracker list --format json", "For scripts."),
    ),
)
@settings_options
@output_options("text", "json")
@click.pass_obj
def list_(terminal: Terminal, /, settings: Settings, forms: tuple[Form, ...], output: str | None) -> None:
    """List the connected trackers."""
    from holdfast.app import Holdfast
    from holdfast.backlog.tickets import topic

    with Holdfast.open(settings) as holdfast, holdfast.store.reading() as tx:
        rows = [
            (one.name, one.kind, one.url, one.project, tx.outbox.waiting([topic(one)])) for one in tx.tickets.links()
        ]
        now = holdfast.clock()
    head = ("tracker", "kind", "url", "project", "waiting")
    said = {"schema_version": 1, "as_of": to_iso(now), "trackers": [dict(zip(head, row, strict=True)) for row in rows]}
    text = table([tuple(str(cell) for cell in row) for row in rows], tuple(word.upper() for word in head))
    Output.of(forms, output).write(lambda form: text if form.format == "text" else as_json(said), terminal)


@verb(
    "sync",
    examples=(
        ("holdfast backlog sync", "Send what waits to every tracker, and hear what changed there."),
        ("holdfast backlog sync --format json", "For scripts."),
    ),
)
@click.option("--dry-run", is_flag=True, help="Say what waits, and neither send nor hear.")
@settings_options
@output_options("text", "json")
@click.pass_obj
def sync(terminal: Terminal, /, dry_run: bool, settings: Settings, forms: tuple[Form, ...], output: str | None) -> None:
    """Exchange with the trackers. What fails stays and is tried again, with pauses that grow."""
    from holdfast.app import Holdfast
    from holdfast.backlog.interface import TRACKERS
    from holdfast.backlog.tickets import Exchanged, exchange, topic

    TRACKERS.load_named(settings.plugins)
    with Holdfast.open(settings) as holdfast:
        done = Exchanged() if dry_run else exchange(holdfast.store)
        holdfast.settle()
        with holdfast.store.reading() as tx:
            waiting = sum(tx.outbox.waiting([topic(one)]) for one in tx.tickets.links())
        now = holdfast.clock()
    said = {"schema_version": 1, "as_of": to_iso(now), "sent": done.sent, "heard": done.heard, "waiting": waiting}
    text = f"{done.sent} sent, {done.heard} heard, {waiting} waiting"
    Output.of(forms, output).write(lambda form: text if form.format == "text" else as_json(said), terminal)
    if done.faults:
        raise done.faults[0]


for _verb in (add, remove, list_):
    trackers.add_command(_verb)
