"""One SQL transaction, seen as the nouns it reads and writes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Connection

from holdfast.core.domain import Clock
from holdfast.core.store.acceptances import Acceptances
from holdfast.core.store.access import Access
from holdfast.core.store.alerts import Alerts
from holdfast.core.store.attempts import Attempts
from holdfast.core.store.attestations import Attestations
from holdfast.core.store.backlog import Backlog
from holdfast.core.store.baselines import Baselines
from holdfast.core.store.campaigns import Campaigns
from holdfast.core.store.claims import Claims
from holdfast.core.store.detector_states import DetectorStates
from holdfast.core.store.findings import Findings
from holdfast.core.store.hardenings import Hardenings
from holdfast.core.store.incidents import Incidents
from holdfast.core.store.intel import Intel
from holdfast.core.store.intents import Intents
from holdfast.core.store.judgements import Judgements
from holdfast.core.store.leases import Leases
from holdfast.core.store.models import Models
from holdfast.core.store.notices import Notices
from holdfast.core.store.observations import Observations
from holdfast.core.store.outbox import Outbox
from holdfast.core.store.policies import Policies
from holdfast.core.store.producers import Producers
from holdfast.core.store.projections import rebuild
from holdfast.core.store.reactions import Reactions
from holdfast.core.store.runs import Runs
from holdfast.core.store.segments import EventSegments
from holdfast.core.store.session import Session
from holdfast.core.store.sprints import Sprints
from holdfast.core.store.tickets import Tickets
from holdfast.core.store.traffic import Traffic


class Transaction:
    """One repository per noun; all of them commit together or not at all."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._session = Session(connection, clock)

    @cached_property
    def access(self) -> Access:
        return Access(self._session)

    @cached_property
    def models(self) -> Models:
        return Models(self._session)

    @cached_property
    def observations(self) -> Observations:
        return Observations(self._session)

    @cached_property
    def attempts(self) -> Attempts:
        return Attempts(self._session)

    @cached_property
    def attestations(self) -> Attestations:
        return Attestations(self._session)

    @cached_property
    def leases(self) -> Leases:
        return Leases(self._session)

    @cached_property
    def judgements(self) -> Judgements:
        return Judgements(self._session)

    @cached_property
    def findings(self) -> Findings:
        return Findings(self._session)

    @cached_property
    def baselines(self) -> Baselines:
        return Baselines(self._session)

    @cached_property
    def hardenings(self) -> Hardenings:
        return Hardenings(self._session)

    @cached_property
    def outbox(self) -> Outbox:
        return Outbox(self._session)

    @cached_property
    def intents(self) -> Intents:
        return Intents(self._session)

    @cached_property
    def intel(self) -> Intel:
        return Intel(self._session)

    @cached_property
    def claims(self) -> Claims:
        return Claims(self._session)

    @cached_property
    def reactions(self) -> Reactions:
        return Reactions(self._session)

    @cached_property
    def policies(self) -> Policies:
        return Policies(self._session)

    @cached_property
    def acceptances(self) -> Acceptances:
        return Acceptances(self._session)

    @cached_property
    def backlog(self) -> Backlog:
        return Backlog(self._session)

    @cached_property
    def sprints(self) -> Sprints:
        return Sprints(self._session)

    @cached_property
    def tickets(self) -> Tickets:
        return Tickets(self._session)

    @cached_property
    def alerts(self) -> Alerts:
        return Alerts(self._session)

    @cached_property
    def campaigns(self) -> Campaigns:
        return Campaigns(self._session)

    @cached_property
    def detector_states(self) -> DetectorStates:
        return DetectorStates(self._session)

    @cached_property
    def traffic(self) -> Traffic:
        return Traffic(self._session)

    @cached_property
    def incidents(self) -> Incidents:
        return Incidents(self._session)

    @cached_property
    def notices(self) -> Notices:
        return Notices(self._session)

    @cached_property
    def runs(self) -> Runs:
        return Runs(self._session)

    @cached_property
    def producers(self) -> Producers:
        return Producers(self._session)

    @cached_property
    def segments(self) -> EventSegments:
        return EventSegments(self._session)

    @property
    def now(self) -> datetime:
        """The store's present."""
        return self._session.now

    def intend(self, kind: str, body: Mapping[str, Any], *, about: str | None = None) -> str:
        """Write a ledger intent in this transaction and give its id. See `Intents.add`."""
        return self.intents.add(kind, body, about=about)

    def rebuild(self) -> int:
        """Derive every projection again from the journals. See `projections.rebuild`."""
        self.backlog.rebuild()
        return rebuild(self._session)
