"""`holdfast demo`: the simulated bank, and the main job on it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.cli.output import table
from holdfast.cli.progress import ProgressLine
from holdfast.cli.terminal import Terminal
from holdfast.cli.verb import verb
from holdfast.cli.workplace import read_settings
from holdfast.core.domain.clock import to_iso

if TYPE_CHECKING:
    from holdfast.core.domain.verdict import Judgement
    from holdfast.demo.scene1_first_gate import Ending


@verb(
    "demo",
    examples=(
        ("holdfast demo --no-serve", "Simulate, register, audit and gate two models in ./holdfast-demo."),
        ("holdfast demo --no-serve --seed 7 --folder bank7", "Other numbers, same outcome, another folder."),
    ),
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Varies all numbers.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default="holdfast-demo",
    show_default=True,
    help="Where the bank is written.",
)
@click.option("--no-serve", is_flag=True, help="Stop when the story is told.")
@click.pass_obj
def command(terminal: Terminal, seed: int, folder: Path, no_serve: bool) -> None:  # noqa: ARG001
    """Simulate a small bank and run the main job on it: register, audit, gate.

    Exits with 0 when the story was told, although one of its models fails the gate: it is meant to.
    """
    from holdfast.demo.scene1_first_gate import play

    with ProgressLine(terminal) as watch:
        ending = play(folder, seed, say=terminal.log, watch=watch, settings=read_settings({}))
    terminal.out(_told(ending, terminal))


def _told(ending: Ending, terminal: Terminal) -> str:
    rows = [(item.model, item.verdict.value, _why(item)) for item in ending.judged.judgements]
    total = sum(len(model.results) for model in ending.judged.audit.models)
    work = f"{ending.fresh} of {total} results computed" if ending.fresh else f"all {total} results were cached"
    lines = [
        _colored(table(rows, ("MODEL", "VERDICT", "WHY")), terminal),
        "",
        f"The gate as a whole: {ending.decision.verdict}, exit code {ending.decision.exit_code} in a pipeline.",
        f"{work}; {ending.elapsed_s:.1f} s. Run it again: nothing that is unchanged runs twice.",
        "",
        "Look at:",
        *(f"  {line}\n      {purpose}" for line, purpose in _next_steps(ending)),
    ]
    return "\n".join(lines)


def _why(judgement: Judgement) -> str:
    worst = [reason for reason in judgement.reasons if reason.verdict is judgement.verdict and reason.blocking]
    return worst[0].why if worst else "every rule of the policy holds"


def _next_steps(ending: Ending) -> list[tuple[str, str]]:
    program = "holdfast" if shutil.which("holdfast") else _shown(Path(sys.argv[0]))
    folder = _shown(ending.folder)
    bank = f"--config {folder}/holdfast.yaml --intel {folder}/intel.json --as-of {to_iso(ending.evening)}"
    return [
        (f"{folder}/card-fraud/contract.yaml", "what a fraudster controls, and what not"),
        (f"{program} explain evasion.search", "how the attack works, and what it cannot see"),
        (f"{program} gate {bank}", "the gate with all its reasons, at the bank's own time"),
        (f"{program} ledger show --config {folder}/holdfast.yaml", "the record of what happened"),
    ]


def _shown(path: Path) -> str:
    """As seen from here, where it lies below."""
    here = path.absolute()
    return str(here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else path)


def _colored(text: str, terminal: Terminal) -> str:
    for word, color in (("failed", "red"), ("passed", "green"), ("unknown", "yellow")):
        text = text.replace(f" {word} ", f" {terminal.paint(word, color)} ")
    return text
