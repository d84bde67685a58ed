"""How a verb is declared: examples in its help, the same options everywhere, every option an environment variable."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

from holdfast.cli.terminal import Terminal

Example = tuple[str, str]
"""A command line as typed, and what it is for."""


def terminal_options() -> list[click.Parameter]:
    """-q, -v and --color, accepted before and after the verb."""
    shared: dict[str, Any] = {"expose_value": False, "is_eager": True}
    return [
        click.Option(["-q", "--quiet"], is_flag=True, callback=_quiet, help="Only the result and errors.", **shared),
        click.Option(
            ["-v", "--verbose"], count=True, callback=_verbose, help="Say more; -vv adds tracebacks.", **shared
        ),
        click.Option(
            ["--color"],
            type=click.Choice(["auto", "always", "never"]),
            callback=_color,
            help="Colour the output; NO_COLOR and FORCE_COLOR are honoured.",
            **shared,
        ),
    ]


def version_option() -> click.Option:
    """--version, as people try it first."""
    return click.Option(
        ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print the version."
    )


def _version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value and isinstance(context.obj, Terminal):
        from holdfast import __version__

        context.obj.out(f"holdfast {__version__}")
        context.exit()


def _quiet(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value and isinstance(context.obj, Terminal):
        context.obj.verbosity = -1


def _verbose(context: click.Context, _: click.Parameter, value: int) -> None:
    if value and isinstance(context.obj, Terminal):
        context.obj.verbosity = value


def _color(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value and isinstance(context.obj, Terminal):
        context.obj.color = value


class Verb(click.Command):
    """A command with examples. Its options are read from `HOLDFAST_<VERB>_<OPTION>`, then `HOLDFAST_<OPTION>`."""

    def __init__(self, name: str, *, examples: Sequence[Example], **attributes: Any) -> None:
        super().__init__(name, **attributes)
        self.examples = tuple(examples)
        self.params.extend(terminal_options())
        for option in self.params:
            if isinstance(option, click.Option) and option.envvar is None:
                word = max(option.opts, key=len).lstrip("-").replace("-", "_").upper()
                option.envvar = [f"HOLDFAST_{name.upper()}_{word}", f"HOLDFAST_{word}"]

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples, after the options."""
        with formatter.section("Examples"):
            margin = " " * formatter.current_indent
            for line, purpose in self.examples:
                formatter.write(f"{margin}{line}\n{margin}  {purpose}\n")
        super().format_epilog(ctx, formatter)


def verb(name: str, *, examples: Sequence[Example], **attributes: Any) -> Callable[[Callable[..., Any]], Verb]:
    """Declare a verb: `@verb("scan", examples=(...))` above its function."""

    def declare(function: Callable[..., Any]) -> Verb:
        return click.command(name, cls=Verb, examples=examples, **attributes)(function)

    return declare


class VerbGroup(click.Group):
    """Subcommands by name. With `default`, words that name no subcommand go to that one: `gate MODEL`."""

    def __init__(self, *args: Any, default: str | None = None, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.default = default

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default subcommand's name first where none is named."""
        if self.default is not None and (not args or args[0] not in self.list_commands(ctx)):
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Like click's, but a wrong name is answered with the nearest right one."""
        if args and not ctx.resilient_parsing and self.get_command(ctx, args[0]) is None:
            from holdfast.core.documents import suggest
            from holdfast.core.errors import UsageError

            known = self.list_commands(ctx)
            raise UsageError(
                f"there is no command '{ctx.command_path} {args[0]}'",
                cause=f"the commands are {', '.join(known)}",
                fix=suggest(args[0], known),
                code="HF-USE-001",
            )
        return super().resolve_command(ctx, args)


def leaves(context: click.Context) -> Iterator[click.Context]:
    """The contexts of all commands below `context` that are no groups, importing what is needed."""
    if not isinstance(context.command, click.Group):
        yield context
        return
    for name in context.command.list_commands(context):
        child = context.command.get_command(context, name)
        assert child is not None
        yield from leaves(click.Context(child, info_name=name, parent=context))


class LazyGroup(VerbGroup):
    """Commands by the module that holds each; a module is imported when its command is called."""

    def __init__(self, *, verbs: dict[str, tuple[str, str]], **attributes: Any) -> None:
        super().__init__(**attributes)
        self.verbs = verbs

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The verbs, in the order a user meets them."""
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a verb; its module's `command` is it."""
        if cmd_name not in self.verbs:
            return None
        command: click.Command = importlib.import_module(self.verbs[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list in `--help`, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in self.verbs.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Verb names without importing the verbs."""
        from click.shell_completion import CompletionItem

        names = [
            CompletionItem(name, help=summary)
            for name, (_, summary) in self.verbs.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)
