"""Applicability: rules answer for every model, say why, and what is not declared never exempts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.comply.applies import FLAGS, MAX_DEPTH, MAX_LENGTH, WORDS, Facts, Rule
from holdfast.core.domain import Model, People, Task, Tier


def facts(**changes: object) -> Facts:
    said = {"name": "m", "unit": "u", "region": "eu", "owner": "o", "tier": Tier.HIGH, "purpose": "p"}
    endpoint = bool(changes.pop("endpoint", False))
    return Facts.of(Model(task=Task("binary"), **{**said, **changes}), endpoint=endpoint)  # type: ignore[arg-type]


CREDIT = "region in [eu] and use in [credit] and people.decides_on"
ON_PEOPLE = People(True, True, False)


@pytest.mark.parametrize(
    ("rule", "model", "applies", "why"),
    [
        ("all", {}, True, "applies because it holds for every model"),
        (CREDIT, {"use": ("credit",), "people": ON_PEOPLE}, True, "use is credit"),
        (CREDIT, {"use": ("fraud",), "people": ON_PEOPLE}, False, "does not apply because use is fraud, not credit"),
        (CREDIT, {"use": ("credit", "fraud"), "people": ON_PEOPLE}, True, "use is credit, fraud"),
        (CREDIT, {"people": ON_PEOPLE}, True, "counts as applying: use is not declared in the manifest"),
        (CREDIT, {"use": ("credit",)}, True, "counts as applying: people.decides_on is not declared in the manifest"),
        (CREDIT, {"use": ("fraud",)}, False, "use is fraud, not credit"),
        (CREDIT, {"region": "us", "use": ("credit",)}, False, "does not apply because region is us"),
        ("region in [eu]", {"region": "eu-west"}, True, "region is eu-west"),
        ("region in [eu]", {"region": "europe"}, False, "region is europe"),
        ("region in [eu]", {"region": "global"}, True, "region is global"),
        ("tier >= high", {"tier": Tier.CRITICAL}, True, "tier is critical"),
        ("tier >= high", {"tier": Tier.MEDIUM}, False, "tier is medium"),
        ("tier < high or endpoint", {"endpoint": True}, True, "applies because endpoint is true"),
        ("not (tier = low or endpoint)", {"tier": Tier.LOW}, False, "tier is low"),
        ("not people.automated", {}, True, "people.automated is not declared"),
        ("not use in [assistant]", {"use": ("aml",)}, True, "use is aml, not assistant"),
        ("use != assistant", {"use": ("assistant",)}, False, "use is assistant"),
        ("unit = u and task != multiclass", {}, True, "unit is u and task is binary"),
    ],
)
def test_a_rule_answers_with_its_reason(rule: str, model: dict[str, object], applies: bool, why: str) -> None:
    found = Rule.parse(rule).on(facts(**model))
    assert found.applies is applies
    assert why in found.why
    assert found.declared is not found.why.startswith("counts as")


@pytest.mark.parametrize(
    ("rule", "cause"),
    [
        ("", "ends where"),
        ("tier", "ends where"),
        ("tier >= enormous", "a tier is one of"),
        ("region >= eu", "only a tier has an order"),
        ("colour = red", "no fact of a model"),
        ("people.decides_on and", "ends where"),
        ("(all", "')' is needed"),
        ("all all", "unexpected 'all'"),
        ("use in credit", "'[' is needed"),
        ("use in []", "a word is needed"),
        ("use ~ credit", "cannot be read"),
        ("use credit", "compares nothing"),
        ("not " * (MAX_DEPTH + 1) + "all", "nested"),
        ("a" * (MAX_LENGTH + 1), "at most"),
    ],
)
def test_what_is_no_rule_is_refused(rule: str, cause: str) -> None:
    with pytest.raises(ValueError, match=cause.replace("(", r"\(").replace("[", r"\[").replace(")", r"\)")):
        Rule.parse(rule)


names = st.sampled_from(["eu", "us", "eu-west", "global", "credit", "fraud", "assistant", "binary"])
tests = (
    st.sampled_from(["all", *FLAGS])
    | st.builds("tier {} {}".format, st.sampled_from([">=", "<=", "<", ">", "=", "!="]), st.sampled_from(list(Tier)))
    | st.builds("{} {} {}".format, st.sampled_from(WORDS[1:]), st.sampled_from(["=", "!="]), names)
    | st.builds("{} in [{}, {}]".format, st.sampled_from(WORDS[1:]), names, names)
)
rules = st.recursive(
    tests,
    lambda part: (
        st.builds("not {}".format, st.builds("({})".format, part))
        | st.builds("({} and {})".format, part, part)
        | st.builds("({} or {})".format, part, part)
    ),
    max_leaves=6,
)
flag = st.sampled_from([None, True, False])
models = st.builds(
    Facts,
    tier=st.sampled_from(list(Tier)),
    region=names,
    unit=names,
    task=names,
    use=st.lists(names, max_size=2, unique=True).map(tuple),
    flags=st.tuples(flag, flag, flag, flag).map(lambda values: tuple(zip(FLAGS, values, strict=True))),
)


@given(rules, models)
def test_every_rule_answers_for_every_model(rule: str, model: Facts) -> None:
    found = Rule.parse(rule).on(model)
    assert found.why
    assert found == Rule.parse(rule).on(model)
    if not found.applies:
        assert found.declared


@given(rules, models)
def test_a_rule_and_its_opposite_never_both_exempt(rule: str, model: Facts) -> None:
    one, other = Rule.parse(rule).on(model), Rule.parse(f"not ({rule})").on(model)
    assert one.applies or other.applies
    assert one.declared is other.declared
    if one.declared:
        assert one.applies is not other.applies


@given(rules, models, st.sampled_from(FLAGS), st.booleans())
def test_to_declare_more_never_makes_a_decided_rule_undecided(rule: str, model: Facts, name: str, value: bool) -> None:
    parsed = Rule.parse(rule)
    before = parsed.on(model)
    if before.declared and dict(model.flags)[name] is None:
        more = Facts(
            model.tier,
            model.region,
            model.unit,
            model.task,
            model.use,
            tuple({**dict(model.flags), name: value}.items()),
        )
        assert parsed.on(more).applies is before.applies


@given(st.text(max_size=80))
def test_any_text_is_a_rule_or_is_refused(text: str) -> None:
    try:
        rule = Rule.parse(text)
    except ValueError:
        return
    assert rule.on(facts()).why
