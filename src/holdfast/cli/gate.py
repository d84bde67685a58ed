"""`holdfast gate`: the verdict that a pipeline acts on, and its verification by somebody else."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.moment import Moment
from holdfast.cli.output import Form, Output, as_json, output_options, write_atomically
from holdfast.cli.progress import ProgressLine
from holdfast.cli.terminal import Terminal
from holdfast.cli.verb import VerbGroup, verb
from holdfast.cli.workplace import depth_option, settings_options
from holdfast.core.domain.clock import system_clock, to_iso

if TYPE_CHECKING:
    from holdfast.app import Holdfast, Judged
    from holdfast.core.policy import Policy
    from holdfast.core.report import AuditReport
    from holdfast.core.settings import Settings
    from holdfast.gate import Decision, Verification

FILE = click.Path(path_type=Path, dir_okay=False)

command = VerbGroup("gate", help="Decide whether models may be deployed; sign and verify the verdict.", default="run")


@verb(
    "run",
    examples=(
        ("holdfast gate", "Every model of the manifest; the exit code says what to do."),
        (
            "holdfast gate credit-default --format text --format sarif=holdfast.sarif --attest verdict.json",
            "One model, with a SARIF file for the code host and a signed verdict.",
        ),
        ("holdfast gate --baseline baseline.json", "Compare with the accepted version in this file."),
    ),
    epilog="`holdfast gate verify` checks a signed verdict.",
)
@click.argument("models", nargs=-1)
@click.option("--policy", help="A built-in policy or a file, instead of the models' own.")
@click.option("--baseline", type=FILE, help="Compare with this file instead of the deployed version.")
@click.option(
    "--save-baseline", type=FILE, help="Write the measurements of these versions, to compare later ones with."
)
@click.option("--attest", type=FILE, help="Write the signed verification summary.")
@click.option("--as-of", type=Moment(), help="Judge as of this moment. [default: now]")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of everything random.")
@click.option("--retry", is_flag=True, help="Try at once what failed before, instead of after its pause.")
@settings_options
@depth_option
@output_options("text", "json", "sarif", "junit", "markdown", "html")
@click.pass_obj
def run(terminal: Terminal, /, settings: Settings, forms: tuple[Form, ...], output: str | None, **asked: Any) -> int:
    """Audit what is missing, judge MODELS (default: all in the manifest), and decide.

    Exits with 0 passed, 1 failed, 3 could not decide where that blocks.
    """
    from holdfast.app import Holdfast
    from holdfast.cli.audit import rendered
    from holdfast.cli.judged import audit_report
    from holdfast.gate import decide
    from holdfast.gate.acceptances import accepted
    from holdfast.gate.orders import under_orders
    from holdfast.gate.picture import picture
    from holdfast.gate.queries import report

    placed = Output.of(forms, output)
    with Holdfast.open(settings) as holdfast:
        with ProgressLine(terminal) as watch:
            judged = _judged(holdfast, asked, watch)
        with holdfast.store.reading() as tx:
            judged = replace(judged, judgements=under_orders(tx, judged.judgements, judged.as_of))
            decision = decide(judged.judgements, accepted(tx, judged.judgements, judged.as_of))
        audit = audit_report(holdfast, judged)
        _leave_files(holdfast, judged, decision, audit, asked, terminal)
    gated = report(decision, audit)
    placed.write(lambda form: picture(gated) if form.format == "html" else rendered(gated, form, terminal), terminal)
    if judged.audit.faults:
        raise judged.audit.faults[0]
    return decision.exit_code


def _judged(holdfast: Holdfast, asked: dict[str, Any], watch: ProgressLine) -> Judged:
    from holdfast.gate import BaselineFile

    baseline = None if asked["baseline"] is None else BaselineFile.load(asked["baseline"])
    return holdfast.audit(
        asked["models"],
        seed=asked["seed"],
        retry=asked["retry"],
        watch=watch,
        policy=None if asked["policy"] is None else read_policy(asked["policy"]),
        baselines=lambda model: None if baseline is None else baseline.of(model),
        as_of=asked["as_of"],
    )


def read_policy(name: str) -> Policy:
    """A built-in policy by its name, or a file by its path."""
    from holdfast.core.policy import Policy

    return Policy.load(Path(name)) if name.endswith((".yaml", ".yml")) else Policy.builtin(name)


def _leave_files(
    holdfast: Holdfast,
    judged: Judged,
    decision: Decision,
    audit: AuditReport,
    asked: dict[str, Any],
    terminal: Terminal,
) -> None:
    from holdfast.gate import Attested, BaselineFile, summarize

    if asked["save_baseline"] is not None:
        seen = (
            (one.version.model, one.version.digest, [r.recorded for r in one.results if r.recorded is not None])
            for one in judged.audit.models
        )
        BaselineFile.collect(str(asked["save_baseline"]), audit.as_of, seen).save(asked["save_baseline"])
        terminal.log(f"wrote {asked['save_baseline']}: later versions are compared with these")
    if asked["attest"] is not None:
        attested = [
            Attested(
                model.judgement,
                model.artifact or model.model,
                tuple((r.check, r.observation_key) for r in model.results if r.observation_key is not None),
            )
            for model in audit.models
        ]
        envelope = summarize(decision, attested, holdfast.key, verified_at=audit.as_of)
        write_atomically(asked["attest"], envelope.decode())
        terminal.log(f"wrote {asked['attest']}, signed by {holdfast.public_key.key_id}")


@verb(
    "verify",
    examples=(
        ("holdfast gate verify verdict.json model.ubj --key holdfast.pub", "Did this very file pass the gate?"),
        (
            "holdfast gate verify verdict.json model.ubj --key holdfast.pub --policy baseline",
            "The same, and under this policy.",
        ),
    ),
)
@click.argument("summary", type=FILE)
@click.argument("artifacts", nargs=-1, type=FILE)
@click.option("--key", type=FILE, required=True, help="The public key you trust, from elsewhere.")
@click.option("--policy", help="The policy it must have been judged by: a built-in one or a file.")
@click.option("--as-of", type=Moment(), help="Verify as of this moment. [default: now]")
@output_options("text", "json")
@click.pass_obj
def verify(
    terminal: Terminal,
    /,
    summary: Path,
    artifacts: tuple[Path, ...],
    as_of: datetime | None,
    forms: tuple[Form, ...],
    output: str | None,
    **trust: Any,
) -> int:
    """Verify a signed SUMMARY and that it speaks of these ARTIFACTS. Exits with 0 ok, 1 broken, 3 unknown."""
    from holdfast.core.sign import PublicKey
    from holdfast.gate import verify_summary

    found = verify_summary(
        summary,
        PublicKey.load(trust["key"]),
        artifacts,
        as_of=as_of or system_clock(),
        policy_digest=None if trust["policy"] is None else read_policy(trust["policy"]).digest,
    )
    Output.of(forms, output).write(lambda form: _told(found) if form.format == "text" else _json(found), terminal)
    return found.exit_code


def _told(found: Verification) -> str:
    lines = [str(found.status)]
    if found.verified_at is not None:
        until = "without an end" if found.valid_until is None else f"until {to_iso(found.valid_until)}"
        lines.append(f"  {', '.join(found.models)}: {found.verdict} at {to_iso(found.verified_at)}, valid {until}")
        lines.append(f"  policy {found.policy} {found.policy_digest}")
    lines += [
        f"  {hashed.path}: {'named' if hashed.named else 'not named'} ({hashed.digest})" for hashed in found.hashed
    ]
    return "\n".join([*lines, *(f"  {problem.status}: {problem.what}" for problem in found.problems)])


def _json(found: Verification) -> str:
    from dataclasses import asdict

    return as_json({"schema_version": 1, "status": found.status, **asdict(found)})


command.add_command(run)
command.add_command(verify)
