"""Running models under their own interpreter, walled in; the one door through which an artifact is ever executed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from holdfast.core.data.table import Table, unknown_column
from holdfast.core.domain import Fact
from holdfast.core.errors import SandboxError, TargetError
from holdfast.core.sandbox.answer import Prediction, classes_of, expected_size, scores_of
from holdfast.core.sandbox.columns import encode_columns
from holdfast.core.sandbox.ending import told_error
from holdfast.core.sandbox.faults import printable, sandbox_error
from holdfast.core.sandbox.inside import wire
from holdfast.core.sandbox.libraries import own_libraries
from holdfast.core.sandbox.limits import Isolation, Limits
from holdfast.core.sandbox.process import Process

FORMATS = ("xgboost-json", "xgboost-ubj", "lightgbm-text", "catboost-cbm", "joblib", "pickle", "onnx")
MAX_ARTIFACT_BYTES = 2 * 2**30
START_S = 120.0
"""For importing libraries, which can take long on a cold or busy machine and is not the model's doing."""

Stamps = tuple[tuple[str, int], ...]

_libraries: dict[Path, tuple[Stamps, dict[str, str]]] = {}


class Sandbox:
    """Starts confined processes under `interpreter` (None: the one that runs Holdfast).

    `readable` are further folders a model's own code needs to read. `skip` leaves out steps of the confinement
    (namespaces, root, landlock, seccomp, notify), to see what a weaker machine would give.
    """

    def __init__(
        self,
        interpreter: Path | None = None,
        limits: Limits | None = None,
        minimum: Isolation = Isolation.REDUCED,
        *,
        readable: Iterable[Path] = (),
        skip: Iterable[str] = (),
    ) -> None:
        self.own = interpreter is None
        self.interpreter = Path(sys.executable if interpreter is None else interpreter).absolute()
        self.limits = limits or Limits()
        self.minimum = minimum
        self._readable = tuple(str(path.absolute()) for path in readable)
        self._skip = tuple(skip)

    def predict(
        self,
        artifact: Path | bytes,
        format: str,  # noqa: A002 - the word the house uses for it
        columns: Mapping[str, NDArray[Any]],
        feature_order: Sequence[str],
        margin: bool = False,
    ) -> Prediction:
        """Load `artifact` and score all rows of `columns` in one process of its own; see `Session.predict`."""
        with self.open(artifact, format, feature_order) as session:
            return session.predict(columns, margin)

    def open(self, artifact: Path | bytes, format: str, feature_order: Sequence[str]) -> Session:  # noqa: A002
        """Load `artifact` in a process that then answers many predictions.

        `feature_order` names the columns in the order the model knows them by, where it knows no names itself.
        Raises TargetError (the model misbehaved) or SandboxError (isolation too weak, interpreter or library missing).
        """
        if format not in FORMATS:
            raise sandbox_error(
                "request",
                f"models of the format '{format}' cannot be run",
                f"the formats that can are {', '.join(FORMATS)}",
                "export the model to one of these",
            )
        data = _artifact(artifact)
        libraries = self.libraries()
        process = self._start()
        try:
            level = self._prepare(process, format)
            question = wire.encode({"op": "load", "format": format, "features": list(feature_order)}, [data])
            header, _ = process.ask([question, data])
            if not header["ok"]:
                raise told_error(header)
        except BaseException:
            process.close()
            raise
        return Session(process, feature_order, level, libraries, _facts(level, process.steps))

    def probe(self) -> tuple[Isolation, tuple[Fact, ...]]:
        """How well this machine can isolate a model, step by step. Raises SandboxError when nothing starts."""
        with self._start() as process:
            self._ask(process, {"op": "libraries"})
            level = Isolation.of(process.steps)
            return level, _facts(level, process.steps)

    def libraries(self) -> dict[str, str]:
        """Versions of the model libraries in the interpreter, by distribution name; nothing is imported for it.

        Asked for once per interpreter, and again when it or its site-packages changed.
        """
        if self.own:
            return own_libraries()
        known = _libraries.get(self.interpreter)
        if known is None or _stamps(path for path, _ in known[0]) != known[0]:
            _libraries[self.interpreter] = known = self._ask_libraries()
        return dict(known[1])

    def _ask_libraries(self) -> tuple[Stamps, dict[str, str]]:
        with self._start() as process:
            header = self._ask(process, {"op": "libraries"})
        libraries, folders = header.get("libraries"), header.get("folders")
        if not isinstance(libraries, dict) or not isinstance(folders, list):
            raise self._no_start(f"it does not say what it has: {header.get('text')}")
        stamps = _stamps([str(self.interpreter), *map(str, folders)])
        return stamps, {str(name): str(version) for name, version in libraries.items()}

    def _start(self) -> Process:
        if os.name != "posix":
            raise self._no_start("models can be sandboxed on Linux (and, without walls, on other POSIX systems) only")
        return Process(self.interpreter, self.limits, self._readable, self._skip)

    def _prepare(self, process: Process, format: str) -> Isolation:  # noqa: A002
        """Import the format's libraries behind the walls, and see how high these are, before the artifact comes."""
        header = self._ask(process, {"op": "prepare", "format": format})
        level = Isolation.of(process.steps)
        if level < self.minimum:
            failed = [f"{name[1:]}: {why}" for name, why in process.steps.items() if name.startswith("-")]
            raise sandbox_error(
                "isolation",
                f"models can only be isolated to the level '{level.name.lower()}' here",
                f"'{self.minimum.name.lower()}' is demanded; {'; '.join(failed) or 'steps were left out'}",
                "allow user namespaces or Landlock here (`holdfast doctor` tells), run elsewhere, or lower "
                "`isolation:` in the policy",
            )
        if isinstance(header.get("missing"), str):
            raise sandbox_error(
                "library",
                f"the interpreter {self.interpreter} cannot run models of the format '{format}'",
                str(header.get("text")),
                f"{self.interpreter} -m pip install {printable(header['missing'], 60)}",
            )
        if not header["ok"]:
            raise self._no_start(f"{header.get('type')}: {header.get('text')}")
        return level

    def _ask(self, process: Process, question: dict[str, Any]) -> dict[str, Any]:
        """Ask something in which no artifact has a part, so that a failure is not the model's."""
        try:
            return process.ask([wire.encode(question)], wall_s=max(START_S, self.limits.wall_s))[0]
        except TargetError as fault:
            raise self._no_start(fault.cause) from fault

    def _no_start(self, cause: str) -> SandboxError:
        return sandbox_error(
            "start",
            f"the sandbox did not start under {self.interpreter}",
            cause,
            "check that it is a Python 3.8 or later that starts, and that `holdfast doctor` finds no fault",
        )


