"""Stored facts are judged again: by a site's additions, by another list, and never by less than was seen."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.domain import Fact, Measurement, Observation
from holdfast.core.domain.addition import NameAddition
from holdfast.scan.again import ADDITION, COUNT, DROPPED, NAMES, VERDICT, concluded, judged_again
from holdfast.scan.allowlist import Allowlist
from holdfast.scan.allowlist.header import sealed

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = datetime(2027, 5, 1, tzinfo=UTC)
BUILTIN = Allowlist.builtin()
OURS = NameAddition("acme.models.Scorer", "n", "our scorer", "R. Meyer", date(2026, 11, 1), date(2027, 5, 1))
USES = (Fact("import", "acme.models.Scorer", 2), Fact("construct", "acme.models.Scorer", 9))
FACTS = st.lists(
    st.builds(
        Fact,
        st.sampled_from(["import", "call", "construct", "argument", "secret", "malformed", "scan.format"]),
        st.sampled_from(["acme.models.Scorer", "os.system", "numpy.ndarray", "somebody.Model"]),
    ),
    max_size=6,
)


def observed(facts=USES) -> Observation:
    said, count = concluded(facts, BUILTIN)
    return Observation.of(said, facts, Measurement("other", 1.0, "s"), count)


def values(seen: Observation, kind: str) -> list[object]:
    return [fact.value for fact in seen.facts if fact.kind == kind]


def test_an_addition_makes_a_stored_observation_clean_and_says_so():
    seen = judged_again(observed(), [OURS], NOON)
    assert values(observed(), VERDICT) == ["unknown"]
    assert values(seen, VERDICT) == ["clean"]
    assert values(seen, ADDITION) == ["acme.models.Scorer"]
    (verdict, addition) = (fact for fact in seen.facts if fact.kind in (VERDICT, ADDITION))
    assert verdict.detail == "by 1 addition of this site; unknown without"
    assert addition.detail == "mode n until 2027-05-01, R. Meyer: our scorer"
    assert {one.name: one.value for one in seen.measurements} == {"other": 1.0, COUNT: 1}
    assert [fact for fact in seen.facts if fact in USES] == [*USES]


def test_an_addition_that_ended_or_was_withdrawn_leaves_nothing_behind():
    seen = judged_again(observed(), [OURS], NOON)
    assert judged_again(seen, [OURS], LATER) == observed()
    assert judged_again(seen, [], NOON) == observed()


@given(FACTS, st.booleans())
def test_judging_again_repeats_itself_and_comes_back(facts, used):
    seen = observed(facts)
    again = judged_again(seen, [OURS] if used else [], NOON)
    assert judged_again(again, [OURS] if used else [], NOON) == again
    assert judged_again(again, [], NOON) == seen
    order = ["clean", "review", "unknown", "blocked"]
    assert bool(values(again, ADDITION)) or order.index(*values(again, VERDICT)) >= order.index(*values(seen, VERDICT))


def test_what_was_not_kept_whole_is_not_judged_again():
    half = observed()
    half = replace(half, facts=(*half.facts, Fact(DROPPED, 5)))
    assert judged_again(half, [OURS], NOON) is half
    old = replace(half, facts=tuple(fact for fact in observed().facts if fact.kind != NAMES))
    assert judged_again(old, [OURS], NOON) is old
    unknown = Observation.unknown("no file", *observed().facts)
    assert judged_again(unknown, [OURS], NOON) is unknown


def test_another_list_judges_stored_facts_and_is_named():
    document = {
        "schema": 2,
        "header": {"generator": 1, "python": "3.11", "generations": []},
        "covered": ["acme"],
        "standard": [],
        "aliases": [],
        "names": {"acme.models": {"c": "Scorer"}},
    }
    other = Allowlist.parse(json.dumps(sealed(document, date(2026, 12, 1))).encode())
    seen = judged_again(observed(), [], NOON, other)
    assert (values(seen, VERDICT), values(seen, NAMES)) == (["clean"], [other.version])
    assert values(seen, ADDITION) == []
    assert judged_again(seen, [], NOON) == observed()


def test_without_additions_and_by_the_same_list_nothing_is_made_anew():
    seen = observed()
    assert judged_again(seen, [], NOON) is seen
    assert judged_again(seen, [], NOON, BUILTIN) is seen
