"""Constrained gradients against AutoPGD and plain PGD, on a net for the UCI credit data.

    python -m benchmarks.attack_nets [--quick] [--json FILE]

A torch perceptron of 64 and 32 units on 75 % of 30,000 clients, min-max scaled; attacked are the first 500 defaulters
of the rest that it flags. First without a contract, at the radii 0.01, 0.03 and 0.1, beside a plain PGD of 40 steps and
ART's AutoPGD; then inside `contracts/credit.yaml`, where integers stay integers and relations hold. Torch confirms
every hit. CPU time, one thread. Needs torch; ART where it is installed. Data: ../shared/data or HOLDFAST_SHARED.
"""

from __future__ import annotations

import argparse
import io
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from benchmarks.metrics import Metric, Target, report
from holdfast.attack import Budget, EvasionResult, Goal, NetTarget, attack
from holdfast.core.contract import Contract, FeatureMap
from holdfast.core.domain.transform import Scale
from holdfast.core.errors import PrerequisiteError
from holdfast.core.formats.nets import NetModel
from holdfast.core.formats.read import read_net_buffer

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("HOLDFAST_SHARED", HERE.parent.parent / "shared"))
LABEL = "default.payment.next.month"
RADII = (0.01, 0.03, 0.1)
REFERENCE = (0.312, 0.748, 0.970)
"""Success of PGD on another training of the same net, as recorded in the reference."""
EPOCHS = 30

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Trained:
    """A torch net over scaled columns, and the rows it flags."""

    module: Any
    least: Floats
    span: Floats
    train: Floats
    rows: Floats
    credit: Contract

    @classmethod
    def make(cls, rows: int) -> Trained:
        table = pq.read_table(SHARED / "data/tabular/uci_default_credit.parquet").drop_columns(["ID"])
        label = table[LABEL].to_numpy()
        contract = Contract.load(HERE / "contracts/credit.yaml")
        X = contract.encode({name: table[name].to_numpy() for name in table.column_names if name != LABEL})
        train, test, y_train, y_test = train_test_split(X, label, test_size=0.25, stratify=label, random_state=0)
        least, span = train.min(axis=0), np.ptp(train, axis=0)
        module = fit((train - least) / span, y_train)
        flagged = (y_test == 1) & (decide(module, (test - least) / span) == 1)
        return cls(module, least, span, train, test[flagged][:rows], contract)

    @property
    def model(self) -> NetModel:
        """The file read as data, as an audit reads it."""
        import torch

        buffer = io.BytesIO()
        torch.save(self.module, buffer)
        return read_net_buffer(buffer.getvalue())

    def free(self) -> tuple[NetTarget, Floats]:
        """Without a contract: scaled columns that go anywhere between 0 and 1."""
        names = "".join(f"  c{at}: {{type: number, min: 0, max: 1, move: any}}\n" for at in range(len(self.span)))
        contract = Contract.parse(f"version: 1\nfeatures:\n{names}")
        return NetTarget.of(self.model, contract, FeatureMap.of(contract, ())), self.scaled(self.rows)

    def bound(self) -> NetTarget:
        """Inside the contract, over raw columns."""
        steps = (Scale(tuple(self.least.tolist()), tuple(self.span.tolist())),)
        return NetTarget.of(self.model, self.credit, FeatureMap.of(self.credit, steps))

    def scaled(self, X: Floats) -> Floats:
        return np.clip((X - self.least) / self.span, 0, 1)


