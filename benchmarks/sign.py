"""Signing the files of a model and verifying them, against the OpenSSF's model_signing, each as a whole command.

    python -m benchmarks.sign --setup             # once: the rival's own environment, .venv-model-signing
    python -m benchmarks.sign [--quick] [--json FILE]

Two files of 1 GiB (128 MiB with --quick), page cache warm, the same ECDSA key for both tools. The tools take turns; of
each the fastest of five runs counts. MB are 10^6 bytes a second of wall time; CPU seconds are beside it, since both
spend nearly all of them in the same SHA-256. Each tool verifies what the other signed, or the run fails.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from benchmarks.metrics import Metric, Target, report

REPO = Path(__file__).parent.parent
RIVAL = REPO / ".venv-model-signing"
TOOL = Path(os.environ.get("HOLDFAST_MODEL_SIGNING", RIVAL / "bin" / "model_signing"))
NAME = "model_signing 1.1.1"
WANTED = ("model-signing==1.1.1", "pyOpenSSL==26.4.0")
RUNS = 5

Seconds = tuple[float, float]
"""Wall and CPU."""


def setup() -> None:
    """The rival's environment."""
    subprocess.run([sys.executable, "-m", "venv", str(RIVAL)], check=True)
    subprocess.run([str(RIVAL / "bin" / "python"), "-m", "pip", "install", "-q", *WANTED], check=True)


def make(folder: Path, size: int) -> Path:
    """A model of two files, and the two halves of a key."""
    model = folder / "model"
    model.mkdir()
    piece = os.urandom(1 << 20)
    for name in ("one.bin", "two.bin"):
        with (model / name).open("wb") as file:
            for _ in range(size >> 20):
                file.write(piece)
    secret = ec.generate_private_key(ec.SECP256R1())
    (folder / "k.pem").write_bytes(secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "k.pem").chmod(0o600)
    public = secret.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "k.pub").write_bytes(public)
    return model


def ours(verb: str, folder: Path, signature: str) -> list[str]:
    """Our command. Without an installation: nothing but the files, the key and the signature."""
    words = [sys.executable, "-m", "holdfast", "seal", "sign" if verb == "sign" else "check", str(folder / "model")]
    if verb == "sign":
        options = ["--form", "openssf", "--key", str(folder / "k.pem"), "--save", str(folder / signature), "--replace"]
        return [*words, *options]
    return [*words, "--signature", str(folder / signature), "--key", str(folder / "k.pub")]


def theirs(verb: str, folder: Path, signature: str) -> list[str]:
    """Their command."""
    key = ("--private_key", folder / "k.pem") if verb == "sign" else ("--public_key", folder / "k.pub")
    return [str(TOOL), verb, "key", str(folder / "model"), key[0], str(key[1]), "--signature", str(folder / signature)]


def seconds(words: Sequence[str], folder: Path) -> Seconds:
    """One run of a command that has to succeed."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(words, check=True, cwd=folder, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measured(folder: Path, size: int) -> Iterator[Metric]:
    """Both verbs, both tools in turns."""
    for verb, word in (("sign", "files"), ("verify", "check")):
        found: dict[str, list[Seconds]] = {"ours": [], "theirs": []}
        for _ in range(RUNS):
            for who, command in (("ours", ours), ("theirs", theirs)):
                # Each verifies what the other signed.
                other = {"ours": "theirs", "theirs": "ours"}[who] if verb == "verify" else who
                found[who].append(seconds(command(verb, folder, f"{other}.sig"), folder))
        wall = {who: min(run[0] for run in runs) for who, runs in found.items()}
        cpu = {who: min(run[1] for run in runs) for who, runs in found.items()}
        rate = {who: 2 * size / 1e6 / taken for who, taken in wall.items()}
        yield Metric(f"sign.{word}_mb_per_s", rate["ours"], "MB/s", None, NAME, rate["theirs"])
        yield Metric(f"sign.{word}_speed_ratio", wall["theirs"] / wall["ours"], "times", Target(">=", 1.0))
        yield Metric(f"sign.{word}_cpu_s", cpu["ours"], "s", None, NAME, cpu["theirs"])


def main() -> int:
    """Measure, print, and say by the exit code whether a target was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--setup", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    if asked.setup:
        setup()
        return 0
    if not TOOL.is_file():
        parser.error("run `python -m benchmarks.sign --setup` first, or name the tool: HOLDFAST_MODEL_SIGNING")
    size = 1 << (27 if asked.quick else 30)
    with tempfile.TemporaryDirectory() as name:
        make(Path(name), size)
        return report(list(measured(Path(name), size)), asked.json)


if __name__ == "__main__":
    sys.exit(main())
