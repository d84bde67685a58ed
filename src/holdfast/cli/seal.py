"""`holdfast seal`: data sets under seal, and what became of them since."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli import seal_files
from holdfast.cli.output import Form, Output, as_json, output_options, write_atomically
from holdfast.cli.terminal import Terminal
from holdfast.cli.verb import VerbGroup, verb
from holdfast.cli.workplace import settings_options
from holdfast.core.errors import EXIT_FINDINGS, EXIT_PASSED

if TYPE_CHECKING:
    from holdfast.core.settings import Settings
    from holdfast.core.sign import PublicKey, SigningKey
    from holdfast.seal.making import Made

ANY = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, dir_okay=False)

command = VerbGroup("seal", help="Put data sets under seal, sign the files of models, and see what changed.")

_key = click.option(
    "--key", "keys", type=FILE, multiple=True, help="A public key you trust; repeatable. [default: own]"
)
_seal = click.option("--seal", type=FILE, help="The seal, where it does not lie beside the data.")


@verb(
    "make",
    examples=(
        ("holdfast seal make train.parquet", "Write train.parquet.seal.json beside the data."),
        (
            "holdfast seal make clean.parquet --parent raw.parquet.seal.json --by 'rows without income dropped'",
            "Seal what was derived, and say from what and how.",
        ),
    ),
)
@click.argument("data", nargs=-1, required=True, type=ANY)
@click.option(
    "--parent", "parents", type=FILE, multiple=True, help="A seal that the data was derived from; repeatable."
)
@click.option("--by", default="", help="What was done to the parents to get this data.")
@click.option("--save", type=FILE, help="The seal's file. [default: DATA.seal.json]")
@click.option("--replace", is_flag=True, help="Seal changed data again; the old seal is kept and becomes a parent.")
@click.option("--dry-run", is_flag=True, help="Say what would be sealed, but write and record nothing.")
@settings_options
@output_options("text", "json")
@click.pass_obj
def make(
    terminal: Terminal,
    /,
    data: tuple[Path, ...],
    save: Path | None,
    settings: Settings,
    forms: tuple[Form, ...],
    output: str | None,
    **asked: Any,
) -> None:
    """Seal each of DATA, a file or a folder: its bytes, columns and rows, signed, and recorded in the ledger."""
    from holdfast.app import state_folder
    from holdfast.cli.seal_text import made_text
    from holdfast.core.errors import UsageError
    from holdfast.core.sign import own_key
    from holdfast.seal.making import make as seal
    from holdfast.seal.queries import made_view

    if save is not None and len(data) > 1:
        raise UsageError(
            "several data sets cannot share one seal file",
            cause=f"--save names one file, and {len(data)} data sets are given",
            fix="leave --save out, or seal them one by one",
            code="HF-USE-003",
        )
    placed = Output.of(forms, output)
    # Data is sealed before there is a model: the manifest may name files that training has yet to write.
    home = state_folder(settings)
    key = own_key(home)
    made = [seal(one, key, save=save, **asked) for one in data]
    if not asked["dry_run"]:
        _record(home, settings, key, made)
    placed.write(
        lambda form: (
            "\n".join(made_text(one) for one in made)
            if form.format == "text"
            else as_json({"schema_version": 1, "seals": [made_view(one) for one in made]})
        ),
        terminal,
    )


def _record(home: Path, settings: Settings, key: SigningKey, made: list[Made]) -> None:
    from holdfast.core.ledger import Ledger
    from holdfast.core.store import Store

    with Store.open(settings.database, home) as store:
        with store.transaction() as tx:
            for sealed in (one.signed.seal for one in made if one.fresh):
                body = {
                    "name": sealed.data.name,
                    "seal": sealed.digest,
                    "content": sealed.data.digest,
                    "rows": sealed.data.rows,
                    "parents": [parent.seal for parent in sealed.parents],
                }
                tx.intend("data.sealed", body, about=sealed.digest)
        Ledger(store, key, "holdfast").append_pending()


@verb(
    "verify",
    examples=(
        ("holdfast seal verify train.parquet", "Is every byte as it was sealed? If not, which column, which rows?"),
        ("holdfast seal verify train.csv --seal train.parquet.seal.json --content", "The same rows in another format."),
        ("holdfast seal verify --proof row.json --seal train.parquet.seal.json", "Was this row among the sealed ones?"),
    ),
)
@click.argument("data", type=ANY, required=False)
@_seal
@click.option("--content", is_flag=True, help="Accept other bytes that hold the same rows and columns.")
@click.option("--proof", type=FILE, help="Verify a proof of `holdfast seal prove` instead of the data.")
@_key
@settings_options
@output_options("text", "json")
@click.pass_obj
def verify(
    terminal: Terminal,
    /,
    data: Path | None,
    settings: Settings,
    forms: tuple[Form, ...],
    output: str | None,
    **asked: Any,
) -> int:
    """Hold DATA against its seal. Exits with 0 ok, 1 broken, 3 unknown (nobody trusted signed it)."""
    from holdfast.cli.seal_text import verified_text
    from holdfast.seal.queries import verified_view
    from holdfast.seal.verifying import verify as hold

    keys = _trusted(asked["keys"], settings)
    placed = Output.of(forms, output)
    if asked["proof"] is not None:
        return _verify_row(terminal, placed, asked, keys)
    found = hold(_wanted(data), keys, seal=asked["seal"], content=asked["content"])
    placed.write(
        lambda form: (
            verified_text(found) if form.format == "text" else as_json({"schema_version": 1, **verified_view(found)})
        ),
        terminal,
    )
    return found.exit_code


def _verify_row(terminal: Terminal, placed: Output, asked: dict[str, Any], keys: tuple[PublicKey, ...]) -> int:
    from holdfast.seal.proof import verify_row

    if asked["seal"] is None:
        raise click.UsageError("--proof needs --seal, the seal the row is said to be under")
    found = verify_row(asked["proof"], asked["seal"], keys)
    placed.write(
        lambda form: (
            f"{found.standing}\n  {found.words}"
            if form.format == "text"
            else as_json({"schema_version": 1, "status": found.standing, "why": found.words, "row": found.row})
        ),
        terminal,
    )
    return found.exit_code


@verb(
    "show",
    examples=(
        ("holdfast seal show train.parquet", "What is under seal: files, columns, rows, lineage, signer."),
        ("holdfast seal show train.parquet.seal.json --format json", "The same for a script, from the seal alone."),
        ("holdfast seal show model.sig", "What a signature over files says, and who made it."),
    ),
)
@click.argument("data", type=ANY)
@_key
@settings_options
@output_options("text", "json")
@click.pass_obj
def show(
    terminal: Terminal,
    /,
    data: Path,
    keys: tuple[Path, ...],
    settings: Settings,
    forms: tuple[Form, ...],
    output: str | None,
) -> None:
    """Show the seal of DATA, a seal file, or a signature (.sig). The data itself is not looked at."""
    from holdfast.seal.place import home_of

    if seal_files.is_signature(data):
        seal_files.show_signature(terminal, data, keys, home_of(settings), Output.of(forms, output))
        return
    from holdfast.cli.seal_text import signed_text
    from holdfast.seal.files import is_seal, load, seal_of
    from holdfast.seal.queries import signed_view

    signed = load(data if is_seal(data) else seal_of(data), _trusted(keys, settings))
    Output.of(forms, output).write(
        lambda form: (
            signed_text(signed) if form.format == "text" else as_json({"schema_version": 1, **signed_view(signed)})
        ),
        terminal,
    )


@verb(
    "diff",
    examples=(
        (
            "holdfast seal diff train.parquet --label default",
            "What changed since the last seal, and does it look planted?",
        ),
        ("holdfast seal diff june.parquet.seal.json july.parquet.seal.json", "Two seals side by side."),
    ),
)
@click.argument("old", type=ANY)
@click.argument("new", type=ANY, required=False)
@click.option("--label", help="The label column: new rows are looked at for signs of poisoning.")
@click.option("--drop", multiple=True, help="A column that is no feature, such as an identifier; repeatable.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of everything random.")
@_key
@settings_options
@output_options("text", "json")
@click.pass_obj
def diff(
    terminal: Terminal,
    /,
    old: Path,
    new: Path | None,
    settings: Settings,
    forms: tuple[Form, ...],
    output: str | None,
    **asked: Any,
) -> int:
    """Say which files, columns and rows changed from OLD to NEW, each a seal or data as it is now.

    With one argument: since the last seal. Exits with 0 where nothing changed, 1 where something did.
    """
    from holdfast.cli.seal_text import difference_text
    from holdfast.seal.diff import compare
    from holdfast.seal.queries import difference_view
    from holdfast.seal.suspects import suspects

    found = compare(old, new, _trusted(asked["keys"], settings))
    label = asked["label"]
    seen = None if label is None else suspects(found, label, drop=asked["drop"], seed=asked["seed"])
    view = {"schema_version": 1, **difference_view(found), "suspects": None if seen is None else seen.to_json()}
    Output.of(forms, output).write(
        lambda form: difference_text(found, seen) if form.format == "text" else as_json(view), terminal
    )
    return EXIT_FINDINGS if found.changes else EXIT_PASSED


@verb(
    "prove",
    examples=(
        ("holdfast seal prove train.parquet 17 --save row.json", "A proof that row 17 was among the sealed ones."),
        ("holdfast seal prove archive 3 --file june.parquet", "A row of one table of a sealed folder."),
    ),
)
@click.argument("data", type=ANY)
@click.argument("row", type=click.IntRange(0))
@click.option("--file", help="The table, where a folder has several.")
@_seal
@click.option("--save", type=FILE, help="Write the proof here instead of showing it.")
@click.pass_obj
def prove(terminal: Terminal, data: Path, row: int, file: str | None, seal: Path | None, save: Path | None) -> None:
    """Prove that a ROW of DATA (the first is 0) is under its seal. The proof shows that row, and no other."""
    from holdfast.seal.proof import prove as proof_of

    text = as_json(proof_of(data, row, file=file, seal=seal).to_json())
    if save is None:
        terminal.out(text)
    else:
        write_atomically(save, text + "\n")
        terminal.log(f"wrote {save}: it holds the values of the row")


def _trusted(keys: tuple[Path, ...], settings: Settings) -> tuple[PublicKey, ...]:
    """The keys named, else those of the installation around, if there is one."""
    from holdfast.core.sign import PublicKey, trusted_keys
    from holdfast.seal.place import home_of

    if keys:
        return tuple(PublicKey.load(path) for path in keys)
    home = home_of(settings)
    return () if home is None else trusted_keys(home)


def _wanted(data: Path | None) -> Path:
    if data is None:
        raise click.UsageError("name the DATA to verify")
    return data


for _verb in (make, verify, show, diff, prove, seal_files.sign, seal_files.check):
    command.add_command(_verb)
