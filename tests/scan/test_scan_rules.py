"""Every rule fires where it must, and nowhere else."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import pytest

from holdfast.core.domain import Fact
from holdfast.core.formats.pickle import Kind
from holdfast.scan import RULES, ScanVerdict, judge, verdict_of
from holdfast.scan.allowlist import Allowlist
from holdfast.scan.allowlist.header import sealed

FORESTS = "sklearn.ensemble._forest.RandomForestClassifier"
MUST_FIRE = {
    "import-denied": Fact("import", "os.system"),
    "import-unlisted": Fact("import", "somebody.else"),
    "import-hidden": Fact("indirect-import", "os.system"),
    "import-hidden-unlisted": Fact("indirect-import", "somebody.else"),
    "import-shadow": Fact("shadow-import", "os.system"),
    "name-dotted": Fact("dotted-name", "collections:OrderedDict.__reduce__"),
    "name-computed": Fact("computed-name", "getattr of x"),
    "call-refused": Fact("call", "numpy.log1p"),
    "call-denied": Fact("call", "os.system"),
    "call-unlisted": Fact("call", "somebody.else"),
    "call-computed": Fact("computed-call", "the result of functools.partial"),
    "call-argument": Fact("argument", "numpy.log1p", detail="sklearn.neighbors._kd_tree.newObj"),
    "new-refused": Fact("construct", "numpy.log1p"),
    "new-denied": Fact("construct", "subprocess.Popen"),
    "new-unlisted": Fact("construct", "somebody.Else"),
    "code-operator": Fact("operator-domain", "ai.onnx.contrib.PyOp"),
    "custom-operator": Fact("operator-domain", "bank.Scorecard"),
    "tensorflow-reach": Fact("tensorflow-operator", "ReadFile"),
    "tensorflow-custom": Fact("tensorflow-operator", "BankScorecard"),
    "part-blocked": Fact("part-verdict", "blocked"),
    "part-unknown": Fact("part-verdict", "unknown"),
    "part-review": Fact("part-verdict", "review"),
    "loader-module": Fact("loader-module", "os"),
    "loader-module-unlisted": Fact("loader-module", "somebody"),
}
MUST_NOT_FIRE = {
    "import-denied": Fact("import", FORESTS),
    "import-unlisted": Fact("import", FORESTS),
    "import-hidden": Fact("indirect-import", "numpy.log1p"),
    "import-hidden-unlisted": Fact("indirect-import", "numpy.log1p"),
    "name-dotted": Fact("dotted-name", "zoneinfo:ZoneInfo._unpickle"),
    "call-refused": Fact("call", "collections.OrderedDict"),
    "call-denied": Fact("call", "numpy.dtype"),
    "call-unlisted": Fact("call", "numpy.dtype"),
    "call-argument": Fact("argument", "sklearn.neighbors._kd_tree.KDTree", detail="sklearn.neighbors._kd_tree.newObj"),
    "new-refused": Fact("construct", FORESTS),
    "new-denied": Fact("construct", FORESTS),
    "new-unlisted": Fact("construct", FORESTS),
    "code-operator": Fact("operator-domain", "bank.Scorecard"),
    "custom-operator": Fact("operator-domain", "ai.onnx.contrib.PyOp"),
    "tensorflow-reach": Fact("tensorflow-operator", "MatMul"),
    "tensorflow-custom": Fact("tensorflow-operator", "MatMul"),
    "part-blocked": Fact("part-verdict", "review"),
    "part-unknown": Fact("part-verdict", "blocked"),
    "part-review": Fact("part-verdict", "unknown"),
    "loader-module": Fact("loader-module", "somebody"),
    "loader-module-unlisted": Fact("loader-module", "os"),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_fires_where_it_must(rule):
    fact = MUST_FIRE.get(rule.id, Fact(rule.kind, "something"))
    assert rule.id in {hit.rule.id for hit in judge([fact])}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_stays_silent_where_it_must(rule):
    fact = MUST_NOT_FIRE.get(rule.id, Fact("external-file", "weights.bin"))
    assert rule.id not in {hit.rule.id for hit in judge([fact])}


def test_every_fact_kind_of_the_machine_is_judged():
    assert {str(kind) for kind in Kind} <= {rule.kind for rule in RULES}


def test_ids_are_unique_and_techniques_are_atlas_ids():
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(re.fullmatch(r"AML\.T\d{4}(\.\d{3})?", rule.technique) for rule in RULES)


def test_every_rule_is_explained():
    page = (Path(__file__).parents[2] / "docs" / "scan.md").read_text()
    rows = re.findall(r"^\| `([a-z-]+)`\{ #([a-z-]+) \} \| `([a-z-]+)` \| ([a-z]+) \|", page, re.MULTILINE)
    assert rows == [(rule.id, rule.id, rule.kind, str(rule.verdict)) for rule in RULES]


def test_every_fact_kind_is_explained():
    page = (Path(__file__).parents[2] / "docs" / "concepts" / "pickle.md").read_text()
    assert {str(kind) for kind in Kind} == set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE))


def test_the_worst_fact_decides():
    facts = [Fact("executable", "x"), Fact("malformed", "x"), Fact("import", "os.system"), Fact("import", FORESTS)]
    assert verdict_of(judge(facts)) is ScanVerdict.BLOCKED
    assert verdict_of(judge(facts[:2])) is ScanVerdict.UNKNOWN
    assert verdict_of(judge(facts[:1])) is ScanVerdict.REVIEW
    assert verdict_of(judge(facts[3:])) is ScanVerdict.CLEAN
    assert judge(facts)[0].fact.value == "os.system"


def test_stored_facts_are_judged_again_by_another_list():
    facts = [Fact("import", "somebody.else"), Fact("call", "somebody.else")]
    document = {
        "schema": 2,
        "header": {"generator": 1, "python": "3.11", "generations": []},
        "covered": ["somebody"],
        "standard": [],
        "aliases": [],
        "names": {"somebody": {"c": "else"}},
    }
    names = Allowlist.parse(json.dumps(sealed(document, date(2026, 1, 2))).encode())
    assert verdict_of(judge(facts)) is ScanVerdict.UNKNOWN
    assert verdict_of(judge(facts, names)) is ScanVerdict.CLEAN
    assert verdict_of(judge([Fact("import", "somebody.other")], names)) is ScanVerdict.BLOCKED


@pytest.mark.parametrize("caller", ["torch._tensor._rebuild_from_type_v2", "functools.partial"])
def test_a_class_that_may_only_be_instantiated_is_not_handed_to_what_would_call_it(caller):
    handed = Fact("argument", "lightgbm.basic.Booster", detail=caller)
    assert Allowlist.builtin().mode("lightgbm.basic.Booster") == "n"
    assert [hit.rule.id for hit in judge([handed])] == ["call-argument"]


def test_a_function_may_be_kept_in_a_partial():
    assert judge([Fact("argument", "numpy.log1p", detail="functools.partial")]) == ()
