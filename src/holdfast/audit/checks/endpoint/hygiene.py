"""Whether a live endpoint asks who calls, bounds and refuses what it should, and tells no more than asked."""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from holdfast.audit.checks.endpoint.leaks import leaks
from holdfast.audit.checks.endpoint.requests import Speaker
from holdfast.audit.checks.endpoint.wire import Reply, Wire, Written
from holdfast.audit.interface import Budget, check
from holdfast.audit.target import EndpointParts, Target
from holdfast.core.domain.observation import Fact, Measurement, Observation
from holdfast.core.errors import TargetError

FLOAT32_DIGITS, FLOAT64_DIGITS = 7, 10
"""Significant digits from which on a score is as good as a float32, a float64."""


@dataclass(frozen=True, slots=True)
class HygieneParams:
    """Largest body and batch that are tried; sizes between are powers of four."""

    max_bytes: int = 16 * 2**20
    max_rows: int = 16_384


@dataclass
class _Seen:
    """Answers so far, for what is common to all of them."""

    leaking: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, reply: Reply) -> Reply:
        for kind in leaks(reply):
            self.leaking.setdefault(kind, name)
        return reply


@check(id="endpoint.hygiene", version=1, needs=("endpoint",), covers=("AML.T0029", "AML.T0040", "AML.T0024.002"))
def observe(target: Target, params: HygieneParams, budget: Budget) -> Observation:  # noqa: ARG001
    """Facts per aspect, and the largest body, the largest batch and the digits that were given out."""
    place = target.endpoint
    contract = None if target.parts.contract is None else target.contract
    speaker = Speaker(place.protocol, contract)
    if not speaker.fluent:
        return Observation.unknown("without a contract no valid request can be written in this protocol")
    seen = _Seen()
    with Wire(place.url, _token(place)) as wire:
        first = wire.demand(speaker.valid())
        facts = [
            _authentication(wire, speaker, seen, declared=place.bearer_env is not None),
            *_malformed(wire, speaker, seen),
            *_methods(wire, speaker, seen),
        ]
        limits, measured = _limits(wire, speaker, seen, params)
        # Whatever was sent, it must still answer: an endpoint that was broken is one that can be.
        wire.demand(speaker.valid())
        sent = wire.sent
    facts += [*limits, *_precision(first), _transport(place.url), _errors(seen)]
    return Observation.of(
        facts, measured, _digits_measured(first), Measurement("endpoint.requests", float(sent), "requests")
    )


def _token(place: EndpointParts) -> str | None:
    if place.bearer_env is None:
        return None
    token = os.environ.get(place.bearer_env, "")
    if token and token.isascii() and token.isprintable():
        return token
    raise TargetError(
        "there is no token for the endpoint",
        cause=f"the environment variable {place.bearer_env} is {'no header value' if token else 'not set'}",
        fix="set it where the audit runs; the token is sent to the declared address only and never stored",
        code="HF-AUD-003",
    )


def _authentication(wire: Wire, speaker: Speaker, seen: _Seen, *, declared: bool) -> Fact:
    without = seen.add("no token", wire.post(speaker.valid(), token=None))
    if without.accepted:
        detail = None if declared else "holdfast.yaml declares no auth either"
        return Fact("endpoint.authentication", "not-demanded", detail=detail)
    wrong = seen.add("a wrong token", wire.post(speaker.valid(), token=secrets.token_urlsafe(24)))
    if wrong.accepted:
        return Fact("endpoint.authentication", "any-token", detail="an invented token is let in")
    if {without.status, wrong.status} <= {401, 403}:
        return Fact("endpoint.authentication", "demanded")
    detail = f"HTTP {without.status} without a token and {wrong.status} with a wrong one; 401 or 403 is the answer"
    return Fact("endpoint.authentication", "unclear", detail=detail)


