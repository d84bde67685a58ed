"""`holdfast intel`: feeds and their health, what they say, what follows from it, and what people decide about it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.intel_text import effects_text, feeds_text, impact_text, imported_text
from holdfast.cli.moment import Moment
from holdfast.cli.output import Form, Output, as_json, output_options
from holdfast.cli.terminal import Terminal
from holdfast.cli.verb import VerbGroup, verb
from holdfast.cli.workplace import settings_options
from holdfast.core.domain.claim import Ceiling
from holdfast.core.domain.intelligence import Tlp
from holdfast.core.errors import EXIT_FINDINGS, EXIT_PASSED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from holdfast.core.domain.claim import Claim
    from holdfast.core.settings import Settings
    from holdfast.core.store import Transaction

command = VerbGroup("intel", help="Feeds of threat intelligence: import them, see what they say and what follows.")
bundles = VerbGroup("bundle", help="Carry intelligence to a store without a network.")
command.add_command(bundles)

by_option = click.option("--by", required=True, metavar="NAME", help="Who decides this.")
reason_option = click.option("--reason", required=True, help="Why, in a sentence.")
until_option = click.option("--until", type=Moment(), help="When it ends by itself. [default: it does not]")
dry_option = click.option("--dry-run", is_flag=True, help="Say what would be recorded, and record nothing.")
EXISTING = click.Path(path_type=Path, exists=True)
FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


class Span(click.ParamType[timedelta]):
    """`24h`, `7d`."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read one."""
        from holdfast.core.policy.duration import parse_duration

        if isinstance(value, timedelta):
            return value
        try:
            return parse_duration(value)
        except ValueError as fault:
            self.fail(str(fault), param, ctx)


@verb(
    "add",
    examples=(
        (
            "holdfast intel add pypa --kind osv --location pypi.zip --trust 90 --ceiling block-new",
            "A file of OSV records whose word may block.",
        ),
        (
            "holdfast intel add atlas --kind atlas --location https://intel.bank.example/ATLAS.yaml --max-age 45d",
            "Techniques from an address, expected monthly.",
        ),
    ),
)
@click.argument("feed")
@click.option("--kind", required=True, help="Its format: osv, atlas, kev, table or bundle.")
@click.option("--location", required=True, help="A file, folder or ZIP, or an https address.")
@click.option("--trust", type=int, default=50, show_default=True, help="0 to 100; from 80 it may deny by itself.")
@click.option(
    "--ceiling",
    type=click.Choice([str(item) for item in Ceiling]),
    default="warn",
    show_default=True,
    help="How far its word may go without a person; from block-new it changes verdicts.",
)
@click.option(
    "--tlp", type=click.Choice([str(item) for item in Tlp]), default="red", show_default=True, help="Who may be told."
)
@click.option("--max-age", type=Span(), default="24h", show_default=True, help="How long its silence is normal.")
@click.option("--key", type=FILE, help="Public key (PEM) that has to have signed its bundles.")
@dry_option
@settings_options
@click.pass_obj
def add(terminal: Terminal, /, feed: str, dry_run: bool, settings: Settings, **how: Any) -> None:
    """Register FEED, or change how it is treated. Nothing is read from it yet."""
    from holdfast.core.domain.intelligence import Feed
    from holdfast.core.sign import PublicKey
    from holdfast.intel.register import register

    key = how["key"]
    signed = None if key is None else PublicKey.load(key).pem().decode()
    location = how["location"] if "://" in how["location"] else str(Path(how["location"]).absolute())
    ceiling, tlp = Ceiling(how["ceiling"]), Tlp(how["tlp"])
    made = Feed(feed, how["kind"], location, how["trust"], ceiling, tlp, how["max_age"], signed)
    new = _change(settings, lambda tx: register(tx, made), dry=dry_run)
    said = "would be" if dry_run else "is"
    terminal.out(f"{feed} {said} {'registered' if new else 'changed'}: {made.kind} at {location}")
    terminal.log(f"next: holdfast intel import {feed}")


@verb(
    "import",
    examples=(
        ("holdfast intel import", "Read every feed, take what is new, judge again whom it hits."),
        ("holdfast intel import pypa --dry-run", "Say what one feed would change."),
    ),
)
@click.argument("feeds", nargs=-1)
@click.option("--accept-removals", is_flag=True, help="Believe a feed that no longer says most of what it said.")
@dry_option
@settings_options
@output_options("text", "json")
@click.pass_obj
def import_(
    terminal: Terminal, /, feeds: tuple[str, ...], settings: Settings, forms: tuple[Form, ...], output: str | None,
    **how: bool,
) -> int:  # fmt: skip
    """Read FEEDS (default: all). Exits 1 where one could not be read; what the others said counts all the same."""
    from holdfast.app import Holdfast
    from holdfast.intel.importer import run_import

    with Holdfast.open(settings) as holdfast:
        with holdfast.store.reading() as tx:
            names = feeds or tuple(state.feed.id for state in tx.intel.feeds())
        done = [
            run_import(holdfast.store, name, accept_removals=how["accept_removals"], dry=how["dry_run"])
            for name in names
        ]
        if not how["dry_run"]:
            holdfast.settle()
        now = holdfast.clock()
    _write(terminal, forms, output, now, "imported", done, lambda: imported_text(done))
    return EXIT_FINDINGS if any(one.fault for one in done) else EXIT_PASSED


