"""A bank's estate in a store, made by the functions that the product itself uses: what the console is shown on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

from holdfast.app import Holdfast
from holdfast.core.contract import Contract
from holdfast.core.domain import Fact, Measurement, ModelVersion, Observation, Recorded, digest, digest_bytes, to_iso
from holdfast.core.domain.access import Role, Scope
from holdfast.core.domain.alert import Alert, Campaign, Evidence, campaign_id
from holdfast.core.domain.claim import Ceiling
from holdfast.core.domain.intelligence import Feed, Tlp
from holdfast.core.domain.severity import Severity
from holdfast.core.domain.topics import ALERT
from holdfast.core.policy import Policy, Snapshot, Subject, judge
from holdfast.core.settings import Settings
from holdfast.core.store import Transaction
from holdfast.intel.importer import run_import
from holdfast.intel.register import register
from holdfast.loop.docket import deployed_baseline, inputs_of
from holdfast.loop.on_observation import keep
from holdfast.server.auth.entry import add_token, add_user
from holdfast.watch.intake import Intake
from holdfast.watch.parse import read_ndjson
from holdfast.watch.pipeline import Pipeline

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Case:
    """One model and what its checks saw."""

    name: str
    unit: str
    region: str
    tier: str
    purpose: str
    recall: float = 0.41
    scan: str = "clean"
    package: str = "pkg:pypi/numpy@2.4.6"
    judged: bool = True


CASES = (
    Case("card-fraud", "cards", "eu", "high", "Stops fraudulent card payments", recall=0.04),
    Case("credit-default", "lending", "eu", "high", "Prices the risk of new credit limits"),
    Case("aml", "compliance", "us", "critical", "Flags transfers that look like laundering", scan="blocked"),
    Case("churn", "retail", "us", "medium", "Predicts who is about to leave", package="pkg:pypi/leftpadder@1.2.0"),
    Case("recommender", "retail", "us", "critical", "Ranks offers in the app", judged=False),
    Case("assistant", "retail", "eu", "low", "Answers customers' questions"),
    Case("collections", "lending", "us", "medium", "Decides whom to call first", scan="review"),
)


class Moving:
    """A clock that starts at START, runs as ours does, and can be put forward."""

    def __init__(self) -> None:
        self._origin, self._ahead = monotonic(), timedelta(0)

    def __call__(self) -> datetime:
        return START + self._ahead + timedelta(seconds=monotonic() - self._origin)

    def advance(self, step: timedelta) -> None:
        self._ahead += step


def write(folder: Path) -> Path:
    """A manifest with an artifact per model, and an intelligence snapshot of the same morning."""
    entries = []
    for case in CASES:
        (folder / f"{case.name}.bin").write_bytes(case.name.encode())
        entries.append(
            f"- {{name: {case.name}, unit: {case.unit}, region: {case.region}, owner: {case.unit}-models, "
            f"tier: {case.tier}, purpose: {case.purpose!r}, artifact: {case.name}.bin}}"
        )
    manifest = folder / "holdfast.yaml"
    manifest.write_text("version: 1\nmodels:\n" + "\n".join(entries) + "\n")
    snapshot = {
        "version": 1,
        "id": "morning",
        "dated": to_iso(START - timedelta(hours=2)),
        "advisories": [],
        "techniques": [
            {"id": "AML.T0015", "name": "Evade ML Model", "summary": "Change a case a little until it passes."}
        ],
    }
    (folder / "intel.json").write_text(json.dumps(snapshot))
    return manifest


def observe(tx: Transaction, case: Case, version: str, bump: float = 0.0) -> tuple[Recorded, ...]:
    """What the checks of one version saw."""
    boxes = (0.001, 0.005, 0.01, 0.02, 0.05)
    recalls = [max(0.0, min(0.9, case.recall + bump) * (1.3 - 20 * box)) for box in boxes]
    seen = {
        "scan.artifact": Observation.of(Fact("scan.verdict", case.scan), Fact("scan.format", "xgboost-ubj")),
        "deps.advisories": Observation.of(Fact("package", case.package)),
        "evasion.search": Observation.of(
            *(
                Measurement("evasion.robust_recall", value, "share", {"linf": box}, 200, 0)
                for box, value in zip(boxes, recalls, strict=True)
            ),
            Measurement("evasion.recall", 0.78, "share", {}, 200, 0),
        ),
        "data.contract": Observation.of(Measurement("data.contract.broken_share", 0.0004, "share", {}, 10_000)),
        "quality.performance": Observation.of(Measurement("quality.auc", 0.81, "share", {}, 10_000)),
    }
    records = tuple(
        Recorded(digest([check, case.name, version]), check, 1, case.name, version, observed, tx.now, 1.5)
        for check, observed in seen.items()
    )
    for record in records:
        tx.observations.add(record)
    return records


def audit(holdfast: Holdfast, case: Case, artifact: bytes, bump: float = 0.0) -> str:
    """Register a version, see it and judge it, as an audit would; gives the version."""
    version = digest_bytes(artifact)
    (subject,) = holdfast.manifest.select((case.name,))
    model, policy = subject.model, Policy.builtin("baseline")

    def work(tx: Transaction) -> None:
        tx.models.register(model, ModelVersion(model.name, version, "xgboost-ubj"), {"name": model.name})
        if case.judged:
            records = observe(tx, case, version, bump)
            seen = Subject(model, ModelVersion(model.name, version, ""), frozenset({"tree"}), records)
            intel = Snapshot.load(holdfast.settings.intel)  # type: ignore[arg-type]
            judged = judge(seen, policy, as_of=tx.now, intel=intel, baseline=deployed_baseline(tx, model.name))
            keep(tx, judged, policy, inputs_of(seen))

    holdfast.store.run(work)
    return version


def raise_alert(
    holdfast: Holdfast, model: str, client: str, *, title: str | None = None, technique: str = "AML.T0015"
) -> str:
    """Keep a campaign and raise its alert, as detection does; gives the alert's id."""

    def work(tx: Transaction) -> str:
        now = tx.now
        began = now - timedelta(minutes=24)
        evidence = tuple(
            Evidence(
                "sweep",
                f"client:{client}",
                0.7 + 0.25 * step,
                began + timedelta(minutes=3 * step),
                (f"ev-{step}",),
                ("amount", "merchant_risk"),
                {"queries": 40 + 11 * step, "flips": step},
            )
            for step in range(8)
        )
        campaign = Campaign(
            campaign_id(model, technique, f"client:{client}", to_iso(began)),
            model,
            technique,
            f"client:{client}",
            ("sweep", "near-duplicates"),
            (client,),
            ("amount", "merchant_risk"),
            ("ev-1", "ev-2"),
            len(evidence),
            2.45,
            began,
            now,
            evidence=evidence,
            alerted=True,
        )
        said = title or f"Client {client} probes {model} with near-copies of one case"
        alert = Alert(campaign, tx.models.deployed(model), Severity.HIGH, said, now)
        tx.campaigns.keep(campaign, live=True)
        tx.alerts.add(alert)
        tx.outbox.publish(ALERT, alert.id, {"alert": alert.id, "model": model})
        tx.intend("alert.raised", {"alert": alert.id, "model": model}, about=alert.id)
        return alert.id

    return holdfast.store.run(work)


