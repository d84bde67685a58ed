"""Damaged pickles, against CPython's own unpickler: is a name ever looked up that we neither report nor reject?

    python -m benchmarks.fuzz [--cases 10000000] [--seed N] [--json FILE]

Each case is a real pickle with bytes changed, cut, doubled or moved in from another. CPython loads it with a
`find_class` that records names and answers with inert stand-ins, so nothing is imported or called; every other case is
read in strides. Batches run in child processes with bounded memory, since a damaged stream may end CPython itself.
"""

from __future__ import annotations

import argparse
import collections
import fractions
import io
import multiprocessing
import os
import pickle
import random
import resource
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.metrics import Metric, Target, report
from holdfast.core.formats.pickle import read_facts, read_pickles

BATCH = 50_000
CASE_TIMEOUT_S = 5.0
ROOM_BYTES = 256 << 20
"""What a child may allocate beside what it begins with: a huge memo index makes CPython fill memory for nothing."""
OTHERS = 8
"""One in so many cases without names is read too: nothing may make the reader raise."""
REPORT_EVERY = 1_000_000
MOST_LOST = 0.02
"""Share of cases that may be lost before the measurement says nothing."""
OPCODES = bytes(range(0x28, 0x99))
HOSTILE = [
    b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R\x94.",
    b"cos\nsystem\n(S'id'\ntR.",
    b"(S'id'\nios\nsystem\n.",
    b"\x80\x02]q\x00(cbuiltins\neval\nq\x01X\x01\x00\x00\x001q\x02\x85q\x03Rq\x04e.",
    b"\x80\x04\x8c\x02os\x94\x8c\x05posix\x94\x8c\x06system\x94h\x00h\x02\x93h\x01h\x02\x93\x86.",
    b"\x80\x04(cos\nsystem\n\x8c\x02ido.",
    b"\x80\x02ccopyreg\n_reconstructor\n(cos\nPathLike\ncbuiltins\nobject\nNtR}(X\x01\x00\x00\x00ak\x01ub.",
]
QUIET = frozenset(("import", "call", "construct", "argument"))


class Inert:
    """Accepts whatever an unpickler does to an object."""

    def __new__(cls, *_: object, **__: object) -> Inert:
        return super().__new__(cls)

    def __init__(self, *_: object, **__: object) -> None: ...

    def __call__(self, *_: object, **__: object) -> Inert:
        return Inert()

    def __setstate__(self, state: object) -> None: ...

    def __setitem__(self, key: object, value: object) -> None: ...

    def append(self, item: object) -> None: ...

    def extend(self, items: object) -> None: ...

    def add(self, item: object) -> None: ...


class Recording:
    """What both of CPython's unpicklers ask for: names are kept, and never imported."""

    names: set[str]

    def find_class(self, module: str, name: str) -> type[Inert]:
        self.names.add(f"{module}.{name}")
        return Inert

    def persistent_load(self, _: object) -> Inert:
        return Inert()


class Recorder(Recording, pickle.Unpickler):
    """The unpickler in C."""


@dataclass
class Tally:
    """What a batch of cases showed."""

    cases: int = 0
    looked_up: int = 0
    hidden: int = 0
    failed: int = 0
    """Cases that our reader raised at, which it never should."""
    lost: int = 0
    """Cases whose process CPython ended, or that took too long there."""
    examples: list[str] = field(default_factory=list)
    """Streams that were hidden or failed, in hexadecimal."""

    def add(self, other: Tally) -> None:
        self.cases += other.cases
        self.looked_up += other.looked_up
        self.hidden += other.hidden
        self.failed += other.failed
        self.lost += other.lost
        self.examples += other.examples


def seeds() -> list[bytes]:
    """Small real pickles of every protocol, and hostile ones."""
    plain: list[object] = [
        {"a": [1, "x", (2.5, None)]},
        collections.OrderedDict(b=2),
        fractions.Fraction(1, 3),
        {1, 2},
        b"\x00" * 40,
        [(number, str(number)) for number in range(70)],
    ]
    return [pickle.dumps(value, protocol) for value in plain for protocol in range(6)] + HOSTILE * 5


def damaged(rng: random.Random, known: list[bytes]) -> bytes:
    """One to four wounds."""
    data = bytearray(rng.choice(known))
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        wound = rng.randrange(5)
        if wound == 0:
            data[at : at + 1] = bytes([rng.choice(OPCODES)])
        elif wound == 1:
            data[at:at] = bytes([rng.choice(OPCODES)])
        elif wound == 2:
            del data[at : at + rng.randint(1, 8)]
        elif wound == 3:
            donor = rng.choice(known)
            start = rng.randrange(len(donor))
            data[at:at] = donor[start : start + rng.randint(1, 40)]
        else:
            data[at : at + 1] = bytes([rng.randrange(256)])
    return bytes(data)


