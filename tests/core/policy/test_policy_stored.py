"""A policy that was kept judges as it did: what is written is read back as the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.core.policy import Policy

BODY = """\
version: 1
id: round
freshness: {high: {intel: 7d, results: 30d}}
isolation: {high: reduced}
required: {any: [scan.artifact]}
rules:
  - {id: one, on: fact, kind: scan.verdict, deny: [blocked, 1, true, 0.5]}
  - {id: two, on: match, severity: ">= high", tiers: [high]}
  - {id: three, on: measure, name: quality.auc, min: 0.6, max: {low: 0.99, high: 0.999}}
ratchet: [{name: quality.auc, worse_by: 0.01}]
cases:
  - {rule: three, given: {quality.auc: 0.5}, expect: failed}
  - {rule: three, given: {quality.auc: 0.7}, expect: passed}
"""


@pytest.mark.parametrize("policy", [Policy.builtin("baseline"), Policy.parse(BODY, "body")], ids=lambda item: item.id)
def test_a_kept_policy_is_the_same(policy: Policy) -> None:
    again = Policy.from_json(policy.to_json(), "kept")
    assert again.file == policy.file
    assert again.digest == policy.digest


def test_the_spelled_out_form_is_for_the_store_only(tmp_path: Path) -> None:
    from holdfast.core.errors import PolicyError

    text = BODY.replace('severity: ">= high"', "severity: {operator: '>=', severity: high}")
    with pytest.raises(PolicyError):
        Policy.parse(text, "body")
