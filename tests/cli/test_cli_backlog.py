"""`holdfast backlog` as typed: what is printed, what is refused, and that a dry run leaves nothing behind."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from holdfast.backlog.sync import sync
from holdfast.cli.main import run
from holdfast.core.domain import (
    Fact,
    Finding,
    Judgement,
    Observation,
    Reason,
    Recorded,
    Severity,
    Verdict,
    digest,
    fingerprint,
)
from holdfast.core.domain.backlog import item_id
from holdfast.core.store import Store

FOUND = Finding(
    fingerprint("credit", "evasion.search", "AML.T0015", ""),
    "robust-recall",
    Severity.HIGH,
    "AML.T0015",
    "credit",
    "evasion.search",
    "recall is 0.05 \x1b[31m",
)
ITEM = item_id(FOUND.fingerprint)


@pytest.fixture
def work(repository: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A repository whose store knows one finding, as if it had been judged."""
    assert run(["estate", "register"]) == 0
    with Store.open(None, repository / ".holdfast") as store:
        (version,) = store.run(lambda tx: tx.models.versions("credit"))
        now, reasons = datetime.now(UTC), (Reason("robust-recall", Verdict.FAILED, "w", "f"),)
        for check in ("evasion.search", "data.contract"):
            seen = Observation.of(Fact("kind", "value"))
            record = Recorded(digest(check), check, 1, "credit", version.digest, seen, now, 0.1)
            store.run(lambda tx, one=record: tx.observations.add(one))
        key, policy = digest("judgement"), digest("policy")
        judged = Judgement(
            key, "credit", version.digest, Verdict.FAILED, True, reasons, (FOUND,), "b", policy, policy, now, None
        )
        store.run(lambda tx: tx.judgements.add(judged))
        store.run(lambda tx: sync(tx, "credit", f"check:{key}"))
    capsys.readouterr()
    return repository


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert run(["backlog", *words]) == code
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return captured.out if code == 0 else captured.err


def as_json(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    value = json.loads(said(capsys, *words, "--format", "json"))
    assert list(value)[:2] == ["schema_version", "as_of"]
    return value


def test_the_list_prints_every_reason_and_no_escape_codes(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "list")
    assert text.startswith("DEFER  itm_")
    for word in ("exploitation: ", "exposure: ", "utility: ", "impact: tier medium", "tie-break: "):
        assert word in text
    assert "\x1b" not in text
    (row,) = as_json(capsys, "list")["items"]
    assert (row["id"], row["state"], row["tier"]) == (ITEM, "open", "medium")
    assert as_json(capsys, "list", "--as-of", "2020-01-01T00:00:00Z")["items"] == []
    assert "nothing to do" in said(capsys, "list", "--model", "other")


def test_an_item_moves_and_a_dry_run_does_not(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dry = as_json(capsys, "claim", ITEM[:9], "--by", "ana", "--dry-run")
    assert dry["item"]["state"] == "claimed"
    assert as_json(capsys, "show", ITEM)["item"]["state"] == "open"
    assert as_json(capsys, "start", ITEM, "--by", "ana")["item"]["state"] == "active"
    text = said(capsys, "claim", ITEM, "--by", "ana", "--why", "done")
    assert "claimed" in text
    assert "person:ana" in text
    shown = as_json(capsys, "show", ITEM)
    assert [row["step"] for row in shown["history"]] == ["opened", "started", "claimed"]
    assert all(leaf is not None for _, leaf in shown["leaves"])


def test_a_sprint_from_plan_to_close(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    span = ("--starts", "2026-01-05", "--ends", "2026-01-09", "--by", "ana")
    assert "0 of 5 points" in said(capsys, "sprint", "create", "small", *span, "--capacity", "5")
    assert "needs 8 points, 5 are left" in said(capsys, "sprint", "plan", "small", "--by", "ana")
    said(capsys, "sprint", "create", "large", *span, "--capacity", "8", "--dry-run")
    assert "HF-BLG-004" in said(capsys, "sprint", "plan", "large", "--by", "ana", code=2)
    said(capsys, "sprint", "create", "large", *span, "--capacity", "8")
    assert len(as_json(capsys, "sprint", "plan", "large", "--by", "ana")["taken"]) == 1
    board = as_json(capsys, "sprint", "show", "large")
    assert board["burn_down"]["series"][0]["name"] == "not proven"
    assert "large" in said(capsys, "sprint", "show")
    assert "planned (8 points)" in said(capsys, "sprint", "show", "large")
    said(capsys, "sprint", "close", "large", "--by", "ana")
    assert as_json(capsys, "show", ITEM)["item"]["state"] == "open"
    assert "points proven a day" in said(capsys, "measures")
    assert as_json(capsys, "measures")["found"] == 1


def test_trackers_are_listed_and_removed(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("tracker", "add", "work", "--url", "https://127.0.0.1:1", "--project", "a/b", "--by", "ana")
    said(capsys, *words, "--dry-run")
    assert as_json(capsys, "tracker", "list")["trackers"] == []
    said(capsys, *words)
    assert as_json(capsys, "tracker", "list")["trackers"][0]["waiting"] == 1
    assert "1 waiting" in said(capsys, "sync", "--dry-run")
    assert "HF-BLG-013" in said(capsys, "sync", code=2)
    said(capsys, "tracker", "remove", "work", "--by", "ana")
    assert "0 sent" in said(capsys, "sync")


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("show", "itm_none"), 2, "HF-BLG-001"),
        (("show", ""), 2, "HF-BLG-001"),
        (("claim", ITEM, "--by", "a b"), 2, "HF-BLG-003"),
        (("approve", ITEM, "--by", "ben"), 2, "HF-BLG-009"),
        (("withdraw", ITEM, "--by", "ben"), 2, "HF-BLG-009"),
        (("sprint", "show", "nope"), 2, "HF-BLG-004"),
        (("tracker", "remove", "nope", "--by", "ana"), 2, "HF-BLG-012"),
        (("tracker", "add", "x", "--url", "http://u:p@h", "--project", "a/b", "--by", "ana"), 2, "HF-BLG-012"),
        (
            ("sprint", "create", "s", "--starts", "5.1.26", "--ends", "x", "--capacity", "1", "--by", "a"),
            2,
            "HF-USE-001",
        ),
        (("list", "--as-of", "yesterday"), 2, "HF-USE-001"),
    ],
)
def test_wrong_input_has_a_code(
    work: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, error: str
) -> None:
    assert error in said(capsys, *words, code=code)


@pytest.mark.parametrize(
    ("changes", "code", "error"),
    [
        ({"--until": "2020-01-01T00:00:00Z"}, 2, "HF-BLG-006"),
        ({"--until": "2100-01-01T00:00:00Z"}, 2, "HF-BLG-006"),
        ({"--check": "evasion.search"}, 2, "HF-BLG-007"),
        ({"--approver": "ana"}, 4, "HF-BLG-005"),
    ],
)
def test_what_cannot_be_accepted_has_a_code(
    work: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, str], code: int, error: str
) -> None:
    soon = datetime.now(UTC).replace(year=datetime.now(UTC).year + 1, month=1, day=1).isoformat()
    asked = {"--owner": "ana", "--until": soon, "--check": "data.contract", "--reason": "r", **changes}
    flags = [word for pair in asked.items() for word in pair]
    assert error in said(capsys, "accept", ITEM, *flags, code=code)
    assert [row["step"] for row in as_json(capsys, "show", ITEM)["history"]] == ["opened"]
