"""`holdfast estate`: write a first manifest and contract, and see what is known of each model."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.output import Form, Output, as_json, output_options, table
from holdfast.cli.terminal import Terminal
from holdfast.cli.verb import VerbGroup, verb
from holdfast.cli.workplace import settings_options
from holdfast.core.domain.clock import to_iso
from holdfast.core.domain.severity import Tier
from holdfast.core.domain.verdict import Verdict
from holdfast.core.report.escape import visible

if TYPE_CHECKING:
    from holdfast.comply.bom.material import Material
    from holdfast.core.settings import Settings
    from holdfast.estate.queries import ModelView, VersionView
    from holdfast.scan.packages import Package

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


@verb(
    "register",
    examples=(
        ("holdfast estate register", "Record every model of the manifest and its version."),
        ("holdfast estate register credit-default", "Only one of them."),
    ),
)
@click.argument("models", nargs=-1)
@settings_options
@click.pass_obj
def register(terminal: Terminal, models: tuple[str, ...], settings: Settings) -> None:
    """Record MODELS (default: all) and the versions they have now. Auditing and gating do this by themselves."""
    from holdfast.app import Holdfast

    with Holdfast.open(settings) as holdfast:
        versions = holdfast.register(models)
    terminal.out(table([(item.model, item.digest, item.format) for item in versions], ("MODEL", "VERSION", "FORMAT")))


@verb(
    "list",
    examples=(
        ("holdfast estate list", "The models of the manifest and where each stands."),
        ("holdfast estate list --format json", "For scripts."),
    ),
)
@settings_options
@output_options("text", "json")
@click.pass_obj
def list_(terminal: Terminal, settings: Settings, forms: tuple[Form, ...], output: str | None) -> None:
    """List the models of the manifest with tier, owner and the verdict on their newest version."""
    views = _views(settings, ())
    Output.of(forms, output).write(lambda form: _list_text(views) if form.format == "text" else _json(views), terminal)


@verb(
    "show",
    examples=(
        ("holdfast estate show credit-default", "One model, with all its versions."),
        ("holdfast estate show credit-default --format json", "For scripts."),
    ),
)
@click.argument("model")
@settings_options
@output_options("text", "json")
@click.pass_obj
def show(terminal: Terminal, model: str, settings: Settings, forms: tuple[Form, ...], output: str | None) -> None:
    """Show what is declared and known of MODEL."""
    views = _views(settings, (model,))
    Output.of(forms, output).write(
        lambda form: _show_text(views[0]) if form.format == "text" else _json(views), terminal
    )


@verb(
    "bom",
    examples=(
        ("holdfast estate bom credit-default", "What the model is made of, in words."),
        (
            "holdfast estate bom credit-default --format cyclonedx=credit.cdx.json",
            "The same as a CycloneDX 1.6 document with a model card.",
        ),
    ),
)
@click.argument("model")
@settings_options
@output_options("text", "cyclonedx")
@click.pass_obj
def bom(terminal: Terminal, model: str, settings: Settings, forms: tuple[Form, ...], output: str | None) -> None:
    """Write the bill of materials of MODEL: its files, data, packages and what was measured of this version."""
    from holdfast.app import Holdfast
    from holdfast.comply.bom.cyclonedx import to_cyclonedx
    from holdfast.comply.bom.material import gather

    with Holdfast.open(settings) as holdfast, holdfast.store.reading() as tx:
        material, now = gather(holdfast.manifest.select((model,))[0], tx, holdfast.intel), holdfast.clock()
    Output.of(forms, output).write(
        lambda form: _bom_text(material) if form.format == "text" else as_json(to_cyclonedx(material, now)), terminal
    )


def _bom_text(material: Material) -> str:
    own = visible(", ".join(material.licences), 100) or "-"
    files = [(file.role, file.name, file.digest, "-") for file in material.files]
    files.insert(0, (material.artifact.role, material.artifact.name, material.artifact.digest, own))
    packages = [_bom_package(one, material) for one in material.lock.packages]
    loose = [("not pinned", visible(line.text, 100), "-", "-") for line in material.lock.unpinned]
    return table([*files, *packages, *loose], ("PART", "NAME", "VERSION", "LICENCE"))


def _bom_package(package: Package, material: Material) -> tuple[str, str, str, str]:
    """A package that is malware is called that, with who says so."""
    named = material.malware.get(package.purl, ())
    part = f"malware ({', '.join(one.id for one in named)})" if named else "package"
    stated = material.stated.get(package.purl)
    said = "unknown" if stated is None or stated.expression is None else visible(str(stated.expression), 100)
    return part, visible(package.name, 100), visible(package.version, 100), said


@verb(
    "deployed",
    examples=(
        ("holdfast estate deployed credit-default", "The version in the manifest now serves in production."),
        ("holdfast estate deployed credit-default --dry-run", "Say what would be recorded."),
    ),
)
@click.argument("model")
@click.option("--environment", default="production", show_default=True, help="Where it serves.")
@click.option("--dry-run", is_flag=True, help="Say what would be recorded, and record nothing.")
@settings_options
@click.pass_obj
def deployed(terminal: Terminal, model: str, environment: str, dry_run: bool, settings: Settings) -> None:
    """Record that the version of MODEL in the manifest serves now; later versions are compared with it."""
    from holdfast.app import Holdfast

    with Holdfast.open(settings) as holdfast:
        (version,) = holdfast.register((model,))
        with holdfast.store.reading() as tx:
            standing = tx.judgements.standing(model, version.digest)
        if standing is None or standing.verdict is not Verdict.PASSED:
            terminal.log(
                f"note: this version stands at {standing.verdict if standing else 'not judged'}, not at passed"
            )
        if not dry_run:
            with holdfast.store.transaction() as tx:
                tx.models.deploy(model, version.digest, environment)
            holdfast.settle()
    said = "would be recorded" if dry_run else "recorded"
    terminal.out(f"{said}: {model} {version.digest} serves in {environment}")


def _views(settings: Settings, names: tuple[str, ...]) -> tuple[ModelView, ...]:
    from holdfast.app import Holdfast
    from holdfast.estate.queries import model_views

    with Holdfast.open(settings) as holdfast, holdfast.store.reading() as tx:
        return model_views(tx, holdfast.manifest.select(names))


def _list_text(views: tuple[ModelView, ...]) -> str:
    rows = [
        (
            view.model.name,
            view.model.tier.value,
            view.model.unit,
            view.model.region,
            view.model.owner,
            _stands(view.newest),
        )
        for view in views
    ]
    return table(rows, ("MODEL", "TIER", "UNIT", "REGION", "OWNER", "NEWEST VERSION"))


def _stands(version: VersionView | None) -> str:
    return "not registered" if version is None else str(version.verdict or "not judged")


def _show_text(view: ModelView) -> str:
    model, task = view.model, view.model.task
    about = [
        ("declared in", view.where),
        ("tier", model.tier.value),
        ("unit, region", f"{model.unit}, {model.region}"),
        ("owner", model.owner),
        ("purpose", model.purpose),
        ("harm", f"from class {task.harm.from_class} to class {task.harm.to_class}, threshold {task.threshold}"),
        ("policy", model.policy),
    ]
    rows = [
        (
            item.version,
            item.format,
            _stands(item),
            to_iso(item.as_of) if item.as_of else "-",
            "yes" if item.deployed else "no",
        )
        for item in view.versions
    ]
    return table(about, (model.name, "")) + "\n\n" + table(rows, ("VERSION", "FORMAT", "VERDICT", "AS OF", "DEPLOYED"))


def _json(views: tuple[ModelView, ...]) -> str:
    return as_json({"schema_version": 1, "models": [asdict(view) for view in views]})


for _verb in (init, register, list_, show, bom, deployed):
    command.add_command(_verb)
