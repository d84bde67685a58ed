"""How long a posture and a pack take: `python -m benchmarks.comply [--quick] [--json FILE]`.

The estate is simulated: models with audited, judged, deployed and attested versions, written straight into a store.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.metrics import Metric, Target, report
from holdfast.comply.pack import Wish, build, verify_pack
from holdfast.comply.queries import chain_view, posture
from holdfast.core.domain import FrozenClock
from holdfast.core.ledger import Ledger
from holdfast.core.store import Store

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from ledgered_bank import KEY, Bank

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def main() -> int:
    """Measure, print, and say whether a target was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smaller estate")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    return report([*measured(6), *measured(100 if options.quick else 1000, pack=False)], options.json)


def measured(models: int, *, pack: bool = True) -> list[Metric]:
    """The figures of one estate."""
    with TemporaryDirectory() as folder, Store.open(None, Path(folder) / "state", FrozenClock(START)) as store:
        bank = filled(store, models)
        found = [*queried(store, models)]
        return [*found, *packed(bank, Path(folder), models)] if pack else found


def filled(store: Store, models: int) -> Bank:
    """An estate in which every fifth model has a finding."""
    bank = Bank(store, store.clock, Ledger(store, KEY, "bank"))  # type: ignore[arg-type]
    for number in range(models):
        name = f"m{number:04}"
        bank.register(name, f"sha256:{name}", region="us" if number % 3 == 0 else "eu")
        bank.audit(name, broken="evasion.search" if number % 5 == 0 else None)
        bank.deploy(name)
    for what in ("doc:dpia", "signoff:dpo", "signoff:board", "doc:incident-process"):
        bank.attest(what)
    bank.settle()
    return bank


def queried(store: Store, models: int) -> list[Metric]:
    """Posture and chain of the whole estate, and the posture of one model in it."""
    found = []
    for name, only in (("posture", None), ("posture_of_one", "m0001")):
        with store.reading() as tx:
            started = time.perf_counter()
            posture(tx, START, model=only)
            found.append(Metric(f"comply.{name}_s.{models}_models", time.perf_counter() - started, "s"))
    with store.reading() as tx:
        started = time.perf_counter()
        chain_view(tx, START)
        found.append(Metric(f"comply.chain_s.{models}_models", time.perf_counter() - started, "s"))
    return found


def packed(bank: Bank, folder: Path, models: int) -> list[Metric]:
    """Writing and verifying a pack, typst's own start included in the first."""
    found = []
    for step in ("first", "again"):
        started = time.perf_counter()
        build(bank.store, bank.ledger, KEY, Wish(START), folder / step)
        found.append(
            Metric(f"comply.pack_{step}_s.{models}_models", time.perf_counter() - started, "s", Target("<=", 10))
        )
    started = time.perf_counter()
    assert verify_pack(folder / "first", KEY.public).exit_code == 0
    found.append(Metric(f"comply.verify_s.{models}_models", time.perf_counter() - started, "s"))
    return found


if __name__ == "__main__":
    sys.exit(main())
