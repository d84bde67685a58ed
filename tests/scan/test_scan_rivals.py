"""Which rival a metric of the scan's benchmark is held against: the best at it, or nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(REPO))
    import benchmarks.scan_table

    return benchmarks.scan_table


def scanner(table: Any, malicious: dict[str, int], benign: dict[str, int], large: dict[str, Any]) -> Any:
    counts = {"pickle": {"malicious": malicious, "benign": benign}}
    answers = {kind: table.Large(*said) for kind, said in large.items()}
    return table.Scanner("1.0", "2026-11-23", "a machine", True, counts, 1.0, answers)


@pytest.fixture
def rivals(table: Any) -> dict[str, Any]:
    loud = scanner(
        table,
        {"found": 8, "failed": 1, "crash": 1},
        {"found": 6, "clean": 4},
        {"forest": ("found", 1.0, 0.0), "dense": ("timeout", None, None)},
    )
    calm = scanner(
        table,
        {"found": 2, "partial": 3, "clean": 5},
        {"clean": 9, "partial": 1},
        {"forest": ("clean", 700.0, 5.0), "dense": ("timeout", None, None)},
    )
    return {"loud": loud, "calm": calm}


def rival_of(table: Any, name: str, rivals: dict[str, Any]) -> tuple[str | None, float | None]:
    (found,) = table.beside([table.Metric(name, 1.0, "share")], rivals)
    return found.rival, found.rival_value


def test_each_metric_has_the_rival_that_is_best_at_it(table: Any, rivals: dict[str, Any]) -> None:
    assert rival_of(table, "scan.recall", rivals) == ("loud 1.0, which fails at 60% of benign files too", 0.9)
    assert rival_of(table, "scan.blocked_share", rivals)[1] == 0.8
    assert rival_of(table, "scan.benign_clean_share", rivals) == (
        "calm 1.0, which fails at 20% of malicious files",
        0.9,
    )
    assert rival_of(table, "scan.benign_failed_share", rivals)[1] == 0.0


def test_only_who_calls_a_large_file_clean_has_a_time_for_it(table: Any, rivals: dict[str, Any]) -> None:
    assert rival_of(table, "scan.forest_ms", rivals) == ("calm 1.0, CPU", 700.0)
    assert rival_of(table, "scan.big_file_ms", rivals) == (None, None)
    assert rival_of(table, "scan.dense_pickle_s", rivals) == ("none of 2 ends within", 40.0)


def test_what_nobody_measured_has_no_rival(table: Any, rivals: dict[str, Any]) -> None:
    assert rival_of(table, "scan.suspicious_notclean_share", rivals) == (None, None)
    assert rival_of(table, "scan.command_s", rivals) == (None, None)
    assert rival_of(table, "scan.recall", {}) == (None, None)


def test_whoever_dies_is_counted_and_not_called_clean(table: Any, rivals: dict[str, Any]) -> None:
    assert rivals["loud"].failed() == 1
    row = next(line for line in table.comparison(rivals).splitlines() if line.startswith("| loud"))
    assert row == "| loud 1.0 | 90.0% | 100.0% | 60.0% | 60.0% | 1 | 1.0 |"