def looked_up(data: bytes) -> set[str]:
    """The names CPython looks up, over all streams."""
    names: set[str] = set()
    file = io.BytesIO(data)
    while file.tell() < len(data):
        try:
            unpickler = Recorder(file)
            unpickler.names = names
            unpickler.load()
        except TimeoutError:
            raise
        except Exception:
            break
    return names


def _looked_up_in_time(data: bytes) -> set[str]:
    """Raises TimeoutError, also at the very end: CPython asks for signals between instructions only."""
    signal.setitimer(signal.ITIMER_REAL, CASE_TIMEOUT_S)
    try:
        return looked_up(data)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def hides(data: bytes, names: set[str], *, strides: bool) -> bool:
    """Whether we take the stream for quiet, and know not all of the names."""
    facts = (read_facts(data, patience=0) if strides else read_pickles(data)).facts
    if any(fact.kind not in QUIET for fact in facts):
        return False
    ours = {
        (fact.detail or f"written {fact.value}").removeprefix("written ") for fact in facts if fact.kind == "import"
    }
    return not names <= ours


def batch(seed: int, size: int) -> Tally:
    """Cases of one seed, in this process."""
    rng, known, tally = random.Random(seed), seeds(), Tally()
    for number in range(size):
        data = damaged(rng, known)
        try:
            names = _looked_up_in_time(data)
        except TimeoutError:
            tally.lost += 1
            continue
        tally.cases += 1
        tally.looked_up += len(names)
        if not names and number % OTHERS:
            continue
        try:
            hidden, failed = hides(data, names, strides=number % 2 == 0), 0
        except Exception:
            hidden, failed = False, 1
        tally.hidden += hidden
        tally.failed += failed
        if hidden or failed:
            tally.examples.append(data.hex())
    return tally


def _child(seed: int, size: int, answer: Connection) -> None:
    limit = address_space() + ROOM_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    signal.signal(signal.SIGALRM, _stop)
    # CPython complains there about the damage it meets.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    warnings.simplefilter("ignore")
    answer.send(batch(seed, size))


def address_space() -> int:
    """Bytes that this process has mapped."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _stop(*_: object) -> None:
    raise TimeoutError


def batches(cases: int, seed: int) -> Iterator[Tally]:
    """Batches in processes of their own; one that CPython ends counts as lost."""
    # Compiled code is loaded here once, not within the bounds of each child.
    read_facts(HOSTILE[0], patience=0)
    context = multiprocessing.get_context("fork")
    for number in range(-(-cases // BATCH)):
        size = min(BATCH, cases - number * BATCH)
        receiver, sender = context.Pipe(duplex=False)
        child = context.Process(target=_child, args=(seed * 1_000_003 + number, size, sender))
        child.start()
        sender.close()
        try:
            yield receiver.recv()
        except EOFError:
            yield Tally(lost=size)
        child.join()


def main() -> int:
    """Measure, print, and write JSON where asked; 1 where a name was hidden."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="100,000 cases")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    begun, tally = time.perf_counter(), Tally()
    for done in batches(100_000 if options.quick else options.cases, options.seed):
        tally.add(done)
        if tally.cases // REPORT_EVERY > (tally.cases - done.cases) // REPORT_EVERY:
            said = f"{tally.cases:,} cases, {tally.hidden} hidden, {tally.failed} failed, {tally.lost} lost"
            print(said, file=sys.stderr, flush=True)
    metrics = [
        Metric("scan.fuzz.cases", float(tally.cases), "streams"),
        Metric("scan.fuzz.names_looked_up", float(tally.looked_up), "names"),
        Metric("scan.fuzz.hidden", float(tally.hidden), "streams", Target("<=", 0.0)),
        Metric("scan.fuzz.failed", float(tally.failed), "streams", Target("<=", 0.0)),
        Metric("scan.fuzz.lost", float(tally.lost), "streams", Target("<=", MOST_LOST * (tally.cases + tally.lost))),
        Metric("scan.fuzz.cases_per_s", tally.cases / (time.perf_counter() - begun), "1/s"),
    ]
    print("\n".join(tally.examples[:20]))
    return report(metrics, options.json)


if __name__ == "__main__":
    sys.exit(main())
