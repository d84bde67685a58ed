"""The share of flagged rows that a shift of the margins keeps."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from holdfast.harden.scores import boundary
from holdfast.harden.worker import at_flag_rate


class Line:
    """A model whose margin is its first column, raised."""

    def __init__(self, raised: float = 0.0) -> None:
        self.raised = raised

    def margins(self, X: np.ndarray) -> np.ndarray:
        return X[:, 0] + self.raised

    def shifted(self, shift: float) -> Line:
        return Line(self.raised + shift)


@given(
    st.lists(st.integers(-50, 50), min_size=2, max_size=200),
    st.floats(0.01, 0.99),
    st.sampled_from([0.1, 0.5, 0.83]),
)
def test_the_flag_rate_is_kept_as_well_as_ties_allow(values: list[int], rate: float, cut: float) -> None:
    X = np.array(values, float)[:, None]
    shifted = at_flag_rate(Line(), X, rate, cut)  # type: ignore[arg-type]
    flagged = (1 / (1 + np.exp(-shifted.margins(X)))) >= cut
    if len(set(values)) == 1:
        assert flagged.all()
        return
    ranked = np.sort(X[:, 0])[::-1]
    possible = [place for place in range(1, len(values)) if ranked[place - 1] > ranked[place]]
    assert abs(flagged.sum() - rate * len(values)) == min(abs(count - rate * len(values)) for count in possible)


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=50, unique=True), st.floats(0, 1))
def test_no_row_lies_on_the_boundary(values: list[float], rate: float) -> None:
    ranked = np.sort(np.round(values, 6))[::-1]
    if len(set(ranked.tolist())) > 1:
        assert not np.isin(boundary(ranked, rate), ranked)
