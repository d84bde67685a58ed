"""The part of `holdfast watch` that looks: detection, alerts, and what people answer."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.output import Form, Output, as_json, output_options, table
from holdfast.cli.terminal import Terminal
from holdfast.cli.verb import verb
from holdfast.cli.workplace import settings_options
from holdfast.core.domain.clock import to_iso
from holdfast.core.errors import EXIT_FINDINGS, EXIT_PASSED, UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from holdfast.app import Holdfast
    from holdfast.core.domain.alert import Alert
    from holdfast.core.settings import Settings
    from holdfast.watch.pipeline import Found, Pipeline
    from holdfast.watch.queries import AlertLine, AlertView

HEAD = ("ALERT", "SEVERITY", "STATE", "MODEL", "TECHNIQUE", "RAISED", "TITLE")
LEARNING = click.IntRange(100, 10_000_000)


@verb(
    "alerts",
    examples=(
        ("holdfast watch alerts", "Every alert, newest first."),
        ("holdfast watch alerts --model card-fraud --state open --format json", "For scripts."),
    ),
)
@click.option("--model", help="Only of this model.")
@click.option("--state", type=click.Choice(["open", "acknowledged", "closed"]), help="Only in this state.")
@settings_options
@output_options("text", "json")
@click.pass_obj
def alerts(
    terminal: Terminal,
    /,
    model: str | None,
    state: str | None,
    settings: Settings,
    forms: tuple[Form, ...],
    output: str | None,
) -> None:
    """List alerts."""
    from holdfast.app import Holdfast
    from holdfast.watch.queries import alerts_view

    with Holdfast.open(settings) as holdfast:
        with holdfast.store.reading() as tx:
            lines = alerts_view(tx, model=model, state=state)
        now = holdfast.clock()
    Output.of(forms, output).write(
        lambda form: (
            _lines_text(lines) if form.format == "text" else _json(now, alerts=[asdict(line) for line in lines])
        ),
        terminal,
    )


def _lines_text(lines: tuple[AlertLine, ...]) -> str:
    rows = [
        (line.id, line.severity, line.state, line.model, line.technique, to_iso(line.raised_at), line.title)
        for line in lines
    ]
    return table(rows, HEAD) if rows else "no alerts"


@verb(
    "show",
    examples=(
        ("holdfast watch show ALERT", "One alert with its evidence."),
        ("holdfast watch show ALERT --format json", "For scripts."),
    ),
)
@click.argument("alert")
@settings_options
@output_options("text", "json")
@click.pass_obj
def show(terminal: Terminal, alert: str, settings: Settings, forms: tuple[Form, ...], output: str | None) -> None:
    """Show ALERT: what was seen, of whom, which columns moved, and what people answered."""
    from holdfast.app import Holdfast
    from holdfast.watch.queries import alert_view

    with Holdfast.open(settings) as holdfast:
        with holdfast.store.reading() as tx:
            view = alert_view(tx, alert)
        now = holdfast.clock()
    if view is None:
        raise UsageError(
            f"there is no alert '{alert}'",
            cause="none with this id was raised in this store",
            fix="list them: holdfast watch alerts",
            code="HF-WAT-050",
        )
    Output.of(forms, output).write(
        lambda form: _view_text(view) if form.format == "text" else _json(now, alert=asdict(view)), terminal
    )


def _view_text(view: AlertView) -> str:
    line, campaign = view.line, view.campaign
    head = [
        f"{line.id}: {line.title}",
        f"  {line.severity}, {line.state}, {line.technique} on {line.model}"
        + (f" {line.version}" if line.version else ""),
        f"  {to_iso(campaign.started_at)} to {to_iso(campaign.last_at)}: {campaign.signals:,} events above a bound",
        f"  clients: {', '.join(campaign.clients) or '-'}",
        f"  columns that moved: {', '.join(campaign.columns) or '-'}",
        f"  predicted by finding: {line.finding or '-'}",
    ]
    rows = [
        (to_iso(item.at), item.detector, item.entity, f"{item.strength:.2f}", str(item.detail.get("why", "")))
        for item in view.evidence
    ]
    said = [f"  {item.state} by {item.by} at {to_iso(item.at)}: {item.reason}" for item in view.answers]
    return "\n".join([*head, table(rows, ("AT", "DETECTOR", "ABOUT", "STRENGTH", "WHY")), *said])


def _answering(name: str, summary: str, state: str) -> click.Command:
    """`acknowledge` and `close` differ in one word."""

    @verb(
        name,
        examples=(
            (f"holdfast watch {name} ALERT --by ana@bank.example --reason 'a partner tests'", f"The alert is {state}."),
            (f"holdfast watch {name} ALERT --by ana@bank.example --reason seen --dry-run", "Only say what would be."),
        ),
    )
    @click.argument("alert")
    @click.option("--by", required=True, help="Who answers.")
    @click.option("--reason", default="", required=name == "close", help="Why.")
    @click.option("--dry-run", is_flag=True, help="Say what would be recorded, and record nothing.")
    @settings_options
    @click.pass_obj
    def answer(terminal: Terminal, alert: str, by: str, reason: str, dry_run: bool, settings: Settings) -> None:
        from holdfast.app import Holdfast
        from holdfast.watch import alerts as room

        class _UndoneError(Exception):
            """Leaves the transaction without writing."""

        with Holdfast.open(settings) as holdfast:
            try:
                with holdfast.store.transaction() as tx:
                    answered: Alert = getattr(room, name)(tx, alert, by, reason)
                    if dry_run:
                        raise _UndoneError
            except _UndoneError:
                pass
            else:
                holdfast.settle()
        terminal.out(f"{'would be' if dry_run else 'is'} {answered.state.value}: {answered.id} on {answered.model}")

    answer.help = summary
    return answer


acknowledge = _answering("acknowledge", "Say that somebody has seen ALERT.", "acknowledged")
close = _answering("close", "Say that ALERT is dealt with; what it caused ends.", "closed")


@verb(
    "detect",
    examples=(
        ("holdfast watch detect", "Read what was taken in since last time, and say what was found."),
        ("holdfast watch detect --forget card-fraud", "Let this model's detectors learn anew."),
    ),
)
@click.option("--learning", type=LEARNING, help="Events that detectors learn from before they speak. [default: 10000]")
@click.option("--forget", metavar="MODEL", help="Let the detectors of MODEL learn anew from what comes next.")
@settings_options
@output_options("text", "json")
@click.pass_obj
def detect(
    terminal: Terminal,
    /,
    learning: int | None,
    forget: str | None,
    settings: Settings,
    forms: tuple[Form, ...],
    output: str | None,
) -> int:
    """Run detection over what waits. Exits with 1 where an alert was raised, else 0."""
    from holdfast.app import Holdfast
    from holdfast.watch.queries import alert_line, detectors_view

    with Holdfast.open(settings) as holdfast:
        pipeline = _pipeline(holdfast, learning)
        if forget is not None:
            holdfast.manifest.select((forget,))
            pipeline.forget(forget)
        before = _last_alert(holdfast)
        events = pipeline.drain()
        pipeline.save()
        holdfast.settle()
        with holdfast.store.reading() as tx:
            lines = tuple(alert_line(row) for row in tx.alerts.after(before, 10_000))
            progress = [asdict(view) for view in detectors_view(tx)]
        now = holdfast.clock()
    terminal.log(f"read {events:,} events")
    found = {"events": events, "alerts": [asdict(line) for line in lines], "detection": progress}
    Output.of(forms, output).write(
        lambda form: _lines_text(lines) if form.format == "text" else _json(now, **found), terminal
    )
    return EXIT_FINDINGS if lines else EXIT_PASSED


def _pipeline(holdfast: Holdfast, learning: int | None) -> Pipeline:
    from holdfast.watch.contracts import ManifestContracts
    from holdfast.watch.pipeline import Pipeline

    return Pipeline(holdfast.store, ManifestContracts(holdfast.manifest), learning=learning)


def _last_alert(holdfast: Holdfast) -> int:
    with holdfast.store.reading() as tx:
        rows = tx.alerts.rows(limit=1)
    return rows[0].sequence if rows else 0


@verb(
    "replay",
    examples=(
        ("holdfast watch replay events.parquet --model card-fraud", "What would have been raised over these events."),
        (
            "holdfast watch replay events.ndjson --model card-fraud --learning 5000 --format json",
            "With detectors that learn from the first 5,000.",
        ),
    ),
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--model", required=True, help="Whose contract and threshold apply.")
@click.option("--learning", type=LEARNING, default=10_000, show_default=True, help="Events to learn from first.")
@settings_options
@output_options("text", "json")
@click.pass_obj
def replay(
    terminal: Terminal,
    /,
    file: Path,
    settings: Settings,
    forms: tuple[Form, ...],
    output: str | None,
    **asked: Any,
) -> int:
    """Back-test: run fresh detectors over the events of FILE. Nothing is kept. Exits with 1 where some would alert."""
    from holdfast.app import Holdfast

    with Holdfast.open(settings) as holdfast:
        found, now = _replayed(holdfast, file, asked["model"], asked["learning"]), holdfast.clock()
    terminal.log(f"read {found.events:,} events")
    Output.of(forms, output).write(
        lambda form: _found_text(found) if form.format == "text" else _found_json(now, found), terminal
    )
    return EXIT_FINDINGS if found.alerts else EXIT_PASSED


def _replayed(holdfast: Holdfast, file: Path, model: str, learning: int) -> Found:
    from holdfast.core.errors import PrerequisiteError
    from holdfast.watch.contracts import ManifestContracts
    from holdfast.watch.files import read_file
    from holdfast.watch.interface import Context
    from holdfast.watch.pipeline import of_model
    from holdfast.watch.pipeline import replay as run
    from holdfast.watch.schema import conform
    from holdfast.watch.settings import WatchSettings

    (subject,) = holdfast.manifest.select((model,))
    contract = ManifestContracts(holdfast.manifest)(model)
    if contract is None:
        raise PrerequisiteError(
            f"the model '{model}' has no contract",
            cause="detectors read events by it",
            fix="write one: holdfast estate init --data train.parquet --model model.ubj --label y",
            code="HF-WAT-061",
        )
    task = subject.model.task
    context = Context(model, contract, task.threshold, task.harm.from_class == task.positive, learning)
    return run((of_model(conform(part), model) for part in read_file(file, WatchSettings())), context)


def _found_text(found: Found) -> str:
    rows = [
        (item.id, item.technique, to_iso(item.started_at), ", ".join(item.detectors), ", ".join(item.clients[:3]))
        for item in found.alerts
    ]
    return table(rows, ("CAMPAIGN", "TECHNIQUE", "FROM", "DETECTORS", "CLIENTS")) if rows else "no alerts"


def _found_json(now: datetime, found: Found) -> str:
    campaigns = [found.campaigns.get(item.id, (item, False))[0] for item in found.alerts]
    return _json(now, events=found.events, campaigns=[asdict(item) for item in campaigns])


def _json(now: datetime, **body: Any) -> str:
    return as_json({"schema_version": 1, "as_of": to_iso(now), **body})


COMMANDS = (detect, alerts, show, acknowledge, close, replay)
