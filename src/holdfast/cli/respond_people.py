"""The verbs of `holdfast respond` by which people decide; each says who, and each can be rehearsed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from holdfast.cli.output import Output, as_json, output_options
from holdfast.cli.terminal import Terminal
from holdfast.cli.verb import verb
from holdfast.cli.workplace import settings_options
from holdfast.core.domain.claim import ALLOW
from holdfast.core.domain.clock import to_iso
from holdfast.core.domain.directive import Action
from holdfast.core.domain.incident import IncidentClass

if TYPE_CHECKING:
    from holdfast.core.domain.response import Run
    from holdfast.core.settings import Settings
    from holdfast.core.store.transaction import Transaction

WORDS = (*(action.value for action in Action), ALLOW)
Result = TypeVar("Result")


class _Rehearsed(Exception):  # noqa: N818  (no error: it takes the transaction back)
    """Carries the result of what must not happen out of its transaction."""

    def __init__(self, result: Any) -> None:
        super().__init__()
        self.result = result


def _change(settings: Settings, work: Callable[[Transaction], Result], *, dry_run: bool) -> Result:
    """Do it and let the loop answer, or do it and take it back."""
    from holdfast.app import Holdfast

    def rehearse(tx: Transaction) -> Result:
        raise _Rehearsed(work(tx))

    with Holdfast.open(settings) as holdfast:
        if not dry_run:
            result = holdfast.store.run(work)
            holdfast.settle()
            return result
        try:
            return holdfast.store.run(rehearse)
        except _Rehearsed as done:
            rehearsed: Result = done.result
            return rehearsed


def changing(function: Callable[..., Any]) -> Callable[..., Any]:
    """--by, --dry-run, the settings and --format, as all of these verbs have them."""
    for option in (
        output_options("text", "json"),
        settings_options,
        click.option("--dry-run", is_flag=True, help="Say what would happen, and change nothing."),
        click.option("--by", required=True, help="Who decides, such as ana@bank.example."),
    ):
        function = option(function)
    return function


@verb(
    "order",
    examples=(
        (
            (
                "holdfast respond order throttle --model card-fraud --client c7 --per-minute 10 --until 6h "
                "--by ana@bank.example --enforce"
            ),
            "Slow one client down for six hours.",
        ),
        (
            "holdfast respond order allow --model card-fraud --client c7 --until 7d --by ana@bank.example",
            "Keep automatic orders off a client for a week.",
        ),
    ),
)
@click.argument("action", type=click.Choice(WORDS))
@click.option("--model", required=True, help="The model it is about.")
@click.option("--client", help="One client of it. [default: all]")
@click.option("--until", required=True, help="Its end: a span such as 6h or 7d, or a moment.")
@click.option("--per-minute", type=click.IntRange(0), help="For throttle: queries let through each minute.")
@click.option("--digits", type=click.IntRange(0), help="For coarsen: digits of the score that remain.")
@click.option("--enforce", is_flag=True, help="Do it. Without: note what would be done.")
@click.option("--reason", default="", help="Why, for those who read it later.")
@changing
@click.pass_obj
def order(terminal: Terminal, /, action: str, settings: Settings, **asked: Any) -> None:
    """Order ACTION yourself; it ends by itself, is lifted with `lift`, and no alert's end touches it."""
    from holdfast.respond.people import Wish, ending
    from holdfast.respond.people import order as give

    numbers = {"per_minute": asked["per_minute"], "digits": asked["digits"]}

    def work(tx: Transaction) -> Run:
        try:
            until = ending(tx.now, asked["until"])
        except ValueError as fault:
            raise click.UsageError(f"--until: {fault}") from None
        wish = Wish(
            action=action,
            model=asked["model"],
            client=asked["client"],
            until=until,
            by=asked["by"],
            enforce=asked["enforce"],
            body={name: value for name, value in numbers.items() if value is not None},
            reason=asked["reason"],
        )
        return give(tx, wish)

    _say_run(terminal, settings, work, asked, "ordered")


@verb(
    "lift",
    examples=(
        (
            "holdfast respond lift throttle --model card-fraud --client c7 --by ben@bank.example",
            "End what people ordered.",
        ),
        ("holdfast respond lift allow --model card-fraud --by ben@bank.example --dry-run", "Say what would end."),
    ),
)
@click.argument("action", type=click.Choice(WORDS))
@click.option("--model", required=True, help="The model it is about.")
@click.option("--client", help="One client of it. [default: all]")
@click.option("--reason", default="", help="Why, for those who read it later.")
@changing
@click.pass_obj
def lift(terminal: Terminal, /, action: str, settings: Settings, **asked: Any) -> None:
    """End the ACTION that people ordered on a model or client; what alerts caused there stays."""
    from holdfast.respond.people import lift as end

    def work(tx: Transaction) -> dict[str, Any]:
        claims = end(tx, action, asked["model"], asked["client"], asked["by"], asked["reason"])
        said = [{"action": item.effect, "target": item.target, "cause": str(item.cause)} for item in claims]
        return {"schema_version": 1, "as_of": to_iso(tx.now), "dry_run": asked["dry_run"], "lifted": said}

    done = _change(settings, work, dry_run=asked["dry_run"])
    words = "would be lifted" if asked["dry_run"] else "lifted"
    lines = [f"{words}: {item['action']} on {item['target']} by {item['cause']}" for item in done["lifted"]]
    _write(terminal, asked, "\n".join(lines), done)


