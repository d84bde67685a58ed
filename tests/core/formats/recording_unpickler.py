"""Run as a program: unpickles each stream of stdin with CPython's own unpicklers, and says which names they look up.

Names are recorded and answered with inert stand-ins: nothing that a stream names is imported or called. One JSON
line in, {"data": hex, "joblib": bool}; one JSON line out, a list of names for each unpickler.
"""

from __future__ import annotations

import io
import json
import pickle
import resource
import signal
import sys


class Inert:
    """Accepts whatever an unpickler does to an object."""

    def __new__(cls, *args, **kwargs):
        return super().__new__(cls)

    def __init__(self, *args, **kwargs):
        pass

    def __call__(self, *args, **kwargs):
        return Inert()

    def __setstate__(self, state):
        pass

    def __setitem__(self, key, value):
        pass

    def append(self, item):
        pass

    def extend(self, items):
        pass

    def add(self, item):
        pass


class _Recorder:
    def find_class(self, module, name):
        self.names.append([module, name])
        return self.real.get((module, name), Inert)

    def persistent_load(self, identity):
        return Inert()


class Fast(_Recorder, pickle.Unpickler):
    pass


class Slow(_Recorder, pickle._Unpickler):
    pass


def joblib_kind():
    import numpy
    from joblib.numpy_pickle import NumpyArrayWrapper, NumpyUnpickler

    class Numeric(_Recorder, NumpyUnpickler):
        pass

    real = {
        ("joblib.numpy_pickle", "NumpyArrayWrapper"): NumpyArrayWrapper,
        ("numpy", "dtype"): numpy.dtype,
        ("numpy", "ndarray"): numpy.ndarray,
    }
    return Numeric, real


def record(kind, data, real, *extra):
    """Every name looked up until the data ends or breaks, over all its streams."""
    names: list[list[str]] = []
    file = io.BytesIO(data)
    while file.tell() < len(data):
        try:
            unpickler = kind("stream", file, **extra[0]) if extra else kind(file)
            unpickler.names, unpickler.real = names, real
            unpickler.load()
        except Exception:
            break
    return names


def stop(*_):
    raise TimeoutError


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    signal.signal(signal.SIGALRM, stop)
    for line in sys.stdin:
        case = json.loads(line)
        data = bytes.fromhex(case["data"])
        signal.setitimer(signal.ITIMER_REAL, 5)
        try:
            if case["joblib"]:
                kind, real = joblib_kind()
                found = [record(kind, data, real, {"ensure_native_byte_order": False})]
            else:
                found = [record(Fast, data, {}), record(Slow, data, {})]
        except TimeoutError:
            found = []
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
