"""Numpy arrays out of pickles and joblib files, equal to what numpy itself would give."""

from __future__ import annotations

import io
import pickle

import joblib
import numpy as np
import pytest

from holdfast.core.errors import FormatError
from holdfast.core.formats.pickle import Array, Kind, as_array, load, read_pickles

ARRAYS = {
    "float64": np.linspace(0, 1, 24).reshape(4, 6),
    "float32 fortran": np.asfortranarray(np.arange(12, dtype=np.float32).reshape(3, 4)),
    "big endian": np.arange(5, dtype=">i4"),
    "bool": np.array([True, False, True]),
    "complex": np.array([1 + 2j]),
    "half": np.arange(3, dtype=np.float16),
    "bytes": np.array([b"ab", b"c"]),
    "text": np.array(["ab", "cdé"]),
    "dates": np.array(["2026-01-05", "NaT"], dtype="datetime64[ns]"),
    "steps": np.array([1, 2], dtype="timedelta64[25us]"),
    "empty": np.empty((0, 3)),
    "scalar shape": np.array(3.5),
    "structured": np.array([(1, 2.5, (1, 2))], dtype=[("a", "<i4"), ("b", "<f8"), ("c", "<i2", (2,))]),
    "aligned": np.zeros(3, dtype=np.dtype({"names": ["a", "b"], "formats": ["u1", "f8"]}, align=True)),
    "large": np.random.default_rng(0).normal(size=20_000),
}


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("protocol", range(6))
def test_pickled_arrays(name, protocol):
    array = ARRAYS[name]
    data = pickle.dumps({"x": array}, protocol)
    reading = read_pickles(data)
    found = load(reading.value.get("x"), data)
    np.testing.assert_array_equal(found, array)
    assert (found.dtype, found.shape, reading.unread) == (array.dtype, array.shape, 0)
    assert not found.flags.writeable


@pytest.mark.parametrize("name", ARRAYS)
def test_joblib_arrays(name):
    array, file = ARRAYS[name], io.BytesIO()
    joblib.dump([array, "behind"], file)
    data = file.getvalue()
    reading = read_pickles(data)
    assert isinstance(reading.value[0], Array)
    np.testing.assert_array_equal(load(reading.value[0], data), array)
    assert reading.value[1] == "behind"
    assert (reading.unread, reading.skipped >= array.nbytes) == (0, True)
    assert not {fact.kind for fact in reading.facts} & {Kind.SHADOW_IMPORT, Kind.MALFORMED}


def test_object_arrays_are_streams_within_the_stream():
    file = io.BytesIO()
    joblib.dump({"labels": np.array(["a", None, 3], dtype=object), "n": 1}, file)
    reading = read_pickles(file.getvalue())
    elements = as_array(reading.value.get("labels"))
    assert elements is not None
    assert elements.data == ["a", None, 3]
    assert reading.value.get("n") == 1
    assert reading.unread == 0


def test_numpy_scalars():
    for value in (np.float64(1.25), np.int32(-4), np.datetime64("2026-01-05")):
        data = pickle.dumps(value)
        assert load(read_pickles(data).value, data) == value


def test_big_arrays_are_skipped_not_read():
    file = io.BytesIO()
    joblib.dump(np.zeros(3_000_000), file)
    reading = read_pickles(file.getvalue())
    assert reading.skipped >= 24_000_000
    assert reading.parsed < 1_000


def wrapper(shape: bytes, tail: bytes, state: bytes = b"") -> bytes:
    """A joblib stream with one array, its raw bytes replaced by `tail`."""
    return (
        b"\x80\x03cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}(Vshape\n" + shape + b"Vorder\nVC\n"
        b"Vdtype\ncnumpy\ndtype\n(Vf8\n\x89\x88tR(K\x03V<\nNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        + state
        + b"ub"
        + tail
    )


def test_array_bytes_end_where_their_shape_says():
    good = read_pickles(wrapper(b"K\x02\x85", bytes(16) + b"."))
    assert (good.unread, good.skipped) == (0, 16)
    cut = read_pickles(wrapper(b"K\x03\x85", bytes(16) + b"."))
    assert "truncated" in {fact.kind for fact in cut.facts}


@pytest.mark.parametrize("shape", [b"J\xff\xff\xff\xff\x85", b"cos\nsystem\n)R", b"V2\n\x85", b"N"])
def test_a_shape_that_is_no_shape_is_refused(shape):
    assert "malformed" in {fact.kind for fact in read_pickles(wrapper(shape, bytes(16) + b".")).facts}


def test_padding_holds_nothing_else():
    state = b"Vnumpy_array_alignment_bytes\nK\x10"
    good = read_pickles(wrapper(b"K\x01\x85", b"\x03\xff\xff\xff" + bytes(8) + b".", state))
    assert (good.unread, {fact.kind for fact in good.facts} & {"malformed"}) == (0, set())
    bad = read_pickles(wrapper(b"K\x01\x85", b"\x03abc" + bytes(8) + b".", state))
    assert "malformed" in {fact.kind for fact in bad.facts}


def test_numbers_that_a_plain_unpickler_would_run_are_stated():
    raw = b"cos\nsystem\n".ljust(16, b"0")
    facts = read_pickles(wrapper(b"K\x02\x85", raw + b".")).facts
    assert [fact.value for fact in facts if fact.kind == "shadow-import"] == ["os.system"]


def test_a_payload_behind_the_array_is_seen():
    data = wrapper(b"K\x02\x85", bytes(16) + b"0cos\nsystem\n(Vid\ntR.")
    assert "os.system" in {fact.value for fact in read_pickles(data).facts if fact.kind == "call"}


def test_what_is_no_plain_array_is_refused():
    for value in (np.array([object], dtype=object), "text"):
        data = pickle.dumps(value)
        with pytest.raises(FormatError) as caught:
            load(read_pickles(data).value, data)
        assert caught.value.code == "HF-FMT-004"


def test_bytes_that_do_not_fill_the_shape_are_refused():
    data = pickle.dumps(np.arange(4.0), 2).replace(b"K\x04\x85", b"K\x05\x85")
    with pytest.raises(FormatError):
        load(read_pickles(data).value, data)
