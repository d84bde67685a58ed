"""Membership inference: can the model's answers tell who was in its training data?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.privacy import lira, rmia
from holdfast.attack.privacy.game import Game
from holdfast.attack.privacy.lira import Spread
from holdfast.attack.privacy.roc import Roc
from holdfast.attack.privacy.shadows import Shadows
from holdfast.attack.privacy.threat import OFFLINE, ONLINE, Threat

Floats = NDArray[np.float64]


class Method(StrEnum):
    """An attack and its setting."""

    LIRA = "lira-online"
    LIRA_OFFLINE = "lira-offline"
    RMIA = "rmia-online"
    RMIA_OFFLINE = "rmia-offline"

    @property
    def threat(self) -> Threat:
        return ONLINE if self.online else OFFLINE

    @property
    def online(self) -> bool:
        return self in (Method.LIRA, Method.RMIA)


@dataclass(frozen=True, eq=False)
class Membership:
    """What an attack found out."""

    method: Method
    scores: Floats
    """(a,) higher: likelier a member."""
    roc: Roc
    shadows: int
    seed: int

    @property
    def threat(self) -> Threat:
        return self.method.threat


def play(
    game: Game,
    confidence: Floats,
    shadows: Shadows,
    *,
    method: Method = Method.LIRA,
    spread: Spread = Spread.GLOBAL,
    seed: int = 0,
) -> Membership:
    """Attack with the model's scaled `confidence` (judged,) in the game's first rows. Offline attacks use only the
    shadows that never saw a row. Raises UsageError HF-PRV-003 of too few shadows or strangers.
    """
    scores = _scores(game, confidence, shadows, method, spread)
    return Membership(method, scores, Roc.of(scores, game.member), shadows.count, seed)


def control(
    game: Game, shadows: Shadows, *, method: Method = Method.LIRA, spread: Spread = Spread.GLOBAL, seed: int = 0
) -> Membership:
    """The same attack on a model that chance alone trained: a shadow. It must find nothing.

    Where it does, members and others differ by themselves (another month, another branch), and part of what `play`
    finds is that difference.
    """
    return play(game, shadows.confidence[0], shadows.without(0), method=method, spread=spread, seed=seed)


def _scores(game: Game, confidence: Floats, shadows: Shadows, method: Method, spread: Spread) -> Floats:
    if method in (Method.RMIA, Method.RMIA_OFFLINE):
        return rmia.relative(confidence, shadows, game.asked, online=method.online)
    own = Shadows(shadows.confidence[:, : game.asked], shadows.inside[:, : game.asked])
    attack = lira.online if method.online else lira.offline
    return attack(confidence[: game.asked], own, spread)
