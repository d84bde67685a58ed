"""Content-addressed blobs in a folder: written whole or not at all, checked when read."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import BinaryIO

from holdfast.core.domain import digest_bytes
from holdfast.core.errors import StoreError
from holdfast.core.store.files import new_file, settle, sync_folders, using

PIECE_BYTES = 1 << 20
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Blobs:
    """Files named by the SHA-256 of their bytes, under `folder/ab/cd/<hex>`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._staging = folder / "tmp"

    def put(self, data: bytes) -> str:
        """Keep `data`; gives its digest. Durable when it returns; a blob that is there is not written again."""
        digest = digest_bytes(data)
        if not self.has(digest):
            with using(self.folder), new_file(self._staging) as (file, temporary):
                file.write(data)
                self._keep(file, temporary, digest)
        return digest

    def put_file(self, source: Path) -> str:
        """Keep a copy of a file, read once in pieces; gives its digest."""
        seen = hashlib.sha256()
        with source.open("rb") as reader, using(self.folder), new_file(self._staging) as (file, temporary):
            while piece := reader.read(PIECE_BYTES):
                seen.update(piece)
                file.write(piece)
            digest = f"sha256:{seen.hexdigest()}"
            self._keep(file, temporary, digest)
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes of a blob. Raises StoreError when it is missing or not what its name says."""
        try:
            data = self.path(digest).read_bytes()
        except FileNotFoundError as fault:
            raise self._missing(digest) from fault
        if digest_bytes(data) != digest:
            raise StoreError(
                f"the blob {digest} is damaged",
                cause=f"its bytes have the digest {digest_bytes(data)}",
                fix=f"restore {self.path(digest)} from a backup, or delete it and audit again",
                code="HF-STO-012",
            )
        return data

    def has(self, digest: str) -> bool:
        """Whether there is a blob of this digest."""
        return self.path(digest).is_file()

    def path(self, digest: str) -> Path:
        """Where a blob is, or would be; its bytes are not checked."""
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"{digest!r} is not a sha256 digest")
        name = digest.removeprefix("sha256:")
        return self.folder / name[:2] / name[2:4] / name

    def _keep(self, file: BinaryIO, temporary: Path, digest: str) -> None:
        target = self.path(digest)
        settle(file, temporary, target)
        sync_folders({target}, self.folder)

    def _missing(self, digest: str) -> StoreError:
        return StoreError(
            f"the blob {digest} is missing",
            cause=f"there is no file {self.path(digest)}",
            fix="restore the state folder from a backup, or audit again",
            code="HF-STO-013",
        )
