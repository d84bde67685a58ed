"""`holdfast respond`: what is done about alerts, who is told, and what people decide about both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.output import Form, Output, as_json, output_options, table
from holdfast.cli.respond_people import CHANGES
from holdfast.cli.terminal import Terminal
from holdfast.cli.verb import VerbGroup, verb
from holdfast.cli.workplace import settings_options
from holdfast.core.domain.clock import to_iso

if TYPE_CHECKING:
    from holdfast.core.settings import Settings
    from holdfast.core.store.transaction import Transaction
    from holdfast.respond.config import Response
    from holdfast.respond.decision import Planned
    from holdfast.respond.playbook import Playbook
    from holdfast.respond.queries import DirectivesView, IncidentsView, RunsView, SinksView

command = VerbGroup("respond", help="What is done about alerts, who is told, and what people decide about it.")
playbooks = VerbGroup("playbooks", help="List, check and try playbooks.", default="list")

FILE = click.Path(path_type=Path, dir_okay=False)
LONG = 46


@verb(
    "directives",
    examples=(
        ("holdfast respond directives", "Every order in force, enforced or only noted."),
        ("holdfast respond directives --model card-fraud --format json", "What capture of one model obeys."),
    ),
)
@click.option("--model", help="Only the orders on this model.")
@settings_options
@output_options("text", "json")
@click.pass_obj
def directives(terminal: Terminal, /, settings: Settings, model: str | None, **out: Any) -> None:
    """Show the orders in force: to throttle, coarsen, review, shadow, freeze, block or quarantine."""
    from holdfast.respond.queries import directives_view

    view = _read(settings, lambda tx: directives_view(tx, tx.now, model))
    _write(terminal, out, lambda: _directives(view), view.to_json)


def _directives(view: DirectivesView) -> str:
    rows = [
        (
            item.action,
            item.model,
            item.client or "(all)",
            "enforced" if item.enforce else "noted",
            item.until or "-",
            ", ".join(item.causes),
        )
        for item in view.directives
    ]
    return table(rows, ("ACTION", "MODEL", "CLIENT", "STATE", "UNTIL", "CAUSES"))


@verb(
    "runs",
    examples=(
        ("holdfast respond runs", "What playbooks did, and what waits for approval."),
        ("holdfast respond runs --last 500 --format json", "More of them, for a script."),
    ),
)
@click.option("--last", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many runs.")
@settings_options
@output_options("text", "json")
@click.pass_obj
def runs(terminal: Terminal, /, settings: Settings, last: int, **out: Any) -> None:
    """Show the newest runs of playbooks, and what people ordered by hand."""
    from holdfast.respond.queries import runs_view

    view = _read(settings, lambda tx: runs_view(tx, last))
    _write(terminal, out, lambda: _runs(view), view.to_json)


def _runs(view: RunsView) -> str:
    rows = [
        (
            run.id,
            run.state if not run.missing or run.state != "pending" else f"pending, {run.missing} missing",
            run.playbook,
            run.model,
            ", ".join(sorted({f"{order.action} {order.state}" for order in run.orders})) or "-",
            run.cause,
        )
        for run in view.runs
    ]
    return table(rows, ("RUN", "STATE", "PLAYBOOK", "MODEL", "ORDERS", "CAUSE"))


@verb(
    "sinks",
    examples=(
        ("holdfast respond sinks", "What waits for each sink, and whether it takes what it is sent."),
        ("holdfast respond sinks --test soc", "Send the sink `soc` a test notice now."),
    ),
)
@click.option("--test", metavar="NAME", help="Send this sink a harmless notice, past its queue.")
@settings_options
@output_options("text", "json")
@click.pass_obj
def sinks(terminal: Terminal, /, settings: Settings, test: str | None, **out: Any) -> None:
    """Show how the sinks of respond.yaml fare, or try one."""
    from holdfast.app import Holdfast
    from holdfast.respond.queries import sinks_view

    with Holdfast.open(settings) as holdfast:
        if test is not None:
            _try_sink(terminal, holdfast.response, test, holdfast.clock)
            return
        with holdfast.store.reading() as tx:
            view = sinks_view(tx, tx.now, holdfast.response.sinks)
    _write(terminal, out, lambda: _sinks(view), view.to_json)


def _try_sink(terminal: Terminal, response: Response, name: str, clock: Callable[[], Any]) -> None:
    from holdfast.core.errors import PrerequisiteError
    from holdfast.respond.delivery import send_test

    outlet = response.outlet(name)
    wrong = send_test(outlet, clock())
    if wrong is not None:
        raise PrerequisiteError(
            f"the sink '{name}' did not take a test notice",
            cause=wrong,
            fix=f"check the receiver and its entry in {response.source}, then try again",
            code="HF-RSP-013",
        )
    terminal.out(f"{name}: took a test notice")


def _sinks(view: SinksView) -> str:
    rows = [
        (
            item.name,
            item.state,
            str(item.queued),
            "-" if item.oldest_s is None else f"{item.oldest_s:.0f} s",
            str(item.delivered),
            str(item.withheld),
            str(item.failures),
            (item.last_error or "-")[:80] if item.failures else "-",
        )
        for item in view.sinks
    ]
    return table(rows, ("SINK", "STATE", "QUEUED", "OLDEST", "DELIVERED", "WITHHELD", "FAILURES", "LAST ERROR"))


@verb(
    "deliver",
    examples=(
        ("holdfast respond deliver", "Bring what waits to the sinks, once."),
        ("holdfast respond deliver --retry", "Also to sinks that failed a moment ago."),
    ),
)
@click.option("--retry", is_flag=True, help="Try at once what failed before, instead of after its pause.")
@click.option("--dry-run", is_flag=True, help="Say what waits, and send nothing.")
@settings_options
@output_options("text", "json")
@click.pass_obj
def deliver(terminal: Terminal, /, settings: Settings, retry: bool, dry_run: bool, **out: Any) -> int:
    """Bring notices that wait to their sinks. `holdfast serve` does so by itself. Exits with 3 where a sink is down."""
    from dataclasses import asdict

    from holdfast.app import Holdfast
    from holdfast.respond.delivery import Delivered
    from holdfast.respond.delivery import deliver as bring
    from holdfast.respond.queries import sinks_view

    with Holdfast.open(settings) as holdfast:
        done = Delivered() if dry_run else bring(holdfast.store, holdfast.response.outlets, patient=not retry)
        holdfast.ledger.append_pending()
        with holdfast.store.reading() as tx:
            view = sinks_view(tx, tx.now, holdfast.response.sinks)
    waiting = sum(item.queued for item in view.sinks)
    said = {"dry_run": dry_run, **asdict(done), "waiting": waiting}
    _write(
        terminal,
        out,
        lambda: ", ".join(f"{name} {value}" for name, value in said.items() if name != "dry_run"),
        lambda: {"schema_version": 1, "as_of": view.as_of, **said},
    )
    return 3 if done.failed or done.refused else 0


@verb(
    "incidents",
    examples=(
        ("holdfast respond incidents", "Open incidents first."),
        ("holdfast respond incidents --format json", "With the moments that reporting clocks count from."),
    ),
)
@settings_options
@output_options("text", "json")
@click.pass_obj
def incidents(terminal: Terminal, /, settings: Settings, **out: Any) -> None:
    """Show incidents: grave alerts on models that matter."""
    from holdfast.respond.queries import incidents_view

    view = _read(settings, incidents_view)
    _write(terminal, out, lambda: _incidents(view), view.to_json)


def _incidents(view: IncidentsView) -> str:
    rows = [
        (
            item.id,
            item.state,
            item.severity,
            item.model,
            item.aware_at,
            item.classified_as or "not classified",
            str(len(item.alerts)),
            item.title[:LONG],
        )
        for item in view.incidents
    ]
    return table(rows, ("INCIDENT", "STATE", "SEVERITY", "MODEL", "AWARE SINCE", "CLASS", "ALERTS", "TITLE"))


@verb(
    "list",
    examples=(
        ("holdfast respond playbooks", "The playbooks in force, built-in and own."),
        ("holdfast respond playbooks list --format json", "With what each waits for and does."),
    ),
)
@settings_options
@output_options("text", "json")
@click.pass_obj
def list_(terminal: Terminal, /, settings: Settings, **out: Any) -> None:
    """List the playbooks in force, and how far each may go here."""
    from holdfast.app import Holdfast

    with Holdfast.open(settings) as holdfast:
        response, now = holdfast.response, to_iso(holdfast.clock())
    _write(
        terminal,
        out,
        lambda: _playbooks(response),
        lambda: {
            "schema_version": 1,
            "as_of": now,
            "mode": response.mode.value,
            "source": response.source,
            "playbooks": [_playbook(item) for item in response.playbooks],
        },
    )


def _playbooks(response: Response) -> str:
    rows = [
        (item.id, item.mode.value, ", ".join(step.word for step in item.steps), item.source)
        for item in response.playbooks
    ]
    head = f"this installation: {response.mode} ({response.source})\n"
    return head + table(rows, ("PLAYBOOK", "MODE", "STEPS", "SOURCE"))


def _playbook(item: Playbook) -> dict[str, Any]:
    body = item.file.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"cases"})
    return {**body, "digest": item.digest, "source": item.source, "cases": len(item.file.cases)}


@verb(
    "check",
    examples=(
        ("holdfast respond playbooks check playbooks/evasion.yaml", "Read a playbook and run its cases."),
        ("holdfast respond playbooks check a.yaml b.yaml", "Several at once."),
    ),
)
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.pass_obj
def check(terminal: Terminal, files: tuple[Path, ...]) -> None:
    """Read playbook FILES and run their cases. Exits with 2 at the first fault."""
    from holdfast.respond.playbook import Playbook

    for path in files:
        read = Playbook.load(path)
        terminal.out(f"{path}: '{read.id}' passes its {len(read.file.cases)} cases, {read.digest}")


@verb(
    "try",
    examples=(
        ("holdfast respond playbooks try alr_0199", "What the playbooks would do about this alert now."),
        ("holdfast respond playbooks try alr_0199 --enforce", "The same, if this installation enforced."),
    ),
)
@click.argument("alert")
@click.option("--enforce", is_flag=True, help="As if this installation, and every playbook, enforced.")
@settings_options
@output_options("text", "json")
@click.pass_obj
def try_(terminal: Terminal, /, settings: Settings, alert: str, enforce: bool, **out: Any) -> None:
    """Say what the playbooks would do about ALERT as things are now. Nothing changes."""
    from holdfast.app import Holdfast
    from holdfast.core.errors import UsageError

    with Holdfast.open(settings) as holdfast, holdfast.store.reading() as tx:
        found = tx.alerts.find(alert)
        if found is None:
            raise UsageError(
                f"there is no alert '{alert[:80]}'",
                cause="none with this id was raised in this store",
                fix="look at the alerts first, and copy an id from there",
                code="HF-RSP-007",
            )
        planned = _rehearse(tx, found, holdfast.response, enforce)
        now = to_iso(tx.now)
    _write(
        terminal,
        out,
        lambda: _plans(planned),
        lambda: {"schema_version": 1, "as_of": now, "alert": alert, "runs": [_plan(item) for item in planned]},
    )


def _rehearse(tx: Transaction, alert: Any, response: Response, enforce: bool) -> tuple[Planned, ...]:
    from dataclasses import replace

    from holdfast.loop.on_alert import clients_of
    from holdfast.respond.decision import decide
    from holdfast.respond.run import situation_of
    from holdfast.respond.schema import Mode

    clients = clients_of(tx, alert.model)
    situation = situation_of(tx, alert, tx.models.find(alert.model), response, clients)
    if not enforce:
        return decide(response.playbooks, situation)
    free = [replace(item, file=item.file.model_copy(update={"mode": Mode.ENFORCE})) for item in response.playbooks]
    return decide(free, replace(situation, mode=Mode.ENFORCE))


def _plan(planned: Planned) -> dict[str, Any]:
    run = planned.run
    orders = [
        {
            "action": order.effect,
            "target": order.target,
            "enforced": run.enforced(order),
            "needs": order.needs,
            "until": to_iso(run.ends(order)),
            "body": dict(order.body),
            "notes": list(order.notes),
        }
        for order in run.orders
    ]
    return {"playbook": run.playbook, "steps": list(planned.steps), "sinks": list(run.sinks), "orders": orders}


def _plans(planned: Sequence[Planned]) -> str:
    rows = [
        (
            item.run.playbook,
            order.effect,
            order.target,
            "enforced" if item.run.enforced(order) else f"waits for {order.needs}" if order.asked else "noted",
            "; ".join(order.notes) or "-",
        )
        for item in planned
        for order in item.run.orders
    ]
    return (
        table(rows, ("PLAYBOOK", "ACTION", "TARGET", "STATE", "NOTES")) if planned else "no playbook answers this alert"
    )


def _read(settings: Settings, look: Callable[[Transaction], Any]) -> Any:
    from holdfast.app import Holdfast

    with Holdfast.open(settings) as holdfast, holdfast.store.reading() as tx:
        return look(tx)


def _write(
    terminal: Terminal, out: dict[str, Any], text: Callable[[], str], value: Callable[[], dict[str, Any]]
) -> None:
    forms: tuple[Form, ...] = out["forms"]
    Output.of(forms, out["output"]).write(lambda form: text() if form.format == "text" else as_json(value()), terminal)


for _verb in (list_, check, try_):
    playbooks.add_command(_verb)
for _verb in (directives, runs, sinks, deliver, incidents, *CHANGES):
    command.add_command(_verb)
command.add_command(playbooks)