@verb(
    "list",
    examples=(
        ("holdfast intel list", "The feeds, how fresh they are, and what they have said."),
        ("holdfast intel list --format json", "For scripts."),
    ),
)
@settings_options
@output_options("text", "json")
@click.pass_obj
def list_(terminal: Terminal, settings: Settings, forms: tuple[Form, ...], output: str | None) -> None:
    """List the feeds with their health, and the items that wait for a person."""
    from holdfast.app import Holdfast
    from holdfast.intel.queries import feeds_view, items_view, waiting

    with Holdfast.open(settings) as holdfast, holdfast.store.reading() as tx:
        now = tx.now
        views, held = feeds_view(tx, now), [one for one in items_view(tx, 1) if one.uid in waiting(tx)]
    _write(terminal, forms, output, now, "feeds", views, lambda: feeds_text(views, held), waiting=held)


@verb(
    "show",
    examples=(
        ("holdfast intel show CVE-2021-43775", "What is said of it, whom it hits, what it changed."),
        ("holdfast intel show AML.T0015 --format json", "A technique, for scripts."),
    ),
)
@click.argument("item")
@settings_options
@output_options("text", "json")
@click.pass_obj
def show(terminal: Terminal, item: str, settings: Settings, forms: tuple[Form, ...], output: str | None) -> None:
    """Show what is known as ITEM: a uid, CVE, GHSA, MAL or PYSEC id, or an ATLAS id."""
    from holdfast.app import Holdfast
    from holdfast.intel.queries import impact_view

    with Holdfast.open(settings) as holdfast, holdfast.store.reading() as tx:
        now, view = tx.now, impact_view(tx, item)
    _write(terminal, forms, output, now, "impact", view, lambda: impact_text(view))


@verb(
    "effects",
    examples=(
        ("holdfast intel effects", "Every effect in force, with its causes."),
        ("holdfast intel effects --as-of 2026-01-05T09:00:00Z --format json", "As of another moment."),
    ),
)
@click.option("--as-of", type=Moment(), help="As of this moment. [default: now]")
@settings_options
@output_options("text", "json")
@click.pass_obj
def effects(
    terminal: Terminal, as_of: datetime | None, settings: Settings, forms: tuple[Form, ...], output: str | None
) -> None:
    """List what is in force: on what, how far, from which causes, until when."""
    from holdfast.app import Holdfast
    from holdfast.intel.queries import effects_view

    with Holdfast.open(settings) as holdfast, holdfast.store.reading() as tx:
        now = as_of or tx.now
        views = effects_view(tx, now)
    _write(terminal, forms, output, now, "effects", views, lambda: effects_text(views))


@verb(
    "withdraw",
    examples=(
        (
            "holdfast intel withdraw CVE-2021-43775 --by ana --reason 'that part is not installed'",
            "Take an item back, whatever feeds say of it.",
        ),
        (
            "holdfast intel withdraw MAL-2026-1 --by ana --reason 'false alarm' --until 2026-02-01T00:00:00Z",
            "Only for a while.",
        ),
    ),
)
@click.argument("item")
@by_option
@reason_option
@until_option
@dry_option
@settings_options
@click.pass_obj
def withdraw(terminal: Terminal, /, item: str, settings: Settings, dry_run: bool, **said: Any) -> None:
    """Take ITEM back: its effects end and the models it hit are judged again."""
    from holdfast.intel.decide import dismiss
    from holdfast.intel.queries import find_item

    def decide(tx: Transaction) -> Claim:
        return dismiss(tx, find_item(tx, item), said["by"], said["reason"], until=said["until"])

    claim = _change(settings, decide, dry=dry_run)
    terminal.out(f"{item} {'would be' if dry_run else 'is'} withdrawn: {claim.id}")


@verb(
    "release",
    examples=(
        ("holdfast intel release MAL-2026-1 --by ana --reason 'confirmed'", "Let an item count that waits."),
        ("holdfast intel release CVE-2021-43775 --by ana --reason 'it is installed' --dry-run", "Would it change?"),
    ),
)
@click.argument("item")
@by_option
@reason_option
@until_option
@dry_option
@settings_options
@click.pass_obj
def release(terminal: Terminal, /, item: str, settings: Settings, dry_run: bool, **said: Any) -> None:
    """Let ITEM count: it was held because it hits too much, or a person had withdrawn it."""
    from holdfast.intel.decide import release as free
    from holdfast.intel.queries import find_item

    def decide(tx: Transaction) -> Claim | None:
        return free(tx, find_item(tx, item), said["by"], said["reason"], until=said["until"])

    claim = _change(settings, decide, dry=dry_run)
    done = "nothing holds it" if claim is None else f"{'would be' if dry_run else 'is'} released: {claim.id}"
    terminal.out(f"{item}: {done}" if claim is None else f"{item} {done}")


