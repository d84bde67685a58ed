"""Models that attack: each ends with its word, and the machine is as it was (see conftest's `unharmed`)."""

from __future__ import annotations

import io
import os
import pickle
import socket
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pytest

from holdfast.core.errors import TargetError
from holdfast.core.sandbox.answer import Prediction
from holdfast.core.sandbox.sandbox import Sandbox

Box = Callable[..., Sandbox]
ROWS = {"a": np.array([1.0, 2.0, np.nan]), "b": np.array([1, 2, 3])}
ANSWER = "numpy.ones(len(rows))"


class _Coded:
    """Unpickles by running `code`, whose `model` becomes the object."""

    def __init__(self, code: str) -> None:
        self.code = code

    def __reduce__(self) -> tuple[object, ...]:
        return eval, (f"(lambda space: (exec({self.code!r}, space), space['model'])[1])({{}})",)


def model(load: str = "", predict: str = "", answer: str = ANSWER) -> bytes:
    """A pickle that runs `load` while it is loaded and `predict` when it is asked, and answers `answer`."""
    body = "".join(f"\n        {line}" for line in [*predict.splitlines(), f"return {answer}"])
    return pickle.dumps(
        _Coded(f"import numpy\n{load}\nclass Model:\n    def predict(self, rows):{body}\nmodel = Model()")
    )


def either(code: str) -> list[bytes]:
    """The same attack while loading and while predicting."""
    return [model(load=code), model(predict=code)]


def spray(data: str) -> str:
    """Code that writes `data` to every file that could be the one for answers."""
    return f"import os\nfor fd in range(3, 64):\n    try: os.write(fd, {data})\n    except OSError: pass"


def run(sandbox: Sandbox, artifact: bytes) -> Prediction:
    return sandbox.predict(artifact, "pickle", ROWS, ("a", "b"))


def reason(sandbox: Sandbox, artifact: bytes) -> str:
    with pytest.raises(TargetError) as caught:
        run(sandbox, artifact)
    return caught.value.reason


def test_a_harmless_one_answers(box: Box) -> None:
    assert run(box(), model()).scores.tolist() == [[1.0]] * 3


@pytest.mark.parametrize("code", ["while True: pass", "import time; time.sleep(60)"])
def test_endless_ends_as_time(box: Box, code: str) -> None:
    for artifact in either(code):
        assert reason(box(wall_s=1.0), artifact) == "time"


def test_processor_time_counts_too(box: Box) -> None:
    assert reason(box(cpu_s=1), model(predict="while True: pass")) == "time"


@pytest.mark.parametrize(
    "code",
    [
        "numpy.ones(100 * 2**30, dtype='u1')",
        "bytearray(100 * 2**30)",
        "kept = []\nwhile True: kept.append(bytes(2**24))",
        "try:\n    bytearray(100 * 2**30)\nexcept MemoryError:\n    pass",
    ],
)
def test_allocation_ends_as_memory(box: Box, code: str) -> None:
    for artifact in either(code):
        assert reason(box(), artifact) == "memory"


@pytest.mark.parametrize(
    "code",
    [
        "import os\nwhile True: os.fork()",
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
        "import subprocess; subprocess.run(['/bin/true'])",
        "import os; os.execv('/bin/true', ['true'])",
        "import os; os.system('true')",
        "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(60,)).start()",
    ],
)
def test_fork_bombs_end_as_processes(box: Box, code: str) -> None:
    for artifact in either(code):
        assert reason(box(), artifact) == "processes"


def test_threads_within_the_limit_are_fine(box: Box) -> None:
    code = "import threading\nfor _ in range(40):\n    t = threading.Thread(target=int)\n    t.start(); t.join()"
    assert run(box(), model(predict=code)).scores.shape == (3, 1)


