"""`holdfast estate`: write a first manifest and contract, and see what is known of each model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from holdfast.cli.terminal import Terminal
from holdfast.cli.verb import VerbGroup, verb
from holdfast.core.domain.severity import Tier

command = VerbGroup("estate", help="Describe models: write, list and register holdfast.yaml.")

EXISTING = click.Path(path_type=Path, dir_okay=False)


@verb(
    "init",
    examples=(
        (
            "holdfast estate init --data train.parquet --test test.parquet --model model.ubj --label y",
            "Write holdfast.yaml and contract.yaml for a model and its data.",
        ),
        (
            "holdfast estate init --data train.csv --model model.txt --label y --drop ID --dry-run",
            "Print what would be written; ID is no input of the model.",
        ),
    ),
)
@click.option("--data", type=EXISTING, required=True, help="Training data: Parquet or CSV.")
@click.option("--test", type=EXISTING, help="Test data, to measure on rows the model has not seen.")
@click.option("--model", type=EXISTING, required=True, help="The model file.")
@click.option("--label", required=True, help="The column the model predicts.")
@click.option("--drop", multiple=True, metavar="COLUMN", help="A column that is no input of the model; repeatable.")
@click.option("--name", help="Name of the model. [default: from the file]")
@click.option(
    "--tier", type=click.Choice([str(tier) for tier in Tier]), default="medium", help="How much depends on it."
)
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), default=".", help="Where to write.")
@click.option("--force", is_flag=True, help="Overwrite existing files.")
@click.option("--dry-run", is_flag=True, help="Print the files instead of writing them.")
@click.pass_obj
def init(terminal: Terminal, /, force: bool, dry_run: bool, **named: Any) -> None:
    """Write a commented holdfast.yaml and contract.yaml, mined from the data and the model."""
    from holdfast.estate.draft import Wish, draft

    wish = Wish(**named)
    terminal.log(f"reading {wish.data} and {wish.model}, mining relations")
    made = draft(wish)
    if dry_run:
        terminal.out("\n".join(f"# {path}\n{text}" for path, text in made.files.items()))
    else:
        made.write(force=force)
        terminal.out("\n".join(f"wrote {path}" for path in made.files))
    for note in made.notes:
        terminal.log(f"note: {note}")
    terminal.log("next: holdfast audit")


command.add_command(init)
