"""Parquet, Arrow and CSV files as columns, within bounds: a file is hostile until it has been counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.core.data.arrow import to_numpy
from holdfast.core.data.table import MAX_EXACT_INT, Column, huge_integer, unknown_column
from holdfast.core.errors import DataError, PrerequisiteError

if TYPE_CHECKING:
    import pyarrow as pa

MAX_BYTES = 4 * 2**30
"""Of the file, and again of the columns once decoded."""
MAX_COLUMNS = 10_000
MAX_CELLS = 1_000_000_000
BATCH_ROWS = 131_072

_PARQUET = b"PAR1"
_ARROW = b"ARROW1\0\0"
_ARROW_STREAM = b"\xff\xff\xff\xff"
_SEPARATORS = {".csv": ",", ".txt": ",", ".tsv": "\t"}


def read_columns(path: Path, columns: Sequence[str] | None, drop: frozenset[str]) -> dict[str, Column]:
    """The columns of a file, in the file's order (or in the order of `columns`), as numpy arrays."""
    pa = _pyarrow()
    head = _head(path)
    try:
        if head.startswith(_PARQUET):
            table = _read_parquet(path, columns, drop)
        elif head in (_ARROW[:4], _ARROW_STREAM):
            table = _read_arrow(path, columns, drop)
        elif path.suffix.lower() in _SEPARATORS:
            table = _read_csv(path, columns, drop)
        else:
            raise _damaged(path, f"it starts with {head!r}: no Parquet, no Arrow, and its name does not end in .csv")
    except (pa.ArrowException, OSError) as fault:
        raise _damaged(path, _first_line(fault)) from fault
    if table.num_rows == 0:
        raise _empty(path, "it has a header but no rows" if table.num_columns else "none of its columns are left")
    return {name: to_numpy(name, table.column(name)) for name in table.column_names}


def _read_parquet(path: Path, columns: Sequence[str] | None, drop: frozenset[str]) -> pa.Table:
    """Batch by batch, so that a small file that unfolds into a huge one is stopped on the way."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, memory_map=True) as probe:
        schema = probe.schema_arrow
        names = _chosen(path, schema.names, columns, drop)
        _check_size(path, probe.metadata.num_rows, len(names))
        _check_decoded(path, _claimed_bytes(probe.metadata, frozenset(names)))
    # Text stays in dictionary form while it is read: one long string repeated a million times is stored once.
    texts = [name for name in names if _is_text(schema.field(name).type)]
    batches, size = [], 0
    with pq.ParquetFile(path, memory_map=True, read_dictionary=texts) as source:
        for batch in source.iter_batches(BATCH_ROWS, columns=names):
            size += batch.nbytes
            _check_decoded(path, size)
            batches.append(batch)
    return pa.Table.from_batches(batches).select(names) if batches else schema.empty_table().select(names)


def _read_arrow(path: Path, columns: Sequence[str] | None, drop: frozenset[str]) -> pa.Table:
    """An IPC stream, or the stream inside an IPC file: its footer is an index that reading in order does not need."""
    import pyarrow as pa

    from holdfast.core.data.ipcguard import MalformedError, claims

    with pa.memory_map(str(path)) as source:
        whole = source.read_buffer()
        framed = bytes(whole[: len(_ARROW)]) == _ARROW
        stream = whole[len(_ARROW) :] if framed else whole
        try:
            claimed = claims(memoryview(stream))
        except MalformedError as fault:
            raise _damaged(path, str(fault)) from fault
        _check_decoded(path, claimed.unpacked)
        with pa.ipc.open_stream(stream) as reader:
            names = _chosen(path, reader.schema.names, columns, drop)
            _check_size(path, claimed.rows, len(names))
            table = reader.read_all()
        table.validate(full=True)
        return table.select(names)


def _read_csv(path: Path, columns: Sequence[str] | None, drop: frozenset[str]) -> pa.Table:
    separator = _SEPARATORS[path.suffix.lower()]
    names = _chosen(path, _header(path, separator), columns, drop)
    table = _parse_csv(path, separator, names, as_text=False)
    _check_size(path, table.num_rows, len(names))
    _check_decoded(path, table.nbytes)
    _refuse_rounded(path, separator, table)
    return table


def _parse_csv(path: Path, separator: str, names: Sequence[str], *, as_text: bool) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    types = dict.fromkeys(names, pa.string()) if as_text else None
    # Opened by us: given a path, pyarrow would decompress by the name's ending, without any bound.
    with pa.OSFile(str(path)) as source:
        return csv.read_csv(
            source,
            parse_options=csv.ParseOptions(delimiter=separator, newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                include_columns=list(names),
                column_types=types,
                strings_can_be_null=not as_text,
                quoted_strings_can_be_null=False,
            ),
        )


def _refuse_rounded(path: Path, separator: str, table: pa.Table) -> None:
    """A CSV integer beyond int64 is parsed as a float; refuse it instead of keeping the rounded number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    suspects = [
        name
        for name in table.column_names
        if pa.types.is_floating(table.schema.field(name).type)
        and pc.any(pc.greater(pc.abs(table.column(name)), MAX_EXACT_INT)).as_py()
    ]
    if not suspects:
        return
    texts = _parse_csv(path, separator, suspects, as_text=True)
    for name in suspects:
        if pc.any(pc.match_substring_regex(texts.column(name), r"^\s*[+-]?\d{16,}\s*$")).as_py():
            raise huge_integer(name, f" of {path}")


