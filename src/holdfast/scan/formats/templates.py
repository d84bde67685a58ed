"""Chat templates: Jinja text that a serving library renders. Parsed to a tree, never rendered.

A template needs loops, conditions, filters and a few methods of text. What it never needs is a way from a value to
Python's own machinery: attributes with underscores, `mro`, `popen`, names of the sandbox's blind spots.
Source: Jinja's grammar (jinja2.Environment.parse); the known escapes all walk special attributes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Final

from holdfast.scan.inspect import Seen

if TYPE_CHECKING:
    from jinja2 import Environment

MAX_TEMPLATE: Final = 128 << 10
"""Letters; parsing takes five microseconds for each, and those of models have at most some ten thousand."""
MAX_NODES: Final = 100_000
_SPECIAL: Final = re.compile(r"_|mro$|func_|gi_|cr_|ag_|tb_|f_|im_", re.ASCII)
_REACHING: Final = frozenset(
    (
        *("system", "popen", "subprocess", "builtins", "globals", "import_module", "getattr", "setattr", "eval"),
        *("exec", "open", "modules", "environ", "lipsum", "cycler", "joiner", "config", "request", "self"),
    )
)
"""Names that lead out of a template, or that only frameworks other than a tokenizer put into one."""
_CHAT: Final = re.compile(r"\b(?:messages|add_generation_prompt|[be]os_token)\b")
_OPENINGS: Final = ("{{", "{%", "{#")
_ENCLOSED: Final = re.compile(r"\{[{%](?:(?!\{[{%]|[}%]\}).){0,500}?(__[a-z]+__|\bmro\b)", re.DOTALL)
"""Ends where the next braces are, so that each letter is looked at once."""
_SAFE_NAMES: Final = frozenset(("namespace", "range", "raise_exception", "strftime_now", "dict", "loop"))


def read_template(text: str, seen: Seen, *, offset: int | None = None, member: str | None = None) -> None:
    """State what of a template reaches beyond rendering text; a template that does not parse cannot be judged."""
    if len(text) > MAX_TEMPLATE:
        seen.add("budget", f"a template of {len(text):,} letters", offset, member)
        return
    from jinja2 import TemplateError

    try:
        tree = _parser().parse(text)
    except (TemplateError, RecursionError, ValueError, OverflowError) as fault:
        seen.add("template-unread", f"{type(fault).__name__}: {str(fault)[:120]}", offset, member)
        return
    for what in sorted(set(_reaching(tree))):
        seen.add("template-reach", what[:120], offset, member)


@cache
def _parser() -> Environment:
    """What tokenizers parse with: break and continue, and a mark around what the model said."""
    from jinja2 import Environment, nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.parser import Parser

    class Generation(Extension):
        tags = {"generation"}  # noqa: RUF012 - as the library declares it

        def parse(self, parser: Parser) -> list[nodes.Node]:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    # Nothing is rendered here, so nothing needs escaping.
    return Environment(extensions=[loopcontrols, Generation], autoescape=False)  # noqa: S701


def read_template_file(text: str, seen: Seen) -> None:
    """A template that is a file of its own; of other text only what no prose and no web page has in its braces."""
    if text.lstrip()[:2] in _OPENINGS and _CHAT.search(text) is not None:
        read_template(text, seen, offset=0)
    elif (found := _ENCLOSED.search(text)) is not None:
        seen.add("template-reach", found[1], found.start(1))


def _reaching(tree: object) -> Iterator[str]:
    from jinja2 import nodes

    for count, node in enumerate(_walk(tree)):
        if count > MAX_NODES:
            yield "more parts than a template needs"
            return
        if isinstance(node, nodes.Getattr) and _leads_out(node.attr):
            yield node.attr
        elif isinstance(node, nodes.Getitem):
            yield from _key(node.arg)
        elif isinstance(node, nodes.Name) and node.name in _REACHING - _SAFE_NAMES:
            yield node.name
        elif isinstance(node, nodes.Filter) and node.name in ("attr", "map") and _names_attribute(node):
            yield f"|{node.name}"
        elif isinstance(node, nodes.Include | nodes.Import | nodes.FromImport | nodes.Extends):
            yield type(node).__name__.lower()


def _walk(tree: object) -> Iterator[object]:
    """Every node, without recursion: a hostile template is deep."""
    from jinja2 import nodes

    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, nodes.Node):
            yield node
            waiting.extend(node.iter_child_nodes())


def _key(key: object) -> Iterator[str]:
    """`x['__class__']` is an attribute too; a key put together from pieces is looked at piece by piece, once each."""
    from jinja2 import nodes

    waiting = [(key, False)]
    while waiting:
        node, joined = waiting.pop()
        if not isinstance(node, nodes.Node):
            continue
        joined = joined or isinstance(node, nodes.Concat | nodes.Add)
        waiting.extend((child, joined) for child in node.iter_child_nodes())
        if isinstance(node, nodes.Const) and isinstance(node.value, str):
            if _leads_out(node.value):
                yield node.value
            if joined and "__" in node.value:
                yield "a name put together"


def _names_attribute(node: object) -> bool:
    """`|attr('x')` reaches an attribute by its name; `|map(attribute='content')` of a message does not."""
    from jinja2 import nodes

    assert isinstance(node, nodes.Filter)
    if node.name == "attr":
        return True
    named = [item.value for item in node.kwargs if item.key == "attribute"]
    return any(not isinstance(value, nodes.Const) or _leads_out(str(value.value)) for value in named)


def _leads_out(name: str) -> bool:
    parts = name.split(".")
    return any(_SPECIAL.match(part) is not None or part in _REACHING for part in parts)