@pytest.mark.parametrize(
    "attack",
    [
        "open({path!r}, 'w')",
        "open({path!r}, 'ab')",
        "try:\n    open({path!r}, 'w')\nexcept OSError:\n    pass",
        "import os; os.open({path!r}, os.O_RDWR)",
        "import os; os.mkdir({path!r} + 'd')",
        "import os; os.remove({path!r})",
        "import os; os.rename({path!r}, {path!r} + '2')",
        "import os; os.chmod({path!r}, 0o777)",
        "import os; os.symlink('/', {path!r} + 'l')",
        "import os; os.truncate({path!r}, 0)",
    ],
)
def test_file_changes_end_as_write(box: Box, tmp_path: Path, attack: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("as it was")
    victim.chmod(0o666)
    for artifact in either(attack.format(path=str(victim))):
        assert reason(box(), artifact) == "write"
    assert victim.read_text() == "as it was"
    assert victim.stat().st_mode & 0o777 == 0o666
    assert [found.name for found in tmp_path.iterdir() if found.name != "boxes"] == ["victim"]


def test_writing_to_dev_null_is_fine(box: Box) -> None:
    code = "import os\nwith open(os.devnull, 'w') as sink: print('quiet', file=sink)"
    assert run(box(), model(predict=code)).scores.shape == (3, 1)


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.create_connection(('127.0.0.1', {port}), 2)",
        "import socket\ntry:\n    socket.create_connection(('127.0.0.1', {port}), 2)\nexcept OSError:\n    pass",
        "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port}))",
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1:{port}', timeout=2)",
    ],
)
@pytest.mark.parametrize("skip", [(), ("namespaces",)])
def test_sockets_end_as_network(box: Box, code: str, skip: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        for artifact in either(code.format(port=server.getsockname()[1])):
            assert reason(box(*skip), artifact) == "network"
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize(
    "code",
    [
        "import sys; sys.exit(0)",
        "import os; os._exit(0)",
        "import os; os._exit(3)",
        "import os; os.abort()",
        "import ctypes; ctypes.string_at(0)",
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM); os._exit(1)",
        "raise ValueError('no such luck')",
        "raise KeyboardInterrupt",
        "import nowhere_to_be_found",
        "def deep(): deep()\ndeep()",
        "class Odd(Exception):\n    def __str__(self): raise SystemExit\nraise Odd",
    ],
)
def test_leaving_ends_as_crash(box: Box, code: str) -> None:
    for artifact in either(code):
        assert reason(box(), artifact) == "crash"


@pytest.mark.parametrize(
    "code",
    [
        "import os\nwhile True: os.write(1, b'x' * 65536)",
        "while True: print('x' * 65536)",
        spray("b'garbage!' * 100"),
        spray("b'HFB1' + b'\\xff' * 4"),
        spray("b'HFB1\\x02\\0\\0\\0[]'"),
        spray("b'HFB1\\x04\\0\\0\\0[[[['"),
    ],
)
def test_garbage_ends_as_output(box: Box, code: str) -> None:
    for artifact in either(code):
        assert reason(box(), artifact) == "output"


@pytest.mark.parametrize(
    "answer",
    [
        "numpy.ones(len(rows) + 1)",
        "numpy.ones((len(rows), 20_000))",
        "numpy.ones((len(rows), 0))",
        "numpy.full(len(rows), numpy.nan)",
        "numpy.full(len(rows), numpy.inf)",
        "numpy.ones(10**7)",
        "numpy.ones(())",
        "numpy.ones((3, 3, 3))",
        "['many', 'words', 'here']",
        "None",
    ],
)
def test_wrong_shapes_end_as_output(box: Box, answer: str) -> None:
    assert reason(box(), model(answer=answer)) == "output"


def test_wrong_labels_end_as_output(box: Box) -> None:
    for labels in ("list(range(7))", "['x' * 1000]", "[[1]]", "[None]", "['x'] * 10**5"):
        artifact = pickle.dumps(
            _Coded(
                "import numpy\nclass Model:\n"
                f"    classes_ = {labels}\n"
                "    def predict(self, rows): return None\n"
                "    def predict_proba(self, rows): return numpy.ones((len(rows), 1))\n"
                "model = Model()"
            )
        )
        assert reason(box(), artifact) == "output"


def test_words_from_a_model_are_harmless(box: Box) -> None:
    with pytest.raises(TargetError) as caught:
        run(box(), model(load="raise ValueError('\\x1b[2J\\x00\\n' + 'x' * 10**6)"))
    text = str(caught.value.cause)
    assert text.isprintable()
    assert len(text) <= 600


