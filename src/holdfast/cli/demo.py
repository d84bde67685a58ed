"""`holdfast demo`: the simulated bank, and the whole loop on it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import click

from holdfast.cli.output import as_json, table
from holdfast.cli.progress import ProgressLine
from holdfast.cli.terminal import Terminal
from holdfast.cli.verb import verb
from holdfast.cli.workplace import read_settings
from holdfast.core.domain.clock import to_iso

if TYPE_CHECKING:
    from holdfast.demo.outcome import Outcome, Part
    from holdfast.demo.story import Story


@verb(
    "demo",
    examples=(
        ("holdfast demo", "The whole story in ./holdfast-demo; then the console runs until Ctrl-C."),
        ("holdfast demo --no-serve --seed 7 --json", "Other numbers, the same outcomes, as JSON."),
    ),
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Varies all numbers.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the bank is written. [default: holdfast-demo, or holdfast-demo-SEED]",
)
@click.option("--no-serve", is_flag=True, help="Stop when the story is told, instead of running the console.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="Of the console; 0 is any.")
@click.option("--json", "json_", is_flag=True, help="Print the outcome as JSON.")
@click.pass_obj
def command(terminal: Terminal, seed: int, folder: Path | None, no_serve: bool, port: int, json_: bool) -> None:
    """Simulate a small bank of six models and run the loop on it: gate, intelligence, a live attack, hardening, proof.

    Exits with 0 when the story was told, although some of its models fail their gate: they are meant to. A second run
    in the same folder goes on where the first one stopped, or shows how it ended.
    """
    from holdfast.demo.outcome import outcome
    from holdfast.demo.tell import tell

    started = monotonic()
    place = folder or Path("holdfast-demo" if seed == 0 else f"holdfast-demo-{seed}")
    with ProgressLine(terminal) as watch:
        story = tell(place, seed, settings=read_settings({}), say=terminal.log, watch=watch)
    end = outcome(story)
    terminal.out(as_json(end.to_json()) if json_ else _told(end, story, terminal, monotonic() - started))
    if not no_serve:
        _serve(story, port, terminal)


def _told(end: Outcome, story: Story, terminal: Terminal, elapsed_s: float) -> str:
    rows = [_row(part) for part in end.parts]
    ledger = end.record["ledger"]
    assert isinstance(ledger, dict)
    lines = [
        _colored(table(rows, ("MODEL", "REGION", "TIER", "FIRST", "NOW", "WHY")), terminal),
        "",
        f"The ledger holds {ledger['size']} entries; verified from its files alone: {ledger['verified']}.",
        f"{elapsed_s:.0f} s. Run it again: it goes on where it stopped, or shows this end.",
        "",
        "Look at:",
        *(f"  {line}\n      {purpose}" for line, purpose in _next_steps(story)),
    ]
    return "\n".join(lines)


def _row(part: Part) -> tuple[str, ...]:
    first, now = part.start.judgement.verdict.value, part.end.judgement.verdict.value
    return (part.player.name, part.player.region, part.tier, first, now, part.end.why[:90])


def _next_steps(story: Story) -> list[tuple[str, str]]:
    program = "holdfast" if shutil.which("holdfast") else _shown(Path(sys.argv[0]))
    here = f"--config {_shown(story.folder)}/holdfast.yaml"
    then = f"{here} --as-of {to_iso(story.clock().replace(microsecond=0))}"
    return [
        (f"{program} backlog list {then}", "what is left to do, ranked, with reasons"),
        (f"{program} watch alerts {here}", "the campaign against card-fraud, and the finding it confirms"),
        (f"{program} intel effects {here}", "what intelligence changed, and what it took back"),
        (f"{program} comply status {then}", "which duties are proven, by what"),
        (f"{program} ledger show {here}", "the record of everything above"),
    ]


def _shown(path: Path) -> str:
    """As seen from here, where it lies below."""
    here = path.absolute()
    return str(here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else path)


def _colored(text: str, terminal: Terminal) -> str:
    for word, color in (("failed", "red"), ("passed", "green"), ("unknown", "yellow")):
        text = text.replace(f" {word} ", f" {terminal.paint(word, color)} ")
    return text


def _serve(story: Story, port: int, terminal: Terminal) -> None:
    """The console on the story's own state, until Ctrl-C; its address is the last line of stdout."""
    from holdfast.cli.serve import stopping
    from holdfast.demo.console import NAME, let_in
    from holdfast.server.running import Place, running

    with stopping() as stop, story.open() as holdfast, running(holdfast, Place(port=port)) as server:
        terminal.log(f"name: {NAME}, password: {let_in(holdfast.store)}; Ctrl-C ends it")
        terminal.out(server.url)
        stop.wait()
    story.keep()