def fit(Z: Floats, y: NDArray[Any]) -> Any:
    """Adam, cross-entropy, batches of 256."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    nn = torch.nn
    module = nn.Sequential(nn.Linear(Z.shape[1], 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 2))
    steps = torch.optim.Adam(module.parameters(), 1e-3)
    data, labels = torch.tensor(Z, dtype=torch.float32), torch.tensor(y)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(data)).split(256):
            steps.zero_grad()
            nn.functional.cross_entropy(module(data[batch]), labels[batch]).backward()
            steps.step()
    return module.eval()


def decide(module: Any, Z: Floats) -> NDArray[np.int64]:
    """What torch itself decides."""
    import torch

    with torch.no_grad():
        return np.asarray(module(torch.tensor(Z, dtype=torch.float32)).argmax(1).numpy(), np.int64)


def pgd(module: Any, Z: Floats, radius: float) -> NDArray[np.bool_]:
    """40 steps of a tenth of the radius."""
    import torch

    was = torch.tensor(Z, dtype=torch.float32)
    now, labels = was.clone(), torch.ones(len(Z), dtype=torch.long)
    for _ in range(40):
        now.requires_grad_(True)
        loss = torch.nn.functional.cross_entropy(module(now), labels)
        (slope,) = torch.autograd.grad(loss, now)
        now = now.detach() + radius / 10 * slope.sign()
        now = torch.max(torch.min(now, was + radius), was - radius).clamp(0, 1)
    return decide(module, now.numpy().astype(np.float64)) == 0


def timed(work: Callable[[], Any], rows: int) -> tuple[Any, float]:
    """The answer, and CPU milliseconds per row."""
    begun = time.process_time()
    found = work()
    return found, 1000 * (time.process_time() - begun) / rows


def run(target: NetTarget, rows: Floats, scales: Floats, method: str) -> EvasionResult:
    return attack(
        target, rows, goal=Goal(to=0), budget=Budget(), contract=target.contract, scales=scales, method=method
    )


def unconstrained(made: Trained) -> Iterator[Metric]:
    """The same rows and radii for all three."""
    target, rows = made.free()
    scales = np.ones(rows.shape[1])
    run(target, rows[:5], scales, "evasion.capgd")
    ours, our_ms = timed(lambda: run(target, rows, scales, "evasion.capgd"), len(rows))
    moved = decide(made.module, ours.adversarial) == 0
    yield Metric("attack.nets.confirmed_share", float(moved[ours.success].mean()), "share", Target(">=", 1.0))
    yield Metric("attack.nets.cpu_ms_per_row", our_ms, "ms", Target("<=", 1.0))
    yield Metric("attack.nets.floor_ratio_mean", float((ours.floor / ours.linf)[ours.success].mean()), "share")
    theirs = rival(target, rows, scales)
    for radius, recorded in zip(RADII, REFERENCE, strict=True):
        own = float((ours.linf <= radius).mean())
        hits, ms = timed(lambda radius=radius: pgd(made.module, rows, radius), len(rows))
        goal, name = Target(">=", float(hits.mean())), f"{radius:g}"
        note = f"PGD, 40 steps, {ms:.2f} ms; recorded for another training: {recorded:.1%}"
        yield Metric(f"attack.nets.success_share_{name}", own, "share", goal, note, float(hits.mean()))
        if theirs is not None:
            # It works in single precision, so its moves may end a hair beyond the radius.
            share = float((theirs[0][radius].linf <= radius * (1 + 1e-4)).mean())
            note = f"ART 1.20.1 AutoPGD, {theirs[1][radius]:.2f} ms per row"
            yield Metric(f"attack.nets.success_share_{name}_autopgd", own, "share", Target(">=", share), note, share)


def rival(target: NetTarget, rows: Floats, scales: Floats) -> tuple[dict[float, Any], dict[float, float]] | None:
    """AutoPGD at each radius by itself, so that its time is that of one radius."""
    from holdfast.attack.adapters import art

    found, spent = {}, {}
    before = art.RADII
    try:
        for radius in RADII:
            art.RADII = (radius,)
            run(target, rows[:5], scales, "art.autopgd")
            found[radius], spent[radius] = timed(lambda: run(target, rows, scales, "art.autopgd"), len(rows))
    except PrerequisiteError as fault:
        print(f"{fault.message}: AutoPGD is left out", file=sys.stderr)
        return None
    finally:
        art.RADII = before
    return found, spent


def constrained(made: Trained) -> Iterator[Metric]:
    """Integers, directions, bounds and relations kept."""
    target, scales = made.bound(), made.credit.scales(made.train)
    for method in ("evasion.capgd", "evasion.ensemble"):
        found, ms = timed(lambda method=method: run(target, made.rows, scales, method), len(made.rows))
        name = f"attack.nets.{method.removeprefix('evasion.')}"
        hits = found.success & (decide(made.module, (found.adversarial - made.least) / made.span) == 0)
        valid = made.credit.validate(found.adversarial, made.rows).valid
        exact = (made.credit.round(found.adversarial, made.rows) == found.adversarial).all(axis=1)
        yield Metric(f"{name}.success_share", found.success_share, "share")
        yield Metric(
            f"{name}.valid_share", float((valid & exact & hits)[found.success].mean()), "share", Target(">=", 1.0)
        )
        yield Metric(f"{name}.linf_mean", float(found.linf[found.success].mean()), "range")
        yield Metric(f"{name}.cpu_ms_per_row", ms, "ms")


def main() -> int:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    made = Trained.make(100 if options.quick else 500)
    return report([*unconstrained(made), *constrained(made)], options.json)


if __name__ == "__main__":
    sys.exit(main())
