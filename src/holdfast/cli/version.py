"""`holdfast version`."""

from __future__ import annotations

import click

from holdfast import __version__
from holdfast.cli.terminal import Terminal
from holdfast.cli.verb import verb


@verb(
    "version",
    examples=(
        ("holdfast version", "The version, for people and scripts."),
        ("holdfast version -v", "With the Python it runs under."),
    ),
)
@click.pass_obj
def command(terminal: Terminal) -> None:
    """Print the version."""
    import platform

    more = f" (Python {platform.python_version()}, {platform.system()} {platform.machine()})"
    terminal.out(f"holdfast {__version__}{more if terminal.verbosity > 0 else ''}")