@pytest.mark.parametrize("skip", [(), ("namespaces",), ("root",)])
def test_files_outside_cannot_be_read(box: Box, tmp_path: Path, skip: tuple[str, ...]) -> None:
    if not {"sandbox.root", "sandbox.landlock"} & {fact.kind for fact in box(*skip).probe()[1] if fact.value is True}:
        pytest.skip("neither namespaces nor Landlock here")
    secret = tmp_path / "secret"
    secret.write_text("42")
    secret.chmod(0o644)
    for path in (secret, Path("/etc/passwd"), Path("/proc/1/environ")):
        with pytest.raises(TargetError) as caught:
            run(box(*skip), model(predict=f"numpy.full(3, len(open({str(path)!r}).read()))"))
        assert caught.value.cause.startswith(("FileNotFoundError", "PermissionError"))


@pytest.mark.parametrize("skip", [(), ("namespaces",)])
def test_no_way_to_other_processes(box: Box, skip: tuple[str, ...]) -> None:
    """No signal, no look, no limit reaches the test's own process; an answer proves that all of it ran."""
    code = (
        "import os, resource, ctypes\n"
        f"pid = {os.getpid()}\n"
        "def refused(call, *args):\n"
        "    try: call(*args)\n"
        "    except (OSError, AttributeError): return True\n"
        "    return False\n"
        "assert refused(os.kill, pid, 0) and refused(os.kill, -1, 9) and refused(os.killpg, os.getpgrp(), 9)\n"
        "assert refused(resource.prlimit, pid, resource.RLIMIT_CPU)\n"
        "assert refused(os.pidfd_open, pid) and refused(os.sched_setaffinity, pid, [0])\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "assert libc.ptrace(16, pid, 0, 0) == -1\n"
        "assert libc.prctl(1, 0, 0, 0, 0) == -1, 'death signal cleared'\n"
        "assert libc.unshare(0x10000000) == -1 and libc.mount(b'none', b'/', b'tmpfs', 0, 0) == -1\n"
        "assert libc.setuid(0) == -1 and libc.memfd_create(b'x', 0) == -1 and libc.syscall(321, 0, 0, 0) == -1"
    )
    assert run(box(*skip), model(predict=code)).scores.tolist() == [[1.0]] * 3


def test_the_environment_is_not_handed_on(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_CANARY", "secret")
    assert run(box(), model(predict="import os; assert 'HOLDFAST_CANARY' not in os.environ")).scores.shape == (3, 1)


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("import os; os.fork()", "processes"),
        ("open('/tmp/here', 'w')", "write"),
        ("import socket; socket.socket()", "network"),
        ("numpy.ones(100 * 2**30, dtype='u1')", "memory"),
        ("while True: pass", "time"),
    ],
)
def test_words_without_notifications(box: Box, code: str, word: str) -> None:
    """An older kernel refuses the call instead of telling the warden; the words still come, by errno."""
    for artifact in either(code):
        assert reason(box("notify", "namespaces", wall_s=2.0 if word == "time" else 20.0), artifact) == word


def test_joblib_files_are_no_different(box: Box) -> None:
    buffer = io.BytesIO()
    joblib.dump(_Coded("import os\nwhile True: os.fork()\nmodel = None"), buffer)
    with pytest.raises(TargetError) as caught:
        box().predict(buffer.getvalue(), "joblib", ROWS, ("a", "b"))
    assert caught.value.reason == "processes"


def test_a_bad_pointer_does_not_fell_the_warden(box: Box) -> None:
    """The warden looks up the path of a stopped call; the address is the model's to choose."""
    for address in ("-1", "1", "2**62"):
        code = f"import ctypes; ctypes.CDLL(None).open(ctypes.c_void_p({address}), 2)"
        with pytest.raises(TargetError) as caught:
            run(box(), model(predict=code))
        assert caught.value.reason == "write"


def test_closing_the_answer_and_going_on_ends_as_output(box: Box) -> None:
    assert reason(box(), model(predict="import os, time; os.closerange(3, 64); time.sleep(60)")) == "output"
