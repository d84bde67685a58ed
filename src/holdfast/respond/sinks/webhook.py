"""Notices as signed HTTP POSTs to one URL, and to no other: no redirects, no proxies out of the environment.

The name is resolved once for each delivery, its addresses are looked at, and the connection goes to the address that
was looked at, so a name that changes its mind between the two gains nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, model_validator

from holdfast import __version__
from holdfast.core.domain.clock import Clock, system_clock
from holdfast.core.domain.response import Notice
from holdfast.core.policy.schema import Strict, word_of
from holdfast.core.report.ocsf import detection_finding
from holdfast.respond.interface import MAX_WAIT_S, Sink, SinkError, sink
from holdfast.respond.signature import key_of, sign

REFUSED: Final = frozenset({400, 413, 415, 422})
"""Answers about one notice; any other is about the receiver or our configuration, and all notices wait."""

Form = Annotated[str, word_of(["notice", "ocsf"])]


class WebhookOptions(Strict):
    """`secret_env`: the environment variable that holds the signing secret. `form`: our own JSON, or an OCSF event.

    `plain_http: true` is demanded of a URL without TLS. `ca`: a PEM file that replaces the system's authorities.
    """

    url: Annotated[str, Field(min_length=1, max_length=2000)]
    secret_env: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,100}$")]
    form: Form = "notice"
    timeout_s: Annotated[float, Field(gt=0, le=MAX_WAIT_S)] = 5.0
    plain_http: bool = False
    ca: Annotated[str, Field(min_length=1, max_length=1000)] | None = None

    @model_validator(mode="after")
    def _reachable(self) -> WebhookOptions:
        parts = urlsplit(self.url)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise ValueError("the URL is https://host/path")
        if parts.username is not None or parts.password is not None or parts.fragment:
            raise ValueError("the URL holds no user, no password and no fragment; the signature is the credential")
        if parts.scheme == "http" and not self.plain_http:
            raise ValueError("without TLS others read what is sent; write https, or add `plain_http: true`")
        parts.port  # noqa: B018  (raises ValueError where it is none)
        return self


@dataclass(frozen=True)
class Webhook:
    """One receiver. The secret is read from the environment at each delivery and kept nowhere."""

    options: WebhookOptions
    folder: Path
    clock: Clock = system_clock

    def send(self, notice: Notice) -> None:
        """Post the notice; delivered is what is answered with a 2xx status within the time."""
        body = self._body(notice)
        headers = {
            "content-type": "application/json",
            "user-agent": f"holdfast/{__version__}",
            **sign(self._secret(), notice.id, self.clock(), body),
        }
        status = asyncio.run(self._timed(body, headers))
        if not 200 <= status < 300:
            raise SinkError(f"the receiver answered {status}", refused=status in REFUSED)

    def _body(self, notice: Notice) -> bytes:
        value: dict[str, Any] = notice.to_json()
        if self.options.form == "ocsf":
            value = detection_finding(notice, version=__version__)
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace")

    def _secret(self) -> str:
        secret = os.environ.get(self.options.secret_env, "")
        if not secret:
            raise SinkError(f"the environment variable {self.options.secret_env} is not set")
        try:
            key_of(secret)
        except ValueError:
            raise SinkError(f"the secret in {self.options.secret_env} is no base64 behind whsec_") from None
        return secret

    async def _timed(self, body: bytes, headers: dict[str, str]) -> int:
        """One clock over name, connection and answer: a receiver that drips bytes does not hold us longer."""
        try:
            async with asyncio.timeout(self.options.timeout_s):
                return await self._post(body, headers)
        except TimeoutError:
            raise SinkError(f"no answer within {self.options.timeout_s:g} s") from None

    async def _post(self, body: bytes, headers: dict[str, str]) -> int:
        import httpx

        parts = urlsplit(self.options.url)
        address = await _looked_at(parts)
        pinned = parts._replace(netloc=f"{_bracketed(address)}:{_port(parts)}").geturl()
        try:
            async with httpx.AsyncClient(verify=self._trust(parts), trust_env=False, follow_redirects=False) as client:
                extensions = {"sni_hostname": parts.hostname}
                request = client.build_request(
                    "POST", pinned, content=body, headers={"host": parts.netloc, **headers}, extensions=extensions
                )
                answer = await client.send(request, stream=True)
                await answer.aclose()
                return answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL) as fault:
            raise SinkError(f"{type(fault).__name__}: {fault}"[:200]) from None

    def _trust(self, parts: SplitResult) -> Any:
        if parts.scheme == "http":
            return False
        import ssl

        return ssl.create_default_context(
            cafile=None if self.options.ca is None else str(self.folder / self.options.ca)
        )


async def _looked_at(parts: SplitResult) -> str:
    """An address of the host that a webhook may go to. Raises SinkError where any of them is none."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(str(parts.hostname), _port(parts), type=socket.SOCK_STREAM)
    except OSError as fault:
        raise SinkError(f"the name {parts.hostname} does not resolve: {fault.strerror or fault}") from None
    addresses = [str(item[4][0]) for item in found]
    odd = next((item for item in addresses if _odd(item)), None)
    if odd is not None:
        raise SinkError(f"{parts.hostname} is {odd}, an address that is no receiver's")
    return addresses[0]


def _odd(text: str) -> bool:
    """Link-local (where clouds keep their metadata), multicast, unspecified or reserved."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_link_local or address.is_multicast or address.is_unspecified or _reserved(address)


def _reserved(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_reserved and not address.is_loopback


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


@sink("webhook", WebhookOptions)
def webhook(options: WebhookOptions, folder: Path) -> Sink:
    """A webhook."""
    return Webhook(options, folder)
