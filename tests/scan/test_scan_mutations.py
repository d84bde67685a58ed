"""Damaged files of every format through the scan: a seeded sample of what `benchmarks/fuzz_guided.py` looks for."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest

from holdfast.core.formats.buffers import Window
from holdfast.scan import scan
from holdfast.scan.inspect import Inspector

REPO = Path(__file__).resolve().parents[2]
SEED = 20261124
CASES = 25
"""For each format, a second or two for all of them."""
MOST_S = 5.0
"""Processor time for one, what a reader loads late included."""
_EDGES = (0, 1, 0x7F, 0x80, 0xFF)
_NUMBERS = (0, 1, 1 << 31, 1 << 63, (1 << 64) - 1)


@pytest.fixture
def seeds(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(REPO))
    import benchmarks.fuzz_seeds

    return benchmarks.fuzz_seeds.seeds()


def damaged(rng: random.Random, known: list[bytes]) -> bytes:
    """One to six wounds: bytes changed, cut, doubled, or moved in from another file."""
    data = bytearray(rng.choice(known))
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(4):
            case 0:
                data[at : at + 1] = bytes([rng.choice((*_EDGES, rng.randrange(256)))])
            case 1:
                del data[at : at + rng.randint(1, 30)]
            case 2:
                donor = rng.choice(known)
                start = rng.randrange(len(donor))
                data[at:at] = donor[start : start + rng.randint(1, 40)]
            case _:
                width = rng.choice((2, 4, 8))
                data[at : at + width] = rng.choice(_NUMBERS).to_bytes(8, "little")[:width]
    return bytes(data)


def test_damaged_files_of_every_format_are_answered_in_time(seeds: Any, tmp_path: Path) -> None:
    rng, path = random.Random(SEED), tmp_path / "file"
    everything = [data for known in seeds.values() for data in known]
    for kind, known in seeds.items():
        for number in range(CASES):
            data = damaged(rng, known if number % 5 else everything)
            path.write_bytes(data)
            begun = time.process_time()
            report, forced = scan(path, hash=False), Inspector().inspect(Window.whole(data), kind=kind)
            assert time.process_time() - begun < MOST_S, (kind, data)
            coverage = report.coverage
            assert coverage.parsed + coverage.skipped_by_shape + coverage.unread == len(data) == forced.size, (
                kind,
                data,
            )
            assert report.verdict != "clean" or not coverage.unread, (kind, data)
            assert not forced.unread or forced.facts, (kind, data)


def test_the_samples_are_of_the_formats_they_stand_for(seeds: Any) -> None:
    """Otherwise damage would be done to what no reader gets to see."""
    dull = {"malformed", "truncated", "trailing-bytes", "template-unread", "zip-gap", "budget"}
    for kind, known in seeds.items():
        for data in known:
            seen = Inspector().inspect(Window.whole(data), kind=kind)
            assert not seen.unread, kind
            assert not dull & {fact.kind for fact in seen.facts}, (kind, seen.facts)
