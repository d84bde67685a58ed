"""The advisory feed of the simulated bank: a folder of OSV files about invented packages, as a CERT would send them."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from holdfast.core.domain.clock import to_iso

FEED = "bank-cert"
FOLDER_NAME = "advisories"
WEAKNESS = "DEMO-2026-1"


def write(folder: Path, now: datetime, **about: str) -> Path:
    """Write or change one advisory. `about` is an OSV record's id, package, introduced, fixed, summary, withdrawn."""
    place = folder / FOLDER_NAME
    place.mkdir(exist_ok=True)
    record = {
        "schema_version": "1.6.0",
        "id": about["id"],
        "modified": to_iso(now),
        "published": to_iso(now),
        "summary": about["summary"],
        "affected": [_affected(about)],
        "database_specific": {"severity": "HIGH"},
    }
    if "withdrawn" in about:
        record["withdrawn"] = about["withdrawn"]
    (place / f"{about['id']}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return place


def _affected(about: dict[str, str]) -> dict[str, object]:
    events = [{"introduced": about["introduced"]}, {"fixed": about["fixed"]}]
    return {
        "package": {"ecosystem": "PyPI", "name": about["package"]},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
    }


def unrelated(folder: Path, now: datetime) -> Path:
    """What is known on the first morning: a weakness of a package that no model uses."""
    return write(
        folder,
        now,
        id="DEMO-2026-0",
        package="ledgerlib-ng",
        introduced="0",
        fixed="2.1",
        summary="Sums of two accounts can be swapped",
    )


def weakness(folder: Path, now: datetime, *, withdrawn: bool = False) -> Path:
    """A weakness of a package that churn pins; `withdrawn` takes it back, as its finder erred."""
    end = {"withdrawn": to_iso(now)} if withdrawn else {}
    return write(
        folder,
        now,
        id=WEAKNESS,
        package="featurestore-client",
        introduced="3.0",
        fixed="3.4",
        summary="Features of another tenant are returned after a reconnect",
        **end,
    )
