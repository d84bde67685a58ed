"""Site additions as events: each comes into force, changes and goes once, and the ledger says who and why.

An addition in force is a claim whose cause is its policy, on `import:NAME`; it ends by itself on its last day.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

from holdfast.core.domain.claim import NAME, Cause, Ceiling, Claim
from holdfast.core.domain.ids import JSONValue
from holdfast.core.policy import Policy
from holdfast.core.store import Transaction

if TYPE_CHECKING:
    from holdfast.scan.allowlist import Allowlist

ADDED: Final = "name.added"
WITHDRAWN: Final = "name.withdrawn"
POLICY: Final = "policy"


def refuse(policies: Iterable[Policy], names: Allowlist | None) -> None:
    """Raises PolicyError HF-POL-011 where a policy adds what nobody may add to the list in force."""
    adding = [policy for policy in policies if policy.names]
    if adding:
        from holdfast.scan.additions import refuse_forbidden
        from holdfast.scan.allowlist import Allowlist

        for policy in adding:
            refuse_forbidden(policy.names, names or Allowlist.builtin(), policy.source)


def settle(tx: Transaction, policies: Collection[Policy], *, whole: bool) -> None:
    """Make the claims of additions that came into force, end those of additions that are gone, and say so.

    `whole`: these are all policies of the estate, so that additions of any other are gone too.
    """
    wanted = {claim.id: claim for policy in policies for claim in _claims(policy, tx.now)}
    ids = {policy.id for policy in policies}
    standing = [claim for claim in tx.claims.active(effect=NAME) if claim.cause.kind == POLICY]
    gone = [claim for claim in standing if claim.id not in wanted and (whole or claim.cause.id in ids)]
    if not wanted and not gone:
        return
    tx.claims.end(gone)
    made = tx.claims.make_all(list(wanted.values()))
    said = [(WITHDRAWN, {"policy": claim.cause.id, **claim.body}, claim.id) for claim in gone]
    said += [(ADDED, {"policy": claim.cause.id, **claim.body}, claim.id) for claim in made]
    tx.intents.add_all(said)


def _claims(policy: Policy, now: datetime) -> Iterator[Claim]:
    for one in policy.names:
        if one.in_force(now):
            body: dict[str, JSONValue] = {**one.plain(), "digest": one.digest}
            cause = Cause(POLICY, policy.id)
            yield Claim(cause, NAME, f"import:{one.name}", Ceiling.OBSERVE, now, until=one.ends_at, body=body)
