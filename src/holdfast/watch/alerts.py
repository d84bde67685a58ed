"""What people answer to alerts: kept with who and why, told to the loop, and proven by the ledger."""

from __future__ import annotations

from holdfast.core.domain.alert import Alert, AlertState
from holdfast.core.domain.topics import ALERT_CLOSED
from holdfast.core.errors import UsageError
from holdfast.core.store.transaction import Transaction

MAX_WORDS = 2_000


def acknowledge(tx: Transaction, alert_id: str, by: str, reason: str = "") -> Alert:
    """A person has seen the alert. Raises UsageError (HF-WAT-050 to -052)."""
    alert = _open(tx, alert_id, by, reason)
    if alert.state is AlertState.OPEN:
        _answer(tx, alert, AlertState.ACKNOWLEDGED, by, reason)
    return _found(tx, alert_id)


def close(tx: Transaction, alert_id: str, by: str, reason: str) -> Alert:
    """A person is done with the alert, for a reason; its effects end. Raises UsageError (HF-WAT-050 to -052)."""
    if not reason.strip():
        raise UsageError(
            "an alert is not closed without a reason",
            cause="the record of closed alerts is what auditors read",
            fix="say what was found: --reason 'a partner tested its new client'",
            code="HF-WAT-052",
        )
    alert = _open(tx, alert_id, by, reason)
    _answer(tx, alert, AlertState.CLOSED, by, reason)
    tx.outbox.publish(ALERT_CLOSED, alert.id, {"alert": alert.id, "model": alert.model})
    return _found(tx, alert_id)


def _answer(tx: Transaction, alert: Alert, state: AlertState, by: str, reason: str) -> None:
    tx.alerts.set_state(alert.id, state, by=by[:MAX_WORDS], reason=reason[:MAX_WORDS])
    # The ledger outlives people's right to be forgotten: it holds that somebody answered, the store holds who.
    tx.intend(f"alert.{state.value}", {"alert": alert.id, "model": alert.model}, about=alert.id)


def _open(tx: Transaction, alert_id: str, by: str, reason: str) -> Alert:
    if not by.strip() or len(by) > MAX_WORDS or len(reason) > MAX_WORDS:
        raise UsageError(
            "an answer to an alert needs a person",
            cause="no name was given" if not by.strip() else f"name or reason is longer than {MAX_WORDS:,} characters",
            fix="give who answers, and a short reason: --by ana@bank.example --reason 'known test'",
            code="HF-WAT-052",
        )
    alert = _found(tx, alert_id)
    if alert.state is AlertState.CLOSED:
        raise UsageError(
            f"the alert {alert_id} is closed already",
            cause="a closed alert stays in the record as it is",
            fix=f"read what was said: holdfast watch show {alert_id}",
            code="HF-WAT-051",
        )
    return alert


def _found(tx: Transaction, alert_id: str) -> Alert:
    alert = tx.alerts.find(alert_id)
    if alert is None:
        raise UsageError(
            f"there is no alert '{alert_id}'",
            cause="none with this id was raised in this store",
            fix="list them: holdfast watch alerts",
            code="HF-WAT-050",
        )
    return alert
