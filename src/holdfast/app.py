"""The composition root: settings in, a wired Holdfast out. It constructs and hands on; it decides nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.audit.reconcile import Watcher
from holdfast.audit.run import Audit, Audited, Auditor, period_at
from holdfast.core.domain.clock import Clock, system_clock
from holdfast.core.domain.model import ModelVersion
from holdfast.core.domain.verdict import Judgement
from holdfast.core.errors import ConfigError
from holdfast.core.policy import Baseline, Policy, Snapshot
from holdfast.core.settings import MANIFEST_NAME, STATE_NAME, Settings, find_manifest
from holdfast.core.store import Message, Store, Transaction
from holdfast.estate.manifest import Manifest, Subject
from holdfast.loop.background import Background, Task
from holdfast.loop.engine import Engine
from holdfast.loop.on_observation import Court
from holdfast.loop.turn import Surroundings

if TYPE_CHECKING:
    from holdfast.core.domain.observation import Observation
    from holdfast.core.ledger import Ledger
    from holdfast.core.sign import PublicKey, SigningKey
    from holdfast.respond.config import Response
    from holdfast.scan.allowlist import Allowlist
    from holdfast.watch.pipeline import Pipeline

DEFAULT_ISOLATION = "reduced"
_LOG = logging.getLogger("holdfast")


@dataclass(frozen=True, slots=True)
class Judged:
    """An audit and the verdict on each of its models, in the same order."""

    audit: Audit
    judgements: tuple[Judgement, ...]
    policies: tuple[Policy, ...]
    as_of: datetime


class Holdfast:
    """Everything wired for one manifest and one state folder. A context manager: leaving it closes the store."""

    def __init__(self, manifest: Manifest, settings: Settings, store: Store, clock: Clock) -> None:
        self.manifest, self.settings, self.store, self.clock = manifest, settings, store, clock

    @classmethod
    def open(cls, settings: Settings | None = None, *, clock: Clock = system_clock) -> Holdfast:
        """Find and read the manifest, open the store. Raises ConfigError, StoreError."""
        settings = settings or Settings()
        manifest = Manifest.load(manifest_path(settings))
        return cls(manifest, settings, Store.open(settings.database, state_folder(settings), clock), clock)

    def __enter__(self) -> Holdfast:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    @property
    def home(self) -> Path:
        """The state folder."""
        return self.store.home

    def audit(
        self,
        names: Sequence[str] = (),
        *,
        seed: int = 0,
        retry: bool = False,
        watch: Watcher | None = None,
        policy: Policy | None = None,
        baselines: Callable[[str], Baseline | None] = lambda _: None,
        as_of: datetime | None = None,
    ) -> Judged:
        """Bring every check of the named models (all, if none) to a result, and judge each model as of now.

        `policy` replaces the models' own; `baselines` gives the numbers to compare a model with, by its name;
        `as_of` judges as if it were another moment.
        """
        subjects = self.manifest.select(tuple(names))
        policies = {subject.model.name: policy or self._policy(subject) for subject in subjects}
        self._take_additions(policies, whole=not names and policy is None, now=as_of is None)
        audit = self._auditor(policies, as_of).audit(subjects, seed=seed, retry=retry, watch=watch)
        moment = as_of or self.clock()
        judgements = self._judge(audit, policies, baselines, moment)
        self.settle()
        return Judged(audit, judgements, tuple(policies[one.version.model] for one in audit.models), moment)

    def register(self, names: Sequence[str] = ()) -> tuple[ModelVersion, ...]:
        """Record the named models (all, if none) and their versions as they are now, without auditing them."""
        subjects = self.manifest.select(tuple(names))
        versions = self._auditor({subject.model.name: self._policy(subject) for subject in subjects}).register(subjects)
        self.ledger.append_pending()
        return versions

    def settle(self) -> None:
        """Let the loop answer everything that has happened, time included, and give the ledger its leaves."""
        self.engine.tick()
        self.engine.drain()
        self.ledger.append_pending()

    def _auditor(self, policies: Mapping[str, Policy], as_of: datetime | None = None) -> Auditor:
        moment = as_of or self.clock()
        return Auditor(
            self.store,
            self.settings,
            self.home,
            self.clock,
            isolation=lambda one: policies[one.model.name].isolation(one.model.tier) or DEFAULT_ISOLATION,
            period=lambda one: period_at(moment, policies[one.model.name].results_age(one.model.tier)),
            again=lambda model, seen: self._again(seen, policies[model], moment),
        )

    def _again(self, seen: Observation, policy: Policy, at: datetime) -> Observation:
        from holdfast.scan.again import judged_again

        return judged_again(seen, policy.names, at, self.names)

    def _take_additions(self, policies: Mapping[str, Policy], *, whole: bool, now: bool) -> None:
        """Refuse additions that nobody may make, and record which came into force; not when judging another moment."""
        from holdfast.gate.additions import refuse, settle

        chosen = {one.digest: one for one in policies.values()}.values()
        refuse(chosen, self.names)
        if now:
            self.store.run(lambda tx: settle(tx, chosen, whole=whole))

    def _judge(
        self, audit: Audit, policies: dict[str, Policy], baselines: Callable[[str], Baseline | None], as_of: datetime
    ) -> tuple[Judgement, ...]:
        def of(audited: Audited) -> Policy:
            return policies[audited.version.model]

        court = Court(self.store, of, self.intel, lambda: self.names)
        return tuple(court.judge(one, as_of=as_of, baseline=baselines(one.version.model)) for one in audit.models)

    def _policy(self, subject: Subject) -> Policy:
        own = subject.part("policy")
        return Policy.builtin(subject.model.policy) if own is None else Policy.load(own)

    @cached_property
    def intel(self) -> Snapshot:
        """Known advisories and techniques, as of now."""
        with self.store.reading() as tx:
            return self._known(tx)

    def _known(self, tx: Transaction) -> Snapshot:
        from holdfast.intel.effective import snapshot

        file = self.settings.intel
        return (snapshot(tx) or Snapshot.builtin()) if file is None else Snapshot.load(file)

    @cached_property
    def names(self) -> Allowlist | None:
        """The list of names as set, verified by the trusted keys; None: the one inside. Raises HF-SCN-003 to -007."""
        if self.settings.names is None:
            return None
        from holdfast.core.sign import trusted_keys
        from holdfast.scan.allowlist.signed import read_signed

        return read_signed(self.settings.names, trusted_keys(self.home))

    @cached_property
    def engine(self) -> Engine:
        """The loop: everything that follows from something else."""
        around = Surroundings(self.home, self._known, response=lambda: self.response, names=lambda: self.names)
        return Engine(self.store, around, on_fault=_log_fault)

    @cached_property
    def response(self) -> Response:
        """What is done about alerts, and who is told: respond.yaml beside the manifest. Raises ConfigError."""
        from holdfast.respond.config import load_response

        return load_response(self.manifest.path.resolve().parent, plugins=self.settings.plugins)

    @cached_property
    def pipeline(self) -> Pipeline:
        """Detection on every model whose contract the manifest names."""
        from holdfast.watch.contracts import ManifestContracts
        from holdfast.watch.pipeline import Pipeline

        return Pipeline(self.store, ManifestContracts(self.manifest))

    @cached_property
    def background(self) -> Background:
        """What goes on by itself while a server runs. Raises ConfigError where respond.yaml is wrong."""
        from holdfast.backlog.tickets import Exchanger
        from holdfast.intel.poll import Poller
        from holdfast.respond.courier import Courier

        courier = Courier(self.store, self.response.outlets, _log_failure)
        tasks = (
            Task("feeds", Poller(self.store)),
            Task("detection", self.pipeline.step, self.pipeline.save),
            Task("expiry", self.engine.tick),
            Task("reactions", self.engine.drain),
            Task("notices", courier.turn, courier.close),
            Task("trackers", Exchanger(self.store)),
            Task("ledger", self.ledger.append_pending),
        )
        return Background(tasks, self.clock, on_fault=_log_failure)

    @cached_property
    def key(self) -> SigningKey:
        """This installation's signing key, made at first use."""
        from holdfast.core.sign import own_key

        return own_key(self.home)

    @property
    def public_key(self) -> PublicKey:
        """The half that others verify with; also in the state folder as keys/holdfast.pub."""
        return self.key.public

    @cached_property
    def ledger(self) -> Ledger:
        """The append-only record of everything consequential."""
        from holdfast.core.ledger import Ledger

        return Ledger(self.store, self.key, "holdfast")


def _log_fault(message: Message, fault: Exception) -> None:
    """A message that cannot be answered stays; somebody should know why."""
    _LOG.warning("%s %s is not answered yet (try %d): %s", message.topic, message.cause, message.deliveries, fault)


def _log_failure(task: str, fault: Exception) -> None:
    _LOG.warning("the background task '%s' failed and will be tried again: %s", task, fault)


def manifest_path(settings: Settings) -> Path:
    """The manifest in force. Raises ConfigError (HF-CFG-010) where there is none."""
    path = settings.config or find_manifest(Path.cwd())
    if path is None:
        raise ConfigError(
            f"there is no {MANIFEST_NAME} here",
            cause=f"neither {Path.cwd()} nor a folder above it has one",
            fix="write one: holdfast estate init --data train.parquet --model model.ubj --label y",
            code="HF-CFG-010",
        )
    return path


def state_folder(settings: Settings) -> Path:
    """Where the state lies: as set, else beside the manifest."""
    return settings.home or manifest_path(settings).resolve().parent / STATE_NAME
