"""Coverage-guided fuzzing of every reader, for whoever has atheris (Linux; it is no dependency of Holdfast).

    python -m benchmarks.fuzz_guided [TARGET ...] [--seconds 60] [--json FILE] [--keep FOLDER]

Each target runs in a process of its own, from seeds of our own making (`fuzz_seeds`). A finding is a reader that raises
what it does not declare, takes too long, accounts for more or fewer bytes than there are, is clean while bytes are
unread, or, for pickles, hides a name that CPython looks up. `--list` names the targets.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.fuzz import address_space
from benchmarks.fuzz_seeds import seeds
from benchmarks.metrics import Metric, Target, report

CASE_S = 10
"""Seconds for one case, instrumented."""
MOST_BYTES = 1 << 14
MEMORY_MB = 2_048
ROOM_BYTES = 1 << 30
COMPILED = ["holdfast.core.kernels", "holdfast.core.formats.pickle.stride"]
"""What numba compiles, which it cannot with the marks of atheris in it."""
Check = Callable[[bytes], None]


class Finding(AssertionError):  # noqa: N818 - what was looked for, not an error of the program
    """What no case may show."""


def check_scan(kind: str | None) -> Check:
    """The scan of bytes as `kind`; None: as what they are."""
    from holdfast.core.formats.buffers import Window
    from holdfast.scan.inspect import Budget, Inspector
    from holdfast.scan.rules import judge, verdict_of

    budget = Budget(opcodes=200_000, unpacked_bytes=16 << 20, members=2_000)

    def check(data: bytes) -> None:
        seen = Inspector(budget).inspect(Window.whole(data), kind=kind)
        if seen.size != len(data):
            raise Finding(f"{seen.size} bytes accounted for, of {len(data)}")
        if seen.unread and seen.facts and str(verdict_of(judge(tuple(seen.facts)))) == "clean":
            raise Finding(f"clean with {seen.unread} bytes unread")

    return check


def check_pickle() -> Check:
    """Both of CPython's unpicklers against both ways of following: nothing is imported or called."""
    import io
    import pickle

    from benchmarks.fuzz import Recording, hides, looked_up

    class Slow(Recording, pickle._Unpickler):
        """The unpickler in Python."""

    def slow(data: bytes) -> set[str]:
        unpickler = Slow(io.BytesIO(data))
        unpickler.names = set()
        try:
            unpickler.load()
        except Exception:
            return unpickler.names
        return unpickler.names

    def check(data: bytes) -> None:
        names = looked_up(data) | slow(data)
        for strides in (False, True):
            if hides(data, names, strides=strides):
                raise Finding(f"hidden, of {sorted(names)}")

    return check


def check_declared(module: str, function: str, *declared: str) -> Check:
    """A function of bytes that raises nothing but what it declares (`module:Name`)."""
    from importlib import import_module

    run = getattr(import_module(module), function)
    errors = tuple(getattr(import_module(place), name) for place, _, name in (word.partition(":") for word in declared))

    def check(data: bytes) -> None:
        try:
            run(data)
        except errors:
            return

    return check


def _text(check: Callable[[str], object]) -> Check:
    return lambda data: (check(data.decode("utf-8", "replace")), None)[1]


def check_lock() -> Check:
    from holdfast.scan.lockfile import parse_lock

    return _text(parse_lock)


def check_template() -> Check:
    from holdfast.scan.formats.templates import read_template
    from holdfast.scan.inspect import Seen

    return _text(lambda text: read_template(text, Seen("json")))


def check_options() -> Check:
    from holdfast.core.formats.buffers import Fault, Window
    from holdfast.core.formats.flexbuffer import first_texts

    def check(data: bytes) -> None:
        try:
            first_texts(Window.whole(data), 2)
        except Fault:
            return

    return check


_FORMAT_ERROR = "holdfast.core.errors:FormatError"
LOCKS = [
    b'version = 1\n[[package]]\nname = "a"\nversion = "1.0"\n[package.x]\ny = 1979-05-27T07:32:00Z\n',
    b'{"_meta": {}, "default": {"a": {"version": "==1.0"}}, "develop": {"b": {}}}',
    b"@EXPLICIT\nhttps://c/linux-64/numpy-1.26.4-py311h64a7726_0.conda#d41d8cd98f00b204\n",
    b"dependencies:\n- python=3.11\n- numpy=1.26.4=py311_0\n- pip:\n  - a==1.0\n",
    b"package:\n- {name: a, version: 1.0, manager: pip, url: 'https://x'}\n",
    b"a==1.0 ; python_version > '3' \\\n    --hash=sha256:00\nb[x]>=2\n-r other.txt\n",
]
SARIF = {
    "version": "2.1.0",
    "runs": [
        {
            "tool": {"driver": {"name": "t", "rules": [{"id": "r", "properties": {"security-severity": "9.1"}}]}},
            "invocations": [{"executionSuccessful": True}],
            "results": [
                {
                    "ruleIndex": 0,
                    "message": {"text": "m"},
                    "locations": [
                        {"physicalLocation": {"artifactLocation": {"uri": "a/b"}, "region": {"startLine": 3}}}
                    ],
                    "suppressions": [{"status": "accepted"}],
                }
            ],
        }
    ],
}
TEMPLATES = [b"{% for m in x %}{{ m['a' ~ b] | map(attribute='c') | join }}{% endfor %}{% set n = namespace(a=1) %}"]
_TREES = ("xgboost-json", "xgboost-ubj", "lightgbm-text", "catboost-cbm", "catboost-json", "onnx", "pickle", "joblib")