@verb(
    "export",
    examples=(
        ("holdfast intel bundle export bundle --feed pypa --feed atlas", "All that two feeds say, signed."),
        ("holdfast intel bundle export next --feed pypa --after bundle/manifest.json --valid 3d", "The one after it."),
    ),
)
@click.argument("folder", type=FOLDER)
@click.option("--feed", "feeds", multiple=True, required=True, help="A feed to carry; repeatable.")
@click.option("--name", default="holdfast", show_default=True, help="What the chain of bundles is called.")
@click.option("--after", type=FILE, help="Manifest of the bundle before this one.")
@click.option("--valid", type=Span(), default="7d", show_default=True, help="How long it may be imported.")
@click.option(
    "--tlp", type=click.Choice([str(item) for item in Tlp]), default="green", show_default=True, help="Leave out above."
)
@settings_options
@click.pass_obj
def export(terminal: Terminal, /, folder: Path, feeds: Sequence[str], settings: Settings, **how: Any) -> None:
    """Write a bundle into FOLDER, new or empty, signed by this installation's key."""
    from holdfast.app import Holdfast
    from holdfast.intel.bundle import Manifest, Wish
    from holdfast.intel.bundle import export as write

    after = how["after"]
    before = None if after is None else Manifest.parse(after.read_bytes(), str(after))
    with Holdfast.open(settings) as holdfast, holdfast.store.reading() as tx:
        wish = Wish(how["name"], how["valid"], Tlp(how["tlp"]), before, holdfast.key)
        made = write(tx, feeds, folder, wish)
        terminal.log(f"give the public key by another way: {holdfast.home / 'keys' / 'holdfast.pub'}")
    terminal.out(f"wrote {made.count} items to {folder}, bundle {made.sequence}, {made.digest}")


@verb(
    "import",
    examples=(
        ("holdfast intel bundle import bundle --feed carried --key holdfast.pub", "Take a bundle that was carried in."),
        ("holdfast intel bundle import bundle.zip --feed carried --trust 90 --ceiling block-new", "Without signature."),
    ),
)
@click.argument("path", type=EXISTING)
@click.option("--feed", required=True, help="The feed that the chain of bundles is, here; registered where it is new.")
@click.option("--key", type=FILE, help="Public key (PEM) that has to have signed it.")
@click.option("--trust", type=int, default=50, show_default=True, help="0 to 100; from 80 it may deny by itself.")
@click.option(
    "--ceiling", type=click.Choice([str(item) for item in Ceiling]), default="warn", show_default=True, help="How far."
)
@click.option("--max-age", type=Span(), default="7d", show_default=True, help="How long its silence is normal.")
@settings_options
@click.pass_context
def import_bundle(context: click.Context, /, path: Path, feed: str, settings: Settings, **how: Any) -> int:
    """Register the bundle at PATH as FEED and read it. Refused when changed, expired, or out of order."""
    key, age = how["key"], how["max_age"]
    said: dict[str, Any] = {"kind": "bundle", "location": str(path), "trust": how["trust"], "ceiling": how["ceiling"]}
    context.invoke(add, feed=feed, key=key, tlp=Tlp.AMBER.value, max_age=age, dry_run=False, **said, **_flags(settings))
    code: int = context.invoke(
        import_, feeds=(feed,), forms=(), output=None, accept_removals=True, dry_run=False, **_flags(settings)
    )
    return code


def _flags(settings: Settings) -> dict[str, Any]:
    """Settings as the options that gave them, for a verb that calls another."""
    from holdfast.cli.workplace import FLAGS

    return {name: getattr(settings, name) for name in FLAGS}


def _change(settings: Settings, work: Callable[[Transaction], Any], *, dry: bool) -> Any:
    """Do something to the store and let the loop answer; with `dry` in a transaction that is undone."""
    from holdfast.app import Holdfast

    class Undo(Exception):  # noqa: N818
        pass

    found: list[Any] = []

    def tried(tx: Transaction) -> None:
        found.append(work(tx))
        if dry:
            raise Undo

    with Holdfast.open(settings) as holdfast:
        try:
            holdfast.store.run(tried)
        except Undo:
            return found[-1]
        holdfast.settle()
    return found[-1]


def _write(
    terminal: Terminal,
    forms: tuple[Form, ...],
    output: str | None,
    now: datetime,
    name: str,
    view: Any,
    text: Callable[[], str],
    **more: Any,
) -> None:
    def render(form: Form) -> str:
        if form.format == "text":
            return text()
        import msgspec

        plain = {key: msgspec.to_builtins(value) for key, value in {name: view, **more}.items()}
        return as_json({"schema_version": 1, "as_of": now, **plain})

    Output.of(forms, output).write(render, terminal)


for _verb in (add, import_, list_, show, effects, withdraw, release):
    command.add_command(_verb)
for _verb in (export, import_bundle):
    bundles.add_command(_verb)
