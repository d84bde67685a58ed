"""`holdfast completion`: the script that makes a shell complete verbs and options."""

from __future__ import annotations

import click

from holdfast.cli.terminal import Terminal
from holdfast.cli.verb import verb


@verb(
    "completion",
    examples=(
        ('eval "$(holdfast completion bash)"', "Complete in this shell; put it into ~/.bashrc to keep it."),
        ("holdfast completion fish > ~/.config/fish/completions/holdfast.fish", "Complete in fish, from now on."),
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_obj
def command(terminal: Terminal, shell: str) -> None:
    """Print the completion script of SHELL."""
    from click.shell_completion import get_completion_class

    from holdfast.cli.main import cli

    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(cli, {}, "holdfast", "_HOLDFAST_COMPLETE")
    terminal.out(script.source_template % script.source_vars())
