"""`holdfast watch`: take events in from files, read them back, see gaps, check what is kept."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.moment import Moment
from holdfast.cli.output import Form, Output, as_json, output_options, table
from holdfast.cli.terminal import Terminal
from holdfast.cli.verb import VerbGroup, verb
from holdfast.cli.watch_alerts import COMMANDS
from holdfast.cli.workplace import settings_options
from holdfast.core.domain.clock import to_iso
from holdfast.core.errors import EXIT_FINDINGS, EXIT_PASSED, ConfigError, UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from holdfast.core.settings import Settings
    from holdfast.watch.catalogue import GapsView, Verified
    from holdfast.watch.settings import WatchSettings

command = VerbGroup("watch", help="Models at work: events, gaps, alerts.")


@verb(
    "ingest",
    examples=(
        ("holdfast watch ingest events.ndjson", "Take in what a model was asked; repeated ids are dropped."),
        ("zcat events.ndjson.gz | holdfast watch ingest -", "From another program."),
    ),
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--dry-run", is_flag=True, help="Read and check, and keep nothing.")
@settings_options
@output_options("text", "json")
@click.pass_obj
def ingest(
    terminal: Terminal,
    files: tuple[Path, ...],
    dry_run: bool,
    settings: Settings,
    forms: tuple[Form, ...],
    output: str | None,
) -> int:
    """Take in the events of FILES (NDJSON, Arrow IPC, Parquet; - is NDJSON from stdin)."""
    from holdfast.app import Holdfast
    from holdfast.watch.intake import Intake

    taken: dict[str, dict[str, int]] = {}
    with Holdfast.open(settings) as holdfast:
        with Intake(holdfast.store, _settings()) as intake:
            for path in files:
                counts = taken[str(path)] = {"events": 0, "accepted": 0, "repeated": 0}
                for events in _batches(path, intake.settings):
                    counts["events"] += events.num_rows
                    if dry_run:
                        intake.check(events)
                    else:
                        receipt = intake.append(events)
                        counts["accepted"] += receipt.accepted
                        counts["repeated"] += receipt.repeated
        if not dry_run:
            holdfast.settle()
        as_of = to_iso(holdfast.clock())
    body = {"schema_version": 1, "as_of": as_of, "dry_run": dry_run, "files": taken}
    Output.of(forms, output).write(
        lambda form: as_json(body) if form.format == "json" else _taken_text(taken), terminal
    )
    return EXIT_PASSED


def _batches(path: Path, settings: WatchSettings) -> Iterator[Any]:
    from holdfast.watch.files import read_file, read_lines

    return read_lines(sys.stdin.buffer, settings) if str(path) == "-" else read_file(path, settings)


def _taken_text(taken: dict[str, dict[str, int]]) -> str:
    rows = [(name, *(f"{count:,}" for count in counts.values())) for name, counts in taken.items()]
    return table(rows, ("FILE", "EVENTS", "ACCEPTED", "REPEATED"))


@verb(
    "events",
    examples=(
        ("holdfast watch events --model credit-default --limit 20", "The newest events of one model."),
        ("holdfast watch events --since 2026-01-05T09:00:00Z --format json", "For scripts, with all features."),
    ),
)
@click.option("--model", help="Only of this model.")
@click.option("--since", type=Moment(), help="Only what happened at or after this moment.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="The newest so many.")
@settings_options
@output_options("text", "json")
@click.pass_obj
def events(
    terminal: Terminal,
    model: str | None,
    since: datetime | None,
    limit: int,
    settings: Settings,
    forms: tuple[Form, ...],
    output: str | None,
) -> None:
    """Read events back, newest first."""
    from holdfast.app import Holdfast
    from holdfast.watch.catalogue import read_events

    with Holdfast.open(settings) as holdfast:
        found = read_events(holdfast.store, model=model, since=since, limit=limit)
        body = {"schema_version": 1, "as_of": to_iso(holdfast.clock()), "events": found}
    Output.of(forms, output).write(
        lambda form: as_json(body) if form.format == "json" else _events_text(found), terminal
    )


def _events_text(found: Iterable[dict[str, Any]]) -> str:
    names = ("time", "model", "client", "subject", "score", "decision", "event_id")
    rows = [tuple(_cell(event[name]) for name in names) for event in found]
    return table(rows, tuple(name.upper() for name in names))


def _cell(value: object) -> str:
    """Senders choose these words; nothing in them may steer the terminal."""
    text = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    return "".join(letter if letter.isprintable() else "�" for letter in text[:60])


@verb(
    "gaps",
    examples=(
        ("holdfast watch gaps", "What producers counted and never arrived."),
        ("holdfast watch gaps --format json", "For scripts; exit code 1 where something is missing."),
    ),
)
@settings_options
@output_options("text", "json")
@click.pass_obj
def gaps(terminal: Terminal, settings: Settings, forms: tuple[Form, ...], output: str | None) -> int:
    """Show gaps in the monitoring: events that were numbered and did not arrive."""
    from holdfast.app import Holdfast
    from holdfast.watch.catalogue import gaps_view

    with Holdfast.open(settings) as holdfast, holdfast.store.reading() as tx:
        view = gaps_view(tx, holdfast.clock())
    Output.of(forms, output).write(
        lambda form: as_json(view.to_json()) if form.format == "json" else _gaps_text(view), terminal
    )
    return EXIT_FINDINGS if view.missing else EXIT_PASSED


def _gaps_text(view: GapsView) -> str:
    rows = [
        (
            _cell(gap.producer),
            str(gap.epoch),
            f"{gap.first}-{gap.last}",
            f"{gap.events:,}",
            gap.since,
            "missing" if gap.late else "may still come",
        )
        for gap in view.gaps
    ]
    head = f"{view.producers:,} producers, {view.missing:,} events missing, as of {view.as_of}"
    shown = table(rows, ("PRODUCER", "EPOCH", "NUMBERS", "EVENTS", "SINCE", "STATE"))
    return f"{head}\n{shown}" if rows else head


@verb(
    "verify",
    examples=(
        ("holdfast watch verify", "Hash every kept segment again; exit code 1 where one is damaged."),
        ("holdfast watch verify --format json", "For scripts."),
    ),
)
@settings_options
@output_options("text", "json")
@click.pass_obj
def verify(terminal: Terminal, settings: Settings, forms: tuple[Form, ...], output: str | None) -> int:
    """Compare the bytes of every segment with the catalogue, and the catalogue with what the ledger was told."""
    from holdfast.app import Holdfast
    from holdfast.watch.catalogue import verify as verify_segments

    with Holdfast.open(settings) as holdfast:
        found = verify_segments(holdfast.store)
    Output.of(forms, output).write(
        lambda form: as_json(found.to_json()) if form.format == "json" else _verified_text(found), terminal
    )
    return EXIT_PASSED if found.ok else EXIT_FINDINGS


def _verified_text(found: Verified) -> str:
    head = (
        f"{'ok' if found.ok else 'damaged'}: {found.segments:,} segments, {found.events:,} events,"
        f" {found.bytes:,} bytes; sealed in the ledger up to {found.sealed} of {found.newest}"
    )
    rows = [(str(item.sequence), item.model, item.cause) for item in found.damaged]
    return head if found.ok else f"{head}\n{table(rows, ('SEGMENT', 'MODEL', 'CAUSE'))}"


@verb(
    "expire",
    examples=(
        ("holdfast watch expire --dry-run", "How much is older than HOLDFAST_WATCH_RETENTION_DAYS."),
        ("holdfast watch expire", "Delete it, and record that in the ledger."),
    ),
)
@click.option("--dry-run", is_flag=True, help="Count, and delete nothing.")
@settings_options
@click.pass_obj
def expire(terminal: Terminal, dry_run: bool, settings: Settings) -> None:
    """Delete segments that are older than the retention."""
    from holdfast.app import Holdfast
    from holdfast.watch.retention import expire as expire_segments

    with Holdfast.open(settings) as holdfast:
        done = expire_segments(holdfast.store, _settings(), dry_run=dry_run)
        if not dry_run:
            holdfast.settle()
    said = "would delete" if dry_run else "deleted"
    terminal.out(f"{said} {done.segments:,} segments with {done.events:,} events, {len(done.packs):,} files")


@verb(
    "release",
    examples=(
        ("holdfast watch release credit-default", "Let detectors see what was kept apart until the model was known."),
        ("holdfast watch release credit-default --dry-run", "Say whether the model is known, and change nothing."),
    ),
)
@click.argument("model")
@click.option("--dry-run", is_flag=True, help="Change nothing.")
@settings_options
@click.pass_obj
def release(terminal: Terminal, model: str, dry_run: bool, settings: Settings) -> None:
    """Let the events of MODEL out of quarantine, once it is registered."""
    from holdfast.app import Holdfast
    from holdfast.watch.retention import release as release_segments

    with Holdfast.open(settings) as holdfast:
        with holdfast.store.reading() as tx:
            known = tx.models.find(model) is not None
        if not known:
            raise UsageError(
                f"there is no model '{model}'",
                cause="it is not registered, so there is no contract to watch it by",
                fix="register it first: holdfast estate register",
                code="HF-WAT-009",
            )
        if dry_run:
            terminal.out(f"'{model}' is registered; its events would be released")
            return
        count = release_segments(holdfast.store, model)
        holdfast.settle()
    terminal.out(f"released {count:,} segments of {model}")


def _settings() -> WatchSettings:
    """The settings of taking in. Raises ConfigError (HF-WAT-008) on a wrong value."""
    from pydantic import ValidationError

    from holdfast.watch.settings import WatchSettings

    try:
        return WatchSettings()
    except ValidationError as fault:
        item = fault.errors(include_url=False)[0]
        name = f"HOLDFAST_WATCH_{str(item['loc'][0]).upper()}"
        raise ConfigError(
            f"wrong value for {name}",
            cause=f"{item['msg']}; found {item['input']!r}",
            fix="correct it in the environment; docs/watch.md lists the settings of taking events in",
            code="HF-WAT-008",
        ) from None


for _verb in (ingest, events, gaps, verify, release, expire, *COMMANDS):
    command.add_command(_verb)
