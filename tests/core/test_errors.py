"""The error tree: drawn in the docstring as it is, each with its exit code, whole across processes."""

from __future__ import annotations

import copy
import pickle
import re

import pytest

from holdfast.core import errors
from holdfast.core.errors import HoldfastError


def subclasses() -> list[type[HoldfastError]]:
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HoldfastError)]


def test_the_docstring_draws_the_tree_as_it_is() -> None:
    drawn = dict(re.findall(r"─ (\w+)\s+(\d)  HF-", errors.__doc__ or ""))
    real = {kind.__name__: str(kind.exit_code) for kind in subclasses() if kind is not HoldfastError}
    assert drawn == real


def test_every_error_has_a_prefix_of_its_own() -> None:
    prefixes = re.findall(r"HF-([A-Z]{3})  ", errors.__doc__ or "")
    assert len(prefixes) == len(set(prefixes)) == len(subclasses()) - 1


@pytest.mark.parametrize("kind", subclasses())
def test_an_error_survives_the_way_between_processes(kind: type[HoldfastError]) -> None:
    error = kind("what", cause="why", fix="do", code="HF-XXX-001")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is kind
        assert (again.message, again.cause, again.fix, again.code) == ("what", "why", "do", "HF-XXX-001")
        assert str(again) == "error[HF-XXX-001]: what\n  cause: why\n  fix: do"


def test_cause_fix_and_code_cannot_be_left_out() -> None:
    with pytest.raises(TypeError):
        HoldfastError("what")  # type: ignore[call-arg]
