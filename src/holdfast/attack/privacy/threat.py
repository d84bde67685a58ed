"""Who attacks, and with what: no figure on privacy means anything without it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Threat:
    """What an attacker is taken to have."""

    population: str
    """Rows of people like those asked about."""
    settings: str
    """What he knows of how the model was trained."""
    target: str
    """What he knows of the person he asks about."""
    query: str
    """What the model answers him."""
    online: bool = False
    """Whether he trains shadows after he knows whom to ask about, with and without that row."""

    @property
    def words(self) -> str:
        """One sentence."""
        when = "shadows are trained with and without the row" if self.online else "no shadow has seen the row"
        return f"population: {self.population}; settings: {self.settings}; target: {self.target}; {self.query}; {when}"


_ROW = "the whole row with its label"
_SCORE = "sees the score of one query"
_SETTINGS = "library and settings, as the model's file tells them"

ONLINE = Threat("other rows of the same tables", _SETTINGS, _ROW, _SCORE, online=True)
"""The strongest: the owner of the data, who audits himself."""
OFFLINE = Threat("other rows of the same tables", _SETTINGS, _ROW, _SCORE)
"""An outsider with data of his own."""
ATTRIBUTE = Threat(
    population="held-out rows with the hidden column",
    settings="nothing",
    target="the row and its label, but for one column",
    query="sees the person's own score, and the score of the row with each value filled in",
)
