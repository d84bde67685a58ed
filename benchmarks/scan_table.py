"""Holdfast beside its rivals: tables for people, and for each metric the rival that did best at it.

The best at one metric is often the worst at another, so a rival's name says what its figure costs where that matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from benchmarks.metrics import Metric
from benchmarks.scan_rivals import BIG_SECONDS, FLAGS, PICKLES, Large, Scanner

LARGE_METRICS = {
    **{f"scan.big_file_ms.{kind}": kind for kind in ("torch_zip", "safetensors", "joblib", "numpy_pickle")},
    "scan.forest_ms": "forest",
    "scan.dense_pickle_s": "dense",
}
Best = tuple[str, float]


def beside(metrics: Iterable[Metric], rivals: Mapping[str, Scanner]) -> Iterator[Metric]:
    """The metrics, each with its best rival."""
    for metric in metrics:
        found = _best(metric.name, rivals)
        yield metric if found is None else replace(metric, rival=found[0], rival_value=found[1])


def _best(metric: str, rivals: Mapping[str, Scanner]) -> Best | None:
    if metric in LARGE_METRICS:
        return _quickest(metric, LARGE_METRICS[metric], rivals)
    if metric == "scan.big_file_ms":
        return _quickest_at_all(rivals)
    if metric not in _SHARES:
        return None
    share, highest, said = _SHARES[metric]
    known = {name: value for name, rival in rivals.items() if (value := share(rival)) is not None}
    if not known:
        return None
    name = (max if highest else min)(known, key=lambda name: known[name])
    return f"{_named(name, rivals[name])}, {said(rivals[name])}", known[name]


def _stopped(rival: Scanner) -> float | None:
    return rival.share("malicious", *FLAGS)


def _not_clean(rival: Scanner) -> float | None:
    clean = rival.share("suspicious", "clean")
    return None if clean is None else 1 - clean


def _alarms(rival: Scanner) -> str:
    return f"which fails at {rival.share('benign', *FLAGS) or 0:.0%} of benign files too"


def _recall(rival: Scanner) -> str:
    return f"which fails at {_stopped(rival) or 0:.0%} of malicious files"


_SHARES: dict[str, tuple[Callable[[Scanner], float | None], bool, Callable[[Scanner], str]]] = {
    "scan.recall": (_stopped, True, _alarms),
    "scan.blocked_share": (lambda rival: rival.share("malicious", "found"), True, _alarms),
    "scan.benign_clean_share": (lambda rival: rival.share("benign", "clean"), True, _recall),
    "scan.benign_failed_share": (lambda rival: rival.share("benign", *FLAGS), False, _recall),
    "scan.suspicious_notclean_share": (_not_clean, True, _alarms),
}
"""The share of a rival, whether more is better, and what it costs."""


def _named(name: str, rival: Scanner) -> str:
    return f"{name} {rival.version}" + ("" if rival.whole else " on a sample")


def _quickest(metric: str, kind: str, rivals: Mapping[str, Scanner]) -> Best | None:
    """Of those that call the file clean; of those that answer at all for the dense pickle, which stops most."""
    said = {name: rival.large[kind] for name, rival in rivals.items() if kind in rival.large}
    known = {name: answer.ms for name, answer in said.items() if answer.ms is not None and _counts(kind, answer)}
    scale = 1000 if metric.endswith("_s") else 1
    if known:
        name = min(known, key=lambda name: known[name])
        return f"{_named(name, rivals[name])}, CPU", known[name] / scale
    if kind == "dense" and said:
        return f"none of {len(said)} ends within", float(BIG_SECONDS)
    return None


def _counts(kind: str, answer: Large) -> bool:
    return answer.word == "clean" or (kind == "dense" and answer.word in ("found", "partial"))


def _quickest_at_all(rivals: Mapping[str, Scanner]) -> Best | None:
    """The slowest of the four formats, of who calls all four clean."""
    kinds = [kind for metric, kind in LARGE_METRICS.items() if metric.startswith("scan.big_file_ms.")]
    slowest: dict[str, float] = {}
    for name, rival in rivals.items():
        said = [rival.large.get(kind) for kind in kinds]
        times = [answer.ms for answer in said if answer and answer.ms is not None and answer.word == "clean"]
        if len(times) == len(kinds):
            slowest[name] = max(times)
    if not slowest:
        return None
    name = min(slowest, key=lambda name: slowest[name])
    return f"{_named(name, rivals[name])}, CPU", slowest[name]


def comparison(scanners: Mapping[str, Scanner]) -> str:
    """Recall and false alarms of each, for files that hold pickles and for all."""
    parts = (("files that hold pickles", PICKLES), ("all files", None))
    return "\n\n".join(_comparison(title, scanners, formats) for title, formats in parts)


def _comparison(title: str, scanners: Mapping[str, Scanner], formats: Iterable[str] | None) -> str:
    heads = (
        title,
        "recall, fails",
        "recall, not clean",
        "benign, fails",
        "benign, not clean",
        "no answer",
        "median ms",
    )
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, scanner in scanners.items():
        shares = [
            scanner.share("malicious", *FLAGS, formats=formats),
            _rest(scanner.share("malicious", "clean", formats=formats)),
            scanner.share("benign", *FLAGS, formats=formats),
            _rest(scanner.share("benign", "clean", formats=formats)),
        ]
        cells = ["-" if share is None else f"{share:.1%}" for share in shares]
        died = scanner.failed(formats)
        lines.append(f"| {_named(name, scanner)} | {' | '.join(cells)} | {died} | {scanner.median_ms:.1f} |")
    return "\n".join(lines)


def _rest(share: float | None) -> float | None:
    return None if share is None else 1 - share


def large(scanners: Mapping[str, Scanner]) -> str:
    """Milliseconds and growth of each at each large file."""
    kinds = list(LARGE_METRICS.values())
    lines = [f"| ms, MiB grown, answer | {' | '.join(kinds)} |", "|---" * (len(kinds) + 1) + "|"]
    for name, scanner in scanners.items():
        cells = [_cell(scanner.large.get(kind)) for kind in kinds]
        lines.append(f"| {_named(name, scanner)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(said: Large | None) -> str:
    if said is None:
        return "-"
    if said.ms is None or said.grown_mb is None:
        return said.word
    return f"{said.ms:,.1f}, +{said.grown_mb:,.0f}, {said.word}"
