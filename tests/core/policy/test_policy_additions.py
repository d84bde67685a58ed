"""Names that a policy adds: written exactly, for a time, by somebody, and part of what the policy means."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.domain.addition import FAMILIES, NEVER
from holdfast.core.errors import PolicyError
from holdfast.core.policy import Policy

HEAD = "version: 1\nid: ours\nrequired: {any: [scan.artifact]}\n"
GOOD = {
    "name": "acme.models.Scorer",
    "mode": "n",
    "reason": "our scorer",
    "who": "R. Meyer",
    "since": "2026-11-01",
    "until": "2027-05-01",
}


def policy(**changed: object) -> Policy:
    entry = ", ".join(f"{key}: {value}" for key, value in {**GOOD, **changed}.items() if value is not None)
    return Policy.parse(f"{HEAD}names:\n  - {{{entry}}}\n", "policy.yaml")


def test_an_addition_is_read_and_kept() -> None:
    (one,) = policy().names
    assert (one.name, one.mode, one.who, one.reason) == ("acme.models.Scorer", "n", "R. Meyer", "our scorer")
    assert not one.in_force(datetime(2026, 10, 31, 23, 59, tzinfo=UTC))
    assert one.in_force(datetime(2026, 11, 1, tzinfo=UTC))
    assert not one.in_force(datetime(2027, 5, 1, tzinfo=UTC))
    assert Policy.from_json(policy().to_json(), "kept").names == policy().names
    assert Policy.from_json(policy().to_json(), "kept").digest == policy().digest


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        *((({key: None}), f"missing key '{key}'") for key in GOOD),
        ({"until": "2026-11-01"}, "`until` lies after `since`"),
        ({"until": "2027-11-03"}, "at most 366 days"),
        ({"until": "soon"}, "write a day"),
        ({"until": 20270501}, "write a day"),
        ({"mode": "r"}, "mode"),
        ({"mode": "d"}, "mode"),
        ({"reason": "''"}, "reason"),
        ({"who": "' '"}, "who"),
        ({"name": "acme"}, "name"),
        ({"name": "acme.*"}, "name"),
        ({"name": "acme..Scorer"}, "name"),
        ({"name": "acme.models.Scörer"}, "name"),
        ({"name": "acme.__class__.Base"}, "never reached"),
        ({"name": "acme.os.system"}, "'os' is never reached"),
        ({"name": "os.system"}, "names of 'os' are never added"),
        ({"name": "subprocess.Popen"}, "never added"),
        ({"name": "builtins.eval"}, "never added"),
        ({"name": "__builtin__.exec"}, "never added"),
        ({"name": "importlib.import_module"}, "never added"),
        ({"name": "__main__.Scorer"}, "never added"),
        ({"approved": "yes"}, "unknown key 'approved'"),
    ],
)
def test_what_is_wrong_is_refused_with_the_reason(changed: dict[str, object], says: str) -> None:
    with pytest.raises(PolicyError) as refused:
        policy(**changed)
    assert refused.value.code in ("HF-POL-001", "HF-POL-002")
    assert says in f"{refused.value.message} {refused.value.cause}"


@given(st.sampled_from(sorted(NEVER | FAMILIES)), st.lists(st.from_regex(r"[a-z]{1,5}", fullmatch=True), max_size=3))
def test_no_name_of_a_family_is_ever_added(family: str, parts: list[str]) -> None:
    inside = ".".join([family, *parts, "Thing"])
    for name in (inside, f"acme.{family}.Thing") if family in FAMILIES else (inside,):
        with pytest.raises(PolicyError):
            policy(name=name)


def test_a_name_is_added_once() -> None:
    entry = ", ".join(f"{key}: {value}" for key, value in GOOD.items())
    with pytest.raises(PolicyError, match="wrong value") as refused:
        Policy.parse(f"{HEAD}names:\n  - {{{entry}}}\n  - {{{entry}}}\n", "policy.yaml")
    assert "added twice" in refused.value.cause


@pytest.mark.parametrize("key", GOOD)
def test_all_that_an_addition_says_is_part_of_the_policy(key: str) -> None:
    other = {"name": "acme.X", "mode": "v", "since": "2026-11-02", "until": "2027-04-01"}.get(key, "someone else")
    assert policy(**{key: other}).digest != policy().digest
    assert policy(**{key: other}).names[0].digest != policy().names[0].digest


def test_a_policy_without_additions_means_what_it_always_meant() -> None:
    plain = Policy.parse(HEAD, "policy.yaml")
    assert plain.names == ()
    assert plain.digest == Policy.parse(f"{HEAD}names: []\n", "policy.yaml").digest
    assert plain.digest != policy().digest


def test_a_rule_may_not_take_the_name_of_the_note() -> None:
    text = f"{HEAD}rules: [{{id: names, on: fact, kind: scan.verdict, deny: [blocked]}}]\n"
    with pytest.raises(PolicyError) as refused:
        Policy.parse(text, "policy.yaml")
    assert "reserved" in refused.value.cause


def test_the_digest_tells_additions_apart() -> None:
    (one,) = policy().names
    assert replace(one, who="someone").digest != one.digest == replace(one).digest
