"""What a judgement was made from, kept beside it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a judgement was made from, besides policy and intelligence: enough to judge the same again later."""

    kinds: tuple[str, ...] = ()
    observations: tuple[str, ...] = ()
    attempts: tuple[str, ...] = ()
    """Observation keys: of what was seen, and of what failed to be."""
    asked: bool = True
    """Whether somebody asked for this version, by an audit or a gate; judging again by itself asks for none."""
