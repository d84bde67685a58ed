"""Campaigns: what detectors' signals add up to, as last seen."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from holdfast.core.domain.alert import Campaign
from holdfast.core.store.codec import decode, encode
from holdfast.core.store.session import Session, chunks
from holdfast.core.store.tables.watch import campaigns

LIVE = "live"
ENDED = "ended"


class Campaigns:
    """One row per campaign, replaced as it goes on."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection

    def keep(self, campaign: Campaign, *, live: bool) -> None:
        """Record a campaign as it stands now."""
        row = {
            "id": campaign.id,
            "model": campaign.model,
            "technique": campaign.technique,
            "entity": campaign.entity,
            "state": LIVE if live else ENDED,
            "body": encode(campaign),
            "started_at": campaign.started_at,
            "last_at": campaign.last_at,
        }
        self._session.put(campaigns, row)

    def find(self, campaign_id: str) -> Campaign | None:
        """The campaign with this id."""
        found = self._select(select(campaigns).where(campaigns.c.id == campaign_id))
        return found[0] if found else None

    def open(self, model: str | None = None) -> list[Campaign]:
        """The campaigns that may still go on, of one model or of all, oldest first."""
        query = select(campaigns).where(campaigns.c.state == LIVE)
        chosen = query if model is None else query.where(campaigns.c.model == model)
        return self._select(chosen.order_by(campaigns.c.started_at, campaigns.c.id))

    def recent(self, limit: int = 100) -> list[Campaign]:
        """The campaigns seen last, newest first."""
        return self._select(select(campaigns).order_by(campaigns.c.last_at.desc(), campaigns.c.id).limit(limit))

    def since(self, moment: datetime) -> list[Campaign]:
        """The campaigns seen from `moment` on, oldest first."""
        query = select(campaigns).where(campaigns.c.last_at >= moment)
        return self._select(query.order_by(campaigns.c.last_at, campaigns.c.id))

    def of_ids(self, ids: list[str]) -> dict[str, Campaign]:
        """The campaigns with these ids, by id."""
        found = [
            item for chunk in chunks(ids) for item in self._select(select(campaigns).where(campaigns.c.id.in_(chunk)))
        ]
        return {item.id: item for item in found}

    def _select(self, query: Any) -> list[Campaign]:
        return [_campaign(row) for row in self._sql.execute(query)]


def _campaign(row: Row[Any]) -> Campaign:
    return decode(row.body, Campaign)
