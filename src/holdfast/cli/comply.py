"""`holdfast comply`: where clauses stand, what people attest, and packs that others verify without us."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.moment import Moment
from holdfast.cli.output import Form, FormType, Output, as_json, output_options, table
from holdfast.cli.terminal import Terminal
from holdfast.cli.verb import VerbGroup, verb
from holdfast.cli.workplace import settings_options
from holdfast.core.domain.clock import to_iso

if TYPE_CHECKING:
    from holdfast.comply.clocks import Timer
    from holdfast.comply.major import Classification
    from holdfast.comply.pack import Verified
    from holdfast.comply.views import Chain, ClauseView, ModelState, Posture
    from holdfast.core.settings import Settings

command = VerbGroup("comply", help="Hold the record against laws and standards; write packs that others can verify.")

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)
AS_OF = click.option("--as-of", type=Moment(), help="As things stood at this moment. [default: now]")
KNOWN_AT = click.option("--known-at", type=Moment(), help="By what had been recorded until then. [default: all]")
MODEL = click.option("--model", help="Only this model.")


@verb(
    "status",
    examples=(
        ("holdfast comply status", "Every clause of every framework, worst first."),
        (
            "holdfast comply status --framework GDPR --as-of 2026-01-05T09:00:00Z --format json",
            "One framework as it stood at a moment, for a script.",
        ),
    ),
)
@click.option("--framework", help="Only this framework, such as GDPR or DORA.")
@MODEL
@AS_OF
@KNOWN_AT
@settings_options
@output_options("text", "json")
@click.pass_obj
def status(terminal: Terminal, /, settings: Settings, forms: tuple[Form, ...], output: str | None, **asked: Any) -> int:
    """Where clauses stand. Exits 0 all satisfied, 1 something fails, 3 something is missing, stale or awaited."""
    from holdfast.app import Holdfast
    from holdfast.comply.queries import posture

    with Holdfast.open(settings) as holdfast, holdfast.store.reading() as tx:
        moment = asked["as_of"] or holdfast.clock()
        found = posture(tx, moment, asked["known_at"], asked["framework"], asked["model"])
    Output.of(forms, output).write(
        lambda form: _status_text(found) if form.format == "text" else _posture_json(found), terminal
    )
    return found.exit_code


@verb(
    "show",
    examples=(
        ("holdfast comply show EU-AI-ACT '15(5)'", "One clause with its evidence on every model."),
        ("holdfast comply show GDPR '32(1)(d)' --model credit-default --format json", "On one model, for a script."),
    ),
)
@click.argument("framework")
@click.argument("ref")
@MODEL
@AS_OF
@KNOWN_AT
@settings_options
@output_options("text", "json")
@click.pass_obj
def show(terminal: Terminal, /, settings: Settings, forms: tuple[Form, ...], output: str | None, **asked: Any) -> None:
    """Show clause REF of FRAMEWORK: what it asks, to whom it applies and why, and every piece of evidence."""
    from holdfast.app import Holdfast
    from holdfast.comply.queries import clause_view

    with Holdfast.open(settings) as holdfast, holdfast.store.reading() as tx:
        moment = asked["as_of"] or holdfast.clock()
        found = clause_view(tx, moment, asked["framework"], asked["ref"], asked["known_at"], asked["model"])
    said = {"schema_version": 1, "as_of": to_iso(moment), "clause": found.to_json()}
    Output.of(forms, output).write(
        lambda form: _clause_text(found) if form.format == "text" else as_json(said), terminal
    )


@verb(
    "chain",
    examples=(
        ("holdfast comply chain", "From models over findings and clauses to evidence and decisions."),
        ("holdfast comply chain --model credit-default --format json", "Of one model, for a script."),
    ),
)
@MODEL
@AS_OF
@KNOWN_AT
@settings_options
@output_options("text", "json")
@click.pass_obj
def chain(terminal: Terminal, /, settings: Settings, forms: tuple[Form, ...], output: str | None, **asked: Any) -> None:
    """Show model, risk, clauses, evidence and decision as one chain."""
    from holdfast.app import Holdfast
    from holdfast.comply.queries import chain_view

    with Holdfast.open(settings) as holdfast, holdfast.store.reading() as tx:
        found = chain_view(tx, asked["as_of"] or holdfast.clock(), asked["model"], asked["known_at"])
    said = {"schema_version": 1, **found.to_json()}
    Output.of(forms, output).write(
        lambda form: _chain_text(found) if form.format == "text" else as_json(said), terminal
    )


@verb(
    "attest",
    examples=(
        (
            "holdfast comply attest doc:dpia --by 'A. Jansen' --statement 'DPIA 7, approved' --file dpia.pdf",
            "A document is in force; its digest is kept, its text is not.",
        ),
        (
            "holdfast comply attest signoff:dpo --by 'M. Okafor' --statement agreed --clause 'GDPR 35(1)' --dry-run",
            "What would be recorded if a named person approved one clause.",
        ),
    ),
)
@click.argument("what", metavar="KIND:THEME")
@click.option("--by", required=True, help="Who says so.")
@click.option("--statement", required=True, help="What they say, in a sentence.")
@click.option("--model", help="For this model. [default: all]")
@click.option("--clause", "clauses", multiple=True, help="Only for this clause, such as 'GDPR 35(1)'; repeatable.")
@click.option("--effective-at", type=Moment(), help="From when it holds. [default: now]")
@click.option("--expires-at", type=Moment(), help="Until when it holds. [default: as long as its clause says]")
@click.option("--file", type=FILE, help="The document; only its digest and name are kept.")
@click.option("--refuse", is_flag=True, help="It does not hold: a sign-off was refused or taken back.")
@click.option("--dry-run", is_flag=True, help="Check it, and record nothing.")
@settings_options
@output_options("text", "json")
@click.pass_obj
def attest(
    terminal: Terminal, /, settings: Settings, forms: tuple[Form, ...], output: str | None, **asked: Any
) -> None:
    """Record that a person attests KIND:THEME: doc, register, signoff, training, report or drill."""
    import msgspec

    from holdfast.app import Holdfast
    from holdfast.comply.attest import Wish
    from holdfast.comply.attest import attest as keep

    dry_run, refuse = asked.pop("dry_run"), asked.pop("refuse")
    wish = Wish(holds=not refuse, **asked)
    with Holdfast.open(settings) as holdfast:
        kept = holdfast.store.run(lambda tx: keep(tx, wish, holdfast.clock, dry_run=dry_run))
        holdfast.settle()
        with holdfast.store.reading() as tx:
            leaves = [leaf for _, leaf in tx.intents.about(kept.id)]
    said = {"schema_version": 1, "as_of": to_iso(kept.recorded_at), "recorded": not dry_run, "leaves": leaves}
    words = f"{'would be recorded' if dry_run else 'recorded'}: {kept.id} {kept.kind}:{kept.theme} by {kept.by}"
    words += f", leaf {leaves[0]}" if leaves else ""
    whole = {**said, "attestation": msgspec.to_builtins(kept)}
    Output.of(forms, output).write(lambda form: words if form.format == "text" else as_json(whole), terminal)


@verb(
    "pack",
    examples=(
        ("holdfast comply pack --output evidence", "HTML, PDF, JSON, ledger, proofs and a signed manifest."),
        (
            "holdfast comply pack --output q4 --framework DORA --as-of 2025-12-31T23:59:59Z --no-pdf",
            "One framework as it stood at the end of the year.",
        ),
    ),
)
@click.option("--output", "folder", type=FOLDER, required=True, help="The new folder.")
@click.option("--framework", help="Only this framework.")
@MODEL
@AS_OF
@KNOWN_AT
@click.option("--no-pdf", is_flag=True, help="Leave the PDF out; it needs the extra `report`.")
@click.option("--dry-run", is_flag=True, help="Say what the pack would hold, and write nothing.")
@click.option("--format", "forms", type=FormType(("text", "json")), multiple=True, help="Form of the result.")
@settings_options
@click.pass_obj
def pack(terminal: Terminal, /, settings: Settings, forms: tuple[Form, ...], folder: Path, **asked: Any) -> None:
    """Write an evidence pack into a new folder, for somebody who need not trust us."""
    from holdfast.app import Holdfast
    from holdfast.comply.pack import Wish, build, preview

    dry_run, no_pdf = asked.pop("dry_run"), asked.pop("no_pdf")
    with Holdfast.open(settings) as holdfast:
        moment = asked.pop("as_of") or holdfast.clock()
        wish = Wish(as_of=moment, pdf=not no_pdf, **asked)
        if dry_run:
            now, leaves, head = *preview(holdfast.store, wish), None
        else:
            holdfast.settle()
            built = build(holdfast.store, holdfast.ledger, holdfast.key, wish, folder)
            now, leaves, head = built.posture, built.leaves, built.head
        key = holdfast.home / "keys" / "holdfast.pub"
    said = {"schema_version": 1, "as_of": to_iso(moment), "written": not dry_run, "folder": str(folder)}
    said |= {"state": now.state.value, "posture": now.digest, "proofs": leaves}
    said |= {"ledger": None if head is None else {"size": head.size, "root": head.root.hex()}}
    words = f"{'would write' if dry_run else 'wrote'} {folder}: {now.state}, {leaves} leaves"
    words += "" if head is None else f", ledger of {head.size:,} entries, root {head.root.hex()}"
    Output.of(forms, None).write(lambda form: words if form.format == "text" else as_json(said), terminal)
    terminal.log(f"give the public key by another way: {key}")


@verb(
    "verify",
    examples=(
        ("holdfast comply verify evidence --key holdfast.pub", "Is every byte as it was signed, every leaf proven?"),
        ("holdfast comply verify evidence --key holdfast.pub --format json", "For a script."),
    ),
)
@click.argument("folder", metavar="PACK", type=FOLDER)
@click.option("--key", type=FILE, help="The public key you trust, from elsewhere. Without it the answer is unknown.")
@output_options("text", "json")
@click.pass_obj
def verify(terminal: Terminal, folder: Path, key: Path | None, forms: tuple[Form, ...], output: str | None) -> int:
    """Verify PACK offline, without any store or service. Exits 0 ok, 1 broken, 3 unknown."""
    from dataclasses import asdict

    from holdfast.comply.pack import verify_pack
    from holdfast.core.sign import PublicKey

    found = verify_pack(folder, None if key is None else PublicKey.load(key))
    said = {"schema_version": 1, **asdict(found)}
    Output.of(forms, output).write(
        lambda form: _verified_text(found) if form.format == "text" else as_json(said), terminal
    )
    return found.exit_code


@verb(
    "clocks",
    examples=(
        ("holdfast comply clocks", "What has to be reported about the incidents on record, and until when."),
        (
            "holdfast comply clocks --aware-at 2026-01-05T09:00:00Z --major-at 2026-01-05T12:00:00Z",
            "Of an incident that is not on record.",
        ),
    ),
)
@click.option("--aware-at", type=Moment(), help="When it became known; then no incident on record is looked at.")
@click.option("--major-at", type=Moment(), help="When it was classified as major.")
@click.option("--case", "cases", multiple=True, help="serious, widespread, death or extortion-payment; repeatable.")
@click.option("--done", multiple=True, metavar="CLOCK=MOMENT", help="A report that was made; repeatable.")
@AS_OF
@settings_options
@output_options("text", "json")
@click.pass_obj
def clocks(terminal: Terminal, /, settings: Settings, forms: tuple[Form, ...], output: str | None, **asked: Any) -> int:
    """Show reporting deadlines of incidents. Exits 0 nothing overdue, 1 something is."""
    from holdfast.core.domain.clock import system_clock

    if asked["aware_at"] is None:
        moment, found = _recorded_timers(settings, asked["as_of"])
    else:
        moment = asked["as_of"] or system_clock()
        found = [("incident", timer) for timer in _given_timers(asked, moment)]
    rows = [_timer_json(about, timer) for about, timer in found]
    said = {"schema_version": 1, "as_of": to_iso(moment), "clocks": rows}
    Output.of(forms, output).write(
        lambda form: _timers_text(found) if form.format == "text" else as_json(said), terminal
    )
    return int(any(timer.missed for _, timer in found))


def _given_timers(asked: dict[str, Any], moment: datetime) -> list[Timer]:
    from holdfast.comply.clocks import MAJOR, Incident, timers

    incident = Incident(asked["aware_at"], grave=frozenset(asked["cases"]))
    if asked["major_at"] is not None:
        incident = incident.classified(MAJOR, asked["major_at"])
    return timers(incident, moment, dict(_done(text) for text in asked["done"]))


def _done(text: str) -> tuple[str, datetime]:
    from holdfast.comply.clocks import CLOCKS
    from holdfast.core.documents import suggest

    name, _, at = text.partition("=")
    known = [clock.id for clock in CLOCKS]
    if name not in known:
        raise click.BadParameter(f"there is no clock '{name}'; {suggest(name, known)}", param_hint="--done")
    return name, Moment().convert(at, None, None)


def _recorded_timers(settings: Settings, as_of: datetime | None) -> tuple[datetime, list[tuple[str, Timer]]]:
    from holdfast.app import Holdfast
    from holdfast.comply.queries import clocks_view

    with Holdfast.open(settings) as holdfast, holdfast.store.reading() as tx:
        moment = as_of or holdfast.clock()
        return moment, [(f"{one.model} {one.incident}", one.timer) for one in clocks_view(tx, moment)]


def _timer_json(about: str, timer: Timer) -> dict[str, Any]:
    clock = timer.clock
    return {
        "about": about,
        "clock": clock.id,
        "regime": clock.regime,
        "clause": clock.clause,
        "what": clock.what,
        "state": timer.state,
        "due_at": to_iso(timer.due_at),
        "done_at": None if timer.done_at is None else to_iso(timer.done_at),
        "left_s": timer.left.total_seconds(),
        "source": clock.source,
        "verified": clock.verified,
    }


def _timers_text(found: list[tuple[str, Timer]]) -> str:
    if not found:
        return "no clock runs: no incident is on record that starts one"
    rows = [(about, timer.clock.clause, timer.clock.what, timer.words()) for about, timer in found]
    return table(rows, ("ABOUT", "CLAUSE", "WHAT", "STATE"))


@verb(
    "classify",
    examples=(
        ("holdfast comply classify --critical-service yes --malicious-access yes", "Is it major under DORA?"),
        (
            "holdfast comply classify --critical-service yes --clients 120000 --downtime-h 3 --format json",
            "By what is known so far; what is left out is unknown.",
        ),
    ),
)
@click.option("--critical-service", type=click.BOOL, help="A critical or important service is affected.")
@click.option("--malicious-access", type=click.BOOL, help="Somebody got in with malice, so that data may be lost.")
@click.option("--clients", type=click.IntRange(0), help="How many clients are affected.")
@click.option("--clients-share", type=click.FloatRange(0, 1), help="The share of all clients.")
@click.option("--counterparts-share", type=click.FloatRange(0, 1), help="The share of financial counterparts.")
@click.option("--transactions-share", type=click.FloatRange(0, 1), help="The share of daily transactions by number.")
@click.option("--amount-share", type=click.FloatRange(0, 1), help="The share of daily transactions by value.")
@click.option("--reputation", type=click.BOOL, help="Reputation suffers visibly.")
@click.option("--duration-h", type=click.FloatRange(0), help="How long it lasts, in hours.")
@click.option("--downtime-h", type=click.FloatRange(0), help="How long the service was down, in hours.")
@click.option("--member-states", type=click.IntRange(0), help="In how many member states.")
@click.option("--data-loss", type=click.BOOL, help="Data was lost, altered or disclosed.")
@click.option("--cost-eur", type=click.FloatRange(0), help="Costs and losses in EUR.")
@output_options("text", "json")
@click.pass_obj
def classify(terminal: Terminal, /, forms: tuple[Form, ...], output: str | None, **asked: Any) -> int:
    """Classify an incident by the DORA criteria. Exits 0 not major, 1 major, 3 not decided yet."""
    from dataclasses import asdict

    from holdfast.comply.major import Impact
    from holdfast.comply.major import classify as decide
    from holdfast.core.domain.clock import system_clock

    spans = {name: asked.pop(f"{name}_h") for name in ("duration", "downtime")}
    given = {name: None if hours is None else timedelta(hours=hours) for name, hours in spans.items()}
    found = decide(Impact(duration=given["duration"], downtime=given["downtime"], **asked))
    said = {"schema_version": 1, "as_of": to_iso(system_clock()), **asdict(found)}
    Output.of(forms, output).write(
        lambda form: _classified_text(found) if form.format == "text" else as_json(said), terminal
    )
    return {True: 1, False: 0, None: 3}[found.major]


def _classified_text(found: Classification) -> str:
    said = {True: "major", False: "not major", None: "not decided yet"}
    met = {True: "met", False: "not met", None: "not known"}
    rows = [(one.name, met[one.met], one.why) for one in found.criteria]
    return f"{said[found.major]}: {found.why}\n" + table(rows, ("CRITERION", "STATE", "MEANS"))


def _posture_json(found: Posture) -> str:
    whole = {"schema_version": 1, "as_of": to_iso(found.as_of), "state": found.state, "digest": found.digest}
    return as_json({**whole, "counts": {str(state): count for state, count in found.counts.items()}, **found.to_json()})


def _status_text(found: Posture) -> str:
    from holdfast.core.domain.control import State

    lines = [f"{found.state}, as of {to_iso(found.as_of)}, {len(found.models)} models"]
    order = list(State)
    clauses = [clause for view in found.frameworks for clause in view.clauses]
    shown = [clause for clause in clauses if clause.state is not State.NOT_APPLICABLE]
    rows = [
        (f"{one.framework} {one.ref}", one.level.value, one.state.value, _age(one.age_s), _binds(one), one.title)
        for one in sorted(shown, key=lambda one: (-order.index(one.state), one.framework))
    ]
    if rows:
        lines.append(table(rows, ("CLAUSE", "LEVEL", "STATE", "AGE", "BINDS", "ABOUT")))
    lines.append(f"{len(clauses) - len(shown)} clauses apply to none of these models")
    return "\n".join(lines)


def _age(age_s: float | None) -> str:
    from holdfast.comply.evidence.answer import age_words

    return "-" if age_s is None else age_words(timedelta(seconds=age_s))


def _binds(one: ClauseView) -> str:
    return f"from {one.since}" if one.under is None else "yes" if one.under == one.framework else f"as {one.under}"


def _clause_text(found: ClauseView) -> str:
    lines = [f"{found.framework} {found.ref} {found.title}: {found.state}", f"  {found.text}"]
    lines.append(f"  level {found.level}, applies to: {found.applies}, evidence: {', '.join(found.evidence)}")
    for one in found.models:
        lines += _model_text(one)
    return "\n".join(lines)


def _model_text(one: ModelState) -> list[str]:
    lines = [f"{one.model}: {one.state} ({one.applies})"]
    for answer in one.answers:
        lines.append(f"  {answer.query}: {answer.state}: {answer.reason}")
        lines += [
            f"    {to_iso(piece.effective_at)} leaf {'-' if piece.leaf is None else piece.leaf} {piece.source[:40]}"
            for piece in answer.evidence
        ]
    return lines


def _chain_text(found: Chain) -> str:
    rows = [
        (
            link.model,
            link.severity or "-",
            link.risk[:60],
            ", ".join(link.clauses[:3]) or "-",
            link.decision[:50],
            "-" if link.leaf is None else str(link.leaf),
        )
        for link in found.links
    ]
    return table(rows, ("MODEL", "SEVERITY", "RISK", "CLAUSES", "DECISION", "LEAF"))


def _verified_text(found: Verified) -> str:
    lines = [f"{found.status}"]
    if found.as_of is not None:
        lines.append(f"  {found.state}, as of {found.as_of}; posture {found.posture}")
        lines.append(
            f"  {found.files} files, {found.proofs} proofs, ledger of {found.size} entries, root {found.ledger}"
        )
    return "\n".join([*lines, *(f"  {problem}" for problem in found.problems)])


for _verb in (status, show, chain, attest, pack, verify, clocks, classify):
    command.add_command(_verb)
