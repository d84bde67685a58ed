"""Strides over plain data change no fact: whatever the stream, both machines say the same, byte for byte."""

from __future__ import annotations

import itertools
import pickle
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba", reason="strides are compiled by numba")

from holdfast.core.formats.pickle import Meter, Reading, read_facts, read_pickles
from holdfast.core.formats.pickle import lumps as lumps_module
from holdfast.core.formats.pickle import reading as reading_module
from holdfast.core.formats.pickle.opcodes import Op

PROTOCOLS = range(6)


def told(reading: Reading, meter: Meter) -> tuple[Any, ...]:
    ends = [(stream.start, stream.end, stream.protocol) for stream in reading.streams]
    enclosed = [(window.start, window.end) for window in reading.enclosed]
    return reading.facts, reading.parsed, reading.skipped, reading.unread, ends, enclosed, meter.opcodes, meter.nested


def both(data: bytes, opcodes: int = 1_000_000) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    slow, fast = Meter(opcodes), Meter(opcodes)
    return told(read_pickles(data, meter=slow), slow), told(read_facts(data, meter=fast, patience=0), fast)


def strides(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many instructions each stride made, from now on."""
    made: list[int] = []
    true = lumps_module.LumpMachine._stride

    def counted(self: lumps_module.LumpMachine) -> int:
        made.append(true(self))
        return made[-1]

    monkeypatch.setattr(lumps_module.LumpMachine, "_stride", counted)
    return made


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.binary(max_size=8),
    st.just("__class__"),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.tuples(inner, inner),
        st.dictionaries(st.text(max_size=4), inner, max_size=5),
        st.frozensets(leaves, max_size=4),
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(values, min_size=1, max_size=12), st.integers(60, 300), st.sampled_from(PROTOCOLS))
def test_data_of_any_protocol_gives_the_same_facts(items: list[Any], times: int, protocol: int) -> None:
    repeated = list(itertools.islice(itertools.cycle(items), times))
    for value in (repeated, dict(enumerate(repeated)), {"state": tuple(repeated), "more": repeated[::-1]}):
        slow, fast = both(pickle.dumps(value, protocol))
        assert fast == slow


def short(text: bytes) -> bytes:
    return bytes([Op.SHORT_BINUNICODE, len(text)]) + text


fragments = st.one_of(
    st.sampled_from([bytes([op]) for op in Op]),
    st.integers(0, 255).map(lambda n: bytes([Op.BININT1, n])),
    st.integers(0, 40).map(lambda n: bytes([Op.BINGET, n])),
    st.integers(0, 40).map(lambda n: bytes([Op.BINPUT, n])),
    st.integers(0, 90).map(lambda n: b"p%d\n" % n),
    st.integers(0, 90).map(lambda n: b"g%d\n" % n),
    st.integers(-5, 5).map(lambda n: b"I%d\n" % n),
    st.sampled_from([b"I00\n", b"I01\n", b"I007\n", b"I0x1F\n", b"L5L\n", b"F1.5\n", b"Fnan\n", b"F1e\n", b"F-2.e3\n"]),
    st.sampled_from(
        [b"S'a'\n", b'S"a\'b"\n', b"S'\\x41'\n", b"S'a\n", b"Vtext\n", b"V\\u0041\n", b"V__a__\n", b"Va\r\n"]
    ),
    st.sampled_from(
        [b"a", b"", "é".encode(), b"\xff", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"__init__", b"__", b"\xc3"]
    ).map(short),
    st.sampled_from([b"cos\nsystem\n", b"(ios\nsystem\n", short(b"os") + short(b"system") + bytes([Op.STACK_GLOBAL])]),
    st.integers(0, 40).map(lambda n: bytes([Op.FRAME]) + struct.pack("<Q", n)),
    st.binary(max_size=3).map(lambda raw: bytes([Op.SHORT_BINBYTES, len(raw)]) + raw),
    st.binary(max_size=9).map(lambda raw: bytes([Op.LONG1, len(raw)]) + raw),
    st.sampled_from(
        [b"\x8e" + struct.pack("<Q", 1 << 62), b"X\xff\xff\xff\xff", b"T\xff\xff\xff\xff", b"B\x02\0\0\0ab"]
    ),
    st.just(bytes([Op.BINFLOAT]) + struct.pack(">d", 0.5)),
)
programs = st.lists(
    st.tuples(st.lists(fragments, min_size=1, max_size=6), st.sampled_from([1, 1, 2, 70, 200])), min_size=1, max_size=12
).map(lambda parts: b"".join(b"".join(part) * times for part, times in parts))


@settings(max_examples=600, deadline=None)
@given(
    programs,
    st.sampled_from([b"", b"\x80\x04", b"]\x94(", b"}\x94(", b"(", b"](((", b"\x80\x02]q\x00("]),
    st.integers(5, 2000),
)
def test_hostile_programs_give_the_same_facts(program: bytes, before: bytes, opcodes: int) -> None:
    data = before + program + b"."
    for limit in (opcodes, 1_000_000):
        slow, fast = both(data, limit)
        assert fast == slow


@settings(max_examples=200, deadline=None)
@given(values, st.sampled_from(PROTOCOLS), st.data())
def test_damaged_data_gives_the_same_facts(value: Any, protocol: int, draw: st.DataObject) -> None:
    data = bytearray(pickle.dumps([[value, number] for number in range(150)], protocol))
    for _ in range(draw.draw(st.integers(1, 3))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    slow, fast = both(bytes(data))
    assert fast == slow


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_data_is_taken_in_strides(protocol: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = strides(monkeypatch)
    data = pickle.dumps([(number, str(number), {"a": 0.5, "b": [number]}) for number in range(20_000)], protocol)
    slow, fast = both(data)
    assert fast == slow
    assert sum(made) > 200_000


def test_names_among_plain_data_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    made = strides(monkeypatch)
    rows: list[Any] = [(number, str(number)) for number in range(5_000)]
    rows[2_500] = Path
    slow, fast = both(pickle.dumps({"rows": rows}, 4))
    assert fast == slow
    assert any(fact.value == "pathlib.Path" for fact in fast[0])
    assert sum(made) > 20_000


def test_a_dunder_name_deep_in_a_state_is_found() -> None:
    class Thing:
        pass

    thing = Thing()
    thing.__dict__ = {f"name{number}": number for number in range(2_000)}
    data = pickle.dumps(thing.__dict__, 4)[2:-1].replace(b"name1500", b"__or150_").replace(b"__or150_", b"__or15__")
    program = b"\x80\x04" + b"cpathlib\nPath\n)\x81" + data + b"b."
    slow, fast = both(program)
    assert fast == slow
    assert any(fact.kind == "dunder-state" for fact in fast[0])


@pytest.mark.parametrize("size", [1 << 62, 1 << 63, (1 << 64) - 1])
def test_a_frame_of_any_length_gives_the_same_facts(size: int) -> None:
    data = b"\x80\x04\x95" + struct.pack("<Q", size) + b"cos\nsystem\n" + b"(" + b"K\x01" * 500 + b"tR."
    slow, fast = both(data)
    assert slow == fast


@pytest.mark.shared
def test_every_file_of_the_corpus_gives_the_same_facts(shared: Path) -> None:
    files = [
        path for path in (shared / "corpus/artifacts").rglob("*") if path.is_file() and path.stat().st_size < 300_000
    ]
    assert len(files) > 900
    apart = [path.name for path in files if len(set(map(repr, both(path.read_bytes(), 100_000)))) > 1]
    assert apart == []


def test_a_pickle_of_few_instructions_loads_no_compiler() -> None:
    script = (
        "import pickle, sys; from holdfast.core.formats.pickle import read_facts;"
        "assert read_facts(pickle.dumps(bytes(1 << 20))).unread == 0;"
        "sys.exit(any(name in sys.modules for name in ('numba', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_long_flat_list_is_taken_in_strides(monkeypatch: pytest.MonkeyPatch) -> None:
    made = strides(monkeypatch)
    slow, fast = both(pickle.dumps([number % 200 for number in range(900_000)], 4))
    assert fast == slow
    assert sum(made) > 850_000


@pytest.mark.parametrize(("items", "gives_up"), [(200, False), (2_000, True)])
def test_strides_are_tried_where_much_seems_to_be_left(
    items: int, gives_up: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []
    monkeypatch.setattr(reading_module, "_in_strides", lambda: tries.append(1))
    data = pickle.dumps([bytes([number % 250] * 1_000) for number in range(items)], 4)
    slow, fast = Meter(), Meter()
    assert told(read_pickles(data, meter=slow), slow) == told(read_facts(data, meter=fast, patience=100), fast)
    assert bool(tries) is gives_up
