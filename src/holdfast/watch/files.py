"""Events out of files: NDJSON, Arrow IPC (stream or file), Parquet; read in batches, as hostile as any request."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from holdfast.core.errors import DataError
from holdfast.watch.parse import read_arrow, read_ndjson
from holdfast.watch.schema import check_form
from holdfast.watch.settings import WatchSettings

BATCH_ROWS = 10_000
LINE_BYTES = 1 << 20


def read_file(path: Path, settings: WatchSettings) -> Iterator[pa.Table]:
    """The events of a file in batches. Raises DataError (HF-WAT-007 for the file itself, else as requests do)."""
    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            yield from _parquet(path)
        elif suffix in (".arrow", ".arrows", ".ipc", ".feather"):
            yield from _arrow(path, settings)
        else:
            with path.open("rb") as stream:
                yield from read_lines(stream, settings)
    except (OSError, pa.ArrowException) as fault:
        lines = str(fault).splitlines()
        raise DataError(
            f"{path} cannot be read as events",
            cause=(lines[0] if lines else type(fault).__name__)[:200],
            fix="give NDJSON (.ndjson, .jsonl), Arrow IPC (.arrow, .arrows) or Parquet (.parquet)",
            code="HF-WAT-007",
        ) from None


def read_lines(stream: BinaryIO, settings: WatchSettings) -> Iterator[pa.Table]:
    """NDJSON from a stream, in batches of lines."""
    rows = min(BATCH_ROWS, settings.max_rows)
    pieces = iter(lambda: stream.readline(LINE_BYTES), b"")
    while batch := list(islice(pieces, rows)):
        yield read_ndjson(b"".join(batch), settings)


def _parquet(path: Path) -> Iterator[pa.Table]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        check_form(file.schema_arrow)
        for batch in file.iter_batches(BATCH_ROWS):
            yield pa.Table.from_batches([batch])


def _arrow(path: Path, settings: WatchSettings) -> Iterator[pa.Table]:
    with path.open("rb") as stream:
        magic = stream.read(6)
    if magic != b"ARROW1":
        table = read_arrow(path.read_bytes(), settings)
    else:
        table = pa.ipc.open_file(path).read_all()
        table.validate(full=True)
    for start in range(0, table.num_rows, BATCH_ROWS):
        yield table.slice(start, BATCH_ROWS)
