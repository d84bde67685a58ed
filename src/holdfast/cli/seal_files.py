"""`holdfast seal sign` and `check`: the files of a model under a signature, and held against it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.output import Form, Output, as_json, output_options
from holdfast.cli.terminal import Terminal
from holdfast.cli.verb import verb
from holdfast.cli.workplace import Later, later_options

if TYPE_CHECKING:
    from holdfast.core.sign import AnyKey, AnySigningKey, SignedSet
    from holdfast.seal.checking import Checked
    from holdfast.seal.signing import SignedFiles

ANY = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, dir_okay=False)
SHOWN = 20
"""Problems in the text; JSON has all."""


@verb(
    "sign",
    examples=(
        ("holdfast seal sign model/", "Sign every file of a model folder; writes model.sig beside it."),
        (
            "holdfast seal sign model/ --form openssf --key signer.pem --save model.sig",
            "A bundle that the OpenSSF's model_signing verifies too; the key is ECDSA, on P-256.",
        ),
    ),
)
@click.argument("paths", nargs=-1, required=True, type=ANY)
@click.option("--key", type=FILE, help="The private key, PEM: Ed25519 or ECDSA. [default: own]")
@click.option(
    "--form",
    type=click.Choice(["intoto", "openssf"]),
    default="intoto",
    show_default=True,
    help="An in-toto statement in a DSSE envelope, or a bundle of the OpenSSF's model signing.",
)
@click.option("--save", type=FILE, help="The signature's file. [default: PATH.sig]")
@click.option("--ignore", multiple=True, help="A path below PATH to leave out, and all below it; repeatable.")
@click.option("--links", is_flag=True, help="Follow links to files inside of PATH; otherwise a link is an error.")
@click.option("--replace", is_flag=True, help="Write over a signature that is there.")
@click.option("--dry-run", is_flag=True, help="Hash and say what would be signed, but write and record nothing.")
@later_options
@output_options("text", "json")
@click.pass_obj
def sign(
    terminal: Terminal,
    /,
    paths: tuple[Path, ...],
    key: Path | None,
    save: Path | None,
    later: Later,
    forms: tuple[Form, ...],
    output: str | None,
    **asked: Any,
) -> None:
    """Sign each of PATHS, a file or a folder with everything in it: its files by SHA-256, hashed several at a time.

    Left out, and signed as left out: .git, .github, .gitattributes, .gitignore, and the signature itself.
    """
    from holdfast.cli.seal_progress import FilesLine
    from holdfast.core.errors import UsageError
    from holdfast.seal.signatures import signed_files_view
    from holdfast.seal.signing import sign as over

    if save is not None and len(paths) > 1:
        raise UsageError(
            "several signatures cannot share one file",
            cause=f"--save names one file, and {len(paths)} paths are given",
            fix="leave --save out, or sign them one by one",
            code="HF-USE-003",
        )
    placed = Output.of(forms, output)
    signing = _signing_key(key, later)
    with FilesLine(terminal) as line:
        made = [over(path, signing, save=save, told=line, **asked) for path in paths]
    if not asked["dry_run"]:
        _record(later, made)
    placed.write(
        lambda form: (
            "\n".join(_signed_text(one) for one in made)
            if form.format == "text"
            else as_json({"schema_version": 1, "signatures": [signed_files_view(one) for one in made]})
        ),
        terminal,
    )


@verb(
    "check",
    examples=(
        ("holdfast seal check model/", "Is every file as it was signed? Looks for model.sig, trusts the own keys."),
        (
            "holdfast seal check model/ --signature model.sig --key signer.pub",
            "Offline, with the signer's public key got by another way.",
        ),
    ),
)
@click.argument("path", type=ANY)
@click.option("--signature", type=FILE, help="The signature's file. [default: PATH.sig]")
@click.option("--key", "keys", type=FILE, multiple=True, help="A public key you trust; repeatable. [default: own]")
@click.option("--allow-extra", is_flag=True, help="Accept files that nobody signed; they are named all the same.")
@later_options
@output_options("text", "json")
@click.pass_obj
def check(
    terminal: Terminal,
    /,
    path: Path,
    signature: Path | None,
    keys: tuple[Path, ...],
    allow_extra: bool,
    later: Later,
    forms: tuple[Form, ...],
    output: str | None,
) -> int:
    """Hold the files at PATH against a signature of either form. No network.

    Exits with 0 ok, 1 broken (files missing, extra or changed), 3 unknown (nobody trusted signed it).
    """
    from holdfast.cli.seal_progress import FilesLine
    from holdfast.seal.checking import check as hold
    from holdfast.seal.signatures import checked_view
    from holdfast.seal.signing import signature_of

    placed = Output.of(forms, output)
    with FilesLine(terminal) as line:
        found = hold(
            path,
            signature or signature_of(path),
            _trusted(keys, None if keys else later.home),
            allow_extra=allow_extra,
            told=line,
        )
    placed.write(
        lambda form: (
            checked_text(found) if form.format == "text" else as_json({"schema_version": 1, **checked_view(found)})
        ),
        terminal,
    )
    return found.exit_code


def is_signature(path: Path) -> bool:
    """Whether a path is meant as a signature over files, by its name."""
    return path.suffix == ".sig" and path.is_file()


def show_signature(terminal: Terminal, path: Path, keys: tuple[Path, ...], home: Path | None, placed: Output) -> None:
    """Write what a signature says, and who made it. The files themselves are not looked at."""
    from holdfast.seal.checking import read_signature
    from holdfast.seal.signatures import signature_view

    signed = read_signature(path, _trusted(keys, home))
    view = {"schema_version": 1, **signature_view(signed)}
    placed.write(lambda form: signature_text(signed) if form.format == "text" else as_json(view), terminal)


def signature_text(signed: SignedSet) -> str:
    """Everything a signature says, for people."""
    from holdfast.core.domain.clock import to_iso
    from holdfast.core.report.escape import visible

    when = "" if signed.when is None else f" at {to_iso(signed.when)}"
    trusted = signed.signer is not None
    who = signed.signer.key_id if signed.signer is not None else ", ".join(visible(one, 120) for one in signed.claimed)
    lines = [f"{visible(signed.name, 200)}  {signed.digest}", f"  form {signed.form}, signed{when} by {who}"]
    lines += [] if trusted else ["  that is no trusted key, and nothing below is to be relied on"]
    lines += [f"  left out: {visible(name, 200)}" for name in signed.rules.ignored[:SHOWN]]
    lines += [f"  {visible(name, 200)}  sha256:{digest}" for name, digest in list(signed.files.items())[:SHOWN]]
    more = len(signed.files) - SHOWN
    return "\n".join([*lines, *([f"  {more:,} more files; --format json lists all"] if more > 0 else [])])


def checked_text(found: Checked) -> str:
    """The answer first, then why."""
    from holdfast.core.report.escape import visible

    signed = found.signed
    who = f"signed by {signed.signer.key_id}" if signed.signer is not None else "signed by no trusted key"
    lines = [str(found.standing), f"  {visible(signed.name, 200)}: {len(signed.files):,} files, {who}"]
    lines += [f"  {visible(problem, 500)}" for problem in found.problems[:SHOWN]]
    if len(found.problems) > SHOWN:
        lines.append(f"  {len(found.problems) - SHOWN:,} more; --format json lists all")
    if found.beside is not None:
        lines.append(f"  {visible(found.beside)} verifies it, but a key that comes with the files proves nothing:")
        lines.append("  compare it with the signer's by another way, then name it with --key")
    extra = found.found.extra if found.extra_allowed else ()
    for what, names in (("allowed though nobody signed it", extra), ("not looked at", found.found.left_out)):
        lines += [f"  {what}: {visible(name, 200)}" for name in names[:SHOWN]]
    return "\n".join(lines)


def _signed_text(made: SignedFiles) -> str:
    from holdfast.core.report.escape import visible
    from holdfast.core.report.words import counted

    words = f"{counted(len(made.files.files), 'file')}, {made.files.bytes:,} bytes"
    signer = made.signed.claimed[0] if made.signed.signer is None else made.signed.signer.key_id
    return f"{visible(made.signed.name, 200)} signed: {words}\n  {made.path}  by {signer}"


def _signing_key(path: Path | None, later: Later) -> AnySigningKey:
    from holdfast.core.sign import load_signing_key, own_key

    if path is not None:
        return load_signing_key(path)
    from holdfast.app import state_folder

    return own_key(state_folder(later.settings))


def _trusted(paths: tuple[Path, ...], home: Path | None) -> tuple[AnyKey, ...]:
    """The keys named, else those of the installation around, if there is one."""
    from holdfast.core.sign import load_key, trusted_keys

    if paths:
        return tuple(load_key(path) for path in paths)
    return () if home is None else trusted_keys(home)


def _record(later: Later, made: list[SignedFiles]) -> None:
    """A ledger entry for each signature, where there is an installation; a key alone is enough to sign without one."""
    home = later.home
    if home is None:
        return
    from holdfast.core.ledger import Ledger
    from holdfast.core.sign import own_key
    from holdfast.core.store import Store

    with Store.open(later.settings.database, home) as store:
        with store.transaction() as tx:
            for one in made:
                signer = None if one.signed.signer is None else one.signed.signer.key_id
                body = {
                    "name": one.signed.name,
                    "statement": one.signed.digest,
                    "files": len(one.files.files),
                    "form": one.signed.form,
                    "signer": signer,
                }
                tx.intend("files.signed", body, about=one.signed.digest)
        Ledger(store, own_key(home), "holdfast").append_pending()