@dataclass(frozen=True)
class Estate:
    """An estate that is filled, and the secrets to come in with: one token per role, and special ones."""

    holdfast: Holdfast
    clock: Moving
    tokens: dict[str, str]
    alerts: tuple[str, ...]


@contextmanager
def estate(folder: Path, database: str | None = None) -> Iterator[Estate]:
    """Everything that happened on one morning, in a store of its own."""
    clock = Moving()
    settings = Settings(config=write(folder), intel=folder / "intel.json", database=database)
    with Holdfast.open(settings, clock=clock) as holdfast:
        for case in CASES:
            version = audit(holdfast, case, case.name.encode(), bump=0.02)
            holdfast.store.run(lambda tx, name=case.name, version=version: tx.models.deploy(name, version))
        clock.advance(timedelta(hours=3))
        audit(holdfast, CASES[0], b"card-fraud v2", bump=-0.02)
        holdfast.settle()
        alerts = [raise_alert(holdfast, "card-fraud", "c-1041"), raise_alert(holdfast, "churn", "partner-7")]
        holdfast.settle()
        import_feed(holdfast, folder)
        clock.advance(timedelta(minutes=40))
        tokens = holdfast.store.run(_people)
        yield Estate(holdfast, clock, tokens, tuple(alerts))


def _people(tx: Transaction) -> dict[str, str]:
    found = {}
    for role in Role:
        user = add_user(tx, role.value, role, password=PASSWORD if role in (Role.ADMIN, Role.LEAD) else None)
        found[role.value] = add_token(tx, user, "tests", (Scope.WRITE,))[1]
    admin = tx.access.user("admin")
    assert admin is not None
    found["read"] = add_token(tx, admin, "read only", (Scope.READ,))[1]
    found["ingest"] = add_token(tx, admin, "sends events", (Scope.INGEST,))[1]
    lender = add_user(tx, "lender", Role.ANALYST, ("lending",))
    found["lending"] = add_token(tx, lender, "one unit", (Scope.WRITE,))[1]
    return found


OSV = {
    "schema_version": "1.6.0",
    "id": "GHSA-aaaa-bbbb-cccc",
    "aliases": ["CVE-2026-0001"],
    "modified": "2026-01-05T08:00:00Z",
    "summary": "leftpadder runs what its padding names",
    "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "leftpadder"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.3.0"}]}],
        }
    ],
}


def import_feed(holdfast: Holdfast, folder: Path, name: str = "pypa", trust: int = 90) -> None:
    """Register a feed of one advisory that hits `churn`, and read it."""
    file = folder / f"{name}.json"
    file.write_text(json.dumps(OSV))
    feed = Feed(name, "osv", str(file), trust, Ceiling.BLOCK_NEW, Tlp.GREEN, timedelta(days=1))
    holdfast.store.run(lambda tx: register(tx, feed))
    run_import(holdfast.store, name)
    holdfast.settle()


def send_traffic(holdfast: Holdfast, model: str = "credit-default", hours: int = 30) -> None:
    """Hours of ordinary events, kept by the intake and read by detection."""
    contract = Contract.parse(
        "version: 1\nsubject: null\nscale: train-range\n"
        "features:\n  amount: {type: number, min: 0, max: 5000, move: never}\n"
    )
    now = holdfast.clock()
    rows = [
        {
            "event_id": f"{model}-{hour}-{number}",
            "time": to_iso(now - timedelta(hours=hours - hour, minutes=number % 50)),
            "model": model,
            "client": f"branch-{number % 7}",
            "features": {"amount": float((hour * 37 + number * 113) % 4900)},
            "score": ((hour * 13 + number * 29) % 100) / 100,
            "producer": "branches",
            "epoch": 0,
            "sequence": hour * 100 + number,
        }
        for hour in range(hours)
        for number in range(18 + (hour * 7) % 23)
    ]
    with Intake(holdfast.store) as intake:
        intake.append(read_ndjson("".join(json.dumps(row) + "\n" for row in rows).encode(), intake.settings))
    Pipeline(holdfast.store, lambda name: contract if name == model else None).step()
