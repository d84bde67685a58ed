"""What people may attest, and what is refused before it is kept."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from holdfast.comply.attest import Wish, attest
from holdfast.core.domain import digest_bytes
from holdfast.core.errors import UsageError
from ledgered_bank import Bank


def tried(bank: Bank, dry_run: bool = False, **said: Any) -> Any:
    wish = Wish(**{"what": "doc:dpia", "by": "A. Person", "statement": "it is so", **said})
    with bank.store.transaction() as tx:
        return attest(tx, wish, bank.clock, dry_run=dry_run)


def test_an_attestation_is_kept_with_its_digest_and_clauses(small_bank: Bank, tmp_path: Path) -> None:
    small_bank.register()
    file = tmp_path / "dpia.pdf"
    file.write_bytes(b"%PDF")
    kept = tried(small_bank, file=file, model="limits", clauses=("gdpr 35(1)",), by=" A. Person ")
    assert (kept.digest, kept.document, kept.by) == (digest_bytes(b"%PDF"), "dpia.pdf", "A. Person")
    assert kept.clauses == ("GDPR 35(1)",)
    with small_bank.store.reading() as tx:
        assert tx.attestations.find(kept.id) == kept


def test_a_dry_run_keeps_nothing(small_bank: Bank) -> None:
    kept = tried(small_bank, dry_run=True)
    with small_bank.store.reading() as tx:
        assert tx.attestations.find(kept.id) is None
        assert tx.intents.count_pending() == 0


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ({"what": "dpia"}, "kind:theme"),
        ({"what": "dcument:dpia"}, "no evidence of kind"),
        ({"what": "audit:evasion"}, "only the platform"),
        ({"what": "doc:Nö"}, "kind:theme"),
        ({"by": "  "}, "--by"),
        ({"statement": "x" * 501}, "--statement"),
        ({"clauses": ("GDPR 35(9)",)}, "no clause"),
        ({"clauses": ("GDPR",)}, "no clause"),
        ({"model": "limit"}, "no model"),
        ({"file": Path("nowhere.pdf")}, "cannot be read"),
    ],
)
def test_what_contradicts_itself_is_refused(small_bank: Bank, said: dict[str, Any], cause: str) -> None:
    with pytest.raises(UsageError, match=cause) as fault:
        tried(small_bank, **said)
    assert fault.value.code == "HF-CPL-010"


def test_an_end_lies_after_its_beginning(small_bank: Bank) -> None:
    now = small_bank.clock()
    with pytest.raises(UsageError, match="end before it begins"):
        tried(small_bank, expires_at=now)
    assert tried(small_bank, effective_at=now - timedelta(days=2), expires_at=now).expires_at == now
