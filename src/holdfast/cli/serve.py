"""`holdfast serve`: the console, the API and the loop; and who may come in."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.output import Form, Output, as_json, output_options, table
from holdfast.cli.terminal import Terminal
from holdfast.cli.verb import VerbGroup, verb
from holdfast.cli.workplace import settings_options
from holdfast.core.domain.access import Role, Scope, Token, User
from holdfast.core.domain.clock import to_iso
from holdfast.core.errors import UsageError

if TYPE_CHECKING:
    from holdfast.core.settings import Settings
    from holdfast.core.store import Store, Transaction

command = VerbGroup("serve", help="Run the console, the API and the loop; say who may come in.", default="run")

FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@verb(
    "run",
    examples=(
        ("holdfast serve", "The console on this machine; the address is the last line of the output."),
        (
            "holdfast serve --host 0.0.0.0 --tls-certificate server.pem --tls-key server.key",
            "For other machines, over TLS.",
        ),
    ),
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65535), default=8600, show_default=True, help="0 takes any free one.")
@click.option("--public-url", help="What people type, where a proxy stands in front: https://holdfast.bank.example")
@click.option("--tls-certificate", "certificate", type=FILE, help="PEM file with the certificate and its chain.")
@click.option("--tls-key", "private_key", type=FILE, help="PEM file with its private key.")
@click.option("--insecure-http", "insecure", is_flag=True, help="Listen for other machines without TLS.")
@click.option("--no-loop", is_flag=True, help="Only serve; another process runs detection, reactions and notices.")
@settings_options
@click.pass_obj
def run(terminal: Terminal, /, no_loop: bool, settings: Settings, **where: Any) -> None:
    """Serve until interrupted. The first start makes an administrator and prints how to come in, once."""
    from holdfast.app import Holdfast
    from holdfast.server.auth.entry import first_start
    from holdfast.server.running import Place, log_to_stderr, running

    place = Place(**where)
    place.demand_safe()
    log_to_stderr(verbose=terminal.verbosity > 0)
    with stopping() as stop, Holdfast.open(settings) as holdfast, running(holdfast, place, loop=not no_loop) as server:
        keys = first_start(holdfast.store)
        if keys is not None:
            terminal.out(f"name: {keys.name}\npassword: {keys.password}\ntoken: {keys.token}")
            terminal.log("keep these now: they are shown this once")
        terminal.log("Ctrl-C ends it")
        terminal.out(server.url)
        stop.wait()
        terminal.log("stopping: finishing what was begun")
    terminal.log("stopped; everything that was accepted is kept")


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C or SIGTERM sets; a second Ctrl-C interrupts as usual."""
    stop = threading.Event()

    def ask(_number: int, _frame: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


user_group = VerbGroup("user", help="Add, list and disable the people who may come in.")


@verb(
    "add",
    examples=(
        ("holdfast serve user add ana@bank.example --role analyst", "Add an analyst; the password is asked for."),
        ("holdfast serve user add max --role lead --unit cards --unit lending", "A lead of two business units."),
    ),
)
@click.argument("name")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True, help="What they are here for.")
@click.option(
    "--unit", "units", multiple=True, help="A business unit whose models they see; repeatable. [default: all]"
)
@click.option("--password-file", type=FILE, help="File with the password in its first line. [default: ask]")
@click.option("--no-password", is_flag=True, help="They may only use tokens.")
@settings_options
@click.pass_obj
def add(
    terminal: Terminal,
    /,
    name: str,
    role: str,
    units: tuple[str, ...],
    password_file: Path | None,
    no_password: bool,
    settings: Settings,
) -> None:
    """Add the user NAME."""
    from holdfast.server.auth.entry import add_user

    password = None if no_password else _password(password_file)
    with _store(settings) as store:
        user = store.run(lambda tx: add_user(tx, name, Role(role), units, password))
    terminal.out(f"added {user.name}, {user.role.value}, {', '.join(user.units) or 'every unit'}")


def _password(file: Path | None) -> str:
    if file is not None:
        return (file.read_text(encoding="utf-8").splitlines() or [""])[0]
    found: str = click.prompt("password", hide_input=True, confirmation_prompt=True, err=True)
    return found


@verb(
    "list",
    examples=(
        ("holdfast serve user list", "Everybody, with role and units."),
        ("holdfast serve user list --format json", "For scripts."),
    ),
)
@settings_options
@output_options("text", "json")
@click.pass_obj
def users(terminal: Terminal, settings: Settings, forms: tuple[Form, ...], output: str | None) -> None:
    """List the users, those disabled too."""
    with _store(settings) as store, store.reading() as tx:
        now, found = tx.now, tx.access.users()
    said = {"schema_version": 1, "as_of": now, "users": [asdict(user) for user in found]}
    Output.of(forms, output).write(
        lambda form: _users_text(found) if form.format == "text" else as_json(said), terminal
    )


def _users_text(found: list[User]) -> str:
    rows = [
        (user.name, user.role.value, ", ".join(user.units) or "all", "disabled" if user.disabled_at else "active")
        for user in found
    ]
    return table(rows, ("NAME", "ROLE", "UNITS", "STATE"))


