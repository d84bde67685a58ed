"""Names of the interpreter and of C code that no source shows, each group with the reason it is harmless.

Only values: types whose construction stores or converts its arguments. Nothing that calls an argument, opens,
imports, evaluates or looks up an attribute belongs here.
"""

from __future__ import annotations

import builtins
from typing import Final

_EXCEPTIONS: Final = " ".join(
    name for name, kind in sorted(vars(builtins).items()) if isinstance(kind, type) and issubclass(kind, BaseException)
)

SEEDS: Final[tuple[tuple[str, str, str, str], ...]] = (
    # module, mode, names, reason
    (
        "builtins",
        "c",
        "bool bytearray bytes complex dict float frozenset int list object range set slice str tuple",
        "value types of the language",
    ),
    ("builtins", "c", _EXCEPTIONS, "exceptions store their arguments"),
    ("builtins", "v", "Ellipsis NotImplemented abs len max min sum round", "constants and pure functions"),
    ("builtins", "r", "getattr", "allowed only where both arguments are literal and the name it finds is listed"),
    ("builtins", "r", "type", "allowed only of None, Ellipsis and NotImplemented, whose types have no other name"),
    ("copyreg", "r", "_reconstructor", "the machine replaces it by the class it instantiates"),
    ("_codecs", "c", "encode", "how protocols 0 to 2 write bytes; a name computed by it is refused"),
    (
        "collections",
        "c",
        "OrderedDict deque defaultdict Counter ChainMap UserDict UserList UserString",
        "containers; a default factory is itself a name that must be listed",
    ),
    ("datetime", "c", "date datetime time timedelta timezone tzinfo", "value types"),
    ("decimal", "c", "Decimal Context", "value types"),
    ("fractions", "c", "Fraction", "value type"),
    ("uuid", "c", "UUID SafeUUID", "value types"),
    ("ipaddress", "c", "IPv4Address IPv4Interface IPv4Network IPv6Address IPv6Interface IPv6Network", "value types"),
    (
        "pathlib",
        "c",
        "PurePath PurePosixPath PureWindowsPath PosixPath WindowsPath",
        "a path as a value; making one touches no file",
    ),
    ("array", "c", "array _array_reconstructor", "numbers"),
    ("re", "c", "_compile", "compiles a regular expression"),
    ("random", "c", "Random", "generator state"),
    ("types", "c", "SimpleNamespace", "stores its arguments"),
    ("types", "v", "EllipsisType NoneType NotImplementedType", "types of the language's constants"),
    ("functools", "c", "partial", "stores a callable that is itself a name that must be listed; calling it is refused"),
    (
        "operator",
        "v",
        "add sub mul truediv floordiv mod pow neg pos eq ne lt le gt ge and_ or_ not_ abs",
        "pure arithmetic and comparison",
    ),
    ("math", "v", "exp expm1 log log10 log1p log2 sqrt sin cos tan floor ceil fabs pow", "pure arithmetic"),
    ("time", "c", "struct_time", "value type"),
    ("zoneinfo", "v", "ZoneInfo", "the owner of the reconstructor below"),
    ("zoneinfo", "d", "ZoneInfo._unpickle", "a zone by its key, which the library keeps inside its own database"),
    ("pytz", "c", "_p _UTC", "a zone by its key, which the library keeps inside its own database"),
    ("numpy", "c", "dtype ndarray", "C types; an array's bytes and type are data"),
    ("numpy._core.multiarray", "c", "_reconstruct scalar", "C reconstructors of arrays and numbers"),
    ("numpy._core.numeric", "c", "_frombuffer", "an array over bytes of the pickle"),
    (
        "pandas.core.indexes.datetimes",
        "h",
        "_new_DatetimeIndex",
        "makes an index of what it is handed; the attributes it looks up are its own two, by name",
    ),
    (
        "pyarrow.lib",
        "c",
        "_restore_array py_buffer type_for_alias",
        "C reconstructors of arrays, over bytes of the pickle",
    ),
    ("torch", "c", "Size device Generator", "C types: a shape, a place, a random state"),
    (
        "torch",
        "c",
        (
            "float64 float32 float16 bfloat16 float8_e4m3fn float8_e5m2 complex64 complex128 int64 int32 int16 int8 "
            "uint8 uint16 uint32 uint64 bool qint8 quint8 qint32 quint4x2 quint2x4 strided sparse_coo sparse_csr "
            "sparse_csc sparse_bsr sparse_bsc contiguous_format channels_last channels_last_3d preserve_format "
            "per_tensor_affine per_channel_affine per_tensor_symmetric per_channel_symmetric "
            "per_channel_affine_float_qparams"
        ),
        "constants: types of numbers, layouts, orders, schemes; calling one is an error",
    ),
    ("torch.serialization", "c", "_get_layout", "looks a layout up in a table of torch's own constants"),
    (
        "torch.storage",
        "r",
        "_load_from_bytes",
        "loads a torch file; accepted only for literal bytes, which are scanned",
    ),
    (
        "torch.jit._pickle",
        "c",
        "build_intlist build_tensorlist build_doublelist build_boollist build_tensor_from_id restore_type_tag",
        "give back what they are handed; how TorchScript marks the type of a list",
    ),
    ("dill._dill", "r", "_load_type", "a class of the interpreter by its literal name, which is then judged"),
    (
        "dill._dill",
        "r",
        "_eval_repr",
        "allowed only of what dill writes: Ellipsis, NotImplemented, ranges",
    ),
    ("dill._dill", "r", "_create_namedtuple", "a class by its literal name, which is then judged, or a named tuple"),
    ("dill._dill", "h", "_create_array", "calls the reconstructor it is handed, a name that must be listed"),
    ("numpy._core", "r", "_ufunc_reconstruct", "allowed only where the name it imports is listed"),
)

ALIASES: Final = (
    ("numpy.core._multiarray_umath", "numpy"),
    ("numpy._core._multiarray_umath", "numpy"),
    ("numpy.core", "numpy._core"),
    ("_loss", "sklearn._loss._loss"),
)
"""Modules that were renamed, or that say another name of themselves than the one they are imported by (a C module of
numpy's functions; Cython modules of scikit-learn before 1.6): files hold both names."""
