"""The pages, one file per group. Importing this package declares them all."""

from holdfast.server.pages import alerts, backlog, comply, intel, ledger, models, posture, respond, settings

__all__ = ["alerts", "backlog", "comply", "intel", "ledger", "models", "posture", "respond", "settings"]