def _header(path: Path, separator: str) -> list[str]:
    """The column names, read as text before pyarrow sees the file."""
    import csv

    with path.open("rb") as source:
        line = source.readline(16 * MAX_COLUMNS * 8)
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise not_utf8(str(path), f"byte {fault.start} of the first line is {line[fault.start]:#04x}") from None
    names = next(csv.reader([text], delimiter=separator), [])
    if not any(names):
        raise _empty(path, "the first line is empty; it must name the columns")
    if len(names) == 1 and separator not in text and (";" in text or "\t" in text):
        raise _damaged(path, f"the header {names[0][:60]!r} is one column: values are not separated by a comma")
    return names


def _chosen(path: Path, names: Sequence[str], columns: Sequence[str] | None, drop: frozenset[str]) -> list[str]:
    if len(names) > MAX_COLUMNS:
        raise _too_large(path, f"{len(names):,} columns", f"{MAX_COLUMNS:,}")
    for name in [name for name in columns or () if name not in names]:
        raise unknown_column(name, names, str(path))
    chosen = [name for name in (names if columns is None else columns) if name not in drop]
    counts = Counter(names)
    for name in chosen:
        if counts[name] > 1:
            raise DataError(
                f"{path} has {counts[name]} columns named '{name}'",
                cause="a column is known by its name, so every name must be there once",
                fix="rename or remove the others",
                code="HF-DAT-005",
            )
    if not chosen:
        raise _empty(path, "none of its columns are left")
    return chosen


def _head(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise IsADirectoryError(21, "it is a folder; name one file")
        size = path.stat().st_size
        with path.open("rb") as source:
            head = source.read(4)
    except (OSError, ValueError) as fault:
        raise DataError(
            f"cannot read {path}",
            cause=getattr(fault, "strerror", None) or str(fault),
            fix="check the path under `data:` in holdfast.yaml and its permissions",
            code="HF-DAT-001",
        ) from fault
    if size > MAX_BYTES:
        raise _too_large(path, f"{size:,} bytes", f"{MAX_BYTES:,}")
    if size == 0:
        raise _empty(path, "the file has 0 bytes")
    return head


def _claimed_bytes(metadata: Any, names: frozenset[str]) -> int:
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    chunks = (group.column(index) for group in groups for index in range(group.num_columns))
    return sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema.split(".")[0] in names)


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _check_size(path: Path, rows: int, columns: int) -> None:
    if rows * columns > MAX_CELLS:
        raise _too_large(path, f"{rows:,} rows of {columns:,} columns", f"{MAX_CELLS:,} values")


def _check_decoded(path: Path, size: int) -> None:
    if size > MAX_BYTES:
        raise _too_large(path, f"more than {size:,} bytes once decoded", f"{MAX_BYTES:,}")


def _too_large(path: Path, found: str, limit: str) -> DataError:
    return DataError(
        f"{path} is too large",
        cause=f"{found}; the limit is {limit}",
        fix="give a sample of the rows, or drop columns the model does not use",
        code="HF-DAT-003",
    )


def _empty(path: Path, why: str) -> DataError:
    return DataError(
        f"{path} has no rows to work with",
        cause=why,
        fix="give a file with a header and at least one row",
        code="HF-DAT-004",
    )


def _damaged(path: Path, why: str) -> DataError:
    return DataError(
        f"{path} is not a readable Parquet, Arrow or CSV file",
        cause=why,
        fix="write the file again as .parquet or as comma-separated UTF-8 .csv",
        code="HF-DAT-002",
    )


def not_utf8(where: str, why: str) -> DataError:
    """The error for text in another encoding."""
    return DataError(f"{where} is not UTF-8 text", cause=why, fix="save the file as UTF-8", code="HF-DAT-007")


def _first_line(fault: BaseException) -> str:
    return (str(fault).splitlines() or [type(fault).__name__])[0][:300]


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError as fault:
        raise PrerequisiteError(
            "data files cannot be read here",
            cause="the package pyarrow is not installed",
            fix="pip install 'holdfast[attack]'",
            code="HF-PRE-001",
        ) from fault
    return pyarrow
