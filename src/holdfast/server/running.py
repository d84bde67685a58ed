"""A server that runs: one real port, uvicorn in a thread, the loop in another; both end together."""

from __future__ import annotations

import errno
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from holdfast.core.errors import ConfigError, HoldfastError, PrerequisiteError
from holdfast.server.front import LOOPBACK, Front

if TYPE_CHECKING:
    from uvicorn import Server

    from holdfast.app import Holdfast
    from holdfast.server.site import Site

BACKLOG: Final = 128
START_S: Final = 20.0
STOP_S: Final = 10
DRAIN_S: Final = 2
CONCURRENT: Final = 512


@dataclass(frozen=True, slots=True)
class Place:
    """Where to listen. Port 0: any free one. `public_url`: what people type, where a proxy stands in front."""

    host: str = "127.0.0.1"
    port: int = 8600
    certificate: Path | None = None
    private_key: Path | None = None
    public_url: str | None = None
    insecure: bool = False

    @property
    def tls(self) -> bool:
        """Whether this server itself speaks TLS."""
        return self.certificate is not None

    def demand_safe(self) -> None:
        """Raise ConfigError (HF-SRV-002) where passwords would cross a network in the clear."""
        proxied = self.public_url is not None and self.public_url.startswith("https://")
        if self.host in LOOPBACK or self.tls or proxied or self.insecure:
            return
        raise ConfigError(
            f"the console would listen on {self.host} without TLS",
            cause="passwords and tokens would cross the network in the clear",
            fix="give --tls-certificate and --tls-key, or --public-url https://... behind a proxy, or --insecure-http",
            code="HF-SRV-002",
        )


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers; `url` has no slash at its end."""

    url: str
    site: Site


@contextmanager
def running(holdfast: Holdfast, place: Place | None = None, *, loop: bool = True) -> Iterator[Running]:
    """Serve while the block runs. `loop` also runs detection, reactions, notices and the ledger in the background.

    Raises ConfigError (HF-SRV-002, -008), PrerequisiteError (HF-SRV-001) where the port is taken.
    """
    from holdfast.server.app import application
    from holdfast.server.site import Site

    where = place or Place(port=0)
    where.demand_safe()
    with _bound(where) as listener:
        port = listener.getsockname()[1]
        site = Site(holdfast, Front.of(where.host, port, tls=where.tls, public_url=where.public_url))
        server = _server(where, application(site))
        stop = threading.Event()
        threads = [threading.Thread(target=server.run, args=([listener],), name="holdfast-server", daemon=True)]
        if loop:
            threads.append(
                threading.Thread(target=holdfast.background.run, args=(stop,), name="holdfast-loop", daemon=True)
            )
        try:
            for thread in threads:
                thread.start()
            _await(server, threads[0])
            yield Running(site.front.url, site)
        finally:
            site.closing.set()
            stop.set()
            server.should_exit = True
            for thread in threads:
                if thread.ident is not None:
                    thread.join(STOP_S)
            site.close()


@contextmanager
def _bound(place: Place) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((place.host, place.port))
            listener.listen(BACKLOG)
        except (OSError, OverflowError) as fault:
            raise _taken(place, fault) from fault
        yield listener


def _taken(place: Place, fault: Exception) -> HoldfastError:
    used = isinstance(fault, OSError) and fault.errno == errno.EADDRINUSE
    return PrerequisiteError(
        f"the server cannot listen on {place.host}:{place.port}",
        cause="another program listens there" if used else str(getattr(fault, "strerror", None) or fault),
        fix="end it, or take another port: holdfast serve --port 0",
        code="HF-SRV-001",
    )


def _server(place: Place, app: object) -> Server:
    import uvicorn

    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        limit_concurrency=CONCURRENT,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=DRAIN_S,
        h11_max_incomplete_event_size=32_768,
        ssl_certfile=place.certificate,
        ssl_keyfile=place.private_key,
    )
    try:
        config.load()
    except OSError as fault:
        raise ConfigError(
            "the TLS certificate or key cannot be used",
            cause=str(fault.strerror or fault),
            fix="give PEM files that belong together: --tls-certificate server.pem --tls-key server.key",
            code="HF-SRV-008",
        ) from fault
    return uvicorn.Server(config)


def _await(server: Server, thread: threading.Thread) -> None:
    """Until the server answers. Raises PrerequisiteError (HF-SRV-001) where it does not come up."""
    waiting = threading.Event()
    for _ in range(int(START_S / 0.01)):
        if server.started:
            return
        if not thread.is_alive():
            break
        waiting.wait(0.01)
    raise PrerequisiteError(
        "the server did not start",
        cause="its thread ended or did not answer in time",
        fix="run it again with -vv and read the log",
        code="HF-SRV-001",
    )


def log_to_stderr(*, verbose: bool = False) -> None:
    """Log lines go to stderr: warnings always, each request where it is wanted."""
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("holdfast").setLevel(level)