def check_of(name: str) -> Check:
    """What one target checks; a name without an entry of its own is a format of the scan."""
    reads = "holdfast.core.formats.read"
    own: dict[str, Callable[[], Check]] = {
        "pickle": check_pickle,
        "pickle-scan": lambda: check_scan("pickle"),
        "any": lambda: check_scan(None),
        "trees": lambda: check_declared(reads, "read_buffer", _FORMAT_ERROR),
        "nets": lambda: check_declared(reads, "read_net_buffer", _FORMAT_ERROR),
        "ubj": lambda: check_declared("holdfast.core.formats.ubj", "parse", _FORMAT_ERROR),
        "sarif": lambda: check_declared(
            "holdfast.scan.sarif", "parse_sarif", "builtins:ValueError", "builtins:RecursionError"
        ),
        "lock": check_lock,
        "template": check_template,
        "flexbuffer": check_options,
    }
    return own[name]() if name in own else check_scan(name)


def beginnings(known: dict[str, list[bytes]]) -> dict[str, list[bytes]]:
    """Where each target begins, by its name."""

    def all_of(*kinds: str) -> list[bytes]:
        return [data for kind in kinds for data in known.get(kind, ())]

    found = known | {
        "pickle-scan": known["pickle"],
        "any": all_of(*known),
        "trees": all_of(*_TREES),
        "nets": all_of("onnx", "torch-zip", "pickle", "joblib"),
        "ubj": all_of("xgboost-ubj"),
        "sarif": [json.dumps(SARIF).encode()],
        "lock": LOCKS,
        "template": TEMPLATES,
        "flexbuffer": [b"\3Erf\0\4abcd\0\2\13\7\24\24\4\50\1"],
    }
    return {name: data for name, data in found.items() if data}


def fuzz(name: str, seconds: int, folder: Path) -> None:
    """Fuzz one target from what lies in `folder/corpus`, in this process, which ends with it."""
    import atheris

    corpus = folder / "corpus"
    with atheris.instrument_imports(include=["holdfast"], exclude=COMPILED):
        check = check_of(name)
        for case in sorted(corpus.iterdir()):
            check(case.read_bytes())  # loads what a reader loads late
    # Unpicklers ask for all the memory there is for one huge memo index; libFuzzer would take that for a finding.
    limit = address_space() + ROOM_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    options = {"max_total_time": seconds, "max_len": MOST_BYTES, "timeout": CASE_S, "rss_limit_mb": MEMORY_MB}
    given = [f"-{key}={value}" for key, value in options.items()]
    atheris.Setup([sys.argv[0], *given, "-print_final_stats=1", f"-artifact_prefix={folder}/", str(corpus)], check)
    atheris.Fuzz()


def run(name: str, seconds: int, folder: Path, data: list[bytes]) -> tuple[int, str]:
    """Cases, and what was found (empty: nothing)."""
    corpus = folder / "corpus"
    corpus.mkdir(parents=True)
    for number, case in enumerate(data):
        (corpus / str(number)).write_bytes(case)
    command = [sys.executable, "-m", "benchmarks.fuzz_guided", name, "--seconds", str(seconds), "--inside", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20 * seconds + 600, check=False)
    cases = re.search(r"number_of_executed_units:\s+(\d+)", done.stderr) or re.search(r"Done (\d+) runs", done.stderr)
    artifacts = [path for path in folder.iterdir() if path.is_file()]
    if done.returncode == 0 and not artifacts:
        return int(cases[1]) if cases else 0, ""
    said = [
        line
        for line in (done.stdout + done.stderr).splitlines()
        if re.match(r"\w*(Error|Finding|Fault)|==|Traceb", line)
    ]
    shown = "; ".join(path.name for path in artifacts)
    return int(cases[1]) if cases else 0, f"{shown or done.returncode}: {' | '.join(said)[:500]}"


def results(begin: dict[str, list[bytes]], seconds: int, folder: Path) -> Iterator[Metric]:
    """One line for each target, and what it comes to."""
    found = total = 0
    for name, data in begin.items():
        cases, finding = run(name, seconds, folder / name, data)
        total, found = total + cases, found + bool(finding)
        print(f"{name:16} {cases:10,} cases  {finding or 'nothing'}", flush=True)
        yield Metric(f"scan.fuzz_guided.{name}.cases", float(cases), "cases")
    yield Metric("scan.fuzz_guided.cases", float(total), "cases")
    yield Metric("scan.fuzz_guided.findings", float(found), "targets", Target("<=", 0.0))


def main() -> int:
    """Fuzz, print, and write JSON where asked; 1 where there was a finding, 2 without atheris."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", type=Path, help="an empty folder for corpora and findings")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    options: Any = parser.parse_args()
    if find_spec("atheris") is None:
        print("atheris is not installed; `pip install atheris` beside Holdfast (Linux), in an environment of its own")
        return 2
    if options.inside:
        fuzz(options.targets[0], options.seconds, options.inside)
        return 0
    begin = beginnings(seeds())
    if options.list:
        print("\n".join(sorted(begin)))
        return 0
    unknown = set(options.targets) - set(begin)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as name:
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
        chosen = {target: begin[target] for target in options.targets or sorted(begin)}
        found = list(results(chosen, options.seconds, options.keep or Path(name)))
    return report(found, options.json)


if __name__ == "__main__":
    sys.exit(main())
