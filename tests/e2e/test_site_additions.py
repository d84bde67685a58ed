"""A site's addition from policy to verdict: nothing is looked at again, nothing is silent, and it ends by itself."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from holdfast.app import Holdfast, Judged
from holdfast.core.domain import FrozenClock, Verdict
from holdfast.core.errors import PolicyError, SignatureError
from holdfast.core.ledger import verify_ledger
from holdfast.core.settings import Settings
from holdfast.core.sign import SigningKey
from holdfast.scan.allowlist import Allowlist
from holdfast.scan.allowlist.header import as_bytes, sealed
from holdfast.scan.allowlist.signed import sign_list

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
MANIFEST = """\
version: 1
models:
  - name: scorer
    unit: cards
    region: eu
    owner: cards-ml@bank.example
    tier: high
    purpose: Score applications.
    artifact: ours.pkl
    policy: policy.yaml
"""
POLICY = """\
version: 1
id: ours
unknown_blocks: [high]
required: {any: [scan.artifact]}
"""
ADDS = """\
names:
  - {name: acme.models.Scorer, mode: n, reason: our own scorer, who: R. Meyer, since: 2026-11-01, until: 2026-12-01}
"""


class Site:
    """A folder with one model of a class of the site's own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, FrozenClock(NOW)
        (folder / "ours.pkl").write_bytes(b"\x80\x02cacme.models\nScorer\n)\x81.")
        (folder / "holdfast.yaml").write_text(MANIFEST)
        self.policy("")

    def policy(self, more: str) -> None:
        (self.folder / "policy.yaml").write_text(POLICY + more)

    def open(self, **more: Any) -> Holdfast:
        chosen = Settings(config=self.folder / "holdfast.yaml", home=self.folder / "home", workers=1, **more)
        return Holdfast.open(chosen, clock=self.clock)

    def audit(self, **more: Any) -> Judged:
        with self.open(**more) as holdfast:
            return holdfast.audit()

    def entries(self) -> list[str]:
        """The kinds of ledger entries on names, in order."""
        with self.open() as holdfast:
            assert verify_ledger(holdfast.ledger.folder, holdfast.public_key).exit_code == 0
            with holdfast.store.reading() as tx:
                entries = (json.loads(entry) for entry in tx.intents.entries(0, tx.intents.state().size))
                return [entry["kind"] for entry in entries if entry["kind"].startswith("name.")]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def seen(judged: Judged, kind: str) -> list[object]:
    (result,) = (one for one in judged.audit.models[0].results if one.work.check == "scan.artifact")
    return [fact.value for fact in result.observation.facts if fact.kind == kind]


def verdict(judged: Judged) -> Verdict:
    return judged.judgements[0].verdict


def test_an_addition_judges_and_looks_at_nothing_again(site: Site) -> None:
    before = site.audit()
    assert (verdict(before), seen(before, "scan.names")) == (Verdict.UNKNOWN, [Allowlist.builtin().version])
    site.policy(ADDS)
    (site.folder / "ours.pkl").chmod(0o444)
    after = site.audit()
    assert all(result.cached for result in after.audit.models[0].results if result.recorded is not None)
    assert (verdict(after), seen(after, "scan.addition")) == (Verdict.PASSED, ["acme.models.Scorer"])
    (note,) = (reason for reason in after.judgements[0].reasons if reason.rule == "names")
    assert "acme.models.Scorer added by this policy (mode n until 2026-12-01, R. Meyer: our own scorer)" in note.why
    assert after.judgements[0].valid_until == datetime(2026, 12, 1, tzinfo=UTC)
    site.policy("")
    assert verdict(site.audit()) is Verdict.UNKNOWN
    assert site.entries() == ["name.added", "name.withdrawn"]


def test_an_addition_ends_by_itself_and_its_models_are_judged_again(site: Site) -> None:
    site.policy(ADDS)
    assert verdict(site.audit()) is Verdict.PASSED
    site.clock.advance(timedelta(days=10))
    (site.folder / "ours.pkl").write_bytes(b"not looked at")
    with site.open() as holdfast:
        holdfast.settle()
        with holdfast.store.reading() as tx:
            latest = tx.judgements.latest("scorer")
    assert latest is not None
    assert latest.verdict is Verdict.UNKNOWN
    assert site.entries() == ["name.added", "name.ended"]


def test_an_addition_that_nobody_may_make_stops_the_audit(site: Site) -> None:
    site.policy(ADDS.replace("acme.models.Scorer", "fabric.Connection"))
    with pytest.raises(PolicyError):
        site.audit()


def test_a_ratchet_counts_additions(site: Site) -> None:
    site.policy(ADDS + "ratchet: [{name: scan.additions, worse_by: 0}]\ncases:\n" + CASES)
    first = site.audit()
    assert verdict(first) is Verdict.PASSED
    with site.open() as holdfast, holdfast.store.transaction() as tx:
        tx.models.deploy("scorer", first.judgements[0].version)
    assert verdict(site.audit()) is Verdict.PASSED, "no more additions than the one in production"
    two = b"\x80\x02(cacme.models\nScorer\n)\x81cacme.models\nOther\n)\x81l."
    (site.folder / "ours.pkl").write_bytes(two)
    more = ADDS + ADDS.removeprefix("names:\n").replace("Scorer", "Other")
    site.policy(more + "ratchet: [{name: scan.additions, worse_by: 0}]\ncases:\n" + CASES)
    worse = site.audit()
    assert verdict(worse) is Verdict.FAILED
    assert "scan.additions went from 1 to 2 names" in " ".join(reason.why for reason in worse.judgements[0].reasons)


CASES = """\
  - {rule: "ratchet:scan.additions", given: {scan.additions: 1}, baseline: {scan.additions: 0}, expect: failed}
  - {rule: "ratchet:scan.additions", given: {scan.additions: 1}, baseline: {scan.additions: 1}, expect: passed}
"""


def test_a_newer_list_judges_what_was_seen_by_an_older_one(site: Site) -> None:
    assert verdict(site.audit()) is Verdict.UNKNOWN
    document = {
        "schema": 2,
        "header": {"generator": 1, "python": "3.11", "generations": []},
        "covered": ["acme"],
        "standard": [],
        "aliases": [],
        "names": {"acme.models": {"n": "Scorer"}},
    }
    newer = sealed(document, date(2099, 1, 1))
    (site.folder / "names.json").write_bytes(sign_list(as_bytes(newer), key := SigningKey.generate()))
    with pytest.raises(SignatureError):
        site.audit(names=site.folder / "names.json")
    (site.folder / "home" / "keys" / "trusted").mkdir(parents=True, exist_ok=True)
    key.public.save(site.folder / "home" / "keys" / "trusted" / "names.pub")
    after = site.audit(names=site.folder / "names.json")
    assert all(result.cached for result in after.audit.models[0].results if result.recorded is not None)
    header: Any = newer["header"]
    assert (verdict(after), seen(after, "scan.names")) == (Verdict.PASSED, [header["version"]])
    assert seen(after, "scan.addition") == []
    assert verdict(site.audit()) is Verdict.UNKNOWN, "without the setting the list inside judges again"
