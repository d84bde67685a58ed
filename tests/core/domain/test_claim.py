"""Effects derived from claims: causes overlap, people decide otherwise, and every undo comes out where it began."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.domain.claim import ALLOW, PERSON, Cause, Ceiling, Claim, derive, state_digest

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)

causes = st.builds(Cause, st.sampled_from(["intel", "alert", PERSON]), st.sampled_from("abc"))
claims = st.lists(
    st.builds(
        Claim,
        causes,
        st.sampled_from(["deny", "throttle", ALLOW]),
        st.sampled_from(["package:x", "model:m"]),
        st.sampled_from(list(Ceiling)),
        since=st.sampled_from([NOON - HOUR, NOON, NOON + HOUR]),
        until=st.sampled_from([None, NOON, NOON + HOUR]),
        body=st.sampled_from([{}, {"per_minute": 5}, {"per_minute": 30}]),
    ),
    max_size=8,
    unique_by=lambda claim: claim.id,
)


def deny(cause: str, ceiling: Ceiling = Ceiling.BLOCK_NEW, target: str = "package:x") -> Claim:
    return Claim(Cause.parse(cause), "deny", target, ceiling, NOON - HOUR)


def test_overlapping_causes_end_one_by_one() -> None:
    a, b = deny("intel:a"), deny("intel:b")
    before = derive([], NOON)
    both = derive([a, b], NOON)
    assert [effect.causes for effect in both] == [("intel:a", "intel:b")]
    one = derive([replace(a, withdrawn_at=NOON), b], NOON)
    assert [(effect.target, effect.causes) for effect in one] == [("package:x", ("intel:b",))]
    none = derive([replace(a, withdrawn_at=NOON), replace(b, withdrawn_at=NOON)], NOON)
    assert state_digest(none) == state_digest(before)


def test_the_highest_ceiling_counts() -> None:
    (effect,) = derive([deny("intel:a", Ceiling.WARN), deny("intel:b", Ceiling.QUARANTINE)], NOON)
    assert effect.ceiling is Ceiling.QUARANTINE


def test_a_person_keeps_automatic_effects_off_and_may_still_order() -> None:
    allow = Claim(Cause(PERSON, "ann"), ALLOW, "package:x", Ceiling.BLOCK_NEW, NOON - HOUR)
    assert [effect.effect for effect in derive([deny("intel:a"), allow], NOON)] == [ALLOW]
    effects = derive([deny("intel:a"), deny("person:bob"), allow], NOON)
    assert [(effect.effect, effect.causes) for effect in effects] == [
        (ALLOW, ("person:ann",)),
        ("deny", ("person:bob",)),
    ]


def test_only_a_person_can_allow() -> None:
    allow = Claim(Cause("intel", "b"), ALLOW, "package:x", Ceiling.BLOCK_NEW, NOON - HOUR)
    assert [effect.effect for effect in derive([deny("intel:a"), allow], NOON)] == ["deny"]


@pytest.mark.parametrize(("at", "active"), [(-1, False), (0, True), (1, True), (2, False)])
def test_a_claim_begins_and_ends(at: int, active: bool) -> None:
    claim = Claim(Cause("intel", "a"), "deny", "package:x", Ceiling.WARN, NOON, until=NOON + 2 * HOUR)
    assert claim.active(NOON + at * HOUR) is active


@given(claims, st.randoms())
def test_order_is_nothing(made: list[Claim], random: object) -> None:
    shuffled = list(made)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert derive(made, NOON) == derive(shuffled, NOON)


@given(claims, causes)
def test_withdrawing_a_cause_is_as_if_it_never_was(made: list[Claim], gone: Cause) -> None:
    ended = [replace(claim, withdrawn_at=NOON) if claim.cause == gone else claim for claim in made]
    without = [claim for claim in made if claim.cause != gone]
    assert derive(ended, NOON) == derive(without, NOON)
    assert state_digest(derive(ended, NOON)) == state_digest(derive(without, NOON))


@given(claims)
def test_no_effect_is_stronger_than_its_claims(made: list[Claim]) -> None:
    for effect in derive(made, NOON):
        mine = [claim for claim in made if (claim.effect, claim.target) == (effect.effect, effect.target)]
        assert effect.ceiling <= max(claim.ceiling for claim in mine)
        assert set(effect.causes) <= {str(claim.cause) for claim in mine if claim.active(NOON)}


@pytest.mark.parametrize("text", ["", "intel", "intel:", ":a"])
def test_a_cause_has_a_kind_and_a_name(text: str) -> None:
    with pytest.raises(ValueError, match="kind:id"):
        Cause.parse(text)


def test_a_cause_may_hold_colons() -> None:
    assert Cause.parse("intel:a:b") == Cause("intel", "a:b")