def _malformed(wire: Wire, speaker: Speaker, seen: _Seen) -> Iterator[Fact]:
    accepted, broken = [], []
    for name, body, must_refuse in speaker.malformed():
        reply = seen.add(name, wire.post(body))
        if not reply.status or reply.status >= 500:
            broken.append(f"{name} ({reply.status or reply.why})")
        elif must_refuse and not reply.refused:
            accepted.append(name)
    if broken:
        yield Fact("endpoint.malformed", "breaks", detail=", ".join(broken))
    if accepted:
        yield Fact("endpoint.malformed", "accepted", detail=", ".join(accepted))
    if not (broken or accepted):
        yield Fact("endpoint.malformed", "refused")


def _methods(wire: Wire, speaker: Speaker, seen: _Seen) -> Iterator[Fact]:
    """Methods that a scoring address has no use for, and a body that says it is something else."""
    loose = [method for method in ("PUT", "DELETE", "TRACE") if seen.add(method, wire.send(method)).accepted]
    typed = seen.add("a wrong content type", wire.post(speaker.valid(), content_type="application/xml"))
    yield Fact("endpoint.methods", "loose" if loose else "strict", detail=", ".join(loose) or None)
    yield Fact("endpoint.content_type", "ignored" if typed.accepted else "checked")


def _limits(wire: Wire, speaker: Speaker, seen: _Seen, params: HygieneParams) -> tuple[list[Fact], list[Measurement]]:
    size = _largest(
        _powers(2**14, params.max_bytes),
        lambda value: seen.add("a large body", wire.post(speaker.padded(value))),
    )
    rows = _largest(
        _powers(16, params.max_rows), lambda value: seen.add("a large batch", wire.post(speaker.valid(value)))
    )
    facts = [
        Fact("endpoint.size_limit", "unbounded" if size >= params.max_bytes else "bounded"),
        Fact("endpoint.batch_limit", "unbounded" if rows >= params.max_rows else "bounded"),
    ]
    return facts, [
        Measurement("endpoint.max_accepted_bytes", float(size), "bytes"),
        Measurement("endpoint.max_accepted_rows", float(rows), "rows"),
    ]


def _powers(first: int, last: int) -> list[int]:
    found = [first]
    while found[-1] * 4 < last:
        found.append(found[-1] * 4)
    return [*found, last]


def _largest(sizes: Sequence[int], ask: Callable[[int], Reply]) -> int:
    """The largest size taken; rising, and ending at the first that is not."""
    taken = 0
    for size in sizes:
        if not ask(size).accepted:
            break
        taken = size
    return taken


def _precision(reply: Reply) -> Iterator[Fact]:
    digits = max(_digits(reply.document()), default=0)
    if not digits:
        yield Fact("endpoint.precision", "no-score")
    elif digits < FLOAT32_DIGITS:
        yield Fact("endpoint.precision", "rounded", detail=f"{digits} digits")
    else:
        word = "float64" if digits >= FLOAT64_DIGITS else "float32"
        yield Fact("endpoint.precision", word, detail=f"{digits} digits")


def _digits_measured(reply: Reply) -> Measurement:
    return Measurement("endpoint.output_digits", float(max(_digits(reply.document()), default=0)), "digits")


def _digits(value: Any) -> Iterator[int]:
    """Significant digits of every number with a fraction, as it was written."""
    waiting = [value.get("outputs", value) if isinstance(value, dict) else value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item[:1000])
        elif isinstance(item, Written):
            mantissa = re.split("[eE]", item.lstrip("-"))[0]
            yield len(mantissa.replace(".", "").lstrip("0"))


def _transport(url: str) -> Fact:
    parts = urlsplit(url)
    if parts.scheme == "https":
        return Fact("endpoint.transport", "https")
    return Fact("endpoint.transport", "http-local" if _is_local(parts.hostname or "") else "http")


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _errors(seen: _Seen) -> Fact:
    if not seen.leaking:
        return Fact("endpoint.errors", "silent")
    detail = ", ".join(f"{kind} (on {name})" for kind, name in seen.leaking.items())
    return Fact("endpoint.errors", "leak", detail=detail)
