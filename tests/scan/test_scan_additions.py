"""Site additions widen the list by exactly what they say, for as long as they say, and never by what runs things."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.domain import Fact
from holdfast.core.domain.addition import NEVER, NameAddition
from holdfast.core.errors import PolicyError
from holdfast.scan import ScanVerdict, judge, verdict_of
from holdfast.scan.additions import STRENGTH, forbidden, refuse_forbidden, relied, widened
from holdfast.scan.allowlist import Allowlist
from holdfast.scan.allowlist.unneeded import UNNEEDED

SINCE, UNTIL = date(2026, 11, 1), date(2027, 5, 1)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
BUILTIN = Allowlist.builtin()
REFUSED = [
    *("numpy.load", "joblib.load", "torch.load", "pandas.read_pickle", "pandas.eval", "cloudpickle.loads"),
    *("torch.hub.Something", "torch.distributed.rpc.api.RRef", "sklearn.datasets._base.Reader", "dill.session.dump"),
    *("acme.jobs.run_job", "acme.io.open_file", "acme.shell.system", "acme.models.load_scorer", "acme._unpickle"),
    *("fabric.Connection", "fickling.Pickled", "jinja2.Template", "pip.Main", "requests.Session", "sh.Command"),
    *("os.path.Thing", "builtins.eval", "subprocess.Popen", "__main__.Model", "acme.os.System", "copyreg.Thing"),
    *("torch.storage._load_from_bytes", "numpy.core._ufunc_reconstruct", "numpy._core._ufunc_reconstruct"),
]
ALLOWED = [
    *("acme.models.Scorer", "acme.models.Reader", "sklearn.somewhere.Estimator", "records.models.Record", "acme.Load"),
    *("polars.dataframe.frame.DataFrame", "acme.models._rebuild_scorer"),
]


def addition(name: str = "acme.models.Scorer", mode: str = "n", since: date = SINCE, until: date = UNTIL):
    return NameAddition(name, mode, "our scorer", "R. Meyer", since, until)


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("mode", "chnv")
def test_what_opens_runs_or_fetches_is_never_added(name, mode):
    one = addition(name, mode)
    with pytest.raises(PolicyError) as refused:
        refuse_forbidden([one], BUILTIN, "policy.yaml")
    assert refused.value.code == "HF-POL-011"
    assert widened(BUILTIN, [one], NOON) is BUILTIN


@pytest.mark.parametrize(
    "name",
    [
        *("cloudpickle.cloudpickle._make_function", "cloudpickle.cloudpickle._builtin_type", "dill._dill._create_code"),
        *("joblib.externals.cloudpickle.cloudpickle._make_skeleton_class", "numpy.genfromtxt", "records.make_record"),
    ],
)
def test_functions_of_analysed_packages_are_not_called_by_addition(name):
    assert forbidden(addition(name, "c"), BUILTIN) is not None
    assert forbidden(addition(name, "h"), BUILTIN) is not None
    assert forbidden(addition("acme.models.make_scorer", "c"), BUILTIN) is None, "nobody analysed that package"


@pytest.mark.parametrize("name", ALLOWED)
def test_classes_of_models_may_be_added(name):
    refuse_forbidden([addition(name)], BUILTIN, "policy.yaml")
    assert widened(BUILTIN, [addition(name)], NOON).mode(name) == "n"


PARTS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True)
PACKAGES = sorted(
    {*NEVER, *(name for names in UNNEEDED.values() for name in names.split()), "acme", "sklearn", "torch"}
)
NAMES = st.builds(
    lambda package, inner: ".".join([package, *inner]),
    st.sampled_from(PACKAGES) | PARTS,
    st.lists(PARTS | st.sampled_from(["load", "Popen", "run", "system", "core", "Model"]), min_size=1, max_size=4),
)
ADDITIONS = st.builds(addition, NAMES, st.sampled_from("chnv"))


@given(st.lists(ADDITIONS, max_size=8), NAMES)
def test_an_addition_only_widens_and_only_its_own_name(additions, other):
    wider = widened(BUILTIN, additions, NOON)
    for one in additions:
        assert STRENGTH.index(wider.mode(one.name) or "") >= STRENGTH.index(BUILTIN.mode(one.name) or "") or (
            BUILTIN.mode(one.name) in "rd"
        )
    said = {BUILTIN.canonical(one.name) for one in additions}
    if BUILTIN.canonical(other) not in said:
        assert wider.mode(other) == BUILTIN.mode(other)
        assert wider.standing(other) is BUILTIN.standing(other)
    assert set(wider.added) <= said
    assert all(forbidden(one, BUILTIN) is None for one in wider.added.values())


@given(ADDITIONS, st.integers(-3 * 365 * 24, 3 * 365 * 24))
def test_an_addition_holds_between_its_days_and_no_longer(one, hours):
    at = NOON + timedelta(hours=hours)
    if forbidden(one, BUILTIN) is None and not BUILTIN.mode(one.name):
        assert (widened(BUILTIN, [one], at).mode(one.name) == one.mode) is (SINCE <= at.date() < UNTIL)


def test_what_is_used_is_named_and_what_is_not_is_not():
    facts = [Fact("import", "acme.models.Scorer"), Fact("construct", "acme.models.Scorer"), Fact("import", "acme.X")]
    names = widened(BUILTIN, [addition(), addition("acme.Unused")], NOON)
    assert verdict_of(judge(facts, names)) is ScanVerdict.UNKNOWN
    assert [one.name for one in relied(facts, names)] == ["acme.models.Scorer"]
    assert relied([Fact("import", "numpy.ndarray")], names) == ()
    assert relied(facts, BUILTIN) == ()


def test_a_mode_allows_its_own_use_only():
    called = [Fact("import", "acme.models.Scorer"), Fact("call", "acme.models.Scorer")]
    assert verdict_of(judge(called, widened(BUILTIN, [addition(mode="c")], NOON))) is ScanVerdict.CLEAN
    assert verdict_of(judge(called, widened(BUILTIN, [addition(mode="v")], NOON))) is ScanVerdict.BLOCKED


def test_an_addition_does_not_narrow_the_list():
    forest = "sklearn.ensemble._forest.RandomForestClassifier"
    assert widened(BUILTIN, [addition(forest, "v")], NOON) is BUILTIN


def test_a_name_is_added_under_the_name_the_list_knows():
    old = addition("numpy.core.ours.Thing", "c")
    wider = widened(BUILTIN, [old], NOON)
    assert wider.mode("numpy._core.ours.Thing") == wider.mode("numpy.core.ours.Thing") == "c"
    assert [one.name for one in relied([Fact("call", "numpy._core.ours.Thing")], wider)] == [old.name]


def test_widening_again_starts_from_the_list():
    once = widened(BUILTIN, [addition()], NOON)
    assert widened(once, [], NOON) is BUILTIN
    assert set(widened(once, [addition("acme.Other")], NOON).added) == {"acme.Other"}
    assert widened(once, [addition()], NOON + timedelta(days=365)) is BUILTIN
    assert len(once.modes) == len(BUILTIN.modes) + 1 == len(list(once.modes))
