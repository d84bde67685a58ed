"""Models, their versions, and which version is deployed where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, insert, select

from holdfast.core.domain import Model, ModelVersion, digest, digest_bytes, to_iso
from holdfast.core.domain.topics import DEPLOYED
from holdfast.core.errors import StoreError
from holdfast.core.store.codec import decode, encode
from holdfast.core.store.intents import Intents
from holdfast.core.store.outbox import Outbox
from holdfast.core.store.projections import project_deployment
from holdfast.core.store.session import Session, chunks
from holdfast.core.store.tables import deployed, deployments, model_versions, models
from holdfast.core.store.tables.comply import declarations

PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class Deployment:
    """A version of a model in an environment, from `effective_at` on, as we learned at `recorded_at`."""

    model: str
    version: str
    environment: str
    effective_at: datetime
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Declared:
    """A model as its manifest declared it from `recorded_at` on, until it was declared otherwise."""

    model: Model
    manifest: dict[str, Any]
    recorded_at: datetime


class Models:
    """What exists: models, versions with the manifest they were registered from, deployments."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection

    def register(self, model: Model, version: ModelVersion, manifest: Mapping[str, Any]) -> bool:
        """Record a model as it is now, and a version of it. True if the version is new; an old one is left as is."""
        if version.model != model.name:
            raise ValueError(f"version of '{version.model}' registered under '{model.name}'")
        now = self._session.now
        self._declare(model, manifest)
        self._session.put(models, {"name": model.name, "body": encode(model), "recorded_at": now})
        row = {
            "model": version.model,
            "digest": version.digest,
            "format": version.format,
            "manifest": encode(manifest),
            "recorded_at": now,
        }
        return self._session.insert_new(model_versions, row)

    def _declare(self, model: Model, manifest: Mapping[str, Any]) -> None:
        """Append what the manifest says now, where it says something else than before."""
        body, said = encode(model), encode(manifest)
        newest = (
            select(declarations.c.body, declarations.c.manifest)
            .where(declarations.c.model == model.name)
            .order_by(declarations.c.sequence.desc())
            .limit(1)
        )
        last = self._sql.execute(newest).one_or_none()
        if last is not None and (last.body, last.manifest) == (body, said):
            return
        now = self._session.now
        self._sql.execute(insert(declarations).values(model=model.name, body=body, manifest=said, recorded_at=now))
        about = declared_id(model.name, now)
        leaf = {
            "model": model.name,
            "tier": model.tier.value,
            "region": model.region,
            "declared": digest_bytes(said.encode()),
        }
        Intents(self._session).add("model.declared", leaf, about=about)

    def declared(self, moment: datetime) -> list[Declared]:
        """Every model as it was declared at `moment`, by name.

        A model from before declarations were kept counts from when it was last registered.
        """
        newest = (
            select(func.max(declarations.c.sequence))
            .where(declarations.c.recorded_at <= moment)
            .group_by(declarations.c.model)
        )
        rows = self._sql.execute(select(declarations).where(declarations.c.sequence.in_(newest)))
        kept = [
            Declared(decode(row.body, Model), decode(row.manifest, dict[str, Any]), row.recorded_at) for row in rows
        ]
        unkept = select(models).where(
            models.c.recorded_at <= moment, models.c.name.not_in(select(declarations.c.model).distinct())
        )
        old = [Declared(decode(row.body, Model), {}, row.recorded_at) for row in self._sql.execute(unkept)]
        return sorted(kept + old, key=lambda item: item.model.name)

    def find(self, name: str) -> Model | None:
        """The model named `name`, as last registered."""
        body = self._sql.scalar(select(models.c.body).where(models.c.name == name))
        return None if body is None else decode(body, Model)

    def all(self) -> list[Model]:
        """Every model, by name."""
        return [decode(body, Model) for body in self._sql.scalars(select(models.c.body).order_by(models.c.name))]

    def versions(self, model: str) -> list[ModelVersion]:
        """Every version of `model`, in the order of registration."""
        query = (
            select(model_versions.c.model, model_versions.c.digest, model_versions.c.format)
            .where(model_versions.c.model == model)
            .order_by(model_versions.c.recorded_at, model_versions.c.digest)
        )
        return [ModelVersion(*row) for row in self._sql.execute(query)]

    def with_digests(self, digests: Iterable[str]) -> dict[str, list[tuple[str, str, str]]]:
        """(model, version, digest) of every version whose artifact has one of these digests, by digest."""
        found: dict[str, list[tuple[str, str, str]]] = {}
        for chunk in chunks(sorted(digests)):
            query = select(model_versions.c.model, model_versions.c.digest).where(model_versions.c.digest.in_(chunk))
            for model, digest_ in self._sql.execute(query.order_by(model_versions.c.model)):
                found.setdefault(digest_, []).append((model, digest_, digest_))
        return found

    def find_many(self, names: Iterable[str]) -> dict[str, Model]:
        """The registered models among `names`, by name."""
        found: dict[str, Model] = {}
        for chunk in chunks(names):
            query = select(models.c.name, models.c.body).where(models.c.name.in_(chunk))
            found.update((name, decode(body, Model)) for name, body in self._sql.execute(query))
        return found

    def deployed_many(self, names: Iterable[str], environment: str = PRODUCTION) -> dict[str, str]:
        """The version of each of `names` that serves in `environment` now."""
        found: dict[str, str] = {}
        for chunk in chunks(names):
            query = select(deployed.c.model, deployed.c.version).where(
                deployed.c.model.in_(chunk), deployed.c.environment == environment
            )
            found.update((model, version) for model, version in self._sql.execute(query))
        return found

    def manifest(self, model: str, version: str) -> dict[str, Any] | None:
        """What the manifest said when the version was registered."""
        query = select(model_versions.c.manifest).where(
            model_versions.c.model == model, model_versions.c.digest == version
        )
        text = self._sql.scalar(query)
        return None if text is None else decode(text, dict[str, Any])

    def deploy(
        self, model: str, version: str, environment: str = PRODUCTION, *, effective_at: datetime | None = None
    ) -> Deployment:
        """Record that `version` serves in `environment` since `effective_at` (default: now).

        Raises StoreError when the version is not registered, or when the moment lies in the future: a deployment
        is something that happened.
        """
        now = self._session.now
        since = effective_at or now
        if since > now:
            raise StoreError(
                f"a deployment of '{model}' lies in the future",
                cause=f"it is said to hold from {to_iso(since)}; now is {to_iso(now)}",
                fix="record the deployment when it has happened, or correct the clock of one of the two machines",
                code="HF-STO-010",
            )
        self._session.hold_model(model)
        sequence = self._session.append("deployment", model)
        self._sql.execute(
            insert(deployments).values(
                sequence=sequence,
                model=model,
                version=version,
                environment=environment,
                effective_at=since,
                recorded_at=now,
            )
        )
        row = self._sql.execute(select(deployments).where(deployments.c.sequence == sequence)).one()
        project_deployment(self._session, row)
        self._tell(_deployment(row))
        return _deployment(row)

    def _tell(self, made: Deployment) -> None:
        """The ledger and the loop learn of a deployment with the transaction that records it."""
        body = {"model": made.model, "version": made.version, "environment": made.environment}
        cause = deployed_id(made)
        if Outbox(self._session).publish(DEPLOYED, cause, body):
            Intents(self._session).add("version.deployed", body, about=cause)

    def deployed(self, model: str, environment: str = PRODUCTION) -> str | None:
        """The version that serves in `environment` now."""
        query = select(deployed.c.version).where(deployed.c.model == model, deployed.c.environment == environment)
        return self._sql.scalar(query)

    def deployed_at(
        self, model: str, moment: datetime, environment: str = PRODUCTION, *, known_at: datetime | None = None
    ) -> str | None:
        """The version that served at `moment`, as far as was recorded until `known_at` (default: all we know)."""
        query = select(deployments.c.version).where(
            deployments.c.model == model,
            deployments.c.environment == environment,
            deployments.c.effective_at <= moment,
        )
        if known_at is not None:
            query = query.where(deployments.c.recorded_at <= known_at)
        newest = query.order_by(deployments.c.effective_at.desc(), deployments.c.sequence.desc()).limit(1)
        return self._sql.scalar(newest)

    def history(self, model: str) -> list[Deployment]:
        """Every deployment of `model`, in the order we learned of them."""
        query = select(deployments).where(deployments.c.model == model).order_by(deployments.c.sequence)
        return [_deployment(row) for row in self._sql.execute(query)]

    def count(self) -> int:
        """How many models there are."""
        return self._sql.scalar(select(func.count()).select_from(models)) or 0


def declared_id(model: str, recorded_at: datetime) -> str:
    """Under what the ledger's entry on a declaration is found."""
    return digest(["declared", model, to_iso(recorded_at)])


def deployed_id(made: Deployment) -> str:
    """Under what the ledger's entry on a deployment is found; also the cause that the loop knows it by."""
    return digest([made.model, made.version, made.environment, to_iso(made.effective_at), to_iso(made.recorded_at)])


def _deployment(row: Row[Any]) -> Deployment:
    return Deployment(row.model, row.version, row.environment, row.effective_at, row.recorded_at)