@verb(
    "approve",
    examples=(
        ("holdfast respond approve run_0199 --by ben@bank.example", "Stand behind what waits."),
        ("holdfast respond approve run_0199 --by ben@bank.example --dry-run", "Say what that would set in force."),
    ),
)
@click.argument("run")
@changing
@click.pass_obj
def approve(terminal: Terminal, /, run: str, settings: Settings, **asked: Any) -> None:
    """Approve RUN. Grave orders on models of tier high and critical need two people."""
    from holdfast.respond.people import approve as consent

    _say_run(terminal, settings, lambda tx: consent(tx, run, asked["by"]), asked, "approved")


@verb(
    "undo",
    examples=(
        (
            "holdfast respond undo run_0199 --by ana@bank.example --reason 'a partner tested'",
            "End exactly its effects.",
        ),
        ("holdfast respond undo run_0199 --by ana@bank.example --reason 'a test' --dry-run", "Say what would end."),
    ),
)
@click.argument("run")
@click.option("--reason", required=True, help="Why; auditors read it.")
@changing
@click.pass_obj
def undo(terminal: Terminal, /, run: str, settings: Settings, **asked: Any) -> None:
    """Take RUN back: its orders end, other causes keep theirs, and whoever it told is told so."""
    from holdfast.respond.people import undo as take_back

    _say_run(terminal, settings, lambda tx: take_back(tx, run, asked["by"], asked["reason"]), asked, "undone")


@verb(
    "classify",
    examples=(
        ("holdfast respond classify inc_0199 --as major --by ana@bank.example", "Say what it is; clocks start."),
        ("holdfast respond classify inc_0199 --as false-alarm --by ana@bank.example", "It was nothing."),
    ),
)
@click.argument("incident")
@click.option(
    "--as", "as_", type=click.Choice([item.value for item in IncidentClass]), required=True, help="What it is."
)
@changing
@click.pass_obj
def classify(terminal: Terminal, /, incident: str, settings: Settings, **asked: Any) -> None:
    """Say what INCIDENT is. The first classification is the moment that reporting clocks count from."""
    from holdfast.respond.people import classify as say

    def work(tx: Transaction) -> dict[str, Any]:
        found = say(tx, incident, IncidentClass(asked["as_"]), asked["by"])
        return _incident(tx, asked, found.id)

    done = _change(settings, work, dry_run=asked["dry_run"])
    _write(terminal, asked, f"{incident}: {asked['as_']}, as of {done['incident']['classified_at']}", done)


@verb(
    "close",
    examples=(
        ("holdfast respond close inc_0199 --by ana@bank.example --reason 'clients restored'", "It is over."),
        ("holdfast respond close inc_0199 --by ana@bank.example --reason 'a test' --dry-run", "Rehearse it."),
    ),
)
@click.argument("incident")
@click.option("--reason", required=True, help="Why; auditors read it.")
@changing
@click.pass_obj
def close(terminal: Terminal, /, incident: str, settings: Settings, **asked: Any) -> None:
    """Close INCIDENT, with a reason. Its alerts stay as they are."""
    from holdfast.respond.people import close_incident

    def work(tx: Transaction) -> dict[str, Any]:
        return _incident(tx, asked, close_incident(tx, incident, asked["by"], asked["reason"]).id)

    done = _change(settings, work, dry_run=asked["dry_run"])
    _write(terminal, asked, f"{incident}: {'would be ' if asked['dry_run'] else ''}closed", done)


def _incident(tx: Transaction, asked: dict[str, Any], incident: str) -> dict[str, Any]:
    from dataclasses import asdict

    from holdfast.respond.queries import incidents_view

    view = incidents_view(tx)
    [found] = [item for item in view.incidents if item.id == incident]
    return {"schema_version": 1, "as_of": view.as_of, "dry_run": asked["dry_run"], "incident": asdict(found)}


def _say_run(
    terminal: Terminal, settings: Settings, work: Callable[[Transaction], Run], asked: dict[str, Any], verb_: str
) -> None:
    from dataclasses import asdict

    from holdfast.respond.queries import run_view

    def shown(tx: Transaction) -> dict[str, Any]:
        view = run_view(tx, work(tx).id)
        assert view is not None
        return {"schema_version": 1, "as_of": to_iso(tx.now), "dry_run": asked["dry_run"], "run": asdict(view)}

    done = _change(settings, shown, dry_run=asked["dry_run"])
    run = done["run"]
    head = f"{'would be ' if asked['dry_run'] else ''}{verb_}: {run['id']} ({run['state']}"
    head += f", {run['missing']} approvals missing)" if run["state"] == "pending" else ")"
    lines = [f"  {item['action']} on {item['target']}: {item['state']} until {item['until']}" for item in run["orders"]]
    _write(terminal, asked, "\n".join([head, *lines]), done)


def _write(terminal: Terminal, asked: dict[str, Any], text: str, value: dict[str, Any]) -> None:
    Output.of(asked["forms"], asked["output"]).write(
        lambda form: text if form.format == "text" else as_json(value), terminal
    )


CHANGES = (order, lift, approve, undo, classify, close)