@verb(
    "disable",
    examples=(
        ("holdfast serve user disable max", "Let max in no more; sessions and tokens end."),
        ("holdfast serve user disable max --dry-run", "Say what would end."),
    ),
)
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Say what would end, and change nothing.")
@settings_options
@click.pass_obj
def disable(terminal: Terminal, name: str, dry_run: bool, settings: Settings) -> None:
    """Disable the user NAME. Their name stays taken, so that the record stays clear."""
    with _store(settings) as store:
        with store.reading() as tx:
            user = _user(tx, name)
            tokens = sum(token.valid(tx.now) for token in tx.access.tokens(user.id))
        if not dry_run and not store.run(lambda tx: tx.access.disable(user.id)):
            raise _gone(f"active user '{name}'")
    said = "would be disabled" if dry_run else "disabled"
    terminal.out(f"{said}: {name}, and {tokens} token{'' if tokens == 1 else 's'}")


token_group = VerbGroup("token", help="Make, list and revoke the tokens of programs.")


@verb(
    "create",
    examples=(
        ("holdfast serve token create ana --scope read --label dashboards", "Read the API; the token is printed once."),
        ("holdfast serve token create scoring --scope ingest --days 30", "Send events for a month."),
    ),
)
@click.argument("user")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    required=True,
    help="What it may be used for; repeatable. write includes read.",
)
@click.option("--label", default="made by hand", show_default=True, help="What it is for.")
@click.option("--days", type=click.IntRange(1, 400), default=90, show_default=True, help="How long it is valid.")
@settings_options
@click.pass_obj
def create(
    terminal: Terminal, /, user: str, scopes: tuple[str, ...], label: str, days: int, settings: Settings
) -> None:
    """Make a token for USER and print it, once."""
    from holdfast.server.auth.entry import add_token

    wanted = tuple(Scope(scope) for scope in scopes)
    with _store(settings) as store:
        _, secret = store.run(lambda tx: add_token(tx, _user(tx, user), label, wanted, days))
    terminal.log("keep it now: it is shown this once")
    terminal.out(secret)


@verb(
    "list",
    examples=(
        ("holdfast serve token list", "Every token by its beginning."),
        ("holdfast serve token list --format json", "For scripts."),
    ),
)
@settings_options
@output_options("text", "json")
@click.pass_obj
def tokens(terminal: Terminal, settings: Settings, forms: tuple[Form, ...], output: str | None) -> None:
    """List the tokens, never their secrets."""
    with _store(settings) as store, store.reading() as tx:
        now, found = tx.now, tx.access.tokens()
        names = {user.id: user.name for user in tx.access.users()}
    said = {"schema_version": 1, "as_of": now, "tokens": [{**asdict(one), "user": names[one.user]} for one in found]}

    def text() -> str:
        rows = [_token_row(token, names[token.user], token.valid(now)) for token in found]
        return table(rows, ("ID", "BEGINS", "USER", "SCOPES", "FOR", "VALID UNTIL", "STATE"))

    Output.of(forms, output).write(lambda form: text() if form.format == "text" else as_json(said), terminal)


def _token_row(token: Token, user: str, valid: bool) -> tuple[str, ...]:
    state = "valid" if valid else "revoked" if token.revoked_at else "expired"
    until = to_iso(token.expires_at) if token.expires_at else "-"
    return token.id, token.hint, user, ", ".join(scope.value for scope in token.scopes), token.label, until, state


@verb(
    "revoke",
    examples=(
        ("holdfast serve token revoke TOKEN", "End a token by the id that the list shows."),
        ("holdfast serve token revoke TOKEN --dry-run", "Say whether there is one to end."),
    ),
)
@click.argument("token")
@click.option("--dry-run", is_flag=True, help="Change nothing.")
@settings_options
@click.pass_obj
def revoke(terminal: Terminal, token: str, dry_run: bool, settings: Settings) -> None:
    """End the token with the id TOKEN."""
    with _store(settings) as store:
        with store.reading() as tx:
            found = next((one for one in tx.access.tokens() if one.id == token and not one.revoked_at), None)
        if found is None or (not dry_run and not store.run(lambda tx: tx.access.revoke(token))):
            raise _gone(f"standing token '{token}'")
    terminal.out(f"{'would be revoked' if dry_run else 'revoked'}: {token} ({found.label})")


@contextmanager
def _store(settings: Settings) -> Iterator[Store]:
    """The store; the ledger is given what happened in it."""
    from holdfast.app import Holdfast

    with Holdfast.open(settings) as holdfast:
        yield holdfast.store
        holdfast.ledger.append_pending()


def _user(tx: Transaction, name: str) -> User:
    found = tx.access.user(name)
    if found is None:
        raise _gone(f"user '{name}'")
    return found


def _gone(what: str) -> UsageError:
    return UsageError(
        f"there is no {what}",
        cause="the name or id is wrong, or it has ended already",
        fix="see what there is: `holdfast serve user list`, `holdfast serve token list`",
        code="HF-SRV-013",
    )


for _verb in (add, users, disable):
    user_group.add_command(_verb)
for _verb in (create, tokens, revoke):
    token_group.add_command(_verb)
for _each in (run, user_group, token_group):
    command.add_command(_each)
