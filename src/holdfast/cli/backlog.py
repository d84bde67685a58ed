"""`holdfast backlog`: findings as ranked work, sprints over it, and risks accepted for a while."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.backlog_text import item_text, list_text, measures_text, plan_text, sprint_text, sprints_text
from holdfast.cli.backlog_tracker import sync, trackers
from holdfast.cli.moment import Day, Moment
from holdfast.cli.output import Form, Output, as_json, output_options
from holdfast.cli.terminal import Terminal
from holdfast.cli.verb import VerbGroup, verb
from holdfast.cli.workplace import settings_options
from holdfast.core.domain.clock import to_iso

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.app import Holdfast
    from holdfast.core.domain.backlog import BacklogItem
    from holdfast.core.settings import Settings
    from holdfast.core.store import Transaction

command = VerbGroup("backlog", help="Findings as ranked work: plan it, claim it, prove it, or accept the risk.")
sprints = VerbGroup("sprint", help="Plan sprints over the backlog and see how they burn down.")

by_option = click.option("--by", required=True, metavar="NAME", help="Who does this.")
as_of_option = click.option("--as-of", type=Moment(), help="As it was at this moment. [default: now]")
dry_option = click.option("--dry-run", is_flag=True, help="Say what would be recorded, and record nothing.")


@verb(
    "list",
    examples=(
        ("holdfast backlog list", "What to do, most urgent first, and why."),
        ("holdfast backlog list --model credit-default --as-of 2026-01-05T09:00:00Z --format json", "As it was then."),
    ),
)
@click.option("--model", help="Only this model's.")
@click.option("--all", "every", is_flag=True, help="Also what is proven done.")
@as_of_option
@settings_options
@output_options("text", "json")
@click.pass_obj
def list_(terminal: Terminal, /, settings: Settings, forms: tuple[Form, ...], output: str | None, **asked: Any) -> None:
    """List the items, ranked, each with the reasons for its rank."""
    from holdfast.backlog.queries import backlog_view

    with _reading(settings) as (holdfast, tx):
        now = asked["as_of"] or holdfast.clock()
        view = backlog_view(tx, now, model=asked["model"], every=asked["every"])
    _write(terminal, forms, output, view, lambda: list_text(view))


@verb(
    "show",
    examples=(
        ("holdfast backlog show itm_4f", "One item by the beginning of its id: history, versions, proof."),
        ("holdfast backlog show itm_4f --format json", "For scripts."),
    ),
)
@click.argument("item")
@as_of_option
@settings_options
@output_options("text", "json")
@click.pass_obj
def show(
    terminal: Terminal,
    /,
    item: str,
    as_of: datetime | None,
    settings: Settings,
    forms: tuple[Form, ...],
    output: str | None,
) -> None:
    """Show everything about ITEM."""
    from holdfast.backlog.queries import item_view

    with _reading(settings) as (holdfast, tx):
        view = item_view(tx, item, as_of or holdfast.clock())
    _write(terminal, forms, output, view, lambda: item_text(view))


@verb(
    "measures",
    examples=(
        ("holdfast backlog measures", "Open work, days to proof, ages, what will be late."),
        ("holdfast backlog measures --as-of 2026-01-05T09:00:00Z --format json", "The same for a past date."),
    ),
)
@as_of_option
@settings_options
@output_options("text", "json")
@click.pass_obj
def measures(
    terminal: Terminal, /, as_of: datetime | None, settings: Settings, forms: tuple[Form, ...], output: str | None
) -> None:
    """Figures over the backlog, recomputed from its journal for any date."""
    from holdfast.backlog.queries import measures_view

    with _reading(settings) as (holdfast, tx):
        view = measures_view(tx, as_of or holdfast.clock())
    _write(terminal, forms, output, view, lambda: measures_text(view))


@verb(
    "start",
    examples=(
        ("holdfast backlog start itm_4f --by ana", "Ana works on it now."),
        ("holdfast backlog start itm_4f --by ana --dry-run", "Would that be possible?"),
    ),
)
@click.argument("item")
@by_option
@dry_option
@settings_options
@output_options("text", "json")
@click.pass_obj
def start(terminal: Terminal, /, item: str, by: str, **asked: Any) -> None:
    """Begin to work on ITEM."""
    from holdfast.backlog.lifecycle import start as begin

    _move(terminal, item, asked, lambda tx, found: begin(tx, found, by))


@verb(
    "claim",
    examples=(
        (
            "holdfast backlog claim itm_4f --by ana --why 'hardened, v2 is out'",
            "Said to be done; not proven yet.",
        ),
        ("holdfast backlog claim itm_4f --by ana --dry-run", "Would that be possible?"),
    ),
)
@click.argument("item")
@by_option
@click.option("--why", default="claimed done", help="What was done.")
@dry_option
@settings_options
@output_options("text", "json")
@click.pass_obj
def claim(terminal: Terminal, /, item: str, by: str, why: str, **asked: Any) -> None:
    """Say that ITEM is done. Only the same check, on the version that serves, proves it."""
    from holdfast.backlog.lifecycle import claim as say
    from holdfast.backlog.lifecycle import person

    _move(terminal, item, asked, lambda tx, found: say(tx, found, person(by), why))


@verb(
    "accept",
    examples=(
        (
            "holdfast backlog accept itm_4f --owner ana --until 2026-03-01T00:00:00Z --check data.contract --reason r",
            "Ask to accept the risk; another person has to approve it.",
        ),
        (
            "holdfast backlog accept itm_4f --owner ana --until 2026-03-01T00:00:00Z --check x --reason late --dry-run",
            "Would that be possible?",
        ),
    ),
    epilog="`holdfast backlog approve` is the second step, by another person.",
)
@click.argument("item")
@click.option("--owner", required=True, metavar="NAME", help="Who answers for the risk.")
@click.option("--approver", metavar="NAME", help="Who is to approve it. [default: anybody but the owner]")
@click.option("--until", type=Moment(), required=True, help="When the acceptance ends.")
@click.option("--check", required=True, help="The compensating check: the acceptance ends when it is not green.")
@click.option("--reason", required=True, help="Why the risk can be borne.")
@dry_option
@settings_options
@output_options("text", "json")
@click.pass_obj
def accept(terminal: Terminal, /, item: str, **asked: Any) -> None:
    """Ask to accept the risk of ITEM for a while."""
    from holdfast.backlog.acceptance import Wish, request

    wish = Wish(**{name: asked.pop(name) for name in ("owner", "approver", "until", "check", "reason")})
    _move(terminal, item, asked, lambda tx, found: request(tx, found, wish))


@verb(
    "approve",
    examples=(
        (
            "holdfast backlog approve itm_4f --by ben",
            "The second person says yes: the gate lets it pass.",
        ),
        ("holdfast backlog approve itm_4f --by ben --dry-run", "Would that be possible?"),
    ),
)
@click.argument("item")
@by_option
@dry_option
@settings_options
@output_options("text", "json")
@click.pass_obj
def approve(terminal: Terminal, /, item: str, by: str, **asked: Any) -> None:
    """Approve the acceptance that somebody else asked for."""
    from holdfast.backlog.acceptance import approve as agree

    _move(terminal, item, asked, lambda tx, found: agree(tx, found, by))


@verb(
    "withdraw",
    examples=(
        ("holdfast backlog withdraw itm_4f --by ben --why 'seen live'", "The acceptance ends; the item is work again."),
        ("holdfast backlog withdraw itm_4f --by ben --dry-run", "Would that be possible?"),
    ),
)
@click.argument("item")
@by_option
@click.option("--why", default="withdrawn", help="Why it ends.")
@dry_option
@settings_options
@output_options("text", "json")
@click.pass_obj
def withdraw(terminal: Terminal, /, item: str, by: str, why: str, **asked: Any) -> None:
    """Take back the acceptance of ITEM, or the wish for one."""
    from holdfast.backlog.acceptance import withdraw as take_back

    _move(terminal, item, asked, lambda tx, found: take_back(tx, found, by, why))


@verb(
    "create",
    examples=(
        (
            "holdfast backlog sprint create 2026-03 --starts 2026-01-19 --ends 2026-01-30 --capacity 20 --by ana",
            "Two weeks, twenty points.",
        ),
        (
            "holdfast backlog sprint create next --starts 2026-01-19 --ends 2026-01-30 --capacity 9 --by a --dry-run",
            "Would that be possible?",
        ),
    ),
)
@click.argument("name")
@click.option("--starts", type=Day(), required=True, help="The first day.")
@click.option("--ends", type=Day(), required=True, help="The last day.")
@click.option("--capacity", type=int, required=True, help="Points that fit.")
@by_option
@dry_option
@settings_options
@output_options("text", "json")
@click.pass_obj
def create(terminal: Terminal, /, name: str, by: str, **asked: Any) -> None:
    """Create the sprint NAME."""
    from holdfast.backlog.queries import sprint_view
    from holdfast.backlog.sprints import create as make

    span = (asked.pop("starts"), asked.pop("ends"), asked.pop("capacity"))

    _change(terminal, asked, lambda tx: make(tx, name, *span, by).id, sprint_view, sprint_text)


@verb(
    "plan",
    examples=(
        ("holdfast backlog sprint plan 2026-03 --by ana", "Take the top-ranked items that fit, and say what did not."),
        ("holdfast backlog sprint plan 2026-03 --by ana --dry-run", "Which would they be?"),
    ),
)
@click.argument("sprint")
@by_option
@dry_option
@settings_options
@output_options("text", "json")
@click.pass_obj
def plan(terminal: Terminal, /, sprint: str, by: str, **asked: Any) -> None:
    """Fill SPRINT with the most urgent items that fit its capacity."""
    from holdfast.backlog.sprints import plan as fill

    _change(terminal, asked, lambda tx: fill(tx, sprint, by), lambda _, planned: planned, plan_text)


@verb(
    "show",
    examples=(
        ("holdfast backlog sprint show", "Every sprint."),
        ("holdfast backlog sprint show 2026-03", "One sprint: its board and its burn-down."),
    ),
)
@click.argument("sprint", required=False)
@as_of_option
@settings_options
@output_options("text", "json")
@click.pass_obj
def show_sprint(
    terminal: Terminal,
    /,
    sprint: str | None,
    as_of: datetime | None,
    settings: Settings,
    forms: tuple[Form, ...],
    output: str | None,
) -> None:
    """Show SPRINT, or list all of them."""
    from holdfast.backlog.queries import sprint_view, sprints_view

    with _reading(settings) as (holdfast, tx):
        now = as_of or holdfast.clock()
        if sprint is None:
            every = sprints_view(tx, now)
            _write(terminal, forms, output, every, lambda: sprints_text(every))
        else:
            one = sprint_view(tx, sprint, now)
            _write(terminal, forms, output, one, lambda: sprint_text(one))


@verb(
    "close",
    examples=(
        ("holdfast backlog sprint close 2026-03 --by ana", "End it; what is not proven goes back."),
        ("holdfast backlog sprint close 2026-03 --by ana --dry-run", "What would go back?"),
    ),
)
@click.argument("sprint")
@by_option
@dry_option
@settings_options
@output_options("text", "json")
@click.pass_obj
def close(terminal: Terminal, /, sprint: str, by: str, **asked: Any) -> None:
    """End SPRINT. Claims whose findings are still open go back with the rest."""
    from holdfast.backlog.queries import sprint_view
    from holdfast.backlog.sprints import close as finish

    _change(terminal, asked, lambda tx: finish(tx, sprint, by).sprint.id, sprint_view, sprint_text)


class _DryRun(Exception):  # noqa: N818
    """Carries what would be seen out of a transaction that is undone."""

    def __init__(self, view: Any) -> None:
        super().__init__()
        self.view = view


def _move(
    terminal: Terminal, item: str, asked: dict[str, Any], move: Callable[[Transaction, BacklogItem], object]
) -> None:
    """Move an item, and show what has become of it."""
    from holdfast.backlog.queries import find_id, item_view, no_item

    def work(tx: Transaction) -> str:
        found = tx.backlog.find(find_id(tx, item))
        if found is None:
            raise no_item(item)
        move(tx, found)
        return found.id

    _change(terminal, asked, work, item_view, item_text)


def _change(
    terminal: Terminal,
    asked: dict[str, Any],
    work: Callable[[Transaction], Any],
    see: Callable[[Transaction, Any], Any],
    text: Callable[[Any], str],
) -> None:
    """Do the work, let everything follow from it, and show how it is then; with --dry-run undo it."""
    from holdfast.app import Holdfast

    def dry(tx: Transaction) -> Any:
        raise _DryRun(see(tx, work(tx)))

    with Holdfast.open(asked["settings"]) as holdfast:
        try:
            result = holdfast.store.run(dry if asked["dry_run"] else work)
            holdfast.settle()
            with holdfast.store.reading() as tx:
                view = see(tx, result)
        except _DryRun as undone:
            view = undone.view
            terminal.log("note: a dry run; nothing was recorded")
        now = holdfast.clock()
    _write(terminal, asked["forms"], asked["output"], view, lambda: text(view), now)


@contextmanager
def _reading(settings: Settings) -> Iterator[tuple[Holdfast, Transaction]]:
    from holdfast.app import Holdfast

    with Holdfast.open(settings) as holdfast, holdfast.store.reading() as tx:
        yield holdfast, tx


def _write(
    terminal: Terminal,
    forms: tuple[Form, ...],
    output: str | None,
    view: Any,
    text: Callable[[], str],
    now: datetime | None = None,
) -> None:
    import msgspec

    def render(form: Form) -> str:
        if form.format == "text":
            return text()
        said = msgspec.to_builtins(view)
        return as_json({"schema_version": 1, "as_of": said.pop("as_of", None) or to_iso(now or view.as_of), **said})

    Output.of(forms, output).write(render, terminal)


for _verb in (create, plan, show_sprint, close):
    sprints.add_command(_verb)
for _verb in (list_, show, measures, start, claim, accept, approve, withdraw, sync):
    command.add_command(_verb)
command.add_command(sprints)
command.add_command(trackers)