class Session:
    """A loaded model that answers; made by `Sandbox.open`. Close it, or use it as a context manager."""

    def __init__(
        self,
        process: Process,
        feature_order: Sequence[str],
        isolation: Isolation,
        libraries: Mapping[str, str],
        facts: tuple[Fact, ...],
    ) -> None:
        self.feature_order = tuple(feature_order)
        self.isolation, self.libraries, self.facts = isolation, libraries, facts
        self._process = process

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def predict(self, columns: Mapping[str, NDArray[Any]], margin: bool = False) -> Prediction:
        """Score every row of `columns` (raw values, as the model's users give them; NaN or None = missing).

        Raises TargetError, after which the session is over, and DataError for columns that do not fit.
        """
        table = Table.of(columns)
        for name in self.feature_order:
            if name not in table.columns:
                raise unknown_column(name, table.names, "the rows to score")
        if table.n_rows == 0:
            raise sandbox_error("request", "there are no rows to score", "every column is empty", "give a row or more")
        described, blobs = encode_columns(table)
        question = wire.encode({"op": "predict", "columns": described, "margin": margin}, blobs)
        header, blob = self._process.ask([question, *blobs], lambda header: expected_size(header, table.n_rows))
        if not header["ok"]:
            self.close()
            raise told_error(header)
        scores = scores_of(blob, table.n_rows)
        classes = classes_of(header, scores.shape[1])
        return Prediction(scores, classes, self.isolation, self.libraries, self.facts)

    def close(self) -> None:
        """End the process."""
        self._process.close()


def _stamps(paths: Iterable[str]) -> Stamps:
    """When each path last changed; installing a package changes its site-packages folder."""
    return tuple((str(path), path.stat().st_mtime_ns if path.exists() else 0) for path in map(Path, paths))


def _artifact(artifact: Path | bytes) -> bytes:
    if isinstance(artifact, bytes):
        return artifact
    try:
        with artifact.open("rb") as source:
            data = source.read(MAX_ARTIFACT_BYTES + 1)
    except OSError as fault:
        raise sandbox_error(
            "request",
            f"cannot read {artifact}",
            fault.strerror or str(fault),
            "check `artifact:` in holdfast.yaml and the file's permissions",
        ) from fault
    if len(data) > MAX_ARTIFACT_BYTES:
        raise sandbox_error(
            "request",
            f"{artifact} is too large to run",
            f"it has more than {MAX_ARTIFACT_BYTES:,} bytes",
            "test a smaller model, or its endpoint",
        )
    return data


def _facts(level: Isolation, steps: Mapping[str, str]) -> tuple[Fact, ...]:
    found = [Fact("sandbox.isolation", level.name.lower())]
    for name, how in steps.items():
        failed = name.startswith("-")
        found.append(Fact(f"sandbox.{name.lstrip('-')}", not failed, detail=how))
    return tuple(found)
